import type { DbOrTx } from '../db/tables.ts'
import type { Registration } from './registration.ts'

/** `name`: `Microsoft.Compute`, or `Microsoft.Compute/GalleryPreview` for a feature; in any spelling. */
export async function findRegistration(
  db: DbOrTx,
  subscriptionId: string,
  name: string,
): Promise<Registration | undefined> {
  const row = await db
    .selectFrom('registration')
    .selectAll()
    .where('subscription_id', '=', subscriptionId.toLowerCase())
    .where('name_key', '=', name.toLowerCase())
    .executeTakeFirst()
  return row && { isWanted: row.is_wanted !== 0, changedMs: row.changed_ms }
}

/** Everything that a subscription ever changed, by lower-case name. */
export async function listRegistrations(
  db: DbOrTx,
  subscriptionId: string,
): Promise<ReadonlyMap<string, Registration>> {
  const rows = await db
    .selectFrom('registration')
    .selectAll()
    .where('subscription_id', '=', subscriptionId.toLowerCase())
    .execute()
  return new Map(rows.map((row) => [row.name_key, { isWanted: row.is_wanted !== 0, changedMs: row.changed_ms }]))
}

/** Notes what is wanted now; asking for the same again changes nothing. */
export async function putRegistration(
  db: DbOrTx,
  subscriptionId: string,
  name: string,
  wanted: Registration,
): Promise<void> {
  const is_wanted = wanted.isWanted ? 1 : 0
  const changed_ms = wanted.changedMs
  await db
    .insertInto('registration')
    .values({ subscription_id: subscriptionId.toLowerCase(), name_key: name.toLowerCase(), is_wanted, changed_ms })
    .onConflict((conflict) =>
      conflict
        .columns(['subscription_id', 'name_key'])
        .doUpdateSet({ is_wanted, changed_ms })
        .where('registration.is_wanted', '!=', is_wanted),
    )
    .execute()
}
