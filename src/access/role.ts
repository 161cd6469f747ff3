import type { Condition } from './condition.ts'

/** One block of a role: what it allows, minus what it leaves out. Both sides take `*` for any run of characters. */
export interface RolePermissions {
  readonly actions: readonly string[]
  readonly notActions: readonly string[]
  readonly dataActions: readonly string[]
  readonly notDataActions: readonly string[]
}

export interface RoleDefinition {
  /** Lower-case GUID. */
  readonly roleId: string
  readonly roleName: string
  readonly roleType: 'BuiltInRole' | 'CustomRole'
  readonly description: string
  readonly permissions: readonly RolePermissions[]
  readonly assignableScopes: readonly string[]
  readonly createdMs: number
  readonly updatedMs: number
  /** Object ids; empty for built-in roles. */
  readonly createdBy: string
  readonly updatedBy: string
}

/** What a role needs to be judged by. */
export type JudgedRole = Pick<RoleDefinition, 'roleId' | 'roleName' | 'permissions'>

export interface RoleAssignment {
  /** GUID, lower case, unique in the tenant. */
  readonly name: string
  /** As it was first written; `key` compares it. */
  readonly scope: string
  readonly scopeKey: string
  readonly principalId: string
  readonly principalType: PrincipalType
  readonly roleId: string
  readonly description: string | undefined
  /** When it counts; undefined: always. */
  readonly condition?: Condition | undefined
  readonly createdMs: number
  readonly updatedMs: number
  readonly createdBy: string
  readonly updatedBy: string
}

export const principalTypes = ['User', 'Group', 'ServicePrincipal', 'ForeignGroup', 'Device'] as const
export type PrincipalType = (typeof principalTypes)[number]

/** The GUID at the end of a role definition's id, whichever scope the id was written with; undefined for other texts. */
export function findRoleId(roleDefinitionId: string): string | undefined {
  const match = /(?:^|\/providers\/microsoft\.authorization\/roledefinitions\/)([0-9a-f-]{36})$/i.exec(roleDefinitionId)
  return match?.[1]?.toLowerCase()
}

/** Ids of roles are shown below the subscription of what they are assigned to, or without one above subscriptions. */
export function roleDefinitionId(roleId: string, subscriptionId: string | undefined): string {
  const own = `/providers/Microsoft.Authorization/roleDefinitions/${roleId}`
  return subscriptionId === undefined ? own : `/subscriptions/${subscriptionId}${own}`
}
