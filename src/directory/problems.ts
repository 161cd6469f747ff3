import { defineProblems } from '../base/problem.ts'

/** Microsoft Graph's codes, and its texts where clients look into them (az retries on ' does not reference '). */
export const directoryProblems = defineProblems({
  Request_ResourceNotFound: {
    kind: 'absent',
    say: (f: { id: string }) =>
      `Resource '${f.id}' does not exist or one of its queried reference-property objects are not present.`,
  },
  Request_BadRequest: { kind: 'invalid', say: (f: { message: string }) => f.message },
  PropertyTaken: {
    kind: 'invalid',
    code: 'Request_BadRequest',
    say: (f: { property: string; value: string }) =>
      `Another object with the same value for property ${f.property} already exists: '${f.value}'. Choose another value.`,
  },
  ReferenceExists: {
    kind: 'invalid',
    code: 'Request_BadRequest',
    say: (f: { property: string }) =>
      `One or more added object references already exist for the following modified properties: '${f.property}'.`,
  },
  Request_MultipleObjectsWithSameKeyValue: {
    kind: 'conflict',
    say: (f: { appId: string }) =>
      `The service principal cannot be created, updated, or restored because the service principal name ${f.appId} is already in use.`,
  },
  NoBackingApplicationObject: {
    kind: 'invalid',
    say: (f: { appId: string }) =>
      `The appId '${f.appId}' of the service principal does not reference a valid application object.`,
  },
  Authorization_RequestDenied: {
    kind: 'forbidden',
    say: (f: { need: string }) => `Insufficient privileges to complete the operation. It needs ${f.need}.`,
  },
  OperatorIsProtected: {
    kind: 'forbidden',
    code: 'Authorization_RequestDenied',
    say: (f: { what: string }) =>
      `${f.what} belongs to the installation, which could not be managed without it. It cannot be changed or deleted.`,
  },
  TenantNotFound: {
    kind: 'absent',
    say: (f: { tenant: string }) => `The tenant '${f.tenant}' does not exist here. 'goldleaf tenant list' shows them.`,
  },
  TenantExists: {
    kind: 'conflict',
    say: (f: { tenant: string }) =>
      `A tenant with the id or domain '${f.tenant}' exists already. Choose another domain.`,
  },
  TenantInUse: {
    kind: 'conflict',
    say: (f: { tenant: string; count: number }) =>
      `The tenant '${f.tenant}' has ${f.count} subscription(s) that are not cancelled or not empty. Delete their resource groups and cancel them first.`,
  },
})
