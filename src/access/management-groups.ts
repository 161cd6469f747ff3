import { formatUtcTime } from '../base/clock.ts'
import { isJsonObject } from '../base/json.ts'
import type { JsonObject } from '../base/json.ts'
import { findManagementGroupKey, managementGroupScope } from '../base/scope.ts'
import { managementGroups, managementGroupSubscriptions } from '../contract/extension-types.ts'
import type { ExtensionBehaviour, ExtensionCall, ExtensionResult } from '../resources/extension.ts'
import { findSubscription, listSubscriptions } from '../resources/subscription.rows.ts'
import type { Subscription } from '../resources/subscription.rows.ts'
import { decideAt, principalIdsOf } from './access.ts'
import type { AccessParts } from './access.ts'
import { dropAccessBelow } from './assignment.rows.ts'
import { deleteManagementGroup, placeSubscription, putManagementGroup } from './management-group.rows.ts'
import type { ManagementGroup } from './management-group.rows.ts'
import { accessProblems } from './problems.ts'
import type { TenantIndex } from './tenant-index.ts'

/** Azure's: levels below the root group. */
const deepest = 6
const readPermission = 'Microsoft.Management/managementGroups/read'
const writePermission = 'Microsoft.Management/managementGroups/write'

/** The root group of a tenant is named like the tenant and has no row. */
function findGroup(index: TenantIndex, key: string): ManagementGroup | undefined {
  if (key !== index.tenantId) return index.groups.get(key)
  const about = { displayName: 'Tenant Root Group', parentKey: undefined, updatedMs: 0, updatedBy: '' }
  return { name: index.tenantId, key, ...about }
}

function getGroup(index: TenantIndex, name: string): ManagementGroup {
  const found = findGroup(index, name.toLowerCase())
  if (found) return found
  throw accessProblems.ManagementGroupNotFound({ name })
}

/** Throws ManagementGroupNotFound where a request's scope is a management group that is not there. */
export async function checkManagementGroup(parts: AccessParts, { scope, caller }: ExtensionCall): Promise<void> {
  const key = findManagementGroupKey(scope.key)
  if (key !== undefined) getGroup(await parts.findIndex(caller.tenantId), key)
}

export function managementGroupsBehaviour(parts: AccessParts): ExtensionBehaviour {
  return {
    type: managementGroups,
    async list({ caller }) {
      const index = await parts.findIndex(caller.tenantId)
      const principals = await principalIdsOf(parts, caller)
      const all = [getGroup(index, index.tenantId), ...index.groups.values()]
      const seen = all.filter(
        ({ name }) => decideAt(index, principals, readPermission, managementGroupScope(name)).allowed,
      )
      return { kind: 'shown', body: { value: seen.map((group) => showListed(index, group)) } }
    },
    read: (call) => readGroup(parts, call),
    write: (call) => writeGroup(parts, call),
    remove: (call) => removeGroup(parts, call),
  }
}

function nameOf(call: ExtensionCall): string {
  return call.names[0] ?? ''
}

async function readGroup(parts: AccessParts, call: ExtensionCall): Promise<ExtensionResult> {
  const index = await parts.findIndex(call.caller.tenantId)
  const group = getGroup(index, nameOf(call))
  const withChildren = (call.query['$expand'] ?? '').toLowerCase().split(',').includes('children')
  if (!withChildren) return { kind: 'shown', body: showGroup(index, group) }
  const subscriptions = (await listSubscriptions(parts.db)).filter((one) => one.tenantId === index.tenantId)
  const isDeep = call.query['$recurse']?.toLowerCase() === 'true'
  return { kind: 'shown', body: showGroup(index, group, childrenOf(index, subscriptions, group.key, isDeep)) }
}

function childrenOf(
  index: TenantIndex,
  subscriptions: readonly Subscription[],
  key: string,
  isDeep: boolean,
): readonly JsonObject[] {
  const groups = [...index.groups.values()].filter((one) => (one.parentKey ?? index.tenantId) === key)
  const own = subscriptions.filter(
    ({ subscriptionId }) => (index.groupOfSubscription.get(subscriptionId) ?? index.tenantId) === key,
  )
  return [
    ...groups.map((group) => ({
      ...showListed(index, group),
      ...(isDeep ? { children: childrenOf(index, subscriptions, group.key, true) } : {}),
    })),
    ...own.map(({ subscriptionId, displayName }) => ({
      id: `/subscriptions/${subscriptionId}`,
      type: '/subscriptions',
      name: subscriptionId,
      displayName,
    })),
  ]
}

