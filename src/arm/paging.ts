import type { Call } from './call.ts'
import { armProblems } from './problems.ts'

/**
 * A skip token is the key of the last entry shown, base64url. It is a position, not a right: the list it continues is
 * authorised again, and a token that does not lie below that list's scope is refused.
 */
function formatSkipToken(lastKey: string): string {
  return Buffer.from(JSON.stringify({ v: 1, after: lastKey })).toString('base64url')
}

/** Answers the key behind which the page begins; throws InvalidParameter for a token that no page of this list gave. */
export function readSkipToken(call: Call, scopeKey: string): string | undefined {
  const token = call.query['$skiptoken'] ?? call.query['skiptoken']
  if (token === undefined) return undefined
  const after = parseSkipToken(token)
  if (after === undefined || !after.startsWith(`${scopeKey.toLowerCase()}/`)) throw armProblems.InvalidSkipToken({})
  return after
}

function parseSkipToken(token: string): string | undefined {
  if (token.length > 4096) return undefined
  try {
    const value: unknown = JSON.parse(Buffer.from(token, 'base64url').toString('utf8'))
    if (typeof value !== 'object' || value === null || !('v' in value) || !('after' in value)) return undefined
    return value.v === 1 && typeof value.after === 'string' ? value.after : undefined
  } catch {
    return undefined
  }
}

/** The address of the next page: this request's own, from its own scheme and host, with another token. */
export function nextLink(call: Call, lastKey: string): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(call.query))
    if (name !== '$skiptoken' && name !== 'skiptoken') query.append(name, value)
  query.append('$skiptoken', formatSkipToken(lastKey))
  return `${call.baseUrl}${call.path}?${query.toString()}`
}
