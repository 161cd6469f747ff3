import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Replica } from './replica.rows.ts'
import { osDiskLun } from './replica.rows.ts'
import { showReplicationStatus } from './replication-status.ts'

const targets = [
  { place: 'westeurope', label: 'West Europe' },
  { place: 'eastus', label: 'East US' },
]

function replica(region: string, changes: Partial<Replica> & { readonly done?: number } = {}): Replica {
  const { done = 100, ...rest } = changes
  return {
    versionKey: 'v',
    lun: osDiskLun,
    region,
    storageClass: 'Standard_LRS',
    replicaCount: 1,
    state: 'Completed',
    root: 'r',
    virtualSizeBytes: 100,
    progress: { bytesTotal: 100, bytesDone: done, bytesRead: done, bytesNew: 0, bytesSent: 7, bytesStored: 0 },
    startedMs: 1000,
    endedMs: 3500,
    error: undefined,
    ...rest,
  }
}
const west = replica('westeurope')
const cases: readonly { why: string; replicas: readonly Replica[]; all: string; east: object }[] = [
  {
    why: 'everything is there',
    replicas: [west, replica('eastus')],
    all: 'Completed',
    east: { region: 'East US', state: 'Completed', progress: 100 },
  },
  {
    why: 'half of one region',
    replicas: [west, replica('eastus', { state: 'Replicating', done: 50 })],
    all: 'InProgress',
    east: { region: 'East US', state: 'Replicating', progress: 50 },
  },
  {
    why: 'all bytes are there but not yet durable: not 100',
    replicas: [west, replica('eastus', { state: 'Replicating', done: 100 })],
    all: 'InProgress',
    east: { region: 'East US', state: 'Replicating', progress: 99 },
  },
  {
    why: 'one of two disks: the region is as far as its bytes',
    replicas: [west, replica('eastus'), replica('eastus', { lun: 0, state: 'Replicating', done: 0 })],
    all: 'InProgress',
    east: { region: 'East US', state: 'Replicating', progress: 50 },
  },
  {
    why: 'a failed region says why and spoils the whole',
    replicas: [west, replica('eastus', { state: 'Failed', done: 20, error: 'the disk is full.' })],
    all: 'Failed',
    east: { region: 'East US', state: 'Failed', details: 'the disk is full.', progress: 20 },
  },
  {
    why: 'nothing known of a region yet',
    replicas: [west],
    all: 'InProgress',
    east: { region: 'East US', state: 'Unknown', progress: 0 },
  },
]
for (const { why, replicas, all, east } of cases)
  test(`replication status: ${why}`, () => {
    const status = showReplicationStatus(replicas, targets)
    assert.equal(status['aggregatedState'], all)
    const summary = status['summary']
    assert.ok(Array.isArray(summary))
    assert.deepEqual(summary[1], east)
  })

test('replication status: what a copy cost is shown to those who ask', () => {
  const status = showReplicationStatus([west], targets.slice(0, 1), true)
  assert.match(JSON.stringify(status), /"transfers":\[\{.*"bytesSent":7.*"seconds":2.5\}\]/)
})
