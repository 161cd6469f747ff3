import type { Clock } from '../base/clock.ts'
import { randomUuid } from '../base/random.ts'
import type { Db } from '../db/tables.ts'
import { transferProblems } from './problems.ts'
import { deleteExpiredRevocations, insertRevocation, isRevoked } from './revocation.rows.ts'
import { signAddress, verifyAddress, type AddressGrant, type AddressRight } from './signed-address.ts'

export interface IssuedAddress {
  /** For `revoke`. */
  readonly grantId: string
  /** Without `?`. */
  readonly query: string
  readonly expiresMs: number
}

/** Hands out signed queries, checks them, takes them back. Revocations are rows: they outlive a restart. */
export interface AddressSigner {
  issue(thing: string, right: AddressRight, expiresMs: number): IssuedAddress
  /** Throws AuthenticationFailed. */
  check(thing: string, need: AddressRight, query: URLSearchParams): Promise<AddressGrant>
  /** `expiresMs`: until when the row must be kept (the grant's own end). */
  revoke(grantId: string, expiresMs: number): Promise<void>
  /** Drops revocations of grants that have expired by themselves. */
  sweep(): Promise<void>
}

/** `key`: at least 32 bytes, the same after every restart (else every address dies with the process). */
export function createAddressSigner(deps: {
  readonly key: Uint8Array
  readonly db: Db
  readonly clock: Clock
}): AddressSigner {
  const { key, db, clock } = deps
  if (key.length < 32) throw new Error('the key of signed addresses must have at least 32 bytes')
  return {
    issue(thing, right, expiresMs) {
      const grantId = randomUuid()
      return { grantId, query: signAddress(key, { id: grantId, thing, right, expiresMs }), expiresMs }
    },
    async check(thing, need, query) {
      const grant = verifyAddress(key, thing, need, query, clock.now())
      if (await isRevoked(db, grant.id)) throw transferProblems.AuthenticationFailed({ reason: 'it was revoked.' })
      return grant
    },
    revoke: (grantId, expiresMs) => insertRevocation(db, grantId, expiresMs),
    sweep: () => deleteExpiredRevocations(db, clock.now()),
  }
}