async function writeGroup(parts: AccessParts, call: ExtensionCall): Promise<ExtensionResult> {
  const name = nameOf(call)
  const { tenantId, objectId } = call.caller
  if (!/^[\w().-]{1,90}$/.test(name) || name.endsWith('.'))
    throw accessProblems.InvalidManagementGroup({
      reason: `the name '${name}' has other characters than a-z, 0-9, - _ ( ) .`,
    })
  const index = await parts.findIndex(tenantId)
  const key = name.toLowerCase()
  if (key === tenantId)
    throw accessProblems.InvalidManagementGroup({ reason: "the tenant's root group cannot be changed." })
  const before = index.groups.get(key)
  const wanted = parseGroup(call.body)
  const parentKey = wanted.parentKey === undefined ? before?.parentKey : wanted.parentKey
  const inside = parentKey === tenantId ? undefined : parentKey
  if (!before || inside !== before.parentKey) {
    const parent = getGroup(index, inside ?? tenantId)
    await call.authorize(writePermission, managementGroupScope(parent.name))
    checkPlace(index, key, inside)
  }
  const group: ManagementGroup = {
    name: before?.name ?? name,
    key,
    displayName: wanted.displayName ?? before?.displayName ?? name,
    parentKey: inside,
    updatedMs: call.nowMs,
    updatedBy: objectId,
  }
  await parts.db.transaction().execute((tx) => putManagementGroup(tx, tenantId, group))
  const after = await parts.findIndex(tenantId)
  return { kind: 'shown', body: showGroup(after, group) }
}

function parseGroup(body: JsonObject): { readonly displayName?: string; readonly parentKey?: string } {
  const properties = isJsonObject(body['properties']) ? body['properties'] : {}
  const { displayName, details } = properties
  const parent = isJsonObject(details) && isJsonObject(details['parent']) ? details['parent']['id'] : undefined
  const parentKey = typeof parent === 'string' ? findManagementGroupKey(parent.toLowerCase()) : undefined
  if (parent !== undefined && parent !== null && parentKey === undefined)
    throw accessProblems.InvalidManagementGroup({
      reason: "'properties.details.parent.id' is no id of a management group.",
    })
  return {
    ...(typeof displayName === 'string' && displayName !== '' ? { displayName: displayName.slice(0, 256) } : {}),
    ...(parentKey === undefined ? {} : { parentKey }),
  }
}

/** No group is inside itself, and nests are not endless. */
function checkPlace(index: TenantIndex, key: string, parentKey: string | undefined): void {
  let depth = 1
  for (let at = parentKey; at !== undefined; at = index.groups.get(at)?.parentKey) {
    depth += 1
    if (at === key)
      throw accessProblems.InvalidManagementGroup({ reason: 'a management group cannot be inside itself.' })
    if (depth > deepest)
      throw accessProblems.InvalidManagementGroup({ reason: `management groups nest up to ${deepest} levels.` })
  }
}

async function removeGroup(parts: AccessParts, call: ExtensionCall): Promise<ExtensionResult> {
  const { tenantId } = call.caller
  const index = await parts.findIndex(tenantId)
  const group = findGroup(index, nameOf(call).toLowerCase())
  if (!group) return { kind: 'nothing' }
  if (group.key === tenantId)
    throw accessProblems.InvalidManagementGroup({ reason: "the tenant's root group cannot be deleted." })
  const isUsed =
    [...index.groups.values()].some((one) => one.parentKey === group.key) ||
    [...index.groupOfSubscription.values()].includes(group.key)
  if (isUsed) throw accessProblems.ManagementGroupNotEmpty({ name: group.name })
  await parts.db.transaction().execute(async (tx) => {
    await dropAccessBelow(tx, managementGroupScope(group.key))
    await deleteManagementGroup(tx, tenantId, group.key)
  })
  // Azure's clients take 202 or 204 here, and no 200.
  return { kind: 'nothing' }
}

