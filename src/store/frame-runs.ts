import type { Extent } from '../blocks/disk-image.ts'
import { frameSizeBytes } from './disk-store.ts'
import type { FrameRun } from './frame-jobs.ts'

/** Extents, widened to whole frames and merged: each frame at most once, ascending. */
export async function* frameRuns(extents: AsyncIterable<Extent>): AsyncIterable<FrameRun> {
  let first = 0
  let end = 0
  for await (const { offset, length } of extents) {
    if (length <= 0) continue
    const from = Math.max(Math.floor(offset / frameSizeBytes), end)
    const to = Math.ceil((offset + length) / frameSizeBytes)
    if (to <= from) continue
    if (from > end) {
      if (end > first) yield { first, count: end - first }
      first = from
    }
    end = to
  }
  if (end > first) yield { first, count: end - first }
}

/** Packs runs into batches of at most `limit` frames; a batch may hold many short runs. */
export async function* batchRuns(runs: AsyncIterable<FrameRun>, limit: number): AsyncIterable<readonly FrameRun[]> {
  let batch: FrameRun[] = []
  let room = limit
  for await (const run of runs) {
    let { first, count } = run
    while (count > 0) {
      const take = Math.min(room, count)
      batch.push({ first, count: take })
      first += take
      count -= take
      room -= take
      if (room === 0) {
        yield batch
        batch = []
        room = limit
      }
    }
  }
  if (batch.length > 0) yield batch
}

/** Frame numbers of a batch, in order. */
export function framesOf(runs: readonly FrameRun[]): number[] {
  return runs.flatMap(({ first, count }) => Array.from({ length: count }, (_, index) => first + index))
}
