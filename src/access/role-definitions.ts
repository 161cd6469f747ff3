import { formatUtcTime } from '../base/clock.ts'
import { isUuid } from '../base/uuid.ts'
import { isJsonObject } from '../base/json.ts'
import type { Json, JsonObject } from '../base/json.ts'
import { findScopeKind, findSubscriptionId, scopeKey } from '../base/scope.ts'
import { roleDefinitions } from '../contract/extension-types.ts'
import type { ExtensionBehaviour, ExtensionCall, ExtensionResult } from '../resources/extension.ts'
import type { AccessParts } from './access.ts'
import { countAssignmentsOf } from './assignment.rows.ts'
import { parseFilter } from './filter.ts'
import { accessProblems } from './problems.ts'
import { deleteCustomRole, listCustomRoles, putCustomRole } from './role.rows.ts'
import { roleDefinitionId } from './role.ts'
import type { RoleDefinition, RolePermissions } from './role.ts'
import { isBelow } from './tenant-index.ts'
import type { TenantIndex } from './tenant-index.ts'

/** Azure's: custom roles of a tenant. */
const customRoleLimit = 5_000
const assignableScopeLimit = 2_000
const writePermission = 'Microsoft.Authorization/roleDefinitions/write'
const deletePermission = 'Microsoft.Authorization/roleDefinitions/delete'
const filters = ["roleName eq '…'", "type eq 'BuiltInRole'", 'atScope()', 'atScopeAndBelow()']

export function roleDefinitionsBehaviour(parts: AccessParts): ExtensionBehaviour {
  return {
    type: roleDefinitions,
    list: (call) => listRoles(parts, call),
    async read(call) {
      const role = (await parts.findIndex(call.caller.tenantId)).roles.get(nameOf(call))
      if (!role) throw accessProblems.RoleDefinitionNotFound({ id: nameOf(call) })
      return { kind: 'shown', body: showRole(role, call) }
    },
    write: (call) => writeRole(parts, call),
    remove: (call) => removeRole(parts, call),
  }
}

/** Built-in roles, and the custom ones that can be assigned at the scope (`atScopeAndBelow()`: or below it). */
async function listRoles(parts: AccessParts, call: ExtensionCall): Promise<ExtensionResult> {
  const { calls, values } = parseFilter(call.query['$filter'], filters)
  const index = await parts.findIndex(call.caller.tenantId)
  const withBelow = calls.has('atscopeandbelow')
  const name = values.get('rolename')?.toLowerCase()
  const type = values.get('type')?.toLowerCase()
  const value = [...index.roles.values()]
    .filter((role) => isAssignableAt(index, role, call.scope.key, withBelow))
    .filter((role) => name === undefined || role.roleName.toLowerCase() === name)
    .filter((role) => type === undefined || role.roleType.toLowerCase() === type)
    .map((role) => showRole(role, call))
  return { kind: 'shown', body: { value } }
}

function isAssignableAt(index: TenantIndex, role: RoleDefinition, key: string, withBelow: boolean): boolean {
  return role.assignableScopes.some((scope) => {
    const at = scopeKey(scope)
    return isBelow(index, key, at) || (withBelow && isBelow(index, at, key))
  })
}

function nameOf({ names }: ExtensionCall): string {
  return names[0]?.toLowerCase() ?? ''
}

async function writeRole(parts: AccessParts, call: ExtensionCall): Promise<ExtensionResult> {
  const roleId = nameOf(call)
  const { tenantId, objectId } = call.caller
  if (!isUuid(roleId)) throw invalid(`its ID '${roleId}' must be a GUID.`)
  const index = await parts.findIndex(tenantId)
  const before = index.roles.get(roleId)
  if (before?.roleType === 'BuiltInRole') throw invalid('built-in roles cannot be changed. Make a custom role.')
  const wanted = parseRole(call.body)
  for (const scope of new Set([...wanted.assignableScopes, ...(before?.assignableScopes ?? [])]))
    await call.authorize(writePermission, scope)
  if ([...index.roles.values()].some((one) => one.roleId !== roleId && sameName(one.roleName, wanted.roleName)))
    throw accessProblems.RoleDefinitionWithSameNameExists({ name: wanted.roleName })
  const role: RoleDefinition = {
    ...wanted,
    roleId,
    roleType: 'CustomRole',
    createdMs: before?.createdMs ?? call.nowMs,
    createdBy: before?.createdBy ?? objectId,
    updatedMs: call.nowMs,
    updatedBy: objectId,
  }
  await parts.db.transaction().execute(async (tx) => {
    if (!before && (await listCustomRoles(tx, tenantId)).length >= customRoleLimit)
      throw accessProblems.RoleDefinitionLimitExceeded({ limit: customRoleLimit })
    if (!(await putCustomRole(tx, tenantId, role)))
      throw accessProblems.RoleDefinitionWithSameNameExists({ name: wanted.roleName })
  })
  return { kind: 'created', body: showRole(role, call) }
}

