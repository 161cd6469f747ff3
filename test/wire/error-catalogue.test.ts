import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { listDeclaredCodes } from './declared-codes.ts'

const catalogue = await readFile(join(import.meta.dirname, '../../docs/errors.md'), 'utf8')
const rows = [...catalogue.matchAll(/^\| `(\w+)` \| ([\d, -]+) \| (.+?) \| (.+?) \|$/gm)].map(
  ([, code = '', statuses = '', when = '', next = '']) => ({ code, statuses: statuses.trim(), when, next }),
)
const declared = await listDeclaredCodes()

suite('the error catalogue docs/errors.md', () => {
  test('the declarations are found in every room that has some', () => {
    const rooms = new Set(declared.map(({ file }) => file.split('/')[1]))
    for (const room of [
      'arm',
      'blocks',
      'cli',
      'compute',
      'contract',
      'db',
      'gallery',
      'http',
      'identity',
      'resources',
    ])
      assert.ok(rooms.has(room), room)
    for (const room of ['store', 'transfer', 'work']) assert.ok(rooms.has(room), room)
    assert.ok(declared.length > 150, `${declared.length} declarations`)
  })

  test('each declared code has one row, with the statuses that it is answered with', () => {
    for (const code of new Set(declared.map((one) => one.code))) {
      const own = declared.filter((one) => one.code === code)
      const where = [...new Set(own.map(({ file }) => file))].join(', ')
      const found = rows.filter((row) => row.code === code)
      assert.equal(found.length, 1, `docs/errors.md has ${found.length} rows for '${code}' (${where}). Give it one.`)
      const statuses = [...new Set(own.flatMap(({ status }) => status ?? []))].sort((a, b) => a - b)
      const wanted = statuses.length === 0 ? '-' : statuses.join(', ')
      assert.equal(found[0]?.statuses, wanted, `docs/errors.md: statuses of '${code}' (${where})`)
    }
  })

  test('no row is left of a code that is gone, and each says when it comes and what to do', () => {
    const known = new Set(declared.map(({ code }) => code))
    for (const { code, when, next } of rows) {
      assert.ok(known.has(code), `docs/errors.md describes '${code}', which nothing declares. Remove the row.`)
      assert.ok(when.trim().length > 5 && next.trim().length > 2, code)
    }
  })
})
