import type { JsonObject } from '../base/json.ts'
import { resourceGroupPath } from '../client/arm-path.ts'
import type { ArmClient } from '../client/arm-client.ts'
import type { Connection } from './connection.ts'
import { definitionPath, galleryPath } from './image-names.ts'
import type { ImageFlags } from './image-names.ts'

export interface DefinitionFacts {
  readonly location: string
  readonly publisher: string
  readonly offer: string
  readonly sku: string
  readonly osType: string
  readonly osState: string
  readonly hyperVGeneration: string
}

/** Makes a resource unless there is one: what exists is never changed. Answers whether it was made. */
async function ensure(client: ArmClient, path: string, body: JsonObject, signal: AbortSignal): Promise<boolean> {
  if ((await client.find(path, { signal })) !== undefined) return false
  await client.put(path, body, { signal })
  return true
}

export function ensureResourceGroup(
  { client, subscriptionId }: Connection,
  name: string,
  location: string,
  signal: AbortSignal,
): Promise<boolean> {
  return ensure(client, resourceGroupPath(subscriptionId, name), { location }, signal)
}

/** `--create`: the resource group, the gallery and the definition, whichever are missing. Answers the names made. */
export async function ensureDefinition(
  connection: Connection,
  flags: ImageFlags,
  facts: DefinitionFacts,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { client } = connection
  const { location, publisher, offer, sku, osType, osState, hyperVGeneration } = facts
  const made: string[] = []
  if (await ensureResourceGroup(connection, flags.resourceGroup, location, signal))
    made.push(`resource group ${flags.resourceGroup}`)
  if (await ensure(client, galleryPath(connection, flags), { location, properties: {} }, signal))
    made.push(`gallery ${flags.gallery}`)
  const properties = {
    osType,
    osState,
    identifier: { publisher, offer, sku },
    hyperVGeneration,
  }
  if (await ensure(client, definitionPath(connection, flags), { location, properties }, signal))
    made.push(`image definition ${flags.definition}`)
  return made
}
