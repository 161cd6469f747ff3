import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { JsonObject } from '../base/json.ts'
import { asksForRestore, findSoftDeletePolicy, recycleTimes, withPolicyPeriods } from './soft-delete.ts'

const dayMs = 86_400_000
const on = (more: JsonObject = {}): JsonObject => ({ softDeletePolicy: { isSoftDeleteEnabled: true, ...more } })

suite('soft delete', () => {
  const policies = [
    { why: 'no policy', properties: {}, apiVersion: '2024-03-03', policy: undefined },
    {
      why: 'off',
      properties: { softDeletePolicy: { isSoftDeleteEnabled: false, retentionPeriodInDays: 9 } },
      apiVersion: '2026-03-03',
      policy: undefined,
    },
    {
      why: 'on, as documented',
      properties: on(),
      apiVersion: '2024-03-03',
      policy: { retentionDays: 7, graceDays: 0 },
    },
    { why: 'on, as recorded', properties: on(), apiVersion: '2026-03-03', policy: { retentionDays: 31, graceDays: 8 } },
    {
      why: 'spelt out',
      properties: on({ retentionPeriodInDays: 3, gracePeriodInDays: 0 }),
      apiVersion: '2026-03-03',
      policy: { retentionDays: 3, graceDays: 0 },
    },
  ]
  for (const { why, properties, apiVersion, policy } of policies)
    test(`policy: ${why}`, () =>
      assert.deepEqual(findSoftDeletePolicy({ properties: withPolicyPeriods(properties, apiVersion) }), policy))

  test('the periods follow each other', () =>
    assert.deepEqual(recycleTimes(1000, { retentionDays: 31, graceDays: 8 }), {
      consumptionEndMs: 1000 + 31 * dayMs,
      hardDeleteMs: 1000 + 39 * dayMs,
    }))

  const puts = [
    { why: 'the location alone', body: { location: 'westus' }, asks: true },
    { why: 'what az 2.90 sends', body: { location: 'westus', tags: {} }, asks: true },
    { why: 'restore', body: { properties: { restore: true } }, asks: true },
    { why: 'an empty source', body: { properties: { storageProfile: {} } }, asks: true },
    { why: 'a source', body: { properties: { storageProfile: { source: { id: '/x' } } } }, asks: false },
    { why: 'no body', body: undefined, asks: true },
  ]
  for (const { why, body, asks } of puts)
    test(`restore: ${why}`, () => {
      assert.equal(asksForRestore(body, '2024-03-03'), asks)
      assert.equal(asksForRestore(body, '2023-07-03'), false, 'api-versions without soft delete cannot')
    })
})
