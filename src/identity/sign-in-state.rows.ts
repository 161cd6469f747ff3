import type { DbOrTx, SignInStateTable, Tx } from '../db/tables.ts'

export type SignInStateRow = SignInStateTable

/** Writes or replaces; whether it was consumed stays as it is. */
export async function putState(db: DbOrTx, row: Omit<SignInStateRow, 'consumed_ms'>): Promise<void> {
  const { kind: _kind, id_hash: _id, ...change } = row
  await db
    .insertInto('sign_in_state')
    .values({ ...row, consumed_ms: null })
    .onConflict((conflict) => conflict.columns(['kind', 'id_hash']).doUpdateSet(change))
    .execute()
}

/** Writes unless it is there; answers whether it was new. */
export async function insertState(db: DbOrTx, row: Omit<SignInStateRow, 'consumed_ms'>): Promise<boolean> {
  const { numInsertedOrUpdatedRows: count } = await db
    .insertInto('sign_in_state')
    .values({ ...row, consumed_ms: null })
    .onConflict((conflict) => conflict.columns(['kind', 'id_hash']).doNothing())
    .executeTakeFirst()
  return count === 1n
}

export function findState(
  db: DbOrTx,
  kind: string,
  by: 'id_hash' | 'uid_hash' | 'user_code_hash',
  hash: string,
): Promise<SignInStateRow | undefined> {
  return db.selectFrom('sign_in_state').selectAll().where('kind', '=', kind).where(by, '=', hash).executeTakeFirst()
}

/** One caller of many gets true: this is what makes codes good for one use, also under a race. */
export async function consumeState(db: DbOrTx, kind: string, idHash: string, nowMs: number): Promise<boolean> {
  const { numUpdatedRows: count } = await db
    .updateTable('sign_in_state')
    .set({ consumed_ms: nowMs })
    .where('kind', '=', kind)
    .where('id_hash', '=', idHash)
    .where('consumed_ms', 'is', null)
    .executeTakeFirst()
  return count === 1n
}

export async function deleteState(db: DbOrTx, kind: string, idHash: string): Promise<void> {
  await db.deleteFrom('sign_in_state').where('kind', '=', kind).where('id_hash', '=', idHash).execute()
}

export async function deleteStateOfGrant(db: DbOrTx, grantHash: string): Promise<void> {
  await db.deleteFrom('sign_in_state').where('grant_hash', '=', grantHash).execute()
}

export async function deleteStateOfAccount(tx: Tx, accountHash: string): Promise<void> {
  await tx.deleteFrom('sign_in_state').where('account_hash', '=', accountHash).execute()
}

export async function deleteExpiredState(db: DbOrTx, nowMs: number): Promise<void> {
  await db.deleteFrom('sign_in_state').where('expires_ms', '<=', nowMs).execute()
}
