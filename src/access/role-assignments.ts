import { formatUtcTime } from '../base/clock.ts'
import { isUuid } from '../base/uuid.ts'
import { isJsonObject } from '../base/json.ts'
import type { JsonObject } from '../base/json.ts'
import { findManagementGroupKey, findSubscriptionId } from '../base/scope.ts'
import { roleAssignments } from '../contract/extension-types.ts'
import type { DirectoryObject } from '../directory/directory.ts'
import type { ExtensionBehaviour, ExtensionCall, ExtensionResult, RightAttributes } from '../resources/extension.ts'
import { decideAt, principalIdsOf } from './access.ts'
import type { AccessParts } from './access.ts'
import {
  countAssignmentsOf,
  deleteAssignment,
  describeAssignment,
  findAssignment,
  insertAssignment,
} from './assignment.rows.ts'
import { parseCondition, type Condition } from './condition.ts'
import { ownerRoleId, userAccessAdministratorRoleId } from './built-in-roles.ts'
import { parseFilter } from './filter.ts'
import { checkManagementGroup } from './management-groups.ts'
import { accessProblems } from './problems.ts'
import { findRoleId, principalTypes, roleDefinitionId } from './role.ts'
import type { PrincipalType, RoleAssignment, RoleDefinition } from './role.ts'
import { assignmentsAt, isBelow } from './tenant-index.ts'
import type { TenantIndex } from './tenant-index.ts'

/** Azure's limits (learn.microsoft.com, "Troubleshoot Azure RBAC limits"). */
const subscriptionLimit = 4_000
const managementGroupLimit = 500

const deletePermission = 'Microsoft.Authorization/roleAssignments/delete'
const administrators: readonly string[] = [ownerRoleId, userAccessAdministratorRoleId]

const filters = ['atScope()', 'atScopeAndBelow()', 'asTarget()', "principalId eq '…'", "assignedTo('…')"]

export function roleAssignmentsBehaviour(parts: AccessParts): ExtensionBehaviour {
  return {
    type: roleAssignments,
    list: (call) => listAssignments(parts, call),
    read: async (call) => shown(call, await getAssignment(parts, call)),
    write: (call) => writeAssignment(parts, call),
    remove: (call) => removeAssignment(parts, call),
    attributes: (call) => attributesOf(parts, call),
  }
}

/**
 * Those at the scope, above it and below it; `atScope()` leaves out what is below. `principalId` takes one principal's
 * own, `assignedTo` its groups' as well (Azure's reference of "List For Scope").
 */
async function listAssignments(parts: AccessParts, call: ExtensionCall): Promise<ExtensionResult> {
  const { calls, values } = parseFilter(call.query['$filter'], filters)
  const { tenantId, objectId } = call.caller
  await checkManagementGroup(parts, call)
  const index = await parts.findIndex(tenantId)
  const above = assignmentsAt(index, call.scope.key)
  const below = calls.has('atscope') ? [] : assignmentsBelow(index, call.scope.key)
  const principalId = values.get('principalid')?.toLowerCase()
  const assignedTo = calls.has('astarget') ? objectId : values.get('assignedto')
  const principals =
    assignedTo === undefined
      ? undefined
      : assignedTo === objectId
        ? await principalIdsOf(parts, call.caller)
        : await principalIdsOf(parts, { tenantId, objectId: assignedTo })
  const value = [...above, ...below]
    .filter((one) => principalId === undefined || one.principalId === principalId)
    .filter((one) => principals === undefined || principals.has(one.principalId))
    .map((one) => showAssignment(one, call))
  return { kind: 'shown', body: { value } }
}

function assignmentsBelow(index: TenantIndex, key: string): readonly RoleAssignment[] {
  const at = new Set(assignmentsAt(index, key))
  return [...index.byScope].flatMap(([scope, all]) =>
    isBelow(index, scope, key) ? all.filter((one) => !at.has(one)) : [],
  )
}

/** Throws RoleAssignmentNotFound, also for one at another scope. */
async function getAssignment(parts: AccessParts, call: ExtensionCall): Promise<RoleAssignment> {
  const found = await findOwn(parts, call)
  if (found) return found
  throw accessProblems.RoleAssignmentNotFound({ name: nameOf(call) })
}

