import {
  frameSizeBytes,
  type DiskStore,
  type EncodedFrame,
  type StoredResult,
  type TransferOptions,
} from './disk-store.ts'
import { FrameCorrupt } from './errors.ts'
import type { AdmitResult, EncodedBatch, FrameForm } from './frame-jobs.ts'
import { hexOf, nameAt, nameBytes, nameKey } from './frame-name.ts'
import type { FrameWorkers } from './frame-workers.ts'
import type { StoreContext } from './ingest.ts'
import { leavesOf, type Leaf } from './leaf-pages.ts'
import { findParent, openParent } from './parent.ts'
import { createProgress } from './progress.ts'
import { slidingWindow } from './sliding-window.ts'
import { chooseFolders, openRegionPin, openTargets, pinDisk, type TransferTargets } from './transfer-targets.ts'

const framesPerBatch = 64
const batchesPerWorker = 2

/** Lays encoded frames one behind the other for a worker. */
function joinFrames(frames: readonly EncodedFrame[]): EncodedBatch & { readonly payload: Uint8Array<ArrayBuffer> } {
  const payload = new Uint8Array(frames.reduce((sum, frame) => sum + frame.bytes.length, 0))
  const names = new Uint8Array(frames.length * nameBytes)
  let at = 0
  for (const [index, frame] of frames.entries()) {
    names.set(frame.name, index * nameBytes)
    payload.set(frame.bytes, at)
    at += frame.bytes.length
  }
  return {
    names,
    payload,
    codecs: frames.map((frame) => (frame.codec === 'zstd' ? 1 : 0)),
    lengths: frames.map((frame) => frame.bytes.length),
    crcs: [],
  }
}

/** Decodes, checks and re-encodes frames that came from elsewhere; a frame that is not what its name says is refused. */
export async function admitFrames(
  workers: FrameWorkers,
  form: FrameForm,
  frames: readonly EncodedFrame[],
): Promise<AdmitResult['admitted']> {
  const batch = joinFrames(frames)
  const names = batch.names
  const { admitted, bad } = await workers.pick().run({ kind: 'admit', frames: batch, form }, [batch.payload.buffer])
  const first = bad[0]
  if (first !== undefined) throw new FrameCorrupt(hexOf(nameAt(names, first)))
  return admitted
}

interface Asked {
  readonly names: readonly Uint8Array[]
}

/**
 * Takes a disk over through the other store's frame door. Compares with the parent first, asks here what is missing,
 * fetches only that; frames are decoded and checked before they are kept.
 */
export async function receiveDisk(
  context: StoreContext,
  from: DiskStore,
  root: string,
  options: TransferOptions,
): Promise<StoredResult> {
  const { set, workers } = context
  const { signal } = options
  signal?.throwIfAborted()
  const peer = await from.open(root)
  const { virtualSizeBytes } = peer
  try {
    const total = await countData(from.leafPages(root))
    const progress = createProgress(options.onProgress, total.frames * frameSizeBytes)
    using pin = openRegionPin()
    const folders = chooseFolders(set, options.copies ?? 1, total.sample, options.parentRoot)
    const targets = openTargets(set, folders, pin, options.parentRoot)
    await using parentDisk = await findParent(folders, options.parentRoot)
    const parent = openParent(parentDisk)
    try {
      await targets.begin(virtualSizeBytes)
      const claimed = new Set<string>()
      const pages = async function* (): AsyncIterable<Asked> {
        const waiting: Uint8Array[] = []
        for await (const page of from.leafPages(root)) {
          signal?.throwIfAborted()
          await targets.add(page)
          const data = leavesOf(page)
          const isSame = await parent.compare(data)
          const lacking = lackingIn(targets, data, isSame, claimed)
          progress.add({
            bytesDone: (data.length - lacking.length) * frameSizeBytes,
            bytesSent: data.length * nameBytes,
          })
          // A page of a sparse disk may lack one frame only: requests gather the frames of many.
          waiting.push(...lacking)
          while (waiting.length >= framesPerBatch) yield { names: waiting.splice(0, framesPerBatch) }
        }
        if (waiting.length > 0) yield { names: waiting }
      }
      const start = async ({ names }: Asked) => {
        signal?.throwIfAborted()
        const frames = await from.readFrames(names, signal)
        const bytesSent = frames.reduce((sum, frame) => sum + frame.bytes.length, 0)
        return { names, bytesSent, admitted: await admitFrames(workers, targets.form, checkAsked(names, frames)) }
      }
      await slidingWindow(pages(), workers.count * batchesPerWorker, start, async ({ names, bytesSent, admitted }) => {
        signal?.throwIfAborted()
        const bytesStored = await targets.append(admitted)
        for (const name of names) claimed.delete(nameKey(name))
        const bytesNew = names.length * frameSizeBytes
        progress.add({ bytesSent, bytesStored, bytesNew, bytesRead: bytesNew, bytesDone: bytesNew })
      })
      const made = await targets.commit()
      if (made !== root) throw new Error(`disk ${root} arrived as ${made}`)
      return { root, virtualSizeBytes, progress: progress.current(), pin: pinDisk(folders, root) }
    } finally {
      await targets.abandon()
    }
  } finally {
    await peer.close()
  }
}

/** The peer must answer with the frames that were asked, in that order. */
function checkAsked(names: readonly Uint8Array[], frames: readonly EncodedFrame[]): readonly EncodedFrame[] {
  return names.map((name, index) => {
    const frame = frames[index]
    if (!frame || Buffer.compare(frame.name, name) !== 0) throw new FrameCorrupt(hexOf(name))
    return frame
  })
}

function lackingIn(
  targets: TransferTargets,
  data: readonly Leaf[],
  isSame: readonly boolean[],
  claimed: Set<string>,
): Uint8Array[] {
  const lacking = targets.lacking(
    data.map(({ name }) => name),
    (index) => isSame[index] === true,
  )
  return lacking.flatMap((index) => {
    const name = data[index]?.name
    if (!name || claimed.has(nameKey(name))) return []
    claimed.add(nameKey(name))
    return [name]
  })
}

async function countData(
  pages: AsyncIterable<Parameters<typeof leavesOf>[0]>,
): Promise<{ frames: number; sample: Uint8Array[] }> {
  let frames = 0
  let sample: Uint8Array[] = []
  for await (const page of pages) {
    const data = leavesOf(page)
    frames += data.length
    if (sample.length === 0) sample = data.slice(0, 32).map(({ name }) => name)
  }
  return { frames, sample }
}
