import type { Kysely } from 'kysely'
import type { Db, Tx } from './tables.ts'

/** One step of the schema's history. After a release it is never edited: a later one corrects it. */
export interface Migration {
  /** `0001-main-road`: the number gives the order. */
  readonly name: string
  up(tx: Tx): Promise<void>
}

// A type alias: `withTables` wants an implicit index signature, which interfaces lack.
type MigrationTables = { migration: { name: string; applied_ms: number } }

async function readApplied(db: Kysely<MigrationTables>): Promise<string[]> {
  const rows = await db.selectFrom('migration').select('name').orderBy('name').execute()
  return rows.map((row) => row.name)
}

async function hasMigrations(db: Db): Promise<boolean> {
  const tables = await db.introspection.getTables()
  return tables.some((table) => table.name === 'migration')
}

/** Answers a migration that this database has had and this program does not know: the file is from a newer version. */
export async function findUnknownMigration(db: Db, known: readonly Migration[]): Promise<string | undefined> {
  if (!(await hasMigrations(db))) return undefined
  const names = new Set(known.map((migration) => migration.name))
  const applied = await readApplied(db.withTables<MigrationTables>())
  return applied.find((name) => !names.has(name))
}

/**
 * Applies what is missing, each migration in one transaction with its record: a crash leaves it done or not begun.
 * Two processes that start together take turns; the second finds the work done.
 */
export async function migrate(db: Db, known: readonly Migration[], nowMs: number): Promise<void> {
  await db.schema
    .createTable('migration')
    .ifNotExists()
    .addColumn('name', 'text', (column) => column.primaryKey())
    .addColumn('applied_ms', 'bigint', (column) => column.notNull())
    .execute()
  const applied = new Set(await readApplied(db.withTables<MigrationTables>()))
  for (const migration of known) {
    if (applied.has(migration.name)) continue
    await db.transaction().execute(async (tx) => {
      const records = tx.withTables<MigrationTables>()
      const done = await records.selectFrom('migration').select('name').where('name', '=', migration.name).execute()
      if (done.length > 0) return
      await migration.up(tx)
      await records.insertInto('migration').values({ name: migration.name, applied_ms: nowMs }).execute()
    })
  }
}
