import { defineProblems } from '../base/problem.ts'

export const managedIdentityProblems = defineProblems({
  FailedIdentityOperation: {
    kind: 'invalid',
    say: (f: { resource: string; identity: string }) =>
      `Identity operation for resource '${f.resource}' failed with error 'Failed to perform resource identity operation. ` +
      `The user-assigned identity '${f.identity}' was not found. Create it first, or correct its id.'.`,
  },
  IdentityMismatch: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { reason: string }) => `The value of parameter 'identity' is invalid. ${f.reason}`,
  },
})
