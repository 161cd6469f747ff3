import type { Logger } from '../base/logger.ts'
import { frameSizeBytes, type TransferOptions, type VerifyResult } from './disk-store.ts'
import { DiskMissing, ManifestCorrupt } from './errors.ts'
import type { FolderStore } from './folder-store.ts'
import type { FrameFetcher } from './frame-fetch.ts'
import type { Manifest } from './manifest.ts'
import { createProgress } from './progress.ts'
import { leavesOf, type Leaf } from './leaf-pages.ts'
import { slidingWindow } from './sliding-window.ts'
import type { CopySet } from './transfer-targets.ts'

const framesPerBatch = 64

export interface VerifyOptions {
  readonly set: CopySet
  readonly root: string
  /** Copies that ought to hold the disk. */
  readonly holders: readonly FolderStore[]
  readonly fetcher: FrameFetcher
  readonly transfer: TransferOptions
}

/** Writes a manifest anew from a good one; the frames must be here or come by repair. */
export async function repairManifest(folder: FolderStore, good: Manifest, logger: Logger): Promise<boolean> {
  try {
    using pin = folder.pin()
    await using writer = await folder.beginDisk(good.virtualSizeBytes, folder.scope(pin))
    for await (const page of good.pages()) await writer.add(page)
    await writer.commit()
    logger.warn({ place: folder.place, root: good.root }, 'manifest was repaired from another copy')
    return true
  } catch (error) {
    logger.error({ place: folder.place, root: good.root, err: error }, 'manifest could not be repaired')
    return false
  }
}

/** Reads every page: a manifest that opens may still have a bad page. */
async function readWhole(folder: FolderStore, root: string): Promise<Manifest> {
  const manifest = await folder.openDisk(root)
  try {
    for await (const _page of manifest.pages());
    return manifest
  } catch (error) {
    await manifest.close()
    throw error
  }
}

/** A whole manifest, and the copies whose own is damaged or absent. */
async function findManifest({ root, holders }: VerifyOptions): Promise<{ manifest: Manifest; bad: FolderStore[] }> {
  let manifest: Manifest | undefined
  let failure: unknown = new DiskMissing(root)
  const bad: FolderStore[] = []
  for (const folder of holders) {
    try {
      const found = await readWhole(folder, root)
      if (manifest) await found.close()
      else manifest = found
    } catch (error) {
      if (!(error instanceof ManifestCorrupt) && !(error instanceof DiskMissing)) {
        await manifest?.close()
        throw error
      }
      if (error instanceof ManifestCorrupt) failure = error
      bad.push(folder)
    }
  }
  if (!manifest) throw failure
  return { manifest, bad }
}

/** Leaves of many pages together where pages hold few. */
async function* leafBatches(manifest: Manifest): AsyncIterable<readonly Leaf[]> {
  let batch: Leaf[] = []
  for await (const page of manifest.pages()) {
    batch.push(...leavesOf(page))
    if (batch.length < framesPerBatch) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}

/** Re-hashes every frame of every copy; what is bad in one and good in another is put back. */
export async function verifyDisk(options: VerifyOptions): Promise<VerifyResult> {
  const { holders, fetcher, transfer, set } = options
  const { signal } = transfer
  const { manifest, bad } = await findManifest(options)
  try {
    const progress = createProgress(transfer.onProgress, manifest.frames * frameSizeBytes * holders.length)
    let framesChecked = 0
    let repaired = 0
    let unrepaired = 0
    const lost: number[] = []
    const start = async (leaves: readonly Leaf[]) => {
      signal?.throwIfAborted()
      const names = leaves.map(({ name }) => name)
      const suspect = new Set<number>()
      for (const folder of holders) for (const index of await fetcher.check(folder, names)) suspect.add(index)
      const suspects = [...suspect].sort((a, b) => a - b)
      const wanted = suspects.flatMap((index) => names[index] ?? [])
      // Asks copy after copy and puts back what one lacks: `check` has already forgotten what is bad.
      const result = wanted.length > 0 ? await fetcher.mend(wanted) : { lost: [], repaired: 0, unrepaired: 0 }
      return {
        checked: names.length * holders.length,
        repaired: result.repaired,
        unrepaired: result.unrepaired,
        lost: result.lost.flatMap(({ index }) => leaves[suspects[index] ?? -1]?.frame ?? []),
      }
    }
    await slidingWindow(leafBatches(manifest), 4, start, async (batch) => {
      signal?.throwIfAborted()
      framesChecked += batch.checked
      repaired += batch.repaired
      unrepaired += batch.unrepaired
      lost.push(...batch.lost.map((frame) => frame * frameSizeBytes))
      const bytes = batch.checked * frameSizeBytes
      progress.add({ bytesDone: bytes, bytesRead: bytes })
    })
    // After their frames: a manifest in its place names only frames that are there.
    if (lost.length === 0)
      for (const folder of bad) {
        if (await repairManifest(folder, manifest, set.logger)) repaired += 1
        else unrepaired += 1
      }
    return { framesChecked, bytesChecked: framesChecked * frameSizeBytes, repaired, unrepaired, lost }
  } finally {
    await manifest.close()
  }
}
