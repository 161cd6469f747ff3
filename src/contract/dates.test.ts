import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findCanonicalDate, formatArmDate } from './dates.ts'

const cases: readonly [given: string, canonical: string | undefined, shown?: string][] = [
  ['2030-01-01', '2030-01-01T00:00:00.000Z', '2030-01-01T00:00:00+00:00'],
  ['2030-01-01T12:30:00Z', '2030-01-01T12:30:00.000Z', '2030-01-01T12:30:00+00:00'],
  ['2030-01-01t12:30:00z', '2030-01-01T12:30:00.000Z'],
  ['2030-01-01 12:30', '2030-01-01T12:30:00.000Z'],
  ['2030-01-01T00:30:00+02:00', '2029-12-31T22:30:00.000Z'],
  ['2019-04-10T17:10:16.8457735-07:00', '2019-04-11T00:10:16.8457735Z', '2019-04-11T00:10:16.8457735+00:00'],
  ['2030-01-01T00:00:00.1Z', '2030-01-01T00:00:00.100Z', '2030-01-01T00:00:00.1+00:00'],
  ['2030-01-01T00:00:00.123456789Z', '2030-01-01T00:00:00.1234567Z'],
  ['20300101T123000Z', '2030-01-01T12:30:00.000Z'],
  ['20300101', '2030-01-01T00:00:00.000Z'],
  ['2030-07', '2030-07-01T00:00:00.000Z'],
  ['0001-01-01T00:00:00', '0001-01-01T00:00:00.000Z'],
  ['2028-02-29', '2028-02-29T00:00:00.000Z'],
  ['2030-02-29', undefined],
  ['2030-02-31', undefined],
  ['2030-13-01', undefined],
  ['2030-01-01T24:00:00Z', undefined],
  ['2030-01-01T00:00:00+25:00', undefined],
  ['tomorrow', undefined],
  ['', undefined],
  ['2030', undefined],
]
for (const [given, canonical, shown] of cases)
  test(`date ${JSON.stringify(given)} -> ${canonical ?? 'refused'}`, () => {
    assert.equal(findCanonicalDate(given), canonical)
    if (canonical === undefined) return
    assert.equal(findCanonicalDate(canonical), canonical)
    assert.equal(Number.isNaN(Date.parse(canonical)), false)
    if (shown !== undefined) assert.equal(formatArmDate(canonical), shown)
    assert.equal(findCanonicalDate(formatArmDate(canonical)), canonical)
  })

test('text that is no canonical date is shown as it is', () => assert.equal(formatArmDate('soon'), 'soon'))
