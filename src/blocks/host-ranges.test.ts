import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { GiB, KiB, TiB } from '../base/units.ts'
import type { RangeVerdict } from './host-ranges.ts'
import { checkHostRanges } from './host-ranges.ts'
import { chooseSeed } from './random-disk.fixture.ts'

const seed = chooseSeed()

function check(ranges: readonly (readonly [number, number])[], fileSizeBytes: number): Promise<RangeVerdict> {
  return checkHostRanges({ fileSizeBytes, rangeGuestBytes: 64 * KiB }, async (visit) => {
    for (const [start, end] of ranges) visit(start, end)
  })
}

test('says overlap exactly where two ranges share a byte, in any order', async () => {
  const range = fc.tuple(fc.nat(900), fc.integer({ min: 1, max: 60 })).map(([at, n]) => [at, at + n] as const)
  const property = fc.asyncProperty(fc.array(range, { maxLength: 12 }), async (ranges) => {
    const overlaps = ranges.some((a, i) => ranges.some((b, j) => i < j && a[0] < b[1] && b[0] < a[1]))
    assert.equal((await check(ranges, 1000)).kind, overlaps ? 'overlap' : 'disjoint')
  })
  await fc.assert(property, { seed, numRuns: 2000 })
})

test('more than a million ranges in no order are checked a part at a time', async () => {
  const count = 1_200_000
  const size = 64 * KiB
  const scan = (doubled: number) => async (visit: (start: number, end: number) => void) => {
    // 1_234_567 has no common factor with the count: each number once, in a scattered order.
    for (let i = 0; i < count; i += 1) {
      const at = ((i * 1_234_567) % count) * size
      visit(at, at + size)
    }
    if (doubled >= 0) visit(doubled * size, doubled * size + 1)
  }
  const facts = { fileSizeBytes: count * size, rangeGuestBytes: size }
  assert.deepEqual(await checkHostRanges(facts, scan(-1)), { kind: 'disjoint' })
  assert.deepEqual(await checkHostRanges(facts, scan(1_000_000)), { kind: 'overlap', offset: 1_000_000 * size })
})

test('a terabyte that unpacks from a few megabytes is refused, sixteen gibibytes are not', async () => {
  const packed = (guestBytes: number): [number, number][] =>
    Array.from({ length: guestBytes / (64 * KiB) }, (_, i) => [i * 20, i * 20 + 20])
  assert.equal((await check(packed(16 * GiB), TiB)).kind, 'disjoint')
  assert.equal((await check(packed(64 * GiB), TiB)).kind, 'inflates')
})
