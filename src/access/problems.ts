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
})
