import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { openDatabase } from './open.ts'
import type { OpenDatabase } from './open.ts'
import { createReadMemo } from './read-memo.ts'
import { findSetting, putSetting } from './setting.rows.ts'

suite('what was read is kept until something is committed', () => {
  let folder = ''
  let database: OpenDatabase
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'goldleaf-memo-'))
    database = await openDatabase({ path: join(folder, 'memo.db') })
  })
  after(async () => {
    await database.close()
    await rm(folder, { recursive: true })
  })

  test('the same question is read once, another one for itself, and all again after a commit', async () => {
    const memo = createReadMemo(database)
    let reads = 0
    const ask = (name: string): Promise<string | undefined> =>
      memo(name, () => {
        reads += 1
        return findSetting(database.db, name)
      })
    assert.deepEqual([await ask('a'), await ask('a'), await ask('b'), reads], [undefined, undefined, undefined, 2])
    await putSetting(database.db, 'a', 'one')
    assert.deepEqual([await ask('a'), reads], ['one', 3])
    await database.db.transaction().execute((tx) => putSetting(tx, 'a', 'two'))
    assert.equal(await ask('a'), 'two')
  })

  test('what another process commits is seen', async () => {
    const memo = createReadMemo(database)
    const ask = (): Promise<string | undefined> => memo('c', () => findSetting(database.db, 'c'))
    assert.equal(await ask(), undefined)
    await using other = await openDatabase({ path: join(folder, 'memo.db') })
    await putSetting(other.db, 'c', 'theirs')
    assert.equal(await ask(), 'theirs')
  })

  test('a failure is not kept; in memory nothing is', async () => {
    const memo = createReadMemo(database)
    await assert.rejects(
      memo('d', () => Promise.reject(new Error('once'))),
      /once/,
    )
    assert.equal(await memo('d', async () => 1), 1)
    await using inMemory = await openDatabase({ path: ':memory:' })
    const fresh = createReadMemo(inMemory)
    await fresh('e', async () => 1)
    assert.equal(await fresh('e', async () => 2), 2)
  })

  test('not more than the limit is kept: what was asked for longest ago goes', async () => {
    const memo = createReadMemo(database, 1_000)
    const ask = (key: string, answer: number, size = 0): Promise<number> =>
      memo(
        key,
        async () => answer,
        () => size,
      )
    for (const key of ['f', 'g', 'h']) await ask(key, 1)
    assert.equal(await ask('f', 2), 1)
    await ask('i', 1)
    assert.deepEqual([await ask('f', 2), await ask('h', 2), await ask('g', 2)], [1, 1, 2])
    await ask('large', 1, 900)
    assert.deepEqual([await ask('large', 2, 900), await ask('f', 3)], [2, 3])
  })
})
