import type { ArmId } from '../base/arm-id.ts'
import { defineProblems } from '../base/problem.ts'

const helpLink = 'For more details please go to https://aka.ms/ARMResourceNotFoundFix'

/** Azure's own codes and texts (behaviour.md A1, A2): clients match on them. */
export const resourceProblems = defineProblems({
  ResourceNotFound: {
    kind: 'absent',
    say: (f: { type: string; names: readonly string[]; resourceGroup: string }) =>
      `The Resource '${armPath(f)}' under resource group '${f.resourceGroup}' was not found. ${helpLink}`,
  },
  ParentResourceNotFound: {
    kind: 'absent',
    say: (f: { parent: string }) =>
      `Can not perform requested operation on nested resource. Parent resource '${f.parent}' not found.`,
  },
  ResourceGroupNotFound: {
    kind: 'absent',
    say: (f: { resourceGroup: string }) => `Resource group '${f.resourceGroup}' could not be found.`,
  },
  SubscriptionNotFound: {
    kind: 'absent',
    say: (f: { subscriptionId: string }) => `The subscription '${f.subscriptionId}' could not be found.`,
  },
  ReadOnlyDisabledSubscription: {
    kind: 'conflict',
    say: (f: { subscriptionId: string }) =>
      `The subscription '${f.subscriptionId}' is disabled and therefore marked as read only. You cannot perform any write actions on this subscription until it is re-enabled.`,
  },
  CannotDeleteResource: {
    kind: 'conflict',
    say: (f: { nested: readonly string[] }) =>
      `Cannot delete resource while nested resources exist. Some existing nested resource IDs include: ` +
      `'${f.nested.join(', ')}'. Please delete all nested resources before deleting this resource.`,
  },
  /** A2: "(sic)" is Azure's own spelling. */
  MarkedForDeletion: {
    kind: 'conflict',
    code: 'OperationNotAllowed',
    say: (f: { operation: string; name: string }) =>
      `Operation '${f.operation}' is not on allowed on ${f.name}; since it is marked for deletion. ` +
      `You can only retry the Delete operation (or wait for an ongoing one to complete)`,
  },
  OperationInProgress: {
    kind: 'conflict',
    code: 'OperationNotAllowed',
    say: (f: { operation: string; name: string; operationId: string }) =>
      `Operation '${f.operation}' is not allowed on '${f.name}' since operation '${f.operationId}' is still at work on it. ` +
      `Wait for that operation to end, then send the request again; or delete the resource, which cancels it.`,
  },
  ResourceChanged: {
    kind: 'conflict',
    code: 'Conflict',
    say: (f: { id: string }) =>
      `The resource '${f.id}' was changed by another request at the same time. Read it and send the request again.`,
  },
  PreconditionFailed: {
    kind: 'preconditionFailed',
    say: (f: { id: string; condition: string }) =>
      `The condition '${f.condition}' of the request does not hold for '${f.id}'. Read the resource and send the request again.`,
  },
  ResourceGroupBeingDeleted: {
    kind: 'conflict',
    say: (f: { resourceGroup: string }) =>
      `The resource group '${f.resourceGroup}' is in deprovisioning state and cannot perform this operation.`,
  },
  ParentBeingDeleted: {
    kind: 'conflict',
    code: 'Conflict',
    say: (f: { parent: string }) =>
      `The parent resource '${f.parent}' is being deleted, nothing can be created in it. Wait for the deletion to end.`,
  },
})

/** `Microsoft.Compute/galleries/g/images/i`: how errors name a resource without its group. */
export function armPath(id: Pick<ArmId, 'type' | 'names'>): string {
  const [namespace = '', ...types] = id.type.split('/')
  return [namespace, ...types.flatMap((type, index) => [type, id.names[index] ?? ''])].join('/')
}
