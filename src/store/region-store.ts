import type { Logger } from '../base/logger.ts'
import type {
  DiskStore,
  EncodedFrame,
  FramePin,
  LeafPage,
  StoredDisk,
  StoredResult,
  StorageClass,
} from './disk-store.ts'
import { DiskMissing, FramesMissing, ManifestCorrupt } from './errors.ts'
import type { FolderStore } from './folder-store.ts'
import { sweepFolder } from './folder-sweep.ts'
import { createFrameFetcher, type FrameFetcher } from './frame-fetch.ts'
import { isZeroName, nameAt, nameBytes } from './frame-name.ts'
import type { FrameWorkers } from './frame-workers.ts'
import { ingestImage, type StoreContext } from './ingest.ts'
import type { Manifest } from './manifest.ts'
import { createProgress } from './progress.ts'
import { readEncodedFrames } from './read-encoded.ts'
import { admitFrames, leavesOf, receiveDisk } from './receive.ts'
import { createFrameCache, createStoredDisk } from './stored-disk.ts'
import { chooseFolders, openRegionPin, openTargets, pinDisk, type CopySet, type RegionPin } from './transfer-targets.ts'
import { repairManifest, verifyDisk } from './verify-disk.ts'

export interface RegionStoreOptions {
  readonly region: string
  readonly storageClass: StorageClass
  readonly workers: FrameWorkers
  readonly logger: Logger
  /** Opens (once) the folders this class uses in the region. */
  readonly open: () => Promise<readonly FolderStore[]>
}

/** The disks of one class in one region over its folder stores: one of several stamps, or three zones. */
export function createRegionStore(options: RegionStoreOptions): DiskStore {
  const { region, storageClass, workers, logger } = options
  const cache = createFrameCache()
  const regionPins = new WeakMap<FramePin, RegionPin>()
  const copies = async (): Promise<CopySet> => ({
    folders: await options.open(),
    spread: storageClass === 'Standard_ZRS' ? 'every' : 'chosen',
    logger,
  })
  const context = async (): Promise<StoreContext> => ({ set: await copies(), workers })
  const pinOf = (pin: FramePin | undefined): RegionPin => (pin && regionPins.get(pin)) ?? openRegionPin()

  let turn = 0
  /** Copies take turns as the first to be asked, so that readers spread over them. */
  const spread = (holders: readonly FolderStore[]): readonly FolderStore[] => {
    turn = (turn + 1) % Math.max(1, holders.length)
    return [...holders.slice(turn), ...holders.slice(0, turn)]
  }

  const fetcherFor = (folders: readonly FolderStore[], holders: readonly FolderStore[]): FrameFetcher => {
    const others = folders.filter((folder) => !holders.includes(folder))
    return createFrameFetcher({ folders: [...spread(holders), ...others], holders, workers, logger })
  }

  return {
    region,
    storageClass,
    ingest: async (image, transfer = {}) => ingestImage(await context(), image, transfer),
    receive: async (from, root, transfer = {}) => receiveDisk(await context(), from, root, transfer),
    has: async (root) => (await options.open()).some((folder) => folder.hasDisk(root)),
    async open(root): Promise<StoredDisk> {
      const set = await copies()
      const pin = pinDisk(set.folders, root)
      try {
        const manifest = await openAnyManifest(set, root)
        return createStoredDisk({ manifest, fetcher: fetcherFor(set.folders, holdersOf(set, root)), cache, pin })
      } catch (error) {
        pin[Symbol.dispose]()
        throw error
      }
    },
    async verify(root, transfer = {}) {
      const set = await copies()
      using _pin = pinDisk(set.folders, root)
      const holders = holdersOf(set, root)
      return verifyDisk({ set, root, holders, fetcher: fetcherFor(set.folders, holders), transfer })
    },
    async sweep(live, signal) {
      let bytesFreed = 0
      for (const folder of await options.open()) bytesFreed += await sweepFolder(folder, live, signal)
      return { bytesFreed }
    },
    async usage() {
      const all = await Promise.all((await options.open()).map((folder) => folder.usage()))
      return {
        bytesStored: all.reduce((sum, one) => sum + one.bytesStored, 0),
        frames: all.reduce((sum, one) => sum + one.frames, 0),
        disks: Math.max(0, ...all.map((one) => one.disks)),
      }
    },
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
      const { folders } = await copies()
      return readEncodedFrames(folders, fetcherFor(folders, storageClass === 'Standard_ZRS' ? folders : []), names)
    },
    async putFrames(frames, pin) {
      const set = await copies()
      const own = pinOf(pin)
      try {
        const names = frames.map((frame) => frame.name)
        own.home ??= chooseFolders(set, 1, names, undefined)
        const targets = openTargets(set, own.home, own, undefined)
        const bytesStored = await targets.append(await admitFrames(workers, targets.folders[0]?.codec ?? 0, frames))
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

function holdersOf(set: CopySet, root: string): readonly FolderStore[] {
  return set.spread === 'every' ? set.folders : set.folders.filter((folder) => folder.hasDisk(root))
}

/** The manifest from the first copy that is whole; damaged or absent ones are made again from it. */
async function openAnyManifest(set: CopySet, root: string): Promise<Manifest> {
  let failure: unknown = new DiskMissing(root)
  const damaged: FolderStore[] = []
  for (const folder of set.folders) {
    try {
      const manifest = await folder.openDisk(root)
      for (const bad of damaged) await repairManifest(bad, manifest, set.logger)
      return manifest
    } catch (error) {
      if (error instanceof ManifestCorrupt) damaged.push(folder)
      if (!(error instanceof DiskMissing) || failure instanceof DiskMissing) failure = error
    }
  }
  throw failure
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
      const lacking = begun.lacking(names).flatMap((index) => names[index] ?? [])
      if (lacking.length > 0) {
        const { bytes, lost } = await fetcher.fetch(lacking)
        for (const { index } of lost) if (absent.length < 1024) absent.push(Uint8Array.from(lacking[index] ?? []))
        if (lost.length === 0) {
          const frames = lacking.map((name, index) => {
            return { name, codec: 'raw' as const, bytes: bytes.subarray(index * 65_536, (index + 1) * 65_536) }
          })
          await begun.append(await admitFrames(workers, begun.folders[0]?.codec ?? 0, frames))
        }
      }
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
