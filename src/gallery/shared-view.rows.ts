import { sql } from 'kysely'
import type { DbOrTx } from '../db/tables.ts'

/**
 * Which versions a region can give, asked so that the cost follows the answer: by the index `replica_by_region`, which
 * ends at the first version where one is enough. A version counts when each of its disks is complete in the region, and
 * while it may be consumed: what is in a recycle bin until its `consumptionEndTime`.
 */
function versionsIn(db: DbOrTx, below: string, region: string, nowMs: number) {
  return (
    db
      .selectFrom('replica')
      .leftJoin('soft_deleted', 'soft_deleted.version_key', 'replica.version_key')
      .select('replica.version_key')
      .where('replica.region', '=', region)
      .where('replica.version_key', '>=', `${below}/`)
      // The character after `/`: a range, so that names with `_` or `%` mean themselves.
      .where('replica.version_key', '<', `${below}0`)
      .where((is) =>
        is.or([is('soft_deleted.version_key', 'is', null), is('soft_deleted.consumption_end_ms', '>', nowMs)]),
      )
      .groupBy('replica.version_key')
      .having(isWhole)
  )
}

const isWhole = sql<boolean>`count(distinct replica.lun) =
  count(distinct case when replica.state = 'Completed' and replica.root is not null then replica.lun end)`

/** Keys of the versions of a definition that a region can give, those in a recycle bin among them. */
export async function listVersionKeysIn(
  db: DbOrTx,
  definitionKey: string,
  region: string,
  nowMs: number,
): Promise<string[]> {
  const rows = await versionsIn(db, `${definitionKey}/versions`, region, nowMs).execute()
  return rows.map((row) => row.version_key)
}

/** Whether a region can give some version of a gallery (`{gallery}/images`) or of a definition (`{image}/versions`). */
export async function hasVersionIn(db: DbOrTx, below: string, region: string, nowMs: number): Promise<boolean> {
  return (await versionsIn(db, below, region, nowMs).limit(1).executeTakeFirst()) !== undefined
}
