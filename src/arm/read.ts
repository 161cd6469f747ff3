import { permissionOf } from '../contract/permissions.ts'
import type { ResourceTypeDeclaration } from '../contract/resource-type.ts'
import { noMemo } from '../db/read-memo.ts'
import { resourceProblems } from '../resources/problems.ts'
import { pageChildren, pageResources, type PageQuery } from '../resources/resource.rows.ts'
import type { Resource } from '../resources/resource.ts'
import { listSubscriptions } from '../resources/subscription.rows.ts'
import { getSubscription, param, requestContext, type Answer, type Call } from './call.ts'
import { quoteEtag } from './conditions.ts'
import { resourceText, showResource } from './show-resource.ts'
import { splitType, type Engine } from './engine.ts'
import { nextLink, readAfterName, readSkipToken } from './paging.ts'
import { armProblems } from './problems.ts'
import { sightOf } from './sight.ts'
import {
  admit,
  checkApiVersion,
  findShownTarget,
  getResourceGroup,
  getTarget,
  sizeOfRow,
  type Target,
} from './target.ts'
import { resourceGroupKey } from '../base/arm-id.ts'

export async function readResource(engine: Engine, call: Call, type: ResourceTypeDeclaration): Promise<Answer> {
  const permission = permissionOf(type, 'read')
  const target = await admit(engine, call, type, permission)
  checkQueryWords(type, call)
  const resource = await getTarget(engine, target, findShownTarget)
  const headers = { etag: quoteEtag(resource.etag) }
  const context = requestContext(engine, call, { action: permission, scope: target.id.id })
  const shown = await engine.behaviour(type.type)?.show?.(resource, context)
  if (shown !== undefined && shown !== resource.properties)
    return { status: 200, headers, body: showResource(type, call.apiVersion, resource, shown, call.query) }
  return { status: 200, headers, text: resourceText(type, call.apiVersion, resource, call.query) }
}

/** HEAD asks only whether it is there: 204, or the problem of a GET without its body. */
export async function checkExistence(engine: Engine, call: Call, type: ResourceTypeDeclaration): Promise<Answer> {
  await getTarget(engine, await admit(engine, call, type, permissionOf(type, 'read')))
  return { status: 204 }
}

/** `$expand` and `$select` must be words that the type declares; a type that declares none ignores them. */
function checkQueryWords(type: ResourceTypeDeclaration, call: Call): void {
  const accepted = type.expands
  if (!accepted) return
  for (const parameter of ['$expand', '$select']) {
    for (const value of (call.query[parameter] ?? '').split(',')) {
      const word = value.trim().toLowerCase()
      if (word !== '' && !accepted.some((one) => one.toLowerCase() === word))
        throw armProblems.InvalidExpand({ parameter, value, accepted })
    }
  }
}

/** Children of a parent resource, ascending by name with numbers as numbers (behaviour.md B4). */
export async function listUnderParent(
  engine: Engine,
  call: Call,
  type: ResourceTypeDeclaration,
  parentType: ResourceTypeDeclaration,
): Promise<Answer> {
  const parent = await admit(engine, call, parentType, permissionOf(type, 'read'), type)
  await checkParentExists(engine, parent)
  const afterName = readAfterName(call, parent.id.key)
  const limit = engine.pageSize
  const { memo = noMemo } = engine
  const found = await memo(
    `children ${parent.id.key} ${type.type} ${afterName ?? ''}`,
    () => pageChildren(engine.db, { parentKey: parent.id.key, type: type.type, afterName, limit: limit + 1 }),
    (rows) => rows.reduce((sum, row) => sum + sizeOfRow(row), 0),
  )
  const page = found.slice(0, limit)
  return listAnswer(engine, call, type, page, found.length > limit ? page.at(-1)?.key : undefined)
}

async function checkParentExists(engine: Engine, parent: Target): Promise<void> {
  if (await findShownTarget(engine, parent)) return
  const { type, names } = parent.id
  throw resourceProblems.ResourceNotFound({ type, names, resourceGroup: parent.resourceGroup })
}

/** Resources of one type in a resource group or a whole subscription, in key order. */
export async function listByType(
  engine: Engine,
  call: Call,
  type: ResourceTypeDeclaration,
  isWanted: (row: Resource) => boolean = () => true,
): Promise<Answer> {
  const { subscriptionId } = await getSubscription(engine, call)
  checkApiVersion(engine, type, call)
  const scope = await listScope(engine, call, subscriptionId, permissionOf(type, 'read'))
  const afterKey = readSkipToken(call, scope.key)
  const { page, lastKey } = await pageSeen(
    engine,
    { subscriptionId, resourceGroupKey: scope.resourceGroupKey, type: type.type, afterKey },
    (row) => isWanted(row) && scope.sees(row.id),
    engine.pageSize,
  )
  return listAnswer(engine, call, type, page, lastKey)
}

