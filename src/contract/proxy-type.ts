import type { JsonObject } from '../base/json.ts'
import { showBody } from './project.ts'
import type { ActionDeclaration } from './resource-type.ts'
import { readSchema, type TSchema } from './schema.ts'

/**
 * A read-only view of other resources, which lives in a region instead of a resource group: what a gallery's owner shares
 * is seen through such. Routes, api-versions, permissions and the shape of the answers follow from the declaration; a
 * provider's behaviour says what there is to see.
 */
export interface ProxyTypeDeclaration {
  /** Canonical spelling, as its permissions have it: `Microsoft.Compute/locations/sharedGalleries/images`. */
  readonly type: string
  /** What its address begins with: `/subscriptions/{id}`, or nothing. */
  readonly scope: 'subscription' | 'tenant'
  /** Api-versions, ascending, in which one can be read, and in which they are listed; absent: not at all. */
  readonly getVersions?: readonly string[]
  readonly listVersions?: readonly string[]
  /** Words that a query parameter of the list may have. */
  readonly listQuery?: Readonly<Record<string, readonly string[]>>
  /** Schema of the whole body as it is shown. */
  readonly body: TSchema
  /** Done at once, answered with 204. */
  readonly actions: readonly ActionDeclaration[]
}

/** Every api-version that knows the type in some way, ascending. */
export function versionsOf(type: ProxyTypeDeclaration): readonly string[] {
  return type.getVersions ?? type.listVersions ?? []
}

/** What is seen, in the shape of one api-version. */
export function projectProxy(type: ProxyTypeDeclaration, apiVersion: string, body: JsonObject): JsonObject {
  return showBody(readSchema(type.body), body, apiVersion)
}
