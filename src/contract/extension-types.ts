import type { ScopeKind } from '../base/scope.ts'
import { anyone } from './extension-type.ts'
import type { ExtensionTypeDeclaration } from './extension-type.ts'

const everywhere: readonly ScopeKind[] = ['tenant', 'managementGroup', 'subscription', 'resourceGroup', 'resource']

/** az sends 2018-01-01-preview to 2022-05-01-preview, the SDKs 2015-07-01 to 2022-04-01 (CLIENTS.md, their sources). */
const authorizationApiVersions = [
  '2014-07-01-preview',
  '2014-10-01-preview',
  '2015-05-01-preview',
  '2015-06-01',
  '2015-07-01',
  '2016-07-01',
  '2017-05-01',
  '2017-10-01-preview',
  '2018-01-01-preview',
  '2018-05-01-preview',
  '2018-07-01',
  '2018-07-01-preview',
  '2018-09-01-preview',
  '2018-12-01-preview',
  '2019-04-01-preview',
  '2019-08-01-preview',
  '2020-03-01-preview',
  '2020-04-01-preview',
  '2020-08-01-preview',
  '2020-10-01',
  '2020-10-01-preview',
  '2021-04-01-preview',
  '2022-01-01-preview',
  '2022-04-01',
  '2022-05-01-preview',
  '2022-08-01-preview',
  '2023-07-01-preview',
] as const

const lockApiVersions = ['2015-01-01', '2016-09-01', '2017-04-01', '2020-05-01'] as const

const managementGroupApiVersions = [
  '2018-01-01-preview',
  '2018-03-01-preview',
  '2019-11-01',
  '2020-02-01',
  '2020-05-01',
  '2020-10-01',
  '2021-04-01',
  '2023-04-01',
  '2024-02-01-preview',
] as const

function authorization(
  name: string,
  operations: ExtensionTypeDeclaration['operations'],
  more: Partial<ExtensionTypeDeclaration> = {},
): ExtensionTypeDeclaration {
  const type = `Microsoft.Authorization/${name}`
  return { type, apiVersions: authorizationApiVersions, scopes: everywhere, operations, ...more }
}

function crud(type: string) {
  return { list: `${type}/read`, read: `${type}/read`, write: `${type}/write`, remove: `${type}/delete` }
}

export const roleAssignments = authorization('roleAssignments', crud('Microsoft.Authorization/roleAssignments'))
export const roleDefinitions = authorization('roleDefinitions', crud('Microsoft.Authorization/roleDefinitions'))
export const permissions = authorization('permissions', { list: 'Microsoft.Authorization/permissions/read' })
export const denyAssignments = authorization('denyAssignments', {
  list: 'Microsoft.Authorization/denyAssignments/read',
  read: 'Microsoft.Authorization/denyAssignments/read',
})
export const classicAdministrators = authorization(
  'classicAdministrators',
  { list: 'Microsoft.Authorization/classicAdministrators/read' },
  { scopes: ['subscription'] },
)
/** What a provider can do is no secret. */
export const providerOperations = authorization(
  'providerOperations',
  { list: anyone, read: anyone },
  { scopes: ['tenant'] },
)
export const checkAccess = authorization('checkAccess', { run: 'Microsoft.Authorization/permissions/read' })
/** Who else may do something, and by what: the assignments themselves are what is told. */
export const explainAccess = authorization(
  'explainAccess',
  { run: 'Microsoft.Authorization/roleAssignments/read' },
  { extension: true },
)
export const locks = authorization('locks', crud('Microsoft.Authorization/locks'), {
  apiVersions: lockApiVersions,
  scopes: ['subscription', 'resourceGroup', 'resource'],
})
/** Lists show what the caller may read; the id of a management group is its scope. */
export const managementGroups: ExtensionTypeDeclaration = {
  type: 'Microsoft.Management/managementGroups',
  apiVersions: managementGroupApiVersions,
  scopes: ['tenant'],
  operations: { ...crud('Microsoft.Management/managementGroups'), list: anyone },
}
export const managementGroupSubscriptions: ExtensionTypeDeclaration = {
  type: 'Microsoft.Management/managementGroups/subscriptions',
  apiVersions: managementGroupApiVersions,
  scopes: ['tenant'],
  operations: crud('Microsoft.Management/managementGroups/subscriptions'),
}

/** Every type that stands below scopes. */
export const extensionTypes: readonly ExtensionTypeDeclaration[] = [
  roleAssignments,
  roleDefinitions,
  permissions,
  denyAssignments,
  classicAdministrators,
  providerOperations,
  checkAccess,
  explainAccess,
  locks,
  managementGroups,
  managementGroupSubscriptions,
]

/** Every action string of theirs. */
export function extensionPermissions(): readonly string[] {
  const all = extensionTypes.flatMap(({ operations }) => Object.values(operations))
  return [...new Set(all)].filter((permission) => permission !== anyone)
}
