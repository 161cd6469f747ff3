import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { setImmediate } from 'node:timers/promises'
import {
  type CompiledQuery,
  createQueryId,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryCompiler,
  type QueryResult,
  RawNode,
  SelectQueryNode,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely'
import type { Clock } from '../base/clock.ts'
import { createTurnstile, type Turnstile } from './turnstile.ts'

/**
 * Everything that is particular to SQLite. Kysely's own SqliteDriver has one connection and a deferred `begin`: a read
 * inside an open transaction's callback would wait for that very transaction for ever, and two processes that both
 * read and then write would fail with "database is locked" (measured: 216 of 3,000). So this driver
 * - sends `begin immediate`;
 * - answers reads outside of transactions on a second, read-only connection (WAL: they see what is committed);
 * - queues writers in this process, and waits for writers of other processes without blocking the event loop.
 */
export interface Sqlite {
  readonly dialect: Dialect
  /** First complaint of `pragma quick_check`, or undefined for a sound file. */
  findDamage(): string | undefined
  /** Another number after every commit of any process; with `:memory:` at every question, for nothing tells there. */
  revision(): number
  /** Waits for the open transaction, if any; may be called twice. */
  close(): Promise<void>
}

export interface SqliteOptions {
  /** File, or `:memory:`: then there is one connection, and reads wait for an open transaction. */
  readonly path: string
  readonly clock: Clock
  /** How long a writer waits for other writers, in this or another process, before it fails with EBUSY. */
  readonly busyTimeoutMs: number
}

const cachedStatements = 256

/** One connection with its prepared statements, the least recently used are dropped. */
interface Handle {
  readonly database: DatabaseSync
  run<R>(query: CompiledQuery): QueryResult<R>
}

interface CachedStatement {
  readonly statement: StatementSync
  readonly reader: boolean
}

function openHandle(path: string, readOnly: boolean): Handle {
  // SQLite itself waits synchronously, which would stop the whole server: it gets 5 ms, the rest is `patiently`.
  const database = new DatabaseSync(path, { readOnly, timeout: 5, enableForeignKeyConstraints: true })
  const cache = new Map<string, CachedStatement>()
  const prepare = (sql: string): CachedStatement => {
    const found = cache.get(sql)
    if (found) {
      cache.delete(sql)
      cache.set(sql, found)
      return found
    }
    const statement = database.prepare(sql)
    const made = { statement, reader: statement.columns().length > 0 }
    cache.set(sql, made)
    const oldest = cache.size > cachedStatements ? cache.keys().next().value : undefined
    if (oldest !== undefined) cache.delete(oldest)
    return made
  }
  return {
    database,
    run<R>({ sql, parameters }: CompiledQuery): QueryResult<R> {
      const { statement, reader } = prepare(sql)
      const values = parameters as SQLInputValue[]
      if (reader) return { rows: statement.all(...values) as R[] }
      const { changes, lastInsertRowid } = statement.run(...values)
      return { numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid), rows: [] }
    },
  }
}

/** SQLITE_BUSY and SQLITE_LOCKED, their extended forms included. */
function isBusy(error: unknown): boolean {
  const code = error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' ? error.errcode : 0
  return (code & 0xff) === 5 || (code & 0xff) === 6
}

/** Another handle holds the file: asks again until it is free, the event loop running in between. */
type Patiently = <T>(action: () => T) => Promise<T>

function createPatience(clock: Clock, timeoutMs: number): Patiently {
  return async (action) => {
    const deadline = clock.now() + timeoutMs
    for (let waitMs = 1; ; waitMs = Math.min(waitMs * 2, 20)) {
      try {
        return action()
      } catch (error) {
        if (!isBusy(error) || clock.now() >= deadline) throw error
      }
      await clock.sleep(waitMs)
    }
  }
}

/** Opens the file and sets it up; throws node:sqlite's errors. */
export async function openSqlite({ path, clock, busyTimeoutMs }: SqliteOptions): Promise<Sqlite> {
  const patiently = createPatience(clock, busyTimeoutMs)
  const writer = openHandle(path, false)
  let reader: Handle | undefined
  try {
    // FULL: a commit is on the disk when it is acknowledged. NORMAL would lose the last ones with the power.
    await patiently(() => writer.database.exec('pragma journal_mode = wal'))
    writer.database.exec('pragma synchronous = full; pragma journal_size_limit = 67108864')
    if (path !== ':memory:') reader = openHandle(path, true)
  } catch (error) {
    writer.database.close()
    throw error
  }
  const turnstile = createTurnstile(clock, busyTimeoutMs)
  // Of the reading handle: it changes when any other connection commits, this process's writer among them.
  const dataVersion = reader?.database.prepare('pragma data_version')
  const revision = rememberForThisTurn(() => Number(dataVersion?.get()?.['data_version']))
  let asked = 0
  let open = true
  return {
    dialect: {
      createDriver: () => createDriver({ writer, reader, turnstile, patiently, onCommit: revision.forget }),
      createQueryCompiler: () => new SqliteQueryCompiler(),
      createIntrospector: (db) => new SqliteIntrospector(db),
      createAdapter: () => ({
        // True: `turnstile` orders the writers, so Kysely's own mutex around every single query must not.
        supportsMultipleConnections: true,
        supportsTransactionalDdl: true,
        supportsReturning: true,
        acquireMigrationLock: async () => {},
        releaseMigrationLock: async () => {},
      }),
    },
    findDamage() {
      const [row] = writer.database.prepare('pragma quick_check(1)').all()
      const verdict = String(row?.['quick_check'] ?? 'no answer')
      return verdict === 'ok' ? undefined : verdict
    },
    revision: () => (dataVersion ? revision.get() : (asked += 1)),
    async close() {
      if (!open) return
      open = false
      await turnstile.enter()
      reader?.database.close()
      writer.database.close()
      turnstile.leave()
    },
  }
}