export function managementGroupSubscriptionsBehaviour(parts: AccessParts): ExtensionBehaviour {
  const find = async (call: ExtensionCall) => {
    const index = await parts.findIndex(call.caller.tenantId)
    const group = getGroup(index, nameOf(call))
    const subscriptionId = call.names[1]?.toLowerCase() ?? ''
    const subscription = await findSubscription(parts.db, subscriptionId)
    if (!subscription || subscription.tenantId !== index.tenantId)
      throw accessProblems.ManagementGroupSubscriptionNotFound({ subscriptionId, name: group.name })
    const isHere = (index.groupOfSubscription.get(subscriptionId) ?? index.tenantId) === group.key
    return { index, group, subscription, isHere }
  }
  /** Who moves a subscription changes who has rights to it. */
  const place = async (
    call: ExtensionCall,
    subscription: Subscription,
    groupKey: string | undefined,
  ): Promise<void> => {
    await call.authorize(
      'Microsoft.Authorization/roleAssignments/write',
      `/subscriptions/${subscription.subscriptionId}`,
    )
    const { tenantId } = call.caller
    await parts.db.transaction().execute((tx) => placeSubscription(tx, tenantId, subscription.subscriptionId, groupKey))
  }
  return {
    type: managementGroupSubscriptions,
    async list(call) {
      const index = await parts.findIndex(call.caller.tenantId)
      const group = getGroup(index, nameOf(call))
      const all = (await listSubscriptions(parts.db)).filter((one) => one.tenantId === index.tenantId)
      const here = all.filter(
        (one) => (index.groupOfSubscription.get(one.subscriptionId) ?? index.tenantId) === group.key,
      )
      return { kind: 'shown', body: { value: here.map((one) => showSubscription(group, one)) } }
    },
    async read(call) {
      const { group, subscription, isHere } = await find(call)
      const { subscriptionId } = subscription
      if (!isHere) throw accessProblems.ManagementGroupSubscriptionNotFound({ subscriptionId, name: group.name })
      return { kind: 'shown', body: showSubscription(group, subscription) }
    },
    async write(call) {
      const { index, group, subscription } = await find(call)
      await place(call, subscription, group.key === index.tenantId ? undefined : group.key)
      return { kind: 'shown', body: showSubscription(group, subscription) }
    },
    async remove(call) {
      const { index, group, subscription, isHere } = await find(call)
      if (isHere && group.key !== index.tenantId) await place(call, subscription, undefined)
      return { kind: 'nothing' }
    },
  }
}

function showListed(index: TenantIndex, { name, displayName }: ManagementGroup): JsonObject {
  return {
    id: managementGroupScope(name),
    type: 'Microsoft.Management/managementGroups',
    name,
    displayName,
    properties: { tenantId: index.tenantId, displayName },
  }
}

function showGroup(index: TenantIndex, group: ManagementGroup, children?: readonly JsonObject[]): JsonObject {
  const isRoot = group.key === index.tenantId
  const parent = isRoot ? undefined : findGroup(index, group.parentKey ?? index.tenantId)
  return {
    id: managementGroupScope(group.name),
    type: 'Microsoft.Management/managementGroups',
    name: group.name,
    properties: {
      tenantId: index.tenantId,
      displayName: group.displayName,
      details: {
        version: 1,
        updatedTime: formatUtcTime(group.updatedMs),
        updatedBy: group.updatedBy,
        parent: parent
          ? { id: managementGroupScope(parent.name), name: parent.name, displayName: parent.displayName }
          : {},
      },
      ...(children === undefined ? {} : { children }),
    },
  }
}

function showSubscription(group: ManagementGroup, { subscriptionId, displayName, tenantId }: Subscription): JsonObject {
  return {
    id: `${managementGroupScope(group.name)}/subscriptions/${subscriptionId}`,
    type: 'Microsoft.Management/managementGroups/subscriptions',
    name: subscriptionId,
    properties: { tenant: tenantId, displayName, parent: { id: managementGroupScope(group.name) }, state: 'Active' },
  }
}
