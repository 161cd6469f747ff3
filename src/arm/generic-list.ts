import type { JsonObject } from '../base/json.ts'
import { resourceGroupKey } from '../base/arm-id.ts'
import { readFilterClauses } from '../base/filter-clauses.ts'
import { normalizeRegionName } from '../base/region.ts'
import { resourcesApiVersions } from '../contract/api-versions.ts'
import type { ResourceTypeDeclaration } from '../contract/resource-type.ts'
import type { Resource } from '../resources/resource.ts'
import { getSubscription, type Answer, type Call } from './call.ts'
import { checkOwnVersion } from './check-version.ts'
import type { Engine } from './engine.ts'
import { nextLink, readSkipToken } from './paging.ts'
import { armProblems } from './problems.ts'
import { listByType, listScope, pageSeen } from './read.ts'
import { withUpperGroup } from './show-resource.ts'
import { resourceGroupType } from './target.ts'

type Field = 'resourceType' | 'resourceGroup' | 'location' | 'name' | 'tagName' | 'tagValue'
type Filter = Readonly<Partial<Record<Field, string>>>
const fields: readonly Field[] = ['resourceType', 'resourceGroup', 'location', 'name', 'tagName', 'tagValue']

/** GET …/resources of a subscription or a group: every resource in ARM's general shape, without its properties. */
export async function listGenericResources(engine: Engine, call: Call): Promise<Answer> {
  checkOwnVersion(call, resourcesApiVersions)
  const { subscriptionId } = await getSubscription(engine, call)
  const permission = 'Microsoft.Resources/subscriptions/resources/read'
  const scope = await listScope(engine, call, subscriptionId, permission)
  const rights = await engine.rightsOf(call.caller)
  // Who may read a resource sees it here: roles for one type do not name this list.
  const seesRow = (row: Resource): boolean => scope.sees(row.id) || rights.can(`${row.type}/read`, row.id)
  const filter = parseFilter(fields, call.query['$filter'])
  const limit = readTop(call.query['$top'], engine.pageSize)
  const groupKey =
    filter.resourceGroup === undefined ? undefined : resourceGroupKey(subscriptionId, filter.resourceGroup)
  if (groupKey !== undefined && scope.resourceGroupKey !== undefined && groupKey !== scope.resourceGroupKey)
    return { status: 200, body: { value: [] } }
  const type = filter.resourceType === undefined ? undefined : engine.findType(filter.resourceType)
  if (filter.resourceType !== undefined && type === undefined) return { status: 200, body: { value: [] } }
  const query = {
    subscriptionId,
    resourceGroupKey: groupKey ?? scope.resourceGroupKey,
    type: type?.type,
    exceptType: resourceGroupType,
    afterKey: readSkipToken(call, scope.key),
  }
  const { page, lastKey } = await pageSeen(engine, query, (row) => matches(row, filter) && seesRow(row), limit)
  const expand = (call.query['$expand'] ?? '').toLowerCase().split(',')
  const value = page.map((row) => withUpperGroup(showGeneric(row, expand)))
  return { status: 200, body: { value, ...(lastKey === undefined ? {} : { nextLink: nextLink(call, lastKey) }) } }
}

function matches(row: Resource, filter: Filter): boolean {
  if (filter.location !== undefined && normalizeRegionName(filter.location) !== row.location) return false
  if (filter.name !== undefined && filter.name.toLowerCase() !== genericName(row).toLowerCase()) return false
  return hasTag(row, filter)
}

/** Names of tags are compared in any case, their values as they are. */
function hasTag({ tags = {} }: Resource, { tagName, tagValue }: Filter): boolean {
  if (tagName === undefined && tagValue === undefined) return true
  return Object.entries(tags).some(
    ([name, value]) =>
      (tagName === undefined || name.toLowerCase() === tagName.toLowerCase()) &&
      (tagValue === undefined || value === tagValue),
  )
}

/** GET …/resourceGroups: all of them, or those that have a tag (`$filter=tagName eq 'a' and tagValue eq 'b'`). */
export function listResourceGroups(engine: Engine, call: Call, type: ResourceTypeDeclaration): Promise<Answer> {
  const filter = parseFilter(['tagName', 'tagValue'], call.query['$filter'])
  return listByType(engine, call, type, (row) => hasTag(row, filter))
}

/** `gallery/image` for a child, as ARM's general lists write names. */
function genericName(row: Resource): string {
  const parts = row.id.split('/').slice(8)
  return parts.filter((_, index) => index % 2 === 0).join('/')
}

function showGeneric(row: Resource, expand: readonly string[]): JsonObject {
  const { envelope } = row
  const members = ['sku', 'kind', 'plan', 'identity', 'zones', 'managedBy'].flatMap((name) => {
    const value = envelope[name]
    return value === undefined ? [] : [[name, value] as const]
  })
  return {
    id: row.id,
    name: genericName(row),
    type: row.type,
    ...Object.fromEntries(members),
    ...(row.location === '' ? {} : { location: row.location }),
    ...(row.tags === undefined ? {} : { tags: row.tags }),
    ...(expand.includes('provisioningstate') ? { provisioningState: row.provisioningState } : {}),
    ...(expand.includes('createdtime') ? { createdTime: new Date(row.createdMs).toISOString() } : {}),
    ...(expand.includes('changedtime') ? { changedTime: new Date(row.changedMs).toISOString() } : {}),
  }
}

/** `resourceType eq 'X' and resourceGroup eq 'Y'`; throws InvalidFilterInQueryString for anything else. */
function parseFilter(allowed: readonly Field[], filter = ''): Filter {
  const found: Partial<Record<Field, string>> = {}
  for (const { name, operator, quoted } of readFilterClauses(filter)) {
    const field = allowed.find((one) => one.toLowerCase() === name)
    if (field === undefined || operator !== 'eq' || quoted === undefined)
      throw armProblems.InvalidFilterInQueryString({ filter })
    found[field] = quoted
  }
  return found
}

function readTop(top: string | undefined, pageSize: number): number {
  const wanted = Number(top)
  return Number.isInteger(wanted) && wanted > 0 ? Math.min(wanted, pageSize) : pageSize
}
