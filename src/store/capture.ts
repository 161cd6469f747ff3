import { TiB } from '../base/units.ts'
import { openQcow2Layer, type Qcow2Layer } from '../blocks/qcow2-layer.ts'
import { frameSizeBytes, type LeafPage, type StoredResult, type TransferOptions } from './disk-store.ts'
import { leavesPerPage, pageBytes } from './disk-tree.ts'
import { FramesMissing } from './errors.ts'
import { bringFrames } from './frame-door.ts'
import type { FrameFetcher } from './frame-fetch.ts'
import { mostBatchFrames, type FrameRun } from './frame-jobs.ts'
import { nameAt, nameBytes, zeroName } from './frame-name.ts'
import { framesOf } from './frame-runs.ts'
import { createScanner, type Scanned, type StoreContext } from './ingest.ts'
import { leavesOf } from './leaf-pages.ts'
import type { Manifest } from './manifest.ts'
import { openAnyManifest } from './open-manifest.ts'
import { openParent } from './parent.ts'
import { createProgress } from './progress.ts'
import { slidingWindow } from './sliding-window.ts'
import { chooseFolders, openRegionPin, openTargets, pinDisk, type TransferTargets } from './transfer-targets.ts'

export interface CaptureContext extends StoreContext {
  readonly fetcher: FrameFetcher
}

export interface CaptureSource {
  readonly baseRoot: string | undefined
  readonly layerPath: string
}

const batchesPerWorker = 3
/** The largest disk of Azure; a layer is ours, but a guest's writes must not make its header mean more. */
const mostDiskBytes = 64 * TiB
/** Frames of zeros in one go: nothing is read for them, only their numbers are held. */
const mostZeroFrames = 4096

/**
 * Makes a disk of a stored one and the layer over it: workers read and name the frames that the layer holds, all other
 * leaves are the base's. Only what the layer holds is read; the base costs its manifest.
 */
export async function captureLayer(
  context: CaptureContext,
  { baseRoot, layerPath }: CaptureSource,
  options: TransferOptions,
): Promise<StoredResult> {
  const { workers, set } = context
  options.signal?.throwIfAborted()
  await using layer = await openQcow2Layer(layerPath, mostDiskBytes)
  if (layer.clusterSizeBytes % frameSizeBytes !== 0) throw new Error('a layer has clusters of whole frames')
  using pin = openRegionPin()
  const folders = chooseFolders(set, options.copies ?? 1, [], baseRoot)
  const targets = openTargets(set, folders, pin, baseRoot)
  // Held in every folder: frames may come from one that is no target.
  using _base = baseRoot === undefined ? undefined : pinDisk(set.folders, baseRoot)
  const base = baseRoot === undefined ? undefined : await openAnyManifest(set, baseRoot)
  const key = workers.nextId()
  const opened = workers
    .all()
    .map((worker) => worker.run({ kind: 'openImage', key, image: { path: layerPath, format: 'qcow2' } }))
  try {
    await Promise.all(opened)
    return await mergeLayer(context, { layer, base, key, targets }, options)
  } finally {
    await targets.abandon()
    await base?.close()
    await Promise.allSettled(opened)
    await Promise.allSettled(workers.all().map((worker) => worker.run({ kind: 'closeImage', key })))
  }
}

interface Parts {
  readonly layer: Qcow2Layer
  readonly base: Manifest | undefined
  readonly key: number
  readonly targets: TransferTargets
}

/** `names` undefined: all of them are zeros now. */
type Changed = Omit<Scanned, 'names'> & { readonly names: Uint8Array | undefined }

