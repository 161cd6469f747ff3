import { isDataAction } from './data-actions.ts'
import { allows, leavesOut } from './decide.ts'
import type { Decision, Question } from './decide.ts'
import type { RoleDefinition } from './role.ts'

/** How many roles are named as remedies. */
const namedRoles = 5

/**
 * The roles that would allow an action, the narrowest first: those that allow the fewest of `known` actions. Custom
 * roles stand among the built-in ones.
 */
export function nearestRoles(
  roles: Iterable<RoleDefinition>,
  question: Question,
  known: readonly string[],
): readonly RoleDefinition[] {
  const breadth = (role: RoleDefinition): number =>
    known.filter((action) => allows(role, { action, isDataAction: isDataAction(action) })).length
  return [...roles]
    .filter((role) => allows(role, question))
    .map((role) => ({ role, breadth: breadth(role) }))
    .toSorted((a, b) => a.breadth - b.breadth || (a.role.roleName < b.role.roleName ? -1 : 1))
    .slice(0, namedRoles)
    .map(({ role }) => role)
}

/** In a sentence: what grants it, or what is missing and where. */
export function explainDecision(
  decision: Decision,
  facts: Question & {
    readonly who: string
    readonly scope: string
    /** The name of the group through which it is granted; undefined: directly. */
    readonly through: string | undefined
    readonly nearest: readonly Pick<RoleDefinition, 'roleName'>[]
  },
): string {
  const { who, action, scope, through, nearest } = facts
  if (decision.allowed) {
    const by = through === undefined ? 'directly' : `through the group '${through}'`
    return `'${who}' may do '${action}' on '${scope}': the role '${decision.role.roleName}' is assigned ${by} at '${decision.assignment.scope}'.`
  }
  const without = decision.held.filter(({ role }) => leavesOut(role, facts)).map(({ role }) => `'${role.roleName}'`)
  const conditional = decision.held.filter(({ role, assignment }) => assignment.condition && allows(role, facts))
  const names = [...new Set(decision.held.map(({ role }) => `'${role.roleName}'`))].join(', ')
  const holds = names === '' ? 'no role holds there' : `of the roles that hold there (${names}) none allows it`
  const except = without.length === 0 ? '' : `; ${[...new Set(without)].join(', ')} leaves it out`
  const when =
    conditional.length === 0
      ? ''
      : `; ${[...new Set(conditional.map(({ role }) => `'${role.roleName}'`))].join(', ')} allows it under a condition only`
  const kind = facts.isDataAction ? 'data action (Owner and Contributor have none)' : 'action'
  const remedy =
    nearest.length === 0
      ? 'No role allows it: make a custom one'
      : `Assign ${nearest.map(({ roleName }) => `'${roleName}'`).join(' or ')} at this scope or above`
  return `'${who}' may not do the ${kind} '${action}' on '${scope}': ${holds}${except}${when}. ${remedy}.`
}
