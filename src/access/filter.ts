import { accessProblems } from './problems.ts'

export interface Filter {
  /** Calls without arguments, lower case: `atscope`. */
  readonly calls: ReadonlySet<string>
  /** Calls with one text and comparisons by `eq`, by lower-case name: `principalid`, `assignedto`, `rolename`. */
  readonly values: ReadonlyMap<string, string>
}

/** `atScope() and principalId eq '…'`: the small part of OData that these lists speak. Throws InvalidFilterInQueryString. */
export function parseFilter(text: string | undefined, accepted: readonly string[]): Filter {
  const calls = new Set<string>()
  const values = new Map<string, string>()
  const refuse = (): Error => accessProblems.UnsupportedFilter({ filter: (text ?? '').slice(0, 200), accepted })
  const names = new Set(accepted.map((one) => one.toLowerCase().replace(/[( ].*$/, '')))
  for (const clause of (text ?? '').trim() === '' ? [] : (text ?? '').split(/\s+and\s+/i)) {
    const match =
      /^\s*(\w+)\s*\(\s*(?:'((?:[^']|'')*)')?\s*\)\s*$/.exec(clause) ??
      /^\s*(\w+)\s+eq\s+(?:'((?:[^']|'')*)'|([0-9a-f-]{36}))\s*$/i.exec(clause)
    const name = match?.[1]?.toLowerCase()
    if (name === undefined || !names.has(name)) throw refuse()
    const value = match?.[2] ?? match?.[3]
    if (value === undefined) calls.add(name)
    else values.set(name, value.replaceAll("''", "'"))
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
