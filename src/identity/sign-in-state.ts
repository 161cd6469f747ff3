import type { Adapter, AdapterPayload } from 'oidc-provider'
import type { Clock } from '../base/clock.ts'
import { isJsonObject } from '../base/json.ts'
import type { Db, Tx } from '../db/tables.ts'
import { formatAccountId } from './accounts.ts'
import type { Seal } from './keys.ts'
import { InvalidGrant } from './oidc-library.ts'
import {
  consumeState,
  deleteExpiredState,
  deleteState,
  deleteStateOfAccount,
  deleteStateOfGrant,
  findState,
  insertState,
  putState,
} from './sign-in-state.rows.ts'
import type { SignInStateRow } from './sign-in-state.rows.ts'

/**
 * A used refresh token is refused. For so long it is nothing worse: az runs side by side from one token cache, and two
 * that refresh at the same moment are no thieves. Afterwards a second use revokes all that came of that sign-in.
 */
export const refreshLeewayMs = 10_000
/** Of what has no end of its own. */
const longestLifeSeconds = 366 * 86_400

/** Where oidc-provider keeps its state: `table` answers an adapter per kind. */
export interface SignInState {
  adapter(kind: string): Adapter
  /** Remembers a used assertion; true for its first use, and again for the same `user` while it lives. */
  claim(id: string, user: string, expiresMs: number): Promise<boolean>
  /** Ends every sign-in of a person: refresh tokens, codes, browsers. Access tokens live out their hour. */
  revokePerson(tx: Tx, person: { readonly tenantId: string; readonly objectId: string }): Promise<void>
  /** Drops what has expired. */
  sweep(): Promise<void>
}

function parsePayload(text: string): AdapterPayload {
  const value: unknown = JSON.parse(text)
  if (!isJsonObject(value)) throw new Error('a sealed payload is not an object')
  return value
}

/** Who signed in, also at a sign-in page whose answer was not fetched yet. */
function accountOf({ accountId, result }: AdapterPayload): unknown {
  return accountId ?? result?.login?.accountId
}

/**
 * oidc-provider's storage in one table. Ids (which are the tokens themselves) rest as keyed hashes, payloads are
 * encrypted, as they name ids too.
 */
export function createSignInState({ db, seal, clock }: { db: Db; seal: Seal; clock: Clock }): SignInState {
  const hashOf = (value: unknown): string | null => (typeof value === 'string' ? seal.hide(value) : null)
  const read = (row: SignInStateRow | undefined): AdapterPayload | undefined => {
    const nowMs = clock.now()
    if (row === undefined || row.expires_ms <= nowMs) return undefined
    const payload = parsePayload(seal.open(row.payload))
    const leewayMs = row.kind === 'RefreshToken' ? refreshLeewayMs : 0
    if (row.consumed_ms !== null && nowMs - row.consumed_ms >= leewayMs)
      payload.consumed = Math.floor(row.consumed_ms / 1000)
    return payload
  }
  return {
    adapter: (kind) => ({
      upsert: (id, payload, expiresInSeconds = longestLifeSeconds) =>
        putState(db, {
          kind,
          id_hash: seal.hide(id),
          grant_hash: kind === 'Grant' ? seal.hide(id) : hashOf(payload.grantId),
          uid_hash: hashOf(payload.uid),
          user_code_hash: hashOf(payload.userCode),
          account_hash: hashOf(accountOf(payload)),
          payload: seal.seal(JSON.stringify(payload)),
          expires_ms: clock.now() + expiresInSeconds * 1000,
        }),
      find: async (id) => read(await findState(db, kind, 'id_hash', seal.hide(id))),
      findByUid: async (uid) => read(await findState(db, kind, 'uid_hash', seal.hide(uid))),
      findByUserCode: async (code) => read(await findState(db, kind, 'user_code_hash', seal.hide(code))),
      async consume(id) {
        // Before anything is issued: of uses side by side one gets tokens.
        if (!(await consumeState(db, kind, seal.hide(id), clock.now()))) throw new InvalidGrant('redeemed just now')
      },
      destroy: (id) => deleteState(db, kind, seal.hide(id)),
      revokeByGrantId: (grantId) => deleteStateOfGrant(db, seal.hide(grantId)),
    }),
    async claim(id, user, expiresMs) {
      const kind = 'UsedAssertion'
      const idHash = seal.hide(id)
      const row = { kind, id_hash: idHash, grant_hash: null, uid_hash: null, user_code_hash: null, account_hash: null }
      if (await insertState(db, { ...row, payload: seal.seal(user), expires_ms: expiresMs })) return true
      const known = await findState(db, kind, 'id_hash', idHash)
      return known !== undefined && seal.open(known.payload) === user
    },
    revokePerson: (tx, person) => deleteStateOfAccount(tx, seal.hide(formatAccountId(person))),
    sweep: () => deleteExpiredState(db, clock.now()),
  }
}
