import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Account } from './account.ts'
import { transferProblems } from './problems.ts'

/** The parts of a request that Azure's signatures cover. */
export interface SignedRequest {
  readonly method: string
  /** As sent: path with its percent encoding, without the query. */
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
}

// Azure's own window for the date of a request.
const windowMs = 15 * 60_000

/**
 * Checks `Authorization: SharedKey account:signature` (Azure Storage, "Authorize with Shared Key", service version
 * 2015-02-21 and later). Throws AuthenticationFailed; the reason tells nothing about the keys.
 */
export function checkSharedKey(authorization: string, request: SignedRequest, account: Account, nowMs: number): void {
  const refuse = (reason: string): Error => transferProblems.AuthenticationFailed({ reason })
  const match = /^SharedKey ([a-z0-9]{3,24}):([A-Za-z0-9+/]{43}=)$/i.exec(authorization.trim())
  if (!match || match[1]?.toLowerCase() !== account.name)
    throw refuse('its Authorization header is not of this account.')
  const date = Date.parse(one(request, 'x-ms-date') || one(request, 'date'))
  if (!(Math.abs(nowMs - date) <= windowMs))
    throw refuse('its date is missing or more than 15 minutes off. Set the clock of the client right.')
  if (!isSignedBy(account, match[2] ?? '', stringToSign(request, account.name)))
    throw refuse('its signature does not fit. Check the account key.')
}

/** HMAC-SHA256 by either key, compared in the same time whatever differs. */
export function isSignedBy(account: Account, signature: string, text: string): boolean {
  const given = Buffer.from(signature, 'base64')
  return account.keys
    .map((key) => createHmac('sha256', Buffer.from(key, 'base64')).update(text, 'utf8').digest())
    .map((expected) => expected.length === given.length && timingSafeEqual(expected, given))
    .includes(true)
}

function one({ headers }: SignedRequest, name: string): string {
  const value = headers[name]
  return typeof value === 'string' ? value : (value?.join(',') ?? '')
}

const signedHeaders = [
  'content-encoding',
  'content-language',
  'content-length',
  'content-md5',
  'content-type',
  'date',
  'if-modified-since',
  'if-match',
  'if-none-match',
  'if-unmodified-since',
  'range',
] as const

function stringToSign(request: SignedRequest, account: string): string {
  const standard = signedHeaders.map((name) => {
    const value = one(request, name)
    return name === 'content-length' && value === '0' ? '' : value
  })
  const own = Object.keys(request.headers)
    .filter((name) => name.startsWith('x-ms-'))
    .toSorted(byCode)
    .map((name) => `${name}:${one(request, name).trim()}\n`)
  return [request.method, ...standard].join('\n') + '\n' + own.join('') + canonicalResource(request, account)
}

/** `/account/path`, then each parameter by lower-case name, its values sorted. The path holds the account once more here. */
function canonicalResource({ path, query }: SignedRequest, account: string): string {
  const names = [...new Set([...query.keys()].map((name) => name.toLowerCase()))].toSorted(byCode)
  const lines = names.map((name) => {
    const values = [...query.entries()].filter(([key]) => key.toLowerCase() === name).map(([, value]) => value)
    return `\n${name}:${values.toSorted(byCode).join(',')}`
  })
  return `/${account}${path}${lines.join('')}`
}

const byCode = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
