import type { JsonObject } from '../base/json.ts'
import { permissionOf } from '../contract/permissions.ts'
import { projectResource } from '../contract/project.ts'
import { resourceGroupType } from '../contract/resource-groups.ts'
import { findResourceType } from '../contract/resource-types.ts'
import type { Db } from '../db/tables.ts'
import type { CallerFacts } from '../resources/behaviour.ts'
import { pageResources } from '../resources/resource.rows.ts'
import type { Resource } from '../resources/resource.ts'
import { listSubscriptions, type Subscription } from '../resources/subscription.rows.ts'
import type { TableName } from './parse-query.ts'

/** What one caller may, as of now. */
export interface GraphRights {
  can(action: string, scope: string): boolean
}

export interface GraphDependencies {
  readonly db: Db
  rightsOf(caller: CallerFacts): Promise<GraphRights>
  /** What is public: rows of communitygalleryresources, `location` in lower case. */
  listCommunityRows(viewer: { readonly subscriptionId: string }): Promise<readonly JsonObject[]>
}

const pageSize = 500

/** The rows of a table that a caller may see, of all its subscriptions or of those that it names. */
export async function readTable(
  table: TableName,
  caller: CallerFacts,
  wanted: readonly string[] | undefined,
  deps: GraphDependencies,
): Promise<readonly JsonObject[]> {
  const own = (await listSubscriptions(deps.db)).filter(
    ({ subscriptionId, tenantId }) =>
      tenantId === caller.tenantId && (wanted === undefined || wanted.includes(subscriptionId)),
  )
  if (table === 'communitygalleryresources')
    return deps.listCommunityRows({ subscriptionId: own[0]?.subscriptionId ?? '' })
  const rights = await deps.rightsOf(caller)
  const rows: JsonObject[] = []
  for (const subscription of own) {
    if (table === 'resourcecontainers') rows.push(...subscriptionRows(subscription, rights))
    for await (const resource of listAll(deps.db, subscription.subscriptionId)) {
      const isGroup = resource.type === resourceGroupType
      if (isGroup !== (table === 'resourcecontainers')) continue
      const row = rowOf(resource, subscription, rights)
      if (row) rows.push(row)
    }
  }
  return rows
}

async function* listAll(db: Db, subscriptionId: string): AsyncIterable<Resource> {
  let afterKey: string | undefined
  for (;;) {
    const page = await pageResources(db, { subscriptionId, afterKey, limit: pageSize })
    yield* page
    afterKey = page.at(-1)?.key
    if (page.length < pageSize) return
  }
}

function subscriptionRows({ subscriptionId, tenantId, displayName, state }: Subscription, rights: GraphRights) {
  const id = `/subscriptions/${subscriptionId}`
  if (!rights.can('Microsoft.Resources/subscriptions/read', id)) return []
  const type = 'microsoft.resources/subscriptions'
  return [{ id, name: displayName, type, tenantId, subscriptionId, properties: { state } }]
}

/** Undefined where the caller may not read it. What is shown is what a GET in the newest api-version shows. */
function rowOf(resource: Resource, { tenantId }: Subscription, rights: GraphRights): JsonObject | undefined {
  const type = findResourceType(resource.type)
  if (!type || !rights.can(permissionOf(type, 'read'), resource.id)) return undefined
  const shown = projectResource(type, type.apiVersions.at(-1) ?? '', resource)
  const { id, name, type: _type, location, tags, properties, ...envelope } = shown
  const isGroup = resource.type === resourceGroupType
  return {
    ...envelope,
    id: id ?? resource.id,
    name: name ?? resource.name,
    type: isGroup ? 'microsoft.resources/subscriptions/resourcegroups' : resource.type.toLowerCase(),
    tenantId,
    location: location ?? '',
    resourceGroup: resource.resourceGroupKey.split('/').at(-1) ?? '',
    subscriptionId: resource.subscriptionId,
    properties: properties ?? {},
    tags: tags ?? null,
  }
}
