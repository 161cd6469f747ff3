import { chmod, open } from 'node:fs/promises'
import { basename } from 'node:path'
import { Kysely } from 'kysely'
import { type Clock, systemClock } from '../base/clock.ts'
import { Problem } from '../base/problem.ts'
import { findUnknownMigration, migrate, type Migration } from './migration.rows.ts'
import { migrations } from './migrations.ts'
import { dbProblems } from './problems.ts'
import { openSqlite, type Sqlite } from './sqlite.ts'
import type { Db, Tables } from './tables.ts'

export interface OpenDatabase extends AsyncDisposable {
  readonly db: Db
  /** Another number after every commit, by this process or another (`createReadMemo`). */
  revision(): number
  /** Waits for the open transaction, then closes; may be called twice. */
  close(): Promise<void>
}

export interface OpenOptions {
  /** The file, made if it is not there (its folder must be), or `:memory:` for tests. */
  readonly path: string
  readonly clock?: Clock | undefined
  /** How long a write waits for others, in this process or not, before it fails with EBUSY. Default 10 s. */
  readonly busyTimeoutMs?: number | undefined
  /** For tests of migrations; default: all of them. */
  readonly migrations?: readonly Migration[] | undefined
}

/**
 * Opens the metadata database, checks it (`quick_check`) and brings its tables up to this version.
 * Throws the Problems of problems.ts and leaves a file that it does not understand untouched.
 *
 * The rule of transactions: await nothing in a transaction's callback but its own `tx`. There is one writer at a time;
 * an awaited download would stop every other, and a write through `db` there waits until `busyTimeoutMs` breaks it.
 * Reads through `db` work at any time and see what is committed (with `:memory:` they wait like writes).
 */
export async function openDatabase(options: OpenOptions): Promise<OpenDatabase> {
  const { path, clock = systemClock, busyTimeoutMs = 10_000 } = options
  const file = basename(path)
  const known = options.migrations ?? migrations
  let sqlite: Sqlite | undefined
  try {
    if (path !== ':memory:') await closeToOthers(path)
    sqlite = await openSqlite({ path, clock, busyTimeoutMs })
    const damage = sqlite.findDamage()
    if (damage !== undefined) throw dbProblems.DatabaseCorrupt({ file }, { cause: new Error(damage) })
    const db = new Kysely<Tables>({ dialect: sqlite.dialect })
    const unknown = await findUnknownMigration(db, known)
    if (unknown !== undefined) throw dbProblems.DatabaseNewer({ file, migration: unknown })
    await migrate(db, known, clock.now())
    const opened = sqlite
    const close = () => opened.close()
    return { db, close, revision: () => opened.revision(), [Symbol.asyncDispose]: close }
  } catch (error) {
    await sqlite?.close()
    throw toProblem(error, file)
  }
}

/**
 * Keys of storage accounts and hashes of passwords rest here: nobody else on the machine reads it. SQLite gives its other
 * files the mode of this one. What stands in the way is left for SQLite to say.
 */
async function closeToOthers(path: string): Promise<void> {
  try {
    await (await open(path, 'a', 0o600)).close()
    await chmod(path, 0o600)
  } catch {
    // A missing folder, a foreign owner, a read-only disk: opening it tells.
  }
}

/** SQLite's result codes: https://sqlite.org/rescode.html */
function toProblem(error: unknown, file: string): unknown {
  if (error instanceof Problem || !(error instanceof Error) || !('errcode' in error)) return error
  const code = Number(error.errcode) & 0xff
  if (code === 11 || code === 26) return dbProblems.DatabaseCorrupt({ file }, { cause: error })
  // PERM, READONLY, IOERR, FULL, CANTOPEN
  if ([3, 8, 10, 13, 14].includes(code)) return dbProblems.DatabaseUnreadable({ file }, { cause: error })
  return error
}
