import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { chmod, mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, suite, test } from 'node:test'
import { sql } from 'kysely'
import { Problem } from '../base/problem.ts'
import type { Migration } from './migration.rows.ts'
import { migrations } from './migrations.ts'
import { openDatabase } from './open.ts'
import { findSetting, keepSetting, putSetting } from './setting.rows.ts'
import { DatabaseBusy } from './turnstile.ts'

const folder = await mkdtemp(join(tmpdir(), 'goldleaf-db-'))
after(() => rm(folder, { recursive: true, force: true }))
let files = 0
const newPath = (): string => join(folder, `${++files}.sqlite`)

const isProblem = (code: string) => (error: unknown) =>
  error instanceof Problem && error.code === code && !error.message.includes(folder)

for (const [label, makePath] of [
  ['a file', newPath],
  ['memory', () => ':memory:'],
] as const)
  suite(`database in ${label}`, () => {
    test('keeps settings: the last put wins, the first keep wins', async () => {
      await using opened = await openDatabase({ path: makePath() })
      const { db } = opened
      assert.equal(await findSetting(db, 'a'), undefined)
      await putSetting(db, 'a', '1')
      await putSetting(db, 'a', '2')
      assert.equal(await findSetting(db, 'a'), '2')
      assert.equal(await keepSetting(db, 'a', '3'), '2')
      assert.equal(await keepSetting(db, 'b', '4'), '4')
    })

    test('a transaction that throws leaves nothing behind', async () => {
      await using opened = await openDatabase({ path: makePath() })
      const { db } = opened
      const broken = db.transaction().execute(async (tx) => {
        await putSetting(tx, 'a', '1')
        throw new Error('no')
      })
      await assert.rejects(broken, { message: 'no' })
      assert.equal(await findSetting(db, 'a'), undefined)
    })

    test('concurrent read-modify-write transactions lose no update', async () => {
      await using opened = await openDatabase({ path: makePath() })
      const { db } = opened
      await putSetting(db, 'n', '0')
      const increment = () =>
        db.transaction().execute(async (tx) => putSetting(tx, 'n', String(Number(await findSetting(tx, 'n')) + 1)))
      await Promise.all(Array.from({ length: 50 }, increment))
      assert.equal(await findSetting(db, 'n'), '50')
    })

    test('a write beside the open transaction that awaits it fails in time instead of waiting for ever', async () => {
      await using opened = await openDatabase({ path: makePath(), busyTimeoutMs: 50 })
      const { db } = opened
      const deadlock = db.transaction().execute(() => putSetting(db, 'a', '1'))
      await assert.rejects(deadlock, DatabaseBusy)
      await putSetting(db, 'a', '2')
      assert.equal(await findSetting(db, 'a'), '2')
    })

    test('savepoints roll back on their own', async () => {
      await using opened = await openDatabase({ path: makePath() })
      const tx = await opened.db.startTransaction().execute()
      await putSetting(tx, 'a', '1')
      const inner = await tx.savepoint('s').execute()
      await putSetting(inner, 'a', '2')
      await inner.rollbackToSavepoint('s').execute()
      await tx.commit().execute()
      assert.equal(await findSetting(opened.db, 'a'), '1')
    })

    test('says how many rows a change met, and returns rows of a change', async () => {
      await using opened = await openDatabase({ path: makePath() })
      const { db } = opened
      await putSetting(db, 'a', '1')
      const hit = await db.updateTable('setting').set({ value: '2' }).where('name', '=', 'a').executeTakeFirst()
      const miss = await db.updateTable('setting').set({ value: '2' }).where('name', '=', 'b').executeTakeFirst()
      assert.deepEqual([hit.numUpdatedRows, miss.numUpdatedRows], [1n, 0n])
      const gone = await db.deleteFrom('setting').returning('value').execute()
      assert.equal(gone[0]?.value, '2')
    })
  })

test('a file is closed to others, and closed again when it was opened', async () => {
  const path = newPath()
  for (const before of [undefined, 0o644]) {
    if (before !== undefined) await chmod(path, before)
    await using opened = await openDatabase({ path })
    await putSetting(opened.db, 'a', '1')
    for (const file of [path, `${path}-wal`, `${path}-shm`]) assert.equal((await stat(file)).mode & 0o077, 0, file)
  }
})

test('reads beside an open transaction are answered and see what is committed', async () => {
  await using opened = await openDatabase({ path: newPath() })
  const { db } = opened
  await putSetting(db, 'a', 'old')
  await db.transaction().execute(async (tx) => {
    await putSetting(tx, 'a', 'new')
    assert.equal(await findSetting(db, 'a'), 'old')
    assert.equal(await findSetting(tx, 'a'), 'new')
  })
  assert.equal(await findSetting(db, 'a'), 'new')
})