/**
 * Asks once for everything that runs before the event loop goes on: nobody outside of this process can have been told of a
 * commit and have asked us since. Whoever commits in this process calls `forget`.
 */
function rememberForThisTurn(ask: () => number): { readonly get: () => number; readonly forget: () => void } {
  let known: number | undefined
  const forget = (): void => void (known = undefined)
  return {
    forget,
    get() {
      if (known === undefined) {
        known = ask()
        // Runs when no promise of this turn is left to go on.
        process.nextTick(forget)
      }
      return known
    },
  }
}

interface DriverParts {
  readonly writer: Handle
  readonly reader: Handle | undefined
  readonly turnstile: Turnstile
  readonly patiently: Patiently
  readonly onCommit: () => void
}

/** What Kysely holds from `acquireConnection` to `releaseConnection`: a statement's or a transaction's view of both handles. */
interface Session extends DatabaseConnection {
  begin(): Promise<void>
  end(statement: 'commit' | 'rollback'): void
}

function createDriver(parts: DriverParts): Driver {
  const sessions = new WeakMap<DatabaseConnection, Session>()
  const sessionOf = (connection: DatabaseConnection): Session => {
    const session = sessions.get(connection)
    if (!session) throw new Error('A connection of another driver.')
    return session
  }
  const savepoint = async (connection: DatabaseConnection, command: string, name: string, compile: Compile) => {
    await connection.executeQuery(compile(RawNode.createWithSql(`${command} "${name}"`), createQueryId()))
  }
  return {
    init: async () => {},
    async acquireConnection() {
      const session = createSession(parts)
      sessions.set(session, session)
      return session
    },
    beginTransaction: (connection) => sessionOf(connection).begin(),
    commitTransaction: async (connection) => sessionOf(connection).end('commit'),
    rollbackTransaction: async (connection) => sessionOf(connection).end('rollback'),
    savepoint: (connection, name, compile) => savepoint(connection, 'savepoint', name, compile),
    rollbackToSavepoint: (connection, name, compile) => savepoint(connection, 'rollback to', name, compile),
    releaseSavepoint: (connection, name, compile) => savepoint(connection, 'release', name, compile),
    releaseConnection: async () => {},
    destroy: async () => {}, // Sqlite.close closes the handles
  }
}

type Compile = QueryCompiler['compileQuery']

function createSession({ writer, reader, turnstile, patiently, onCommit }: DriverParts): Session {
  let inTransaction = false

  const execute = async <R>(query: CompiledQuery): Promise<QueryResult<R>> => {
    if (inTransaction) {
      // SQLite rolls back by itself on a full disk or an I/O error; going on would commit the rest piece by piece.
      if (!writer.database.isTransaction) throw new Error('The database has rolled this transaction back.')
      return writer.run<R>(query)
    }
    if (reader && SelectQueryNode.is(query.query)) {
      const handle = reader
      return patiently(() => handle.run<R>(query))
    }
    await turnstile.enter()
    try {
      await setImmediate()
      return await patiently(() => writer.run<R>(query))
    } finally {
      onCommit()
      turnstile.leave()
    }
  }

  return {
    executeQuery: execute,
    // An open iterator would pin the shared read connection to an old snapshot: rows are fetched at once.
    async *streamQuery<R>(query: CompiledQuery) {
      yield await execute<R>(query)
    },
    async begin() {
      await turnstile.enter()
      try {
        // Statements are synchronous: a caller that writes in a row would keep sockets and timers waiting for ever.
        await setImmediate()
        await patiently(() => writer.database.exec('begin immediate'))
        inTransaction = true
      } catch (error) {
        turnstile.leave()
        throw error
      }
    },
    end(statement) {
      if (!inTransaction) return
      // A commit that fails keeps the turnstile until Kysely's rollback, which follows.
      if (statement === 'commit') writer.database.exec('commit')
      try {
        if (writer.database.isTransaction) writer.database.exec('rollback')
      } finally {
        inTransaction = false
        onCommit()
        turnstile.leave()
      }
    },
  }
}