/**
 * Resources of one type in every subscription that the caller may see: an extension of ours, at the address of the
 * type itself (`/providers/Microsoft.Compute/galleries`).
 */
export async function listEverywhere(engine: Engine, call: Call, type: ResourceTypeDeclaration): Promise<Answer> {
  checkApiVersion(engine, type, call)
  const rights = await engine.rightsOf(call.caller)
  const permission = permissionOf(type, 'read')
  const afterKey = readSkipToken(call, '/subscriptions')
  const own = (await listSubscriptions(engine.db)).filter(({ tenantId }) => tenantId === call.caller.tenantId)
  const found: Resource[] = []
  for (const { subscriptionId } of own) {
    const scope = `/subscriptions/${subscriptionId}`
    // Keys are in the order of subscriptions: what comes before the position was shown already.
    if (!rights.touches(scope) || (afterKey !== undefined && `${scope}0` < afterKey)) continue
    const query = { subscriptionId, type: type.type, afterKey }
    const { page, lastKey } = await pageSeen(engine, query, (row) => rights.can(permission, row.id), engine.pageSize)
    found.push(...page)
    if (lastKey !== undefined || found.length > engine.pageSize) break
  }
  const shown = found.slice(0, engine.pageSize)
  // One page more than needed may be empty; a client follows it and finds the end.
  return listAnswer(engine, call, type, shown, found.length >= engine.pageSize ? shown.at(-1)?.key : undefined)
}

export interface ListScope {
  readonly key: string
  readonly resourceGroupKey: string | undefined
  /** Whether the caller may read something in the list. */
  sees(id: string): boolean
}

/** A list's scope from the path: the group if the path names one, else the subscription; checked and authorised. */
export async function listScope(
  engine: Engine,
  call: Call,
  subscriptionId: string,
  permission: string,
): Promise<ListScope> {
  if (call.params['resourceGroup'] === undefined) {
    const key = `/subscriptions/${subscriptionId}`
    return { key, resourceGroupKey: undefined, sees: await sightOf(engine, call, permission, key) }
  }
  const resourceGroup = param(call, 'resourceGroup')
  const id = `/subscriptions/${subscriptionId}/resourceGroups/${resourceGroup}`
  const sees = await sightOf(engine, call, permission, id)
  const key = resourceGroupKey(subscriptionId, resourceGroup)
  await getResourceGroup(engine, { resourceGroup, resourceGroupKey: key })
  return { key, resourceGroupKey: key, sees }
}

/** One page of what the caller may see, and the key behind which the next one begins. */
export async function pageSeen(
  engine: Engine,
  query: Omit<PageQuery, 'limit'>,
  isWanted: (row: Resource) => boolean,
  limit: number,
): Promise<{ readonly page: readonly Resource[]; readonly lastKey: string | undefined }> {
  const found: Resource[] = []
  for (let { afterKey } = query; ;) {
    const rows = await pageResources(engine.db, { ...query, afterKey, limit: limit + 1 })
    found.push(...rows.filter(isWanted))
    afterKey = rows.at(-1)?.key
    if (rows.length <= limit || found.length > limit) break
  }
  const page = found.slice(0, limit)
  return { page, lastKey: found.length > limit ? page.at(-1)?.key : undefined }
}

export function listAnswer(
  engine: Engine,
  call: Call,
  type: ResourceTypeDeclaration,
  resources: readonly Resource[],
  lastKey: string | undefined,
): Answer {
  const value = resources.map((row) => resourceText(type, call.apiVersion, row, call.query, true)).join(',')
  const next = lastKey === undefined ? '' : `,"nextLink":${JSON.stringify(nextLink(call, lastKey))}`
  return { status: 200, text: `{"value":[${value}]${next}}` }
}

/** The parent's own declaration: `galleries` for `galleries/images`. */
export function findParentType(engine: Engine, type: ResourceTypeDeclaration): ResourceTypeDeclaration | undefined {
  const [, path] = splitType(type.type)
  return path.includes('/') ? engine.findType(type.type.slice(0, type.type.lastIndexOf('/'))) : undefined
}