async function findOwn(parts: AccessParts, call: ExtensionCall): Promise<RoleAssignment | undefined> {
  const found = await findAssignment(parts.db, call.caller.tenantId, nameOf(call))
  return found?.scopeKey === call.scope.key ? found : undefined
}

function nameOf({ names }: ExtensionCall): string {
  return names[0]?.toLowerCase() ?? ''
}

interface Wanted {
  readonly roleId: string
  readonly principalId: string
  readonly principalType: PrincipalType | undefined
  readonly description: string | undefined
  readonly condition: Condition | undefined
}

/** A repeated PUT of the same is no error: templates name assignments by what they give, and are deployed again. */
async function writeAssignment(parts: AccessParts, call: ExtensionCall): Promise<ExtensionResult> {
  const name = nameOf(call)
  const { tenantId, objectId } = call.caller
  if (!isUuid(name)) throw accessProblems.InvalidRoleAssignmentId({ name })
  await checkManagementGroup(parts, call)
  const wanted = parseWanted(call.body)
  const before = await findAssignment(parts.db, tenantId, name)
  if (before) return updateAssignment(parts, call, before, wanted)
  const index = await parts.findIndex(tenantId)
  checkRole(index, wanted.roleId, call)
  const principalType = await checkPrincipal(parts, tenantId, wanted)
  const assignment: RoleAssignment = {
    name,
    scope: call.scope.id,
    scopeKey: call.scope.key,
    principalId: wanted.principalId,
    principalType,
    roleId: wanted.roleId,
    description: wanted.description,
    condition: wanted.condition,
    createdMs: call.nowMs,
    updatedMs: call.nowMs,
    createdBy: objectId,
    updatedBy: objectId,
  }
  await parts.db.transaction().execute(async (tx) => {
    await checkLimit(call, (where) => countAssignmentsOf(tx, tenantId, where))
    if (!(await insertAssignment(tx, tenantId, assignment))) throw accessProblems.RoleAssignmentExists({})
  })
  return { kind: 'created', body: showAssignment(assignment, call) }
}

async function updateAssignment(
  parts: AccessParts,
  call: ExtensionCall,
  before: RoleAssignment,
  wanted: Wanted,
): Promise<ExtensionResult> {
  const isSame =
    before.scopeKey === call.scope.key && before.principalId === wanted.principalId && before.roleId === wanted.roleId
  if (!isSame) throw accessProblems.RoleAssignmentUpdateNotPermitted({})
  const after = {
    ...before,
    description: wanted.description ?? before.description,
    condition: wanted.condition,
    updatedMs: call.nowMs,
    updatedBy: call.caller.objectId,
  }
  const { tenantId } = call.caller
  await parts.db.transaction().execute(async (tx) => {
    if (after.condition) await checkLastAdmin(call, before, (where) => countAssignmentsOf(tx, tenantId, where))
    await describeAssignment(tx, tenantId, before.name, after)
  })
  // 201 also here: clients of 2015 to 2022 accept nothing else for a PUT.
  return { kind: 'created', body: showAssignment(after, call) }
}

/** 200 with what was deleted, 204 where there was nothing (CLIENTS.md: az parses the body of a 200). */
async function removeAssignment(parts: AccessParts, call: ExtensionCall): Promise<ExtensionResult> {
  const found = await findOwn(parts, call)
  if (!found) return { kind: 'nothing' }
  const { tenantId } = call.caller
  const isAbove = call.scope.kind === 'subscription' && (await mayRemoveEverywhere(parts, call))
  const isGone = await parts.db.transaction().execute(async (tx) => {
    if (!isAbove) await checkLastAdmin(call, found, (where) => countAssignmentsOf(tx, tenantId, where))
    return deleteAssignment(tx, tenantId, found.name)
  })
  return isGone ? shown(call, found) : { kind: 'nothing' }
}

