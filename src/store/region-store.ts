import type { Logger } from '../base/logger.ts'
import { captureLayer } from './capture.ts'
import type { DiskStore, StorageClass, StoredDisk } from './disk-store.ts'
import type { FolderStore } from './folder-store.ts'
import { sweepFolder } from './folder-sweep.ts'
import { createFrameDoor } from './frame-door.ts'
import { FrameFetcher } from './frame-fetch.ts'
import type { FrameWorkers } from './frame-workers.ts'
import { ingestImage, type StoreContext } from './ingest.ts'
import { holdersOf, openAnyManifest } from './open-manifest.ts'
import { receiveDisk } from './receive.ts'
import { createFrameCache, createStoredDisk } from './stored-disk.ts'
import { pinDisk, type CopySet } from './transfer-targets.ts'
import { plainClassOf, type VaultLock } from './vault.ts'
import { verifyDisk } from './verify-disk.ts'

export interface RegionStoreOptions {
  readonly region: string
  readonly storageClass: StorageClass
  readonly workers: FrameWorkers
  readonly logger: Logger
  /** Opens (once) the folders this class uses in the region. */
  readonly open: () => Promise<readonly FolderStore[]>
  /** Of a store that encrypts: locked without its key. */
  readonly vault?: VaultLock | undefined
}

/** The disks of one class in one region over its folder stores: one of several stamps, or three zones. */
export function createRegionStore(options: RegionStoreOptions): DiskStore {
  const { region, storageClass, workers, logger, vault } = options
  const spread = plainClassOf(storageClass) === 'Standard_ZRS' ? 'every' : 'chosen'
  const cache = createFrameCache()
  const copies = async (): Promise<CopySet> => {
    // Each time: a key that was destroyed is gone at once.
    await vault?.unlock()
    return { folders: await options.open(), spread, logger }
  }
  const context = async (): Promise<StoreContext> => ({ set: await copies(), workers })

  let turn = 0
  /** Copies take turns as the first to be asked, so that readers spread over them. */
  const inTurn = (holders: readonly FolderStore[]): readonly FolderStore[] => {
    turn = (turn + 1) % Math.max(1, holders.length)
    return [...holders.slice(turn), ...holders.slice(0, turn)]
  }
  const fetcherFor = (folders: readonly FolderStore[], holders: readonly FolderStore[]): FrameFetcher => {
    const others = folders.filter((folder) => !holders.includes(folder))
    return new FrameFetcher({ folders: [...inTurn(holders), ...others], holders, workers, logger })
  }

  return {
    ...createFrameDoor({ copies, fetcherFor, workers }),
    region,
    storageClass,
    ingest: async (image, transfer = {}) => ingestImage(await context(), image, transfer),
    async capture(baseRoot, layerPath, transfer = {}) {
      const all = await context()
      return captureLayer({ ...all, fetcher: fetcherFor(all.set.folders, []) }, { baseRoot, layerPath }, transfer)
    },
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
      const lockedWhy = await vault?.unlock().catch((error: unknown) => error)
      for (const folder of await options.open())
        try {
          bytesFreed += await sweepFolder(folder, live, signal)
        } catch (error) {
          // Without its key only what nobody needs any more can be told apart: manifests go, and packs with the last one.
          if (lockedWhy === undefined) throw error
          logger.warn({ place: folder.place, err: lockedWhy }, 'a locked store could not be swept')
        }
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
  }
}