async function mergeLayer(context: CaptureContext, parts: Parts, options: TransferOptions): Promise<StoredResult> {
  const { workers } = context
  const { layer, base, key, targets } = parts
  const { signal } = options
  if (base && base.virtualSizeBytes > layer.virtualSizeBytes) throw new Error('a layer is smaller than its base')
  const progress = createProgress(options.onProgress, await countDataBytes(layer, signal))
  const parent = openParent({ manifest: base, async [Symbol.asyncDispose]() {} })
  const scanner = createScanner({ workers, key, targets, parent, progress })
  await targets.begin(layer.virtualSizeBytes)
  const merger = createMerger(base, async (page) => {
    const names = leavesOf(page).map(({ name }) => name)
    const lost = await bringFrames(targets, context.fetcher, workers, names, () => true)
    if (lost.length > 0) throw new FramesMissing(lost)
    await targets.add(page)
  })
  const start = async ({ kind, runs }: Batch): Promise<Changed> => {
    signal?.throwIfAborted()
    return kind === 'zero' ? { frames: framesOf(runs), names: undefined, encoded: undefined } : scanner.scan(runs)
  }
  const consume = async ({ frames, names, encoded }: Changed): Promise<void> => {
    signal?.throwIfAborted()
    await scanner.keep(encoded)
    for (const [index, frame] of frames.entries()) await merger.put(frame, names ? nameAt(names, index) : zeroName)
    const bytes = names ? frames.length * frameSizeBytes : 0
    progress.add({ bytesDone: bytes, bytesRead: bytes })
  }
  await slidingWindow(layerBatches(layer, signal), workers.count * batchesPerWorker, start, consume)
  signal?.throwIfAborted()
  await merger.finish()
  const root = await targets.commit()
  const pin = pinDisk(targets.folders, root)
  return { root, virtualSizeBytes: layer.virtualSizeBytes, progress: progress.current(), pin }
}

async function countDataBytes(layer: Qcow2Layer, signal: AbortSignal | undefined): Promise<number> {
  let total = 0
  for await (const { kind, length } of layer.runs(signal))
    if (kind === 'data') total += Math.ceil(length / frameSizeBytes) * frameSizeBytes
  return total
}

interface Batch {
  readonly kind: 'data' | 'zero'
  readonly runs: readonly FrameRun[]
}

/** What the layer decides, ascending, in batches of one kind. */
async function* layerBatches(layer: Qcow2Layer, signal: AbortSignal | undefined): AsyncGenerator<Batch> {
  let kind: Batch['kind'] = 'data'
  let runs: FrameRun[] = []
  let room = 0
  for await (const run of layer.runs(signal)) {
    let first = run.offset / frameSizeBytes
    let count = Math.ceil(run.length / frameSizeBytes)
    while (count > 0) {
      if (room === 0 || kind !== run.kind) {
        if (runs.length > 0) yield { kind, runs }
        kind = run.kind
        runs = []
        room = kind === 'data' ? mostBatchFrames : mostZeroFrames
      }
      const take = Math.min(room, count)
      runs.push({ first, count: take })
      first += take
      count -= take
      room -= take
    }
  }
  if (runs.length > 0) yield { kind, runs }
}

/** Lays changed leaves, which come ascending, over the pages of the base; one page in memory. */
function createMerger(base: Manifest | undefined, emit: (page: LeafPage) => Promise<void>) {
  const pages = (base?.pages() ?? noPages())[Symbol.asyncIterator]()
  let upcoming: LeafPage | undefined
  let isAtEnd = false
  let open: { readonly index: number; readonly leaves: Uint8Array } | undefined
  const peek = async (): Promise<LeafPage | undefined> => {
    if (upcoming || isAtEnd) return upcoming
    const next = await pages.next()
    if (next.done === true) isAtEnd = true
    else upcoming = next.value
    return upcoming
  }
  const flush = async (): Promise<void> => {
    const page = open
    open = undefined
    if (page) await emit(page)
  }
  const copyBefore = async (index: number): Promise<void> => {
    for (let page = await peek(); page && page.index < index; page = await peek()) {
      upcoming = undefined
      await emit(page)
    }
  }
  const openPage = async (index: number): Promise<Uint8Array> => {
    if (open?.index === index) return open.leaves
    await flush()
    await copyBefore(index)
    const leaves = new Uint8Array(pageBytes)
    const under = await peek()
    if (under?.index === index) {
      leaves.set(under.leaves)
      upcoming = undefined
    }
    open = { index, leaves }
    return leaves
  }
  return {
    async put(frame: number, name: Uint8Array): Promise<void> {
      const leaves = await openPage(Math.floor(frame / leavesPerPage))
      leaves.set(name, (frame % leavesPerPage) * nameBytes)
    },
    async finish(): Promise<void> {
      await flush()
      await copyBefore(Number.POSITIVE_INFINITY)
    },
  }
}

async function* noPages(): AsyncGenerator<LeafPage> {}