/** Who rules the whole tenant may leave a subscription without an administrator: it can make another. */
async function mayRemoveEverywhere(parts: AccessParts, { caller }: ExtensionCall): Promise<boolean> {
  const index = await parts.findIndex(caller.tenantId)
  return decideAt(index, await principalIdsOf(parts, caller), deletePermission, '/').allowed
}

/** The last who may give rights on a subscription, or at the tenant's root, stays: nobody could give any there again. */
async function checkLastAdmin(
  { scope }: ExtensionCall,
  { roleId, condition }: RoleAssignment,
  count: (where: { readonly scopeKey: string; readonly roleId: string }) => Promise<number>,
): Promise<void> {
  if ((scope.kind !== 'subscription' && scope.kind !== 'tenant') || !administrators.includes(roleId)) return
  if (condition) return
  const counts = await Promise.all(administrators.map((role) => count({ scopeKey: scope.key, roleId: role })))
  if (counts.reduce((sum, one) => sum + one, 0) <= 1) throw accessProblems.CannotDeleteLastRbacAdminAssignment({})
}

function parseWanted(body: JsonObject): Wanted {
  const refuse = (reason: string): Error => accessProblems.InvalidAccessRequest({ reason })
  const { properties } = body
  if (!isJsonObject(properties)) throw refuse("'properties' with roleDefinitionId and principalId is missing.")
  const { roleDefinitionId: role, principalId, principalType, description } = properties
  if (typeof role !== 'string') throw refuse("'properties.roleDefinitionId' is missing.")
  const roleId = findRoleId(role)
  if (roleId === undefined) throw accessProblems.RoleDefinitionDoesNotExist({ id: role })
  if (typeof principalId !== 'string') throw refuse("'properties.principalId' is missing.")
  if (!isUuid(principalId)) throw accessProblems.InvalidPrincipalId({ principalId })
  if (description !== undefined && description !== null && typeof description !== 'string')
    throw refuse("'properties.description' is not a text.")
  if (typeof description === 'string' && description.length > 1024)
    throw refuse("'properties.description' has more than 1024 characters.")
  return {
    roleId,
    principalId: principalId.toLowerCase(),
    principalType: parsePrincipalType(principalType),
    description: description ?? undefined,
    condition: conditionOf(properties),
  }
}

function conditionOf({ condition, conditionVersion }: JsonObject): Condition | undefined {
  if (condition === undefined || condition === null || condition === '') return undefined
  if (typeof condition !== 'string' || conditionVersion !== '2.0')
    throw accessProblems.InvalidAccessRequest({
      reason: "'properties.condition' is a text, with 'properties.conditionVersion' '2.0'.",
    })
  return parseCondition(condition)
}

/**
 * What conditions may ask: who is to get or has which role. The type of a principal is the directory's word; its caller's
 * counts only for who is not in it.
 */
async function attributesOf(parts: AccessParts, call: ExtensionCall): Promise<RightAttributes> {
  const { tenantId } = call.caller
  const given = isJsonObject(call.body['properties']) ? call.body['properties'] : {}
  const { roleDefinitionId: role, principalId, principalType } = given
  const roleId = typeof role === 'string' ? findRoleId(role) : undefined
  const found = typeof principalId === 'string' ? await parts.directory.findObject(tenantId, principalId) : undefined
  const type = found && found.kind !== 'application' ? typeOfKind[found.kind] : principalType
  const before = await findOwn(parts, call)
  return {
    ...(roleId === undefined ? {} : { 'request:roledefinitionid': roleId }),
    ...(typeof principalId === 'string' ? { 'request:principalid': principalId } : {}),
    ...(typeof type === 'string' ? { 'request:principaltype': type } : {}),
    ...(before
      ? {
          'resource:roledefinitionid': before.roleId,
          'resource:principalid': before.principalId,
          'resource:principaltype': before.principalType,
        }
      : {}),
  }
}

function parsePrincipalType(value: unknown): PrincipalType | undefined {
  if (value === undefined || value === null || value === '') return undefined
  const found = principalTypes.find((one) => typeof value === 'string' && one.toLowerCase() === value.toLowerCase())
  if (found) return found
  throw accessProblems.InvalidAccessRequest({
    reason: `'properties.principalType' is none of '${principalTypes.join(', ')}'.`,
  })
}

