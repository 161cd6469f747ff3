import { findSetting, keepSetting } from '../db/setting.rows.ts'
import type { DbOrTx } from '../db/tables.ts'

/** Settings `revoked-address/{grant id}`, whose value is the moment (ms since 1970) after which nobody asks any more. */
const prefix = 'revoked-address/'

export async function insertRevocation(db: DbOrTx, grantId: string, expiresMs: number): Promise<void> {
  await keepSetting(db, prefix + grantId, String(expiresMs))
}

export async function isRevoked(db: DbOrTx, grantId: string): Promise<boolean> {
  return (await findSetting(db, prefix + grantId)) !== undefined
}

export async function deleteExpiredRevocations(db: DbOrTx, nowMs: number): Promise<void> {
  const rows = await db.selectFrom('setting').selectAll().where('name', 'like', `${prefix}%`).execute()
  for (const row of rows)
    if (Number(row.value) <= nowMs) await db.deleteFrom('setting').where('name', '=', row.name).execute()
}
