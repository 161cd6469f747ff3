import { Type } from 'typebox'
import { body } from './envelope.ts'
import { userAssignedIdentityNameRule } from './names.ts'
import type { ResourceTypeDeclaration } from './resource-type.ts'
import { oneOf, text } from './schema.ts'

const userAssignedIdentityApiVersions = [
  '2015-08-31-preview',
  '2018-11-30',
  '2021-09-30-preview',
  '2022-01-31-preview',
  '2023-01-31',
  '2023-07-31-preview',
  '2024-11-30',
  '2025-01-31-preview',
] as const

const userAssignedIdentityProperties = Type.Object({
  tenantId: text({ readOnly: true }),
  principalId: text({ readOnly: true }),
  clientId: text({ readOnly: true }),
  isolationScope: oneOf(['None', 'Regional'], { since: '2024-11-30', kept: true }),
})

export const userAssignedIdentityType = 'Microsoft.ManagedIdentity/userAssignedIdentities'

/** An identity of its own, which virtual machines are given: `src/managed-identity` makes its principal. */
export const userAssignedIdentities: ResourceTypeDeclaration = {
  type: userAssignedIdentityType,
  errorName: 'userAssignedIdentity',
  apiVersions: userAssignedIdentityApiVersions,
  name: userAssignedIdentityNameRule,
  body: body({ properties: Type.Optional(userAssignedIdentityProperties) }),
  put: 'sync',
  patch: 'sync',
  delete: 'sync',
  createStatus: 201,
  updateStatus: 200,
  listInSubscription: true,
  actions: [],
  tracked: true,
}
