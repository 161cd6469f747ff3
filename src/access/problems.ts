import { defineProblems } from '../base/problem.ts'

/** Azure's codes and texts (behaviour.md A1; learn.microsoft.com, "Troubleshoot Azure RBAC" and what clients quote). */
export const accessProblems = defineProblems({
  AuthorizationFailed: {
    kind: 'forbidden',
    say: (f: { name: string; objectId: string; action: string; scope: string }) =>
      `The client '${f.name}' with object id '${f.objectId}' does not have authorization to perform action ` +
      `'${f.action}' over scope '${f.scope}' or the scope is invalid. If access was recently granted, please refresh ` +
      `your credentials.`,
  },
  WrongTenant: {
    kind: 'unauthenticated',
    code: 'InvalidAuthenticationTokenTenant',
    say: (f: { issuer: string; expected: string }) =>
      `The access token is from the wrong issuer '${f.issuer}'. It must match the tenant '${f.expected}' associated ` +
      `with this subscription. Please use the authority (URL) of that tenant to get the token.`,
  },
  CannotDeleteLastRbacAdminAssignment: {
    kind: 'preconditionFailed',
    say: () => 'Cannot delete the last RBAC admin assignment.',
  },
  RoleAssignmentExists: { kind: 'conflict', say: () => 'The role assignment already exists.' },
  RoleAssignmentNotFound: {
    kind: 'absent',
    say: (f: { name: string }) => `The role assignment '${f.name}' is not found.`,
  },
  RoleAssignmentUpdateNotPermitted: {
    kind: 'conflict',
    say: () => 'Tenant ID, application ID, principal ID, and scope are not allowed to be updated.',
  },
  RoleAssignmentLimitExceeded: {
    kind: 'invalid',
    say: (f: { limit: number; where: string }) =>
      `The role assignment limit of ${f.limit} for ${f.where} is reached. No more role assignments can be created: ` +
      `give roles to groups, or remove what nobody needs.`,
  },
  InvalidRoleAssignmentId: {
    kind: 'invalid',
    say: (f: { name: string }) =>
      `The role assignment ID '${f.name}' is not valid. The role assignment ID must be a GUID.`,
  },
  InvalidPrincipalId: {
    kind: 'invalid',
    say: (f: { principalId: string }) =>
      `A valid principal ID must be provided for role assignment: '${f.principalId}' is no GUID. Give an object id.`,
  },
  PrincipalNotFound: {
    kind: 'invalid',
    say: (f: { principalId: string; tenantId: string }) =>
      `Principal ${f.principalId} does not exist in the directory ${f.tenantId}. Check that you have the correct ` +
      `principal ID. If you are creating this principal and then immediately assigning a role, this error might be ` +
      `related to a replication delay. In this case, set the role assignment principalType property to a value, such ` +
      `as ServicePrincipal, User, or Group.  See https://aka.ms/docs-principaltype`,
  },
  PrincipalTypeNotSupported: {
    kind: 'invalid',
    say: (f: { type: string }) =>
      `Principals of type ${f.type} cannot validly be used in role assignments. Use the object id of its service principal.`,
  },
  UnmatchedPrincipalType: {
    kind: 'invalid',
    say: (f: { principalId: string; is: string; given: string }) =>
      `The PrincipalId '${f.principalId}' has type '${f.is}', which is different from the specified PrincipalType '${f.given}'.`,
  },
  RoleDefinitionNotFound: {
    kind: 'absent',
    code: 'RoleDefinitionDoesNotExist',
    say: (f: { id: string }) => `The specified role definition with ID '${f.id}' does not exist.`,
  },
  RoleDefinitionDoesNotExist: {
    kind: 'invalid',
    say: (f: { id: string }) => `The specified role definition with ID '${f.id}' does not exist.`,
  },
  RoleDefinitionWithSameNameExists: {
    kind: 'conflict',
    say: (f: { name: string }) =>
      `A custom role with the same name already exists in this directory. Use a different name than '${f.name}'.`,
  },
  RoleDefinitionHasAssignments: {
    kind: 'invalid',
    say: (f: { id: string; count: number }) =>
      `There are existing role assignments referencing role '${f.id}': ${f.count}. Remove them first.`,
  },
  RoleDefinitionLimitExceeded: {
    kind: 'invalid',
    say: (f: { limit: number }) =>
      `Role definition limit exceeded. No more role definitions can be created: a tenant has up to ${f.limit}.`,
  },
  InvalidRoleDefinition: {
    kind: 'invalid',
    say: (f: { reason: string }) => `The role definition is not valid: ${f.reason}`,
  },
  InvalidActionOrNotAction: {
    kind: 'invalid',
    say: (f: { action: string }) => `'${f.action}' does not match any of the actions supported by the providers.`,
  },
  InvalidAccessRequest: {
    kind: 'invalid',
    code: 'InvalidRequestContent',
    say: (f: { reason: string }) => `The request content was invalid: ${f.reason}`,
  },
  UnsupportedFilter: {
    kind: 'invalid',
    code: 'InvalidFilterInQueryString',
    say: (f: { filter: string; accepted: readonly string[] }) =>
      `Invalid $filter '${f.filter}' specified in the query string. Supported are ${f.accepted.join(', ')}, joined by 'and'.`,
  },
  ConditionNotSupported: {
    kind: 'invalid',
    code: 'RoleAssignmentConditionNotSupported',
    say: (f: { why: string }) =>
      `The condition of the role assignment is not supported by this server: ${f.why}. Supported are conditions on which roles may be assigned to whom: ActionMatches, and RoleDefinitionId, PrincipalId and PrincipalType of @Request and @Resource. Change it, leave it out, or choose a narrower role or scope.`,
  },
  ManagementGroupNotFound: {
    kind: 'absent',
    say: (f: { name: string }) => `The management group '${f.name}' cannot be found.`,
  },
  ManagementGroupSubscriptionNotFound: {
    kind: 'absent',
    code: 'ManagementGroupNotFound',
    say: (f: { subscriptionId: string; name: string }) =>
      `The subscription '${f.subscriptionId}' cannot be found in the management group '${f.name}'.`,
  },
  InvalidManagementGroup: {
    kind: 'invalid',
    say: (f: { reason: string }) => `The management group cannot be so: ${f.reason}`,
  },
  ManagementGroupNotEmpty: {
    kind: 'conflict',
    say: (f: { name: string }) =>
      `The management group '${f.name}' has groups or subscriptions in it. Move them to another group first.`,
  },
  ScopeLocked: {
    kind: 'conflict',
    say: (f: { scope: string; operation: 'write' | 'delete'; locked: readonly string[] }) =>
      `The scope '${f.scope}' cannot perform ${f.operation} operation because following scope(s) are locked: ` +
      `'${f.locked.join(',')}'. Please remove the lock and try again.`,
  },
  LockNotFound: { kind: 'absent', say: (f: { name: string }) => `The lock '${f.name}' could not be found.` },
  InvalidLock: { kind: 'invalid', say: (f: { reason: string }) => `The lock is not valid: ${f.reason}` },
  PrincipalUnknown: {
    kind: 'absent',
    code: 'PrincipalNotFound',
    say: (f: { who: string }) =>
      `Nobody in this tenant is called '${f.who}'. Give a user principal name, an application id, an object id or a display name.`,
  },
  PrincipalAmbiguous: {
    kind: 'invalid',
    code: 'InvalidPrincipalId',
    say: (f: { who: string; ids: readonly string[] }) =>
      `'${f.who}' is the name of several: '${f.ids.join(', ')}'. Give one of these object ids.`,
  },
  DenyAssignmentNotFound: {
    kind: 'absent',
    say: (f: { name: string }) => `The deny assignment '${f.name}' is not found: this server has none.`,
  },
  ProviderUnknown: {
    kind: 'absent',
    code: 'InvalidResourceNamespace',
    say: (f: { namespace: string }) => `The resource namespace '${f.namespace}' is invalid.`,
  },
})
