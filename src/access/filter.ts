import { readFilterClauses } from '../base/filter-clauses.ts'
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
    const isServed = names.has(name) && operator !== 'ge' && operator !== 'le' && (bare === undefined || isGuid(bare))
    if (!isServed) throw accessProblems.UnsupportedFilter({ filter: (text ?? '').slice(0, 200), accepted })
    const value = quoted ?? bare
    if (value === undefined) calls.add(name)
    else values.set(name, value)
  }
  return { calls, values }
}

const guid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

export function isGuid(text: string): boolean {
  return guid.test(text)
}

/** Azure's form in these APIs: `2026-11-21T14:00:00.0000000Z`. */
export function formatTime(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '0000Z')
}
