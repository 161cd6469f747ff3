import type { JsonObject } from '../base/json.ts'
import { plainClassOf, vaultOf } from '../store/vault.ts'
import type { NamedPlace } from './placement.ts'
import type { Replica } from './replica.rows.ts'

type Regional = 'Unknown' | 'Replicating' | 'Completed' | 'Failed'

/**
 * `properties.replicationStatus` (behaviour.md B10): one line a region or edge zone over all its disks. Progress is the share of
 * guest bytes already there; 100 only when the region is complete. `withTransfers` adds what each disk's copy cost, an
 * extension of ours that is shown only to those who ask.
 */
export function showReplicationStatus(
  replicas: readonly Replica[],
  places: readonly Pick<NamedPlace, 'place' | 'label'>[],
  withTransfers = false,
): JsonObject {
  const summary = places.map(({ place, label }) => {
    const here = replicas.filter((replica) => replica.region === place)
    const state = regionState(here)
    const details = here.flatMap((replica) => (replica.error ? [replica.error] : [])).join(' ')
    return {
      region: label,
      state,
      ...(details === '' ? {} : { details }),
      progress: regionProgress(here, state),
      ...(withTransfers ? { transfers: here.map(showTransfer) } : {}),
    }
  })
  return { aggregatedState: aggregate(summary.map((line) => line.state)), summary }
}

function showTransfer(replica: Replica): JsonObject {
  const { startedMs, endedMs } = replica
  const seconds = startedMs === undefined || endedMs === undefined ? undefined : (endedMs - startedMs) / 1000
  return {
    lun: replica.lun,
    storageClass: plainClassOf(replica.storageClass),
    isEncrypted: vaultOf(replica.storageClass) !== undefined,
    state: replica.state,
    ...replica.progress,
    ...(seconds === undefined ? {} : { seconds }),
  }
}

function regionState(replicas: readonly Replica[]): Regional {
  if (replicas.length === 0) return 'Unknown'
  if (replicas.some((replica) => replica.state === 'Failed')) return 'Failed'
  return replicas.every((replica) => replica.state === 'Completed') ? 'Completed' : 'Replicating'
}

function regionProgress(replicas: readonly Replica[], state: Regional): number {
  if (state === 'Completed') return 100
  const total = sum(replicas.map((replica) => replica.progress.bytesTotal))
  if (total === 0) return 0
  const done = sum(replicas.map((r) => (r.state === 'Completed' ? r.progress.bytesTotal : r.progress.bytesDone)))
  return Math.min(99, Math.floor((100 * done) / total))
}

function aggregate(states: readonly Regional[]): string {
  if (states.length === 0) return 'Unknown'
  if (states.includes('Failed')) return 'Failed'
  return states.every((state) => state === 'Completed') ? 'Completed' : 'InProgress'
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, n) => all + n, 0)
}
