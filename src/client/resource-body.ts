import { isJsonObject } from '../base/json.ts'
import type { JsonObject } from '../base/json.ts'
import { Problem } from '../base/problem.ts'

/** A resource as ARM shows it; `P` is the contract's type of its properties (`GalleryImageVersionProperties`). */
export interface ArmResource<P = JsonObject> {
  readonly id: string
  readonly name: string
  readonly type: string
  readonly location: string | undefined
  readonly tags: Readonly<Record<string, string>> | undefined
  readonly properties: P & { readonly provisioningState?: string }
}

/** Trusts the server for the members of `properties`: it projected them by the same contract. */
export function parseResource<P = JsonObject>(body: JsonObject): ArmResource<P> {
  const { id, name, type, location, tags, properties } = body
  if (typeof id !== 'string' || typeof name !== 'string')
    throw new Problem('internal', 'UnexpectedAnswer', 'The server answered something that is not a resource.')
  return {
    id,
    name,
    type: typeof type === 'string' ? type : '',
    location: typeof location === 'string' ? location : undefined,
    tags: isJsonObject(tags) ? (tags as Readonly<Record<string, string>>) : undefined,
    properties: (isJsonObject(properties) ? properties : {}) as P & { readonly provisioningState?: string },
  }
}
