import type { DiskImage } from '../blocks/disk-image.ts'
import { openDiskImage } from '../blocks/open-disk-image.ts'
import { frameSizeBytes, type ImageFile, type StoredResult, type TransferOptions } from './disk-store.ts'
import { mostBatchFrames, type EncodedBatch, type FrameRun } from './frame-jobs.ts'
import { isZeroName, nameAt, nameKey } from './frame-name.ts'
import { batchRuns, frameRuns, framesOf } from './frame-runs.ts'
import type { FrameWorkers } from './frame-workers.ts'
import { createPageGatherer } from './leaf-pages.ts'
import { findParent, openParent, type ParentComparison } from './parent.ts'
import { createProgress } from './progress.ts'
import { slidingWindow } from './sliding-window.ts'
import {
  chooseFolders,
  openRegionPin,
  openTargets,
  pinDisk,
  type CopySet,
  type TransferTargets,
} from './transfer-targets.ts'

const batchesPerWorker = 3

export interface StoreContext {
  readonly set: CopySet
  readonly workers: FrameWorkers
}

/**
 * Reads a disk image into the store (DATAPLANE 8.5): workers read, find zeros and hash; here frames are compared with
 * the parent's and looked up; workers encode what is new; here it is appended in the order of the disk.
 */
export async function ingestImage(
  context: StoreContext,
  file: ImageFile,
  options: TransferOptions,
): Promise<StoredResult> {
  const { workers, set } = context
  const { signal } = options
  signal?.throwIfAborted()
  await using image = await openDiskImage(file.path, { format: file.format })
  const key = workers.nextId()
  const opened = workers.all().map((worker) => worker.run({ kind: 'openImage', key, image: file }))
  try {
    await Promise.all(opened)
    using pin = openRegionPin()
    const sample = await sampleNames(context, image, key)
    const folders = chooseFolders(set, options.copies ?? 1, sample, options.parentRoot)
    const targets = openTargets(set, folders, pin, options.parentRoot)
    try {
      return await runIngest(context, image, key, targets, options)
    } finally {
      await targets.abandon()
    }
  } finally {
    await Promise.allSettled(opened)
    await Promise.allSettled(workers.all().map((worker) => worker.run({ kind: 'closeImage', key })))
  }
}

/** Names of the first frames, by which the stamps are chosen; none where there is no choice. */
async function sampleNames(context: StoreContext, image: DiskImage, key: number): Promise<Uint8Array[]> {
  if (context.set.spread === 'every' || context.set.folders.length === 1) return []
  for await (const runs of batchRuns(frameRuns(image.extents()), mostBatchFrames)) {
    const worker = context.workers.pick()
    const batch = context.workers.nextId()
    const { names } = await worker.run({ kind: 'scan', key, batch, runs })
    await worker.run({ kind: 'drop', batch })
    return framesOf(runs).flatMap((_, index) => (isZeroName(nameAt(names, index)) ? [] : [nameAt(names, index)]))
  }
  return []
}

async function countBytes(image: DiskImage, signal: AbortSignal | undefined): Promise<number> {
  let total = 0
  for await (const run of frameRuns(image.extents(signal))) total += run.count * frameSizeBytes
  return total
}

async function runIngest(
  context: StoreContext,
  image: DiskImage,
  key: number,
  targets: TransferTargets,
  options: TransferOptions,
): Promise<StoredResult> {
  const { workers } = context
  const { signal } = options
  const progress = createProgress(options.onProgress, await countBytes(image, signal))
  await using parentDisk = await findParent(targets.folders, options.parentRoot)
  const scanner = createScanner({ workers, key, targets, parent: openParent(parentDisk), progress })
  await targets.begin(image.virtualSizeBytes)
  const pages = createPageGatherer((page) => targets.add(page))

  const start = async (runs: readonly FrameRun[]): Promise<Scanned> => {
    signal?.throwIfAborted()
    return scanner.scan(runs)
  }
  const consume = async ({ frames, names, encoded }: Scanned): Promise<void> => {
    signal?.throwIfAborted()
    const bytes = frames.length * frameSizeBytes
    await scanner.keep(encoded)
    for (const [index, frame] of frames.entries()) await pages.put(frame, nameAt(names, index))
    progress.add({ bytesDone: bytes, bytesRead: bytes })
  }
  const batches = batchRuns(frameRuns(image.extents(signal)), mostBatchFrames)
  await slidingWindow(batches, workers.count * batchesPerWorker, start, consume)
  signal?.throwIfAborted()
  await pages.finish()
  const root = await targets.commit()
  const pin = pinDisk(targets.folders, root)
  return { root, virtualSizeBytes: image.virtualSizeBytes, progress: progress.current(), pin }
}

export interface Scanned {
  readonly frames: readonly number[]
  readonly names: Uint8Array
  readonly encoded: EncodedBatch | undefined
}

/** Batches of an open image: workers read, name and, where no folder has them, encode frames; `keep` appends those. */
export function createScanner({
  workers,
  key,
  targets,
  parent,
  progress,
}: {
  readonly workers: FrameWorkers
  readonly key: number
  readonly targets: TransferTargets
  readonly parent: ParentComparison
  readonly progress: ReturnType<typeof createProgress>
}) {
  const pick = createPicker(targets, parent)
  const { form } = targets
  return {
    async scan(runs: readonly FrameRun[]): Promise<Scanned> {
      const worker = workers.pick()
      const batch = workers.nextId()
      const { names } = await worker.run({ kind: 'scan', key, batch, runs })
      const frames = framesOf(runs)
      const picks = await pick.choose(frames, names)
      if (picks.length > 0) return { frames, names, encoded: await worker.run({ kind: 'encode', batch, picks, form }) }
      await worker.run({ kind: 'drop', batch })
      return { frames, names, encoded: undefined }
    },
    async keep(encoded: EncodedBatch | undefined): Promise<void> {
      if (!encoded) return
      const bytesStored = await targets.append(encoded)
      pick.settle(encoded.names)
      progress.add({ bytesNew: encoded.lengths.length * frameSizeBytes, bytesStored })
    },
  }
}

/** Decides which frames of a batch must be encoded: not zero, not the parent's, not here, not on their way. */
function createPicker(targets: TransferTargets, parent: ParentComparison) {
  const claimed = new Set<string>()
  return {
    async choose(frames: readonly number[], names: Uint8Array): Promise<number[]> {
      const data = frames.flatMap((frame, index) => {
        const name = nameAt(names, index)
        return isZeroName(name) ? [] : [{ index, frame, name }]
      })
      const isSame = await parent.compare(data)
      const lacking = targets.lacking(
        data.map(({ name }) => name),
        (at) => isSame[at] === true,
      )
      return lacking.flatMap((at) => {
        const found = data[at]
        if (!found) return []
        const key = nameKey(found.name)
        if (claimed.has(key)) return []
        claimed.add(key)
        return [found.index]
      })
    },
    /** The frames are with their stores now, which answer for them. */
    settle(names: Uint8Array): void {
      for (let index = 0; index * 32 < names.length; index += 1) claimed.delete(nameKey(nameAt(names, index)))
    },
  }
}
