import { createHmac, timingSafeEqual } from 'node:crypto'
import { transferProblems } from './problems.ts'

/**
 * Signed addresses: a query that lets whoever holds it do ONE thing (`right`) to ONE thing (`thing`) until a moment.
 * The names of the parameters are those of Azure's shared access signatures, because clients look for them (azcopy and
 * Storage Explorer take an address for signed if it has `sig`; az shows `se`). The signature itself is ours.
 */
export type AddressRight = 'read' | 'write'

export interface AddressGrant {
  /** By which it is revoked. */
  readonly id: string
  /** What may be touched: `upload/{id}`, `disk/{region}/{class}/{root}`, `blob/{account}/{container}/{blob}`, `log/{id}`. */
  readonly thing: string
  /** `write` includes `read`: clients read back what they wrote (properties, page ranges). */
  readonly right: AddressRight
  readonly expiresMs: number
}

const version = '2024-11-04'
const rightLetters = { read: 'r', write: 'rw' } as const

/** The query (without `?`) that carries the grant. `key` has at least 32 bytes and never leaves the server. */
export function signAddress(key: Uint8Array, grant: AddressGrant): string {
  const expires = new Date(grant.expiresMs).toISOString().replace(/\.\d{3}Z$/, 'Z')
  const fields = { sv: version, sr: 'b', sp: rightLetters[grant.right], se: expires, gi: grant.id }
  const query = new URLSearchParams({ ...fields, sig: signature(key, grant.thing, fields).toString('base64') })
  return query.toString()
}

/** Whether the query claims to be signed; then nothing but the signature decides. */
export function isSignedQuery(query: URLSearchParams): boolean {
  return query.has('sig')
}

/** Whether it is one of ours: Azure's signatures have no grant id. */
export function isOwnQuery(query: URLSearchParams): boolean {
  return query.has('sig') && query.has('gi')
}

/**
 * Checks a signed query against the thing and right that the request needs; throws AuthenticationFailed (403, as Azure
 * Storage does) with a reason that tells nothing about the key. Unknown parameters (`comp`, `timeout` …) are ignored:
 * they do not widen the grant. Revocation is the caller's next check.
 */
export function verifyAddress(
  key: Uint8Array,
  thing: string,
  need: AddressRight,
  query: URLSearchParams,
  nowMs: number,
): AddressGrant {
  const fields: Record<string, string> = {}
  for (const name of ['sv', 'sr', 'sp', 'se', 'gi']) {
    const values = query.getAll(name)
    if (values.length > 1) throw transferProblems.AuthenticationFailed({ reason: `parameter '${name}' is repeated.` })
    fields[name] = values[0] ?? ''
  }
  const given = Buffer.from(query.get('sig') ?? '', 'base64')
  const expected = signature(key, thing, fields)
  // The length is public; the comparison of equal lengths takes the same time whatever differs.
  if (given.length !== expected.length || !timingSafeEqual(given, expected))
    throw transferProblems.AuthenticationFailed({ reason: 'its signature does not fit this address.' })
  const expiresMs = Date.parse(fields['se'] ?? '')
  if (!(expiresMs > nowMs)) throw transferProblems.AuthenticationFailed({ reason: 'it has expired.' })
  const right: AddressRight = fields['sp'] === rightLetters.write ? 'write' : 'read'
  if (need === 'write' && right !== 'write')
    throw transferProblems.AuthenticationFailed({ reason: 'it permits reading only.' })
  return { id: fields['gi'] ?? '', thing, right, expiresMs }
}

/** Each field on a line of its own, so that no two grants have the same text; line ends inside are impossible. */
function signature(key: Uint8Array, thing: string, fields: Readonly<Record<string, string>>): Buffer {
  const lines = ['goldleaf-address-1', thing, fields['sv'], fields['sr'], fields['sp'], fields['se'], fields['gi']]
  return createHmac('sha256', key)
    .update(lines.map((line) => encodeURIComponent(line ?? '')).join('\n'))
    .digest()
}
