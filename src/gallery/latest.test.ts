import assert from 'node:assert/strict'
import { test } from 'node:test'
import { resolveLatest } from './latest.ts'
import type { Candidate, CandidateRegion } from './latest.ts'

const here: CandidateRegion = { name: 'West Europe', excludeFromLatest: undefined, isReplicated: true }

function version(name: string, facts: Partial<Candidate> = {}): Candidate {
  return { name, provisioningState: 'Succeeded', excludeFromLatest: false, regions: [here], ...facts }
}

const cases: readonly { why: string; given: readonly Candidate[]; latest: string | undefined; lost?: string }[] = [
  { why: 'numbers, not text: 12 beats 9', given: [version('1.0.9'), version('1.0.12')], latest: '1.0.12' },
  { why: 'the major number weighs most', given: [version('2.0.0'), version('1.99.99')], latest: '2.0.0' },
  { why: 'nothing to choose from', given: [], latest: undefined },
  {
    why: 'must be replicated here',
    given: [version('1.0.0'), version('2.0.0', { regions: [] })],
    latest: '1.0.0',
    lost: 'notReplicatedHere',
  },
  {
    why: 'a replica under way does not count',
    given: [version('1.0.0'), version('2.0.0', { regions: [{ ...here, isReplicated: false }] })],
    latest: '1.0.0',
    lost: 'replicating',
  },
  {
    why: 'a replica that failed does not count, and the reason says so',
    given: [version('1.0.0'), version('2.0.0', { regions: [{ ...here, isReplicated: false, hasFailed: true }] })],
    latest: '1.0.0',
    lost: 'replicationFailed',
  },
  {
    why: 'a complete replica counts although another region is still replicating',
    given: [version('1.0.0'), version('2.0.0', { provisioningState: 'Updating' })],
    latest: '2.0.0',
  },
  {
    why: 'excluded everywhere',
    given: [version('1.0.0'), version('2.0.0', { excludeFromLatest: true })],
    latest: '1.0.0',
    lost: 'excludedFromLatest',
  },
  {
    why: 'excluded in this region only',
    given: [version('1.0.0'), version('2.0.0', { regions: [{ ...here, excludeFromLatest: true }] })],
    latest: '1.0.0',
    lost: 'excludedInRegion',
  },
  {
    why: 'the regional flag takes precedence over the global one',
    given: [version('2.0.0', { excludeFromLatest: true, regions: [{ ...here, excludeFromLatest: false }] })],
    latest: '2.0.0',
  },
  {
    why: 'not while it is being deleted',
    given: [version('1.0.0'), version('2.0.0', { provisioningState: 'Deleting' })],
    latest: '1.0.0',
    lost: 'deleting',
  },
]
for (const { why, given, latest, lost } of cases)
  test(`latest: ${why}`, () => {
    const found = resolveLatest(given, 'westeurope')
    assert.equal(found.name, latest)
    if (lost) assert.equal(found.passedOver.get('2.0.0'), lost)
  })
