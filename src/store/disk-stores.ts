import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { silentLogger, type Logger } from '../base/logger.ts'
import { mapLimit } from '../base/map-limit.ts'
import { normalizeRegionName, type Region } from '../base/region.ts'
import { storageClasses } from './disk-store.ts'
import type { DiskStore, DiskStores, PlainStorageClass, StorageClass } from './disk-store.ts'
import type { FileSystem } from './durable-file.ts'
import { openFolderStore, type FolderStore } from './folder-store.ts'
import { createFrameWorkers } from './frame-workers.ts'
import { storeProblems } from './problems.ts'
import { createRegionStore } from './region-store.ts'
import { zonesNeeded } from './transfer-targets.ts'
import { createVaultLock, inVault, isVaultName, plainClassOf, vaultOf } from './vault.ts'
import type { FindVaultKey, VaultLock } from './vault.ts'

export interface DiskStoresOptions {
  readonly regions: readonly Region[]
  readonly logger?: Logger
  /** Threads that read, hash and compress; default: one a core, at most four. */
  readonly workers?: number
  /** How files are written; tests put a full or failing disk here. */
  readonly files?: FileSystem
  /** Keys of stores that encrypt; without it there are none. */
  readonly findVaultKey?: FindVaultKey
}

export interface OpenDiskStores extends DiskStores, AsyncDisposable {}

interface Place {
  readonly folder: string
  readonly place: string
}

/** Where in a stamp or zone the stores of vaults are. */
const vaultsFolder = 'encrypted'

function placesOf(region: Region, storageClass: StorageClass): readonly Place[] {
  const plain = plainClassOf(storageClass)
  const vault = vaultOf(storageClass)
  const home = vault === undefined ? [] : [vaultsFolder, vault]
  if (plain === 'Standard_ZRS')
    return region.zoneFolders.map((folder, index) => ({
      folder: join(folder, ...home, 'standard'),
      place: `region ${region.name}, zone ${region.zones[index] ?? index + 1}`,
    }))
  const part = plain === 'Premium_LRS' ? 'premium' : 'standard'
  const isOnly = region.stampFolders.length === 1
  return region.stampFolders.map((folder, index) => ({
    folder: join(folder, ...home, part),
    place: isOnly ? `region ${region.name}` : `region ${region.name}, stamp ${index + 1}`,
  }))
}

/** The vaults that have a store of this class on disk. */
function vaultsOf(region: Region, storageClass: PlainStorageClass): readonly string[] {
  const homes = storageClass === 'Standard_ZRS' ? region.zoneFolders : region.stampFolders
  const names = homes.flatMap((home) => {
    const folder = join(home, vaultsFolder)
    return existsSync(folder) ? readdirSync(folder).filter(isVaultName) : []
  })
  return [...new Set(names)]
}

/** Opens a region's folders once; of three zones one may be out of order. */
function createOpener(
  places: readonly Place[],
  storageClass: StorageClass,
  options: {
    readonly logger: Logger
    readonly files: FileSystem | undefined
    readonly checkpointIndex: (path: string) => void
    readonly vault: VaultLock | undefined
  },
) {
  let opened: Promise<readonly FolderStore[]> | undefined
  const openAll = async (): Promise<readonly FolderStore[]> => {
    const results = await Promise.allSettled(
      places.map(({ folder, place }) =>
        openFolderStore({
          folder,
          place,
          layout: plainClassOf(storageClass) === 'Premium_LRS' ? 'raw' : 'zstd',
          logger: options.logger,
          vault: options.vault,
          checkpointIndex: options.checkpointIndex,
          ...(options.files ? { files: options.files } : {}),
        }),
      ),
    )
    const folders = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
    const failed = results.find((result) => result.status === 'rejected')
    const needed = plainClassOf(storageClass) === 'Standard_ZRS' ? zonesNeeded : places.length
    if (failed && folders.length < needed) {
      for (const folder of folders) await folder[Symbol.asyncDispose]()
      throw failed.reason
    }
    if (failed) options.logger.error({ error: failed.reason }, 'a zone is out of order: the others serve')
    return folders
  }
  return {
    exists: () => places.some(({ folder }) => existsSync(folder)),
    open(): Promise<readonly FolderStore[]> {
      opened ??= openAll().catch((error: unknown) => {
        opened = undefined
        throw error
      })
      return opened
    },
    async close(): Promise<void> {
      const folders = await opened?.catch(() => undefined)
      opened = undefined
      for (const folder of folders ?? []) await folder[Symbol.asyncDispose]()
    },
  }
}

/**
 * Every store of this server. Folders that exist are opened and locked now, so that a second server on them fails at
 * its start; the others when they are first used.
 */
export async function createDiskStores(options: DiskStoresOptions): Promise<OpenDiskStores> {
  const logger = options.logger ?? silentLogger
  const workers = createFrameWorkers(options.workers)
  const checkpointIndex = (path: string): void => {
    workers
      .pick()
      .run({ kind: 'checkpoint', path })
      .catch((error: unknown) => logger.warn({ err: error }, 'frame index log could not be moved on'))
  }
  const stores = new Map<string, DiskStore>()
  const openers: ReturnType<typeof createOpener>[] = []
  const add = (region: Region, storageClass: StorageClass): DiskStore => {
    const name = vaultOf(storageClass)
    const vault = name === undefined ? undefined : createVaultLock(name, options.findVaultKey ?? noVaultKeys)
    const places = placesOf(region, storageClass)
    const opener = createOpener(places, storageClass, { logger, files: options.files, checkpointIndex, vault })
    openers.push(opener)
    const open = (): ReturnType<typeof opener.open> => opener.open()
    const store = createRegionStore({ region: region.name, storageClass, workers, logger, open, vault })
    stores.set(keyOf(region.name, storageClass), store)
    return store
  }
  for (const region of options.regions)
    for (const storageClass of storageClasses) {
      if (!canHold(region, storageClass)) continue
      add(region, storageClass)
      for (const vault of vaultsOf(region, storageClass)) add(region, inVault(storageClass, vault))
    }
  const close = async (): Promise<void> => {
    await Promise.all(openers.map((opener) => opener.close()))
    await workers[Symbol.asyncDispose]()
  }
  try {
    await mapLimit(
      openers.filter((opener) => opener.exists()),
      8,
      (opener) => opener.open(),
    )
  } catch (error) {
    await close()
    throw error
  }
  return {
    all: () => [...stores.values()],
    store(name, storageClass) {
      const store = stores.get(keyOf(name, storageClass))
      if (store) return store
      const region = options.regions.find((one) => normalizeRegionName(one.name) === normalizeRegionName(name))
      const vault = vaultOf(storageClass)
      if (region && vault !== undefined && isVaultName(vault) && canHold(region, plainClassOf(storageClass)))
        return add(region, storageClass)
      if (region) throw storeProblems.ZonesMissing({ region: region.name })
      const known = options.regions.map((one) => one.name).join(', ')
      throw storeProblems.RegionUnknown({ region: name, known })
    },
    [Symbol.asyncDispose]: close,
  }
}

function canHold(region: Region, storageClass: PlainStorageClass): boolean {
  return storageClass === 'Standard_ZRS' ? region.zoneFolders.length >= 3 : region.stampFolders.length > 0
}

function noVaultKeys(vault: string): Promise<Uint8Array> {
  return Promise.reject(storeProblems.KeyNotAvailable({ vault }))
}

function keyOf(region: string, storageClass: StorageClass): string {
  return `${normalizeRegionName(region)} ${storageClass}`
}