/** A custom role can be given only where it is assignable. */
function checkRole(index: TenantIndex, roleId: string, { scope }: ExtensionCall): RoleDefinition {
  const role = index.roles.get(roleId)
  if (role?.assignableScopes.some((one) => isBelow(index, scope.key, one.toLowerCase()))) return role
  throw accessProblems.RoleDefinitionDoesNotExist({ id: roleId })
}

const typeOfKind: Readonly<Record<Exclude<DirectoryObject['kind'], 'application'>, PrincipalType>> = {
  user: 'User',
  group: 'Group',
  servicePrincipal: 'ServicePrincipal',
}

/**
 * Who is not in this directory is taken at its word only with its type, as in Azure: principals of an outside issuer
 * are known to their tokens alone.
 */
async function checkPrincipal(parts: AccessParts, tenantId: string, wanted: Wanted): Promise<PrincipalType> {
  const { principalId, principalType } = wanted
  const found = await parts.directory.findObject(tenantId, principalId)
  if (!found) {
    if (principalType !== undefined) return principalType
    throw accessProblems.PrincipalNotFound({ principalId: principalId.replaceAll('-', ''), tenantId })
  }
  if (found.kind === 'application') throw accessProblems.PrincipalTypeNotSupported({ type: 'Application' })
  const is = typeOfKind[found.kind]
  if (principalType !== undefined && principalType !== is)
    throw accessProblems.UnmatchedPrincipalType({ principalId, is, given: principalType })
  return is
}

async function checkLimit(
  { scope }: ExtensionCall,
  count: (where: { readonly scopeKey?: string; readonly belowKey?: string }) => Promise<number>,
): Promise<void> {
  if (scope.subscriptionId !== undefined) {
    const taken = await count({ belowKey: `/subscriptions/${scope.subscriptionId}` })
    if (taken >= subscriptionLimit)
      throw accessProblems.RoleAssignmentLimitExceeded({ limit: subscriptionLimit, where: 'the subscription' })
  } else if (findManagementGroupKey(scope.key) !== undefined) {
    const taken = await count({ scopeKey: scope.key })
    if (taken >= managementGroupLimit)
      throw accessProblems.RoleAssignmentLimitExceeded({ limit: managementGroupLimit, where: 'the management group' })
  }
}

function shown(call: ExtensionCall, assignment: RoleAssignment): ExtensionResult {
  return { kind: 'shown', body: showAssignment(assignment, call) }
}

export function assignmentId({ scope, name }: RoleAssignment): string {
  return `${scope === '/' ? '' : scope}/providers/Microsoft.Authorization/roleAssignments/${name}`
}

/**
 * As the api-version has it: the type of the principal since 2018-09, what conditions need since 2020. Roles given above
 * subscriptions are named below the one that is asked about, where clients know their names from.
 */
export function showAssignment(
  assignment: RoleAssignment,
  { apiVersion, scope: asked }: Pick<ExtensionCall, 'apiVersion' | 'scope'>,
): JsonObject {
  const { name, scope, principalId, principalType, roleId, condition, createdBy, updatedBy } = assignment
  return {
    properties: {
      roleDefinitionId: roleDefinitionId(roleId, findSubscriptionId(scope) ?? asked.subscriptionId),
      principalId,
      ...(apiVersion >= '2018-09-01' ? { principalType } : {}),
      scope,
      ...(apiVersion >= '2020-03-01'
        ? { condition: condition?.text ?? null, conditionVersion: condition === undefined ? null : '2.0' }
        : {}),
      createdOn: formatUtcTime(assignment.createdMs),
      updatedOn: formatUtcTime(assignment.updatedMs),
      createdBy,
      updatedBy,
      ...(apiVersion >= '2020-03-01'
        ? { delegatedManagedIdentityResourceId: null, description: assignment.description ?? null }
        : {}),
    },
    id: assignmentId(assignment),
    type: 'Microsoft.Authorization/roleAssignments',
    name,
  }
}