test('two handles on one file wait for each other without blocking the process', async () => {
  const path = newPath()
  await using one = await openDatabase({ path })
  await using two = await openDatabase({ path })
  await putSetting(one.db, 'n', '0')
  const increment = (db: typeof one.db) =>
    db.transaction().execute(async (tx) => {
      const before = Number(await findSetting(tx, 'n'))
      await new Promise((resolve) => setImmediate(resolve)) // lets the other handle run into the lock
      await putSetting(tx, 'n', String(before + 1))
    })
  await Promise.all(Array.from({ length: 40 }, (_, i) => increment(i % 2 ? one.db : two.db)))
  assert.equal(await findSetting(one.db, 'n'), '40')
})

test('a full disk takes the whole transaction back, even if its callback goes on, and the database stays usable', async () => {
  await using opened = await openDatabase({ path: newPath() })
  const { db } = opened
  await putSetting(db, 'a', 'before')
  const pages = (await sql<{ page_count: number }>`pragma page_count`.execute(db)).rows[0]?.page_count ?? 0
  await sql.raw(`pragma max_page_count = ${pages + 4}`).execute(db)
  const isFull = (error: unknown) => error instanceof Error && 'errcode' in error && error.errcode === 13
  const full = db.transaction().execute(async (tx) => {
    await putSetting(tx, 'a', 'after')
    await assert.rejects(putSetting(tx, 'big', 'x'.repeat(100_000)), isFull)
    await putSetting(tx, 'b', 'piece')
  })
  await full.catch(() => {})
  // Either all that the callback believes is there, or nothing.
  const [a, b] = [await findSetting(db, 'a'), await findSetting(db, 'b')]
  assert.ok((a === 'before' && b === undefined) || (a === 'after' && b === 'piece'), `a=${a} b=${b}`)
  await assert.rejects(putSetting(db, 'big', 'x'.repeat(100_000)), isFull)
  await putSetting(db, 'a', 'again')
  assert.equal(await findSetting(db, 'a'), 'again')
})

test('one that writes in a row lets others have their turn', async () => {
  await using opened = await openDatabase({ path: newPath() })
  let turns = 0
  const count = (): void => {
    if (++turns < 100) setImmediate(count)
  }
  setImmediate(count)
  for (let i = 0; i < 20; i++) await putSetting(opened.db, 'a', String(i))
  assert.ok(turns >= 20, `${turns} turns`)
})

test('commits are synced fully, in a write-ahead log', async () => {
  await using opened = await openDatabase({ path: newPath() })
  const read = async (name: string) =>
    (await sql.raw<Record<string, unknown>>(`pragma ${name}`).execute(opened.db)).rows
  assert.equal((await read('journal_mode'))[0]?.['journal_mode'], 'wal')
  assert.equal((await read('synchronous'))[0]?.['synchronous'], 2)
  assert.equal((await read('foreign_keys'))[0]?.['foreign_keys'], 1)
})

test('a file survives close and open; closing twice is fine', async () => {
  const path = newPath()
  const first = await openDatabase({ path })
  await putSetting(first.db, 'a', '1')
  await first.close()
  await first.close()
  await using second = await openDatabase({ path })
  assert.equal(await findSetting(second.db, 'a'), '1')
})

