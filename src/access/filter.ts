import { readFilterClauses } from '../base/filter-clauses.ts'
import { isUuid } from '../base/uuid.ts'
import { accessProblems } from './problems.ts'

export interface Filter {
  /** Calls without arguments, lower case: `atscope`. */
  readonly calls: ReadonlySet<string>
  /** Calls with one text and comparisons by `eq`, by lower-case name: `principalid`, `assignedto`, `rolename`. */
  readonly values: ReadonlyMap<string, string>
}

/** `atScope() and principalId eq '…'`, of the names that are accepted. Throws InvalidFilterInQueryString. */
export function parseFilter(text: string | undefined, accepted: readonly string[]): Filter {
  const calls = new Set<string>()
  const values = new Map<string, string>()
  const names = new Set(accepted.map((one) => one.toLowerCase().replace(/[( ].*$/, '')))
  for (const { name, operator, quoted, bare } of readFilterClauses(text)) {
    const isServed = names.has(name) && operator !== 'ge' && operator !== 'le' && (bare === undefined || isUuid(bare))
    if (!isServed) throw accessProblems.UnsupportedFilter({ filter: (text ?? '').slice(0, 200), accepted })
    const value = quoted ?? bare
    if (value === undefined) calls.add(name)
    else values.set(name, value)
  }
  return { calls, values }
}