const sameName = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase()

async function removeRole(parts: AccessParts, call: ExtensionCall): Promise<ExtensionResult> {
  const { tenantId } = call.caller
  const role = (await parts.findIndex(tenantId)).roles.get(nameOf(call))
  if (!role) return { kind: 'nothing' }
  if (role.roleType === 'BuiltInRole') throw invalid('built-in roles cannot be deleted.')
  for (const scope of role.assignableScopes) await call.authorize(deletePermission, scope)
  await parts.db.transaction().execute(async (tx) => {
    const count = await countAssignmentsOf(tx, tenantId, { roleId: role.roleId })
    if (count > 0) throw accessProblems.RoleDefinitionHasAssignments({ id: role.roleId, count })
    await deleteCustomRole(tx, tenantId, role.roleId)
  })
  return { kind: 'shown', body: showRole(role, call) }
}

function invalid(reason: string): Error {
  return accessProblems.InvalidRoleDefinition({ reason })
}

type WantedRole = Pick<RoleDefinition, 'roleName' | 'description' | 'permissions' | 'assignableScopes'>

function parseRole(body: JsonObject): WantedRole {
  const { properties } = body
  if (!isJsonObject(properties)) throw invalid("'properties' is missing.")
  const { roleName, description, permissions, assignableScopes } = properties
  if (typeof roleName !== 'string' || roleName.trim() === '' || roleName.length > 512)
    throw invalid("'roleName' must have 1 to 512 characters.")
  if (description !== undefined && description !== null && typeof description !== 'string')
    throw invalid("'description' is not a text.")
  if (typeof description === 'string' && description.length > 2048)
    throw invalid("'description' has more than 2048 characters.")
  if (!Array.isArray(permissions) || permissions.length === 0) throw invalid("'permissions' is missing or empty.")
  return {
    roleName,
    description: description ?? '',
    permissions: permissions.map(parsePermissions),
    assignableScopes: parseScopes(assignableScopes),
  }
}

function parsePermissions(block: Json): RolePermissions {
  if (!isJsonObject(block)) throw invalid("an entry of 'permissions' is no object.")
  return {
    actions: parseActions(block['actions'], 'actions'),
    notActions: parseActions(block['notActions'], 'notActions'),
    dataActions: parseActions(block['dataActions'], 'dataActions'),
    notDataActions: parseActions(block['notDataActions'], 'notDataActions'),
  }
}

/** Actions of providers that are not here are kept: a role that was written for Azure means the same here. */
function parseActions(value: Json | undefined, member: string): readonly string[] {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) throw invalid(`'${member}' is no list.`)
  return value.map((action: Json) => {
    if (
      typeof action === 'string' &&
      /^(?:\*|[\w.*-]+(?:\/[\w.*-]+)+|\*\/[\w.*/-]+)$/.test(action) &&
      action.length <= 512
    )
      return action
    throw accessProblems.InvalidActionOrNotAction({ action: JSON.stringify(action).slice(0, 200) })
  })
}

function parseScopes(value: Json | undefined): readonly string[] {
  if (!Array.isArray(value) || value.length === 0)
    throw invalid("'assignableScopes' must name at least one management group, subscription or resource group.")
  if (value.length > assignableScopeLimit)
    throw invalid(`'assignableScopes' has more than ${assignableScopeLimit} entries.`)
  return value.map((scope: Json) => {
    const kind = typeof scope === 'string' ? findScopeKind(scopeKey(scope)) : undefined
    if (typeof scope === 'string' && kind !== undefined && kind !== 'tenant' && kind !== 'resource')
      return scope.replace(/\/+$/, '')
    throw invalid(
      `${JSON.stringify(scope).slice(0, 200)} cannot be in 'assignableScopes': name management groups, subscriptions or resource groups.`,
    )
  })
}

/** Data actions are there since 2018. */
export function showRole(
  role: RoleDefinition,
  { scope, apiVersion }: Pick<ExtensionCall, 'scope' | 'apiVersion'>,
): JsonObject {
  return {
    properties: {
      roleName: role.roleName,
      type: role.roleType,
      description: role.description,
      assignableScopes: role.assignableScopes,
      permissions: role.permissions.map(({ actions, notActions, dataActions, notDataActions }) =>
        apiVersion < '2018-01-01' ? { actions, notActions } : { actions, notActions, dataActions, notDataActions },
      ),
      createdOn: formatUtcTime(role.createdMs),
      updatedOn: formatUtcTime(role.updatedMs),
      createdBy: role.createdBy === '' ? null : role.createdBy,
      updatedBy: role.updatedBy === '' ? null : role.updatedBy,
    },
    id: roleDefinitionId(role.roleId, findSubscriptionId(scope.key)),
    type: 'Microsoft.Authorization/roleDefinitions',
    name: role.roleId,
  }
}
