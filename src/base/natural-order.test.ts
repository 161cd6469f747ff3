import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compareNames, sortByName } from './natural-order.ts'

test('names are ordered by their numbers, without regard to case', () => {
  const sorted = ['0.0.1', '1.0.0', '1.0.9', '1.0.12', '1.0.2147483647', '2.0.0', '10.0.0', 'a', 'B', 'c2', 'C10']
  const items = sorted.toReversed().map((name) => ({ name }))
  assert.deepEqual(
    sortByName(items).map(({ name }) => name),
    sorted,
  )
  assert.deepEqual(sorted.toReversed().sort(compareNames), sorted)
})

test('every two different names have an order, whichever comes first', () => {
  const names = ['1.0.0', '01.0.0', '1.0', '1.0.0a', 'a1', 'a01', '', '1']
  for (const a of names)
    for (const b of names) {
      assert.equal(Math.sign(compareNames(a, b)) + Math.sign(compareNames(b, a)), 0, `${a} ${b}`)
      assert.equal(compareNames(a, b) === 0, a === b, `${a} ${b}`)
    }
})
