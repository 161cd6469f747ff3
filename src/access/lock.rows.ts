import type { Selectable } from 'kysely'
import type { DbOrTx, ManagementLockTable } from '../db/tables.ts'

export const lockLevels = ['CanNotDelete', 'ReadOnly'] as const
export type LockLevel = (typeof lockLevels)[number]

export interface Lock {
  readonly scope: string
  readonly scopeKey: string
  readonly name: string
  readonly level: LockLevel
  readonly notes: string | undefined
  readonly createdMs: number
  readonly updatedMs: number
  readonly createdBy: string
  readonly updatedBy: string
}

export async function findLock(db: DbOrTx, scopeKey: string, name: string): Promise<Lock | undefined> {
  const row = await db
    .selectFrom('management_lock')
    .selectAll()
    .where('scope_key', '=', scopeKey)
    .where('name_key', '=', name.toLowerCase())
    .executeTakeFirst()
  return row && parseLock(row)
}

/** Locks that stand at one of these scopes. */
export async function listLocksAt(db: DbOrTx, scopeKeys: readonly string[]): Promise<Lock[]> {
  const rows = await db
    .selectFrom('management_lock')
    .selectAll()
    .where('scope_key', 'in', scopeKeys)
    .orderBy('scope_key')
    .orderBy('name_key')
    .execute()
  return rows.map(parseLock)
}

/** Locks of what is below a scope, without those at it. `0` is the character behind `/`. */
export async function listLocksBelow(db: DbOrTx, scopeKey: string, limit: number): Promise<Lock[]> {
  const rows = await db
    .selectFrom('management_lock')
    .selectAll()
    .where('scope_key', '>', `${scopeKey}/`)
    .where('scope_key', '<', `${scopeKey}0`)
    .orderBy('scope_key')
    .limit(limit)
    .execute()
  return rows.map(parseLock)
}

export async function putLock(db: DbOrTx, lock: Lock): Promise<void> {
  const changed = {
    level: lock.level,
    notes: lock.notes ?? null,
    updated_ms: lock.updatedMs,
    updated_by: lock.updatedBy,
  }
  await db
    .insertInto('management_lock')
    .values({
      scope_key: lock.scopeKey,
      name_key: lock.name.toLowerCase(),
      scope: lock.scope,
      name: lock.name,
      created_ms: lock.createdMs,
      created_by: lock.createdBy,
      ...changed,
    })
    .onConflict((conflict) => conflict.columns(['scope_key', 'name_key']).doUpdateSet(changed))
    .execute()
}

export async function deleteLock(db: DbOrTx, scopeKey: string, name: string): Promise<boolean> {
  const done = await db
    .deleteFrom('management_lock')
    .where('scope_key', '=', scopeKey)
    .where('name_key', '=', name.toLowerCase())
    .executeTakeFirst()
  return done.numDeletedRows > 0n
}

function parseLock(row: Selectable<ManagementLockTable>): Lock {
  return {
    scope: row.scope,
    scopeKey: row.scope_key,
    name: row.name,
    level: row.level as LockLevel,
    notes: row.notes ?? undefined,
    createdMs: row.created_ms,
    updatedMs: row.updated_ms,
    createdBy: row.created_by,
    updatedBy: row.updated_by,
  }
}
