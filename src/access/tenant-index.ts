import { noMemo } from '../db/read-memo.ts'
import type { ReadMemo } from '../db/read-memo.ts'
import type { Db } from '../db/tables.ts'
import { findAccessVersion, pageAssignments } from './assignment.rows.ts'
import { builtInRoles } from './built-in-roles.ts'
import { listGroupsOfSubscriptions, listManagementGroups } from './management-group.rows.ts'
import type { ManagementGroup } from './management-group.rows.ts'
import { listCustomRoles } from './role.rows.ts'
import type { RoleAssignment, RoleDefinition } from './role.ts'
import {
  ancestorKeys,
  findManagementGroupKey,
  findSubscriptionId,
  isAtOrBelow,
  managementGroupScope,
} from '../base/scope.ts'

/** All that decides in one tenant, in memory, as of one count of its changes. */
export interface TenantIndex {
  readonly tenantId: string
  readonly version: number
  readonly roles: ReadonlyMap<string, RoleDefinition>
  readonly groups: ReadonlyMap<string, ManagementGroup>
  /** By lower-case subscription id; who is not here is directly below the root group. */
  readonly groupOfSubscription: ReadonlyMap<string, string>
  readonly byScope: ReadonlyMap<string, readonly RoleAssignment[]>
  readonly byPrincipal: ReadonlyMap<string, readonly RoleAssignment[]>
}

export interface TenantFacts {
  readonly tenantId: string
  readonly version: number
  readonly assignments: readonly RoleAssignment[]
  readonly customRoles: readonly RoleDefinition[]
  readonly groups: readonly ManagementGroup[]
  readonly groupsOfSubscriptions: readonly { readonly subscriptionId: string; readonly groupKey: string }[]
}

export function buildIndex(facts: TenantFacts): TenantIndex {
  const groupBy = (keyOf: (one: RoleAssignment) => string): Map<string, RoleAssignment[]> =>
    Map.groupBy(facts.assignments, keyOf)
  return {
    tenantId: facts.tenantId,
    version: facts.version,
    roles: new Map([...builtInRoles, ...facts.customRoles].map((role) => [role.roleId, role])),
    groups: new Map(facts.groups.map((group) => [group.key, group])),
    groupOfSubscription: new Map(facts.groupsOfSubscriptions.map((one) => [one.subscriptionId, one.groupKey])),
    byScope: groupBy((one) => one.scopeKey),
    byPrincipal: groupBy((one) => one.principalId),
  }
}

/**
 * Every scope whose assignments hold at `key`, nearest first: the ids above it, then the management groups of its
 * subscription, the tenant's root group (named like the tenant), the root.
 */
function scopesAbove(index: TenantIndex, key: string): readonly string[] {
  const above = ancestorKeys(key)
  const subscriptionId = findSubscriptionId(key)
  const ownGroup = findManagementGroupKey(key)
  if (subscriptionId === undefined && ownGroup === undefined) return above
  const first = subscriptionId === undefined ? ownGroup : index.groupOfSubscription.get(subscriptionId)
  const groups: string[] = []
  for (let at = first; at !== undefined && at !== index.tenantId && !groups.includes(at);) {
    groups.push(at)
    at = index.groups.get(at)?.parentKey
  }
  const keys = [...groups, index.tenantId].map((name) => managementGroupScope(name).toLowerCase())
  return [...above.filter((one) => one !== '/'), ...keys.filter((one) => !above.includes(one)), '/']
}

/** The assignments that hold at a scope. */
export function assignmentsAt(index: TenantIndex, key: string): readonly RoleAssignment[] {
  return scopesAbove(index, key).flatMap((scope) => index.byScope.get(scope) ?? [])
}

/**
 * Where the same assignments hold as at `key`: the nearest place at or above it at which anything is assigned, so that
 * thousands of resources are one question.
 */
export function placeOfRights(index: TenantIndex, key: string): string {
  const subscriptionId = findSubscriptionId(key)
  // Above a subscription management groups count, which its id does not name.
  const last = subscriptionId === undefined ? key : `/subscriptions/${subscriptionId}`
  return ancestorKeys(key).find((one) => one === last || index.byScope.has(one)) ?? key
}

/** Whether one of the principals has any role at the scope, above it, or on something below it. */
export function hasAnyRole(index: TenantIndex, principalIds: ReadonlySet<string>, key: string): boolean {
  const own = [...principalIds].flatMap((principalId) => index.byPrincipal.get(principalId) ?? [])
  if (own.length === 0) return false
  const above = new Set(scopesAbove(index, key))
  return own.some((one) => above.has(one.scopeKey) || isBelow(index, one.scopeKey, key))
}

/** Subscriptions are below their management groups, although their ids do not say so. */
export function isBelow(index: TenantIndex, below: string, key: string): boolean {
  if (isAtOrBelow(below, key)) return true
  return findManagementGroupKey(key) !== undefined && scopesAbove(index, below).includes(key)
}

const pageSize = 1_000

/** Reads a tenant whole; again if somebody changed it meanwhile, so that it is of one moment. */
async function readTenant(db: Db, tenantId: string): Promise<TenantFacts> {
  for (;;) {
    const version = await findAccessVersion(db, tenantId)
    const assignments: RoleAssignment[] = []
    for (let after = ''; ;) {
      const page = await pageAssignments(db, tenantId, after, pageSize)
      assignments.push(...page)
      after = page.at(-1)?.name ?? ''
      if (page.length < pageSize) break
    }
    const customRoles = await listCustomRoles(db, tenantId)
    const groups = await listManagementGroups(db, tenantId)
    const groupsOfSubscriptions = await listGroupsOfSubscriptions(db, tenantId)
    if ((await findAccessVersion(db, tenantId)) === version)
      return { tenantId, version, assignments, customRoles, groups, groupsOfSubscriptions }
  }
}

export type FindIndex = (tenantId: string) => Promise<TenantIndex>

/**
 * Keeps the index of each tenant in use. Every question reads the tenant's counter first, so what another process or
 * request has committed is seen by the next question: a right that was taken away is gone at once.
 */
export function createIndexes(db: Db, memo: ReadMemo = noMemo): FindIndex {
  const kept = new Map<string, { readonly version: number; readonly index: Promise<TenantIndex> }>()
  return async (tenantId) => {
    const version = await memo(`access version ${tenantId}`, () => findAccessVersion(db, tenantId))
    const found = kept.get(tenantId)
    if (found?.version === version) return found.index
    const index = readTenant(db, tenantId).then(buildIndex)
    kept.set(tenantId, { version, index })
    // A failed reading must not be kept.
    index.catch(() => kept.delete(tenantId))
    return index
  }
}
