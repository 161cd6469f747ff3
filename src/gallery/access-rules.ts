import type { AccessRules } from '../contract/access-profiles.ts'
import { artifactProblems } from './artifact-problems.ts'

const target = 'galleryInVMAccessControlProfileVersion.properties.rules'

/** What rules name must be there: a role's privileges, an assignment's role and identities. Paths begin with a slash. */
export function checkAccessRules(rules: AccessRules | undefined): void {
  const { privileges = [], roles = [], identities = [], roleAssignments = [] } = rules ?? {}
  const complain = (reason: string): never => {
    throw artifactProblems.AccessRulesInvalid({ reason }, { target })
  }
  const namesOf = (all: readonly { readonly name: string }[]): ReadonlySet<string> =>
    new Set(all.map(({ name }) => name.toLowerCase()))
  const known = { privilege: namesOf(privileges), role: namesOf(roles), identity: namesOf(identities) }
  const need = (kind: keyof typeof known, name: string, by: string): void => {
    if (!known[kind].has(name.toLowerCase())) complain(`${by} names the ${kind} '${name}', which is not in the rules.`)
  }
  for (const { name, path } of privileges)
    if (!path.startsWith('/')) complain(`the path '${path}' of the privilege '${name}' does not begin with '/'.`)
  for (const role of roles) for (const name of role.privileges) need('privilege', name, `the role '${role.name}'`)
  for (const assignment of roleAssignments) {
    need('role', assignment.role, 'an assignment')
    for (const name of assignment.identities) need('identity', name, `the assignment of the role '${assignment.role}'`)
  }
}