suite('migrations', () => {
  const add = (name: string, table: string, fail = false): Migration => ({
    name,
    async up(tx) {
      await tx.schema.createTable(table).addColumn('x', 'text').execute()
      if (fail) throw new Error('power loss')
    },
  })
  const tablesOf = (path: string): unknown[] => {
    using database = new DatabaseSync(path)
    return database
      .prepare(`select name from sqlite_master where type = 'table' order by name`)
      .all()
      .map((r) => r['name'])
  }

  test('one that fails leaves nothing of itself, keeps those before it, and is taken up again', async () => {
    const path = newPath()
    const given = [add('0001', 'one'), add('0002', 'two', true)]
    await assert.rejects(openDatabase({ path, migrations: given }), { message: 'power loss' })
    assert.deepEqual(tablesOf(path), ['migration', 'one'])
    await (await openDatabase({ path, migrations: [add('0001', 'one'), add('0002', 'two')] })).close()
    assert.deepEqual(tablesOf(path), ['migration', 'one', 'two'])
  })

  test('a file of a newer version is refused and left as it is', async () => {
    const path = newPath()
    await (await openDatabase({ path, migrations: [add('0001', 'one'), add('0002', 'two')] })).close()
    const before = await readFile(path)
    await assert.rejects(openDatabase({ path, migrations: [add('0001', 'one')] }), isProblem('DatabaseNewer'))
    assert.deepEqual(await readFile(path), before)
  })

  test('two that start together on a new file both find it whole', async () => {
    const path = newPath()
    const both = await Promise.all([openDatabase({ path }), openDatabase({ path })])
    await putSetting(both[0].db, 'a', '1')
    assert.equal(await findSetting(both[1].db, 'a'), '1')
    await Promise.all(both.map((opened) => opened.close()))
  })

  // Released schemas are history. A digest that changes here means that a migration was edited: write a new one.
  test('0001-main-road is what it was', async () => {
    const path = newPath()
    await (await openDatabase({ path, migrations: migrations.slice(0, 1) })).close()
    using database = new DatabaseSync(path)
    const schema = database.prepare('select sql from sqlite_master where sql is not null order by name').all()
    const text = schema.map((row) => row['sql']).join('\n')
    assert.equal(createHash('sha256').update(text).digest('hex').slice(0, 16), '1a11516f45ee2079')
  })

  test('0006-replica-classes keeps every replica, and a disk may then stand in two classes of a region', async () => {
    const path = newPath()
    await (await openDatabase({ path, migrations: migrations.slice(0, 1) })).close()
    const row = (storageClass: string): string =>
      `insert into replica values ('v', -1, 'r', '${storageClass}', 2, 'Completed', 'aa', 9, 1, 2, 3, 4, 5, 6, 7, 8, null)`
    using before = new DatabaseSync(path)
    before.exec(row('Standard_LRS'))
    const was = before.prepare('select * from replica').all()
    before.close()
    await (await openDatabase({ path })).close()
    using database = new DatabaseSync(path)
    assert.deepEqual(database.prepare('select * from replica').all(), was)
    database.exec(row('Premium_LRS'))
    assert.throws(() => database.exec(row('Premium_LRS')), /UNIQUE/)
  })

  test('no list or claim reads a whole table', async () => {
    const path = newPath()
    await (await openDatabase({ path })).close()
    using database = new DatabaseSync(path)
    const queries = [
      `select * from resource where parent_key = 'a' and type = 'b' and key > 'c' order by key limit 50`,
      `select * from resource where subscription_id = 'a' and type = 'b' and key > 'c' order by key limit 50`,
      `select * from resource where resource_group_key = 'a' order by type, key limit 50`,
      `select * from operation where state = 'InProgress' and due_ms <= 5 order by due_ms limit 5`,
      `select * from operation where resource_key = 'a' and state = 'InProgress'`,
      `delete from operation where ended_ms <= 5`,
      `select * from replica where version_key = 'a'`,
      `select distinct root from replica where region = 'a' and storage_class = 'b'`,
      `select * from upload where address = 'a'`,
      `select * from role_assignment where tenant_id = 'a' and name > 'b' order by name limit 5`,
      `select * from role_assignment where scope_key > 'a/' and scope_key < 'a0'`,
    ]
    for (const query of queries) {
      const plan = database
        .prepare(`explain query plan ${query}`)
        .all()
        .map((row) => String(row['detail']))
      assert.ok(
        plan.every((line) => line.startsWith('SEARCH')),
        `${query}: ${plan.join('; ')}`,
      )
    }
  })
})

suite('files that are not a sound database', () => {
  const damaged: [string, (path: string) => Promise<void>][] = [
    ['text', (path) => writeFile(path, 'this is no database at all, but long enough to have a header '.repeat(100))],
    [
      'a torn file',
      async (path) => {
        const opened = await openDatabase({ path })
        for (let i = 0; i < 200; i++) await putSetting(opened.db, `name-${i}`, 'x'.repeat(500))
        await opened.close()
        await truncate(path, 40_960)
      },
    ],
    [
      'a page overwritten',
      async (path) => {
        const opened = await openDatabase({ path })
        for (let i = 0; i < 200; i++) await putSetting(opened.db, `name-${i}`, 'x'.repeat(500))
        await opened.close()
        const bytes = await readFile(path)
        bytes.fill(0xab, bytes.length - 8192)
        await writeFile(path, bytes)
      },
    ],
  ]
  for (const [label, make] of damaged)
    test(`${label}: refused as DatabaseCorrupt, left as it is`, async () => {
      const path = newPath()
      await make(path)
      const before = await readFile(path)
      await assert.rejects(openDatabase({ path }), isProblem('DatabaseCorrupt'))
      assert.deepEqual(await readFile(path), before)
    })

  test('a folder that is not there: DatabaseUnreadable', () =>
    assert.rejects(openDatabase({ path: join(folder, 'none', 'x.sqlite') }), isProblem('DatabaseUnreadable')))

  test('a torn write-ahead log: the database opens with what was whole', async () => {
    const path = newPath()
    const opened = await openDatabase({ path })
    await putSetting(opened.db, 'a', '1')
    const [file, log] = [await readFile(path), await readFile(`${path}-wal`)]
    await opened.close()
    const copy = newPath()
    await writeFile(copy, file)
    await writeFile(`${copy}-wal`, log.subarray(0, log.length - 1000))
    await using again = await openDatabase({ path: copy })
    assert.equal(await findSetting(again.db, 'a'), undefined) // the torn last commit is gone as a whole
    await putSetting(again.db, 'a', '2')
  })
})
