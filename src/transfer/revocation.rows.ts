import type { DbOrTx } from '../db/tables.ts'

/** Settings `revoked-address/{grant id}`, whose value is the moment (ms since 1970) after which nobody asks any more. */
const prefix = 'revoked-address/'

export async function insertRevocation(db: DbOrTx, grantId: string, expiresMs: number): Promise<void> {
  await db
    .insertInto('setting')
    .values({ name: prefix + grantId, value: String(expiresMs) })
    .onConflict((conflict) => conflict.column('name').doNothing())
    .execute()
}

export async function isRevoked(db: DbOrTx, grantId: string): Promise<boolean> {
  const row = await db
    .selectFrom('setting')
    .select('name')
    .where('name', '=', prefix + grantId)
    .executeTakeFirst()
  return row !== undefined
}

export async function deleteExpiredRevocations(db: DbOrTx, nowMs: number): Promise<void> {
  const rows = await db.selectFrom('setting').selectAll().where('name', 'like', `${prefix}%`).execute()
  for (const row of rows)
    if (Number(row.value) <= nowMs) await db.deleteFrom('setting').where('name', '=', row.name).execute()
}
