import { isMet } from './condition.ts'
import { matchesAction } from './matches-action.ts'
import type { RightAttributes } from '../resources/extension.ts'
import type { JudgedRole, RoleAssignment, RolePermissions } from './role.ts'

/** What is asked: one action, as Azure names it, of the control plane or of the data plane. */
export interface Question {
  readonly action: string
  readonly isDataAction: boolean
}

export type Decision =
  | { readonly allowed: true; readonly assignment: RoleAssignment; readonly role: JudgedRole }
  | {
      readonly allowed: false
      /** What the caller does have here, none of which allows it. */
      readonly held: readonly { readonly assignment: RoleAssignment; readonly role: JudgedRole }[]
    }

export interface Facts extends Question {
  /** Those that hold at the scope in question: there or above. */
  readonly assignments: readonly RoleAssignment[]
  readonly roles: ReadonlyMap<string, JudgedRole>
  /** The caller and every group that it is in, directly or not. */
  readonly principalIds: ReadonlySet<string>
  /** What conditions may ask of the request; what is not here is unknown, and no condition on it is met. */
  readonly attributes?: RightAttributes | undefined
}

/**
 * The whole rule of role-based access: allowed if any assignment of the caller, or of a group it is in, has a role one
 * of whose blocks lists the action and does not leave it out, and the assignment's condition is met. What one role leaves out another may give
 * (learn.microsoft.com: "notActions is not a deny rule").
 */
export function decide(facts: Facts): Decision {
  const held = facts.assignments.flatMap((assignment) => {
    const role = facts.principalIds.has(assignment.principalId) ? facts.roles.get(assignment.roleId) : undefined
    return role === undefined ? [] : [{ assignment, role }]
  })
  const { action, attributes = {} } = facts
  const granting = held.find(
    ({ role, assignment }) => allows(role, facts) && isMet(assignment.condition, action, attributes),
  )
  return granting === undefined ? { allowed: false, held } : { allowed: true, ...granting }
}

export function allows(role: Pick<JudgedRole, 'permissions'>, { action, isDataAction }: Question): boolean {
  return role.permissions.some((block) =>
    isDataAction
      ? matchesAny(block.dataActions, action) && !matchesAny(block.notDataActions, action)
      : matchesAny(block.actions, action) && !matchesAny(block.notActions, action),
  )
}

/** Why a role does not allow an action that it names: it leaves it out again. */
export function leavesOut(role: Pick<JudgedRole, 'permissions'>, question: Question): boolean {
  const list = (block: RolePermissions): readonly string[] =>
    question.isDataAction ? block.notDataActions : block.notActions
  return !allows(role, question) && role.permissions.some((block) => matchesAny(list(block), question.action))
}

function matchesAny(patterns: readonly string[], action: string): boolean {
  return patterns.some((pattern) => matchesAction(pattern, action))
}
