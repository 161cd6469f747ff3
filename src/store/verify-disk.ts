import type { Logger } from '../base/logger.ts'
import { frameSizeBytes, type LeafPage, type TransferOptions, type VerifyResult } from './disk-store.ts'
import { DiskMissing, ManifestCorrupt } from './errors.ts'
import type { FolderStore } from './folder-store.ts'
import type { FrameFetcher } from './frame-fetch.ts'
import type { Manifest } from './manifest.ts'
import { createProgress } from './progress.ts'
import { leavesOf } from './receive.ts'
import { slidingWindow } from './sliding-window.ts'
import type { CopySet } from './transfer-targets.ts'

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
    await using writer = await folder.beginDisk(good.virtualSizeBytes, pin)
    for await (const page of good.pages()) await writer.add(page)
    await writer.commit()
    logger.warn({ place: folder.place, root: good.root }, 'manifest was repaired from another copy')
    return true
  } catch (error) {
    logger.error({ place: folder.place, root: good.root, error }, 'manifest could not be repaired')
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

/** A whole manifest, and how many copies' manifests it repaired. */
async function settleManifests(
  options: VerifyOptions,
): Promise<{ manifest: Manifest; unrepaired: FolderStore[]; repaired: number }> {
  const { set, root, holders } = options
  let good: Manifest | undefined
  let failure: unknown = new DiskMissing(root)
  const bad: FolderStore[] = []
  for (const folder of holders) {
    try {
      const manifest = await readWhole(folder, root)
      if (good) await manifest.close()
      else good = manifest
    } catch (error) {
      if (!(error instanceof ManifestCorrupt) && !(error instanceof DiskMissing)) throw error
      if (error instanceof ManifestCorrupt) failure = error
      bad.push(folder)
    }
  }
  if (!good) throw failure
  let repaired = 0
  const unrepaired: FolderStore[] = []
  for (const folder of bad) {
    if (await repairManifest(folder, good, set.logger)) repaired += 1
    else unrepaired.push(folder)
  }
  return { manifest: good, unrepaired, repaired }
}

/** Re-hashes every frame of every copy; what is bad in one and good in another is put back. */
export async function verifyDisk(options: VerifyOptions): Promise<VerifyResult> {
  const { holders, fetcher, transfer } = options
  const { signal } = transfer
  const { manifest, repaired: manifests } = await settleManifests(options)
  try {
    const progress = createProgress(transfer.onProgress, manifest.frames * frameSizeBytes * holders.length)
    let framesChecked = 0
    let repaired = manifests
    const lost: number[] = []
    const start = async (page: LeafPage) => {
      signal?.throwIfAborted()
      const leaves = leavesOf(page)
      const names = leaves.map(({ name }) => name)
      const bad = new Set<number>()
      for (const folder of holders) for (const index of await fetcher.check(folder, names)) bad.add(index)
      const suspects = [...bad].sort((a, b) => a - b)
      const wanted = suspects.flatMap((index) => names[index] ?? [])
      const result = wanted.length > 0 ? await fetcher.fetch(wanted) : { lost: [], repaired: 0 }
      return {
        checked: names.length * holders.length,
        repaired: result.repaired,
        lost: result.lost.flatMap(({ index }) => leaves[suspects[index] ?? -1]?.frame ?? []),
      }
    }
    await slidingWindow(manifest.pages(), 4, start, async (page) => {
      signal?.throwIfAborted()
      framesChecked += page.checked
      repaired += page.repaired
      lost.push(...page.lost.map((frame) => frame * frameSizeBytes))
      const bytes = page.checked * frameSizeBytes
      progress.add({ bytesDone: bytes, bytesRead: bytes })
    })
    return { framesChecked, bytesChecked: framesChecked * frameSizeBytes, repaired, lost }
  } finally {
    await manifest.close()
  }
}
