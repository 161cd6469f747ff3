import { compareNames, sortByName } from '../base/natural-order.ts'
import { formatSkipToken, parseSkipToken } from '../resources/skip-token.ts'
import type { Call } from './call.ts'
import { armProblems } from './problems.ts'

/**
 * Answers the key of the last entry that was shown, behind which the page begins. The list is authorised again, and a
 * token that does not lie below its scope is refused: throws InvalidParameter for one that no page of this list gave.
 */
export function readSkipToken(call: Call, scopeKey: string): string | undefined {
  const token = call.query['$skiptoken'] ?? call.query['skiptoken']
  if (token === undefined) return undefined
  const after = parseSkipToken(token)?.['after']
  if (typeof after !== 'string' || !after.startsWith(`${scopeKey.toLowerCase()}/`))
    throw armProblems.InvalidSkipToken({})
  return after
}

/** Of a list by name: the name behind which the page begins. */
export function readAfterName(call: Call, scopeKey: string): string | undefined {
  return readSkipToken(call, scopeKey)?.split('/').at(-1)
}

/** A page of a list that is whole in memory: ascending by name with numbers as numbers (behaviour.md B4). */
export function pageByName<T extends { readonly name: string }>(
  items: readonly T[],
  afterName: string | undefined,
  size: number,
): { readonly page: readonly T[]; readonly isMore: boolean } {
  const all = sortByName(items)
  const rest = afterName === undefined ? all : all.filter(({ name }) => compareNames(name, afterName) > 0)
  return { page: rest.slice(0, size), isMore: rest.length > size }
}

/** The address of the next page: this request's own, from its own scheme and host, with another token. */
export function nextLink(call: Call, lastKey: string): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(call.query))
    if (name !== '$skiptoken' && name !== 'skiptoken') query.append(name, value)
  query.append('$skiptoken', formatSkipToken({ after: lastKey }))
  return `${call.baseUrl}${call.path}?${query.toString()}`
}
