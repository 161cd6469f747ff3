import type { DbOrTx, SoftDeletedTable } from '../db/tables.ts'
import type { Resource } from '../resources/resource.ts'

/** A version in the recycle bin of its gallery. */
export interface SoftDeleted {
  readonly galleryKey: string
  /** As it was, in no operation's hold. */
  readonly resource: Resource
  readonly deletedMs: number
  readonly deletedBy: string
  readonly consumptionEndMs: number
  readonly hardDeleteMs: number
}

export async function insertSoftDeleted(tx: DbOrTx, item: SoftDeleted): Promise<void> {
  const { resource, galleryKey } = item
  const row: SoftDeletedTable = {
    version_key: resource.key,
    definition_key: resource.parentKey,
    gallery_key: galleryKey,
    resource: JSON.stringify(resource),
    deleted_ms: item.deletedMs,
    deleted_by: item.deletedBy,
    consumption_end_ms: item.consumptionEndMs,
    hard_delete_ms: item.hardDeleteMs,
  }
  await tx.insertInto('soft_deleted').values(row).execute()
}

export async function findSoftDeleted(db: DbOrTx, versionKey: string): Promise<SoftDeleted | undefined> {
  const row = await db.selectFrom('soft_deleted').selectAll().where('version_key', '=', versionKey).executeTakeFirst()
  return row && parseRow(row)
}

export async function listSoftDeletedOf(db: DbOrTx, definitionKey: string): Promise<SoftDeleted[]> {
  const rows = await db.selectFrom('soft_deleted').selectAll().where('definition_key', '=', definitionKey).execute()
  return rows.map(parseRow)
}

export async function listSoftDeletedIn(db: DbOrTx, galleryKey: string): Promise<SoftDeleted[]> {
  const rows = await db.selectFrom('soft_deleted').selectAll().where('gallery_key', '=', galleryKey).execute()
  return rows.map(parseRow)
}

/** Keys of versions whose time in the recycle bin is over. */
export async function listOverdue(db: DbOrTx, nowMs: number, limit: number): Promise<string[]> {
  const rows = await db
    .selectFrom('soft_deleted')
    .select('version_key')
    .where('hard_delete_ms', '<=', nowMs)
    .orderBy('hard_delete_ms')
    .limit(limit)
    .execute()
  return rows.map((row) => row.version_key)
}

/** Answers false where somebody else took it out first: only who gets true may decide about its bytes. */
export async function takeSoftDeleted(tx: DbOrTx, versionKey: string): Promise<boolean> {
  const done = await tx.deleteFrom('soft_deleted').where('version_key', '=', versionKey).executeTakeFirst()
  return done.numDeletedRows > 0n
}

function parseRow(row: SoftDeletedTable): SoftDeleted {
  return {
    galleryKey: row.gallery_key,
    resource: JSON.parse(row.resource) as Resource,
    deletedMs: row.deleted_ms,
    deletedBy: row.deleted_by,
    consumptionEndMs: row.consumption_end_ms,
    hardDeleteMs: row.hard_delete_ms,
  }
}
