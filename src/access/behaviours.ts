import type { ExtensionBehaviour } from '../resources/extension.ts'
import type { AccessParts } from './access.ts'
import { locksBehaviour } from './locks.ts'
import { managementGroupsBehaviour, managementGroupSubscriptionsBehaviour } from './management-groups.ts'
import {
  checkAccessBehaviour,
  emptyListBehaviours,
  explainAccessBehaviour,
  permissionsBehaviour,
  providerOperationsBehaviour,
} from './questions.ts'
import { roleAssignmentsBehaviour } from './role-assignments.ts'
import { roleDefinitionsBehaviour } from './role-definitions.ts'

/** What Microsoft.Authorization and Microsoft.Management mean here. */
export function accessBehaviours(parts: AccessParts): readonly ExtensionBehaviour[] {
  return [
    roleAssignmentsBehaviour(parts),
    roleDefinitionsBehaviour(parts),
    permissionsBehaviour(parts),
    ...emptyListBehaviours(),
    providerOperationsBehaviour(),
    checkAccessBehaviour(parts),
    explainAccessBehaviour(parts),
    locksBehaviour(parts.db),
    managementGroupsBehaviour(parts),
    managementGroupSubscriptionsBehaviour(parts),
  ]
}
