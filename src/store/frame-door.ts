import {
  frameSizeBytes,
  type EncodedFrame,
  type FrameExchange,
  type FramePin,
  type LeafPage,
  type StoredResult,
} from './disk-store.ts'
import { FramesMissing } from './errors.ts'
import type { FolderStore } from './folder-store.ts'
import type { FrameFetcher } from './frame-fetch.ts'
import { isZeroName, nameAt, nameBytes } from './frame-name.ts'
import type { FrameWorkers } from './frame-workers.ts'
import { leavesOf } from './leaf-pages.ts'
import { openAnyManifest } from './open-manifest.ts'
import { createProgress } from './progress.ts'
import { readEncodedFrames } from './read-encoded.ts'
import { admitFrames } from './receive.ts'
import {
  chooseFolders,
  openRegionPin,
  openTargets,
  pinDisk,
  type CopySet,
  type RegionPin,
  type TransferTargets,
} from './transfer-targets.ts'

export interface FrameDoorOptions {
  readonly copies: () => Promise<CopySet>
  readonly fetcherFor: (folders: readonly FolderStore[], holders: readonly FolderStore[]) => FrameFetcher
  readonly workers: FrameWorkers
}

/** The frame-level door of a region's store: what replication and uploads use. */
export function createFrameDoor({ copies, fetcherFor, workers }: FrameDoorOptions): FrameExchange {
  const regionPins = new WeakMap<FramePin, RegionPin>()
  const pinOf = (pin: FramePin | undefined): RegionPin => (pin && regionPins.get(pin)) ?? openRegionPin()
  return {
    async *leafPages(root): AsyncIterable<LeafPage> {
      const set = await copies()
      using _pin = pinDisk(set.folders, root)
      const manifest = await openAnyManifest(set, root)
      try {
        yield* manifest.pages()
      } finally {
        await manifest.close()
      }
    },
    async missing(names, pin) {
      const { folders } = await copies()
      const held = pin && regionPins.get(pin)
      const lacking: number[] = []
      for (let index = 0; index * nameBytes < names.length; index += 1) {
        const name = nameAt(names, index)
        if (isZeroName(name)) continue
        // Every copy is asked, so that each one that has it holds it for the pin.
        const found = folders.map((folder) => folder.locate(name, held?.of(folder)) !== undefined)
        if (!found.includes(true)) lacking.push(index)
      }
      return lacking
    },
    async readFrames(names, signal): Promise<readonly EncodedFrame[]> {
      signal?.throwIfAborted()
      const { folders, spread } = await copies()
      return readEncodedFrames(folders, fetcherFor(folders, spread === 'every' ? folders : []), names)
    },
    async putFrames(frames, pin) {
      const set = await copies()
      const own = pinOf(pin)
      try {
        const names = frames.map((frame) => frame.name)
        own.home ??= chooseFolders(set, 1, names, undefined)
        const targets = openTargets(set, own.home, own, undefined)
        const bytesStored = await targets.append(await admitFrames(workers, targets.form, frames))
        await targets.flush()
        return { bytesStored }
      } finally {
        if (!pin) own[Symbol.dispose]()
      }
    },
    async assemble(virtualSizeBytes, pages, pin): Promise<StoredResult> {
      const set = await copies()
      const own = pinOf(pin)
      try {
        return await assembleDisk(set, own, fetcherFor(set.folders, []), workers, virtualSizeBytes, pages)
      } finally {
        if (!pin) own[Symbol.dispose]()
      }
    },
    pinFrames() {
      const pin = openRegionPin()
      regionPins.set(pin, pin)
      return pin
    },
  }
}

/** Makes a disk of frames that are here; what lies only on another stamp of the region is copied over. */
async function assembleDisk(
  set: CopySet,
  pin: RegionPin,
  fetcher: FrameFetcher,
  workers: FrameWorkers,
  virtualSizeBytes: number,
  pages: AsyncIterable<LeafPage>,
): Promise<StoredResult> {
  const progress = createProgress(undefined, 0)
  let targets = pin.home && openTargets(set, pin.home, pin, undefined)
  const absent: Uint8Array[] = []
  const begin = async (names: readonly Uint8Array[]) => {
    pin.home ??= chooseFolders(set, 1, names, undefined)
    targets ??= openTargets(set, pin.home, pin, undefined)
    await targets.begin(virtualSizeBytes)
    return targets
  }
  let begun: Awaited<ReturnType<typeof begin>> | undefined
  try {
    for await (const page of pages) {
      const names = leavesOf(page).map(({ name }) => name)
      begun ??= await begin(names)
      const lost = await bringFrames(begun, fetcher, workers, names)
      for (const name of lost) if (absent.length < 1024) absent.push(Uint8Array.from(name))
      await begun.add(page)
    }
    begun ??= await begin([])
    if (absent.length > 0) throw new FramesMissing(absent)
    const root = await begun.commit()
    return { root, virtualSizeBytes, progress: progress.current(), pin: pinDisk(begun.folders, root) }
  } finally {
    await begun?.abandon()
  }
}

/**
 * Sees to it that every target has these frames: what it lacks is read from the others' copies. Answers the names that
 * no copy here can give. `isTrusted`: frames that the targets' pinned parent names.
 */
export async function bringFrames(
  targets: TransferTargets,
  fetcher: FrameFetcher,
  workers: FrameWorkers,
  names: readonly Uint8Array[],
  isTrusted?: (index: number) => boolean,
): Promise<readonly Uint8Array[]> {
  const lacking = targets.lacking(names, isTrusted).flatMap((index) => names[index] ?? [])
  if (lacking.length === 0) return []
  const bytes = new Uint8Array(lacking.length * frameSizeBytes)
  const { lost } = await fetcher.fetch(lacking, (index, frame) => bytes.set(frame, index * frameSizeBytes))
  if (lost.length > 0) return lost.flatMap(({ index }) => lacking[index] ?? [])
  const frames = lacking.map((name, index) => {
    const frame = bytes.subarray(index * frameSizeBytes, (index + 1) * frameSizeBytes)
    return { name, codec: 'raw' as const, bytes: frame }
  })
  await targets.append(await admitFrames(workers, targets.form, frames))
  return []
}
