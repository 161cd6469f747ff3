import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Logger } from '../base/logger.ts'
import { randomUuid } from '../base/random.ts'
import { nodeFileSystem, type FileSystem } from './durable-file.ts'
import { DiskMissing } from './errors.ts'
import { rawCodec, zstdCodec } from './frame-codec.ts'
import { openFrameIndex, type FrameIndex, type FrameLocation, type PackRow } from './frame-index.ts'
import type { FrameForm } from './frame-jobs.ts'
import { hexOf, nameKey } from './frame-name.ts'
import { createManifestWriter, openManifest, type Manifest, type ManifestWriter } from './manifest.ts'
import type { PackRecord } from './pack-format.ts'
import { reconcilePacks } from './pack-recovery.ts'
import { PackWriter, packPath } from './pack-writer.ts'
import { asStorageProblem } from './problems.ts'
import { lockStore } from './store-lock.ts'
import { createPinBoard, type PinBoard, type StorePin } from './store-pin.ts'
import type { VaultLock } from './vault.ts'

/**
 * One piece of work that writes: a pin, and how many writes of the store had failed when it began. A failure after that
 * may have taken frames that it saw, so it must fail too. A pin may live through many pieces of work.
 */
export interface WriteScope {
  readonly pin: StorePin
  readonly failuresBefore: number
  /** Sweeps may use the last room of a file system; they give back more than they take. */
  readonly usesReserve: boolean
}

export interface DiskWriter extends AsyncDisposable {
  add(page: { readonly index: number; readonly leaves: Uint8Array }): Promise<void>
  /** Answers the root. */
  commit(): Promise<string>
}

export interface FolderParts {
  readonly index: FrameIndex
  readonly packs: Map<number, PackRow>
  readonly pins: PinBoard
  readonly writer: PackWriter
  readonly logger: Logger
  readonly manifestFolder: string
  readonly manifestPath: (root: string) => string
  readonly packPath: (pack: number) => string
}

export interface FolderStoreOptions {
  readonly folder: string
  readonly place: string
  /** zstd at rest, or raw frames on 4 KiB. */
  readonly layout: 'zstd' | 'raw'
  readonly logger: Logger
  /** What rests here is encrypted. */
  readonly vault?: VaultLock | undefined
  readonly files?: FileSystem
  /** Moves the index's log on; it waits for the disk, so it belongs in a worker. */
  readonly checkpointIndex?: (path: string) => void
}

const alignOf = { zstd: 512, raw: 4096 } as const

interface Paths {
  readonly packs: string
  readonly manifests: string
  readonly temporary: string
  readonly index: string
  readonly manifest: (root: string) => string
}

function pathsOf(folder: string): Paths {
  const manifests = join(folder, 'manifests')
  return {
    packs: join(folder, 'packs'),
    manifests,
    temporary: join(folder, 'tmp'),
    index: join(folder, 'index.sqlite'),
    manifest: (root) => join(manifests, root.slice(0, 2), root),
  }
}

/** Folders exist from the start, so that later only files come and go. */
function prepareFolders(paths: Paths): void {
  mkdirSync(paths.packs, { recursive: true, mode: 0o750 })
  mkdirSync(paths.manifests, { recursive: true, mode: 0o750 })
  rmSync(paths.temporary, { recursive: true, force: true })
  mkdirSync(paths.temporary, { mode: 0o750 })
}

/** Opens (or makes) the store in a folder: takes its lock, brings its index up to what its packs hold. */
export async function openFolderStore(options: FolderStoreOptions): Promise<FolderStore> {
  const { folder, place, logger } = options
  const files = options.files ?? nodeFileSystem
  const paths = pathsOf(folder)
  const isNew = !existsSync(paths.packs)
  let lock: Disposable | undefined
  let index: FrameIndex | undefined
  try {
    mkdirSync(folder, { recursive: true, mode: 0o750 })
    lock = lockStore(join(folder, 'LOCK'), place)
    prepareFolders(paths)
    if (isNew) await files.syncFolder(folder)
    const isRebuilt = !isNew && !existsSync(paths.index)
    index = openFrameIndex(paths.index)
    const packs = await reconcilePacks(paths.packs, index, logger, place)
    return new FolderStore(options, files, paths, { index, packs, isRebuilt, lock })
  } catch (error) {
    index?.[Symbol.dispose]()
    lock?.[Symbol.dispose]()
    throw asStorageProblem(error, place)
  }
}

interface Opened {
  readonly index: FrameIndex
  readonly packs: Map<number, PackRow>
  /** The index was lost: what of the packs was lost with it, nobody knows. */
  readonly isRebuilt: boolean
  readonly lock: Disposable
}

/**
 * One physical store: a folder on one disk, with its packs, its manifests and its index; the unit that fails, is
 * locked and is swept. It knows nothing of zones, copies or other regions.
 */
export class FolderStore implements AsyncDisposable {
  /** For messages: `region westeurope, zone 2`. */
  readonly place: string
  /** For the sweep (folder-sweep.ts). */
  readonly parts: FolderParts
  readonly #paths: Paths
  readonly #files: FileSystem
  readonly #opened: Opened
  readonly #codec: FrameForm['codec']
  readonly #vault: VaultLock | undefined
  /** Frames known to be lost, until they are stored again. */
  readonly #lost: Set<string>

  constructor(options: FolderStoreOptions, files: FileSystem, paths: Paths, opened: Opened) {
    const { index, packs } = opened
    this.place = options.place
    this.#codec = options.layout === 'zstd' ? zstdCodec : rawCodec
    this.#vault = options.vault
    this.#paths = paths
    this.#files = files
    this.#opened = opened
    const lost = new Set(index.lostFrames().map(nameKey))
    this.#lost = lost
    const writer = new PackWriter({
      folder: paths.packs,
      align: alignOf[options.layout],
      files,
      index,
      packs,
      onSealed: () => options.checkpointIndex?.(paths.index),
      onIndexed(entries) {
        if (lost.size === 0) return
        for (const { name } of entries) if (lost.delete(nameKey(name))) index.forgetLost(name)
      },
    })
    this.parts = {
      index,
      packs,
      pins: createPinBoard(),
      writer,
      logger: options.logger,
      manifestFolder: paths.manifests,
      manifestPath: paths.manifest,
      packPath: (pack) => packPath(paths.packs, pack),
    }
  }

  /** How frames rest here. Throws KeyNotAvailable while its vault is locked. */
  get form(): FrameForm {
    return { codec: this.#codec, key: this.#vault?.secrets().frames }
  }

  /** Frames rest encrypted: what a pack holds is of no use to others. */
  get isVault(): boolean {
    return this.#vault !== undefined
  }

  /** Where a frame lies; 'pending' while it is on its way into a pack. What is found is held by the pin. */
  locate(name: Uint8Array, pin?: StorePin): FrameLocation | 'pending' | undefined {
    const { index, packs, writer } = this.parts
    const resting = this.#restingName(name)
    if (writer.holdPending(nameKey(resting), pin)) return 'pending'
    const location = index.find(resting)
    if (!location || packs.get(location.pack)?.state !== 'live') return undefined
    pin?.packs.add(location.pack)
    return location
  }

  /** Takes frames into the open pack; durable after `flush`. Throws StorageFull or StorageFailed. */
  append(records: readonly PackRecord[], scope: WriteScope): Promise<void> {
    if (!this.#vault) return this.appendResting(records, scope)
    return this.appendResting(
      records.map((record) => ({ ...record, name: this.#restingName(record.name) })),
      scope,
    )
  }

  /** The same for what came out of a pack of this store. */
  appendResting(records: readonly PackRecord[], scope: WriteScope): Promise<void> {
    return this.#guarded(async () => {
      this.#checkFailures(scope)
      await this.parts.writer.append(records, scope.pin, scope.usesReserve)
      this.#checkFailures(scope)
    })
  }

  /** Everything that the scope saw or appended is durable; throws where a write failed since it began. */
  flush(scope: WriteScope): Promise<void> {
    return this.#guarded(async () => {
      this.#checkFailures(scope)
      await this.parts.writer.flush()
      this.#checkFailures(scope)
    })
  }

  /** Forgets where a bad frame lies, if it still lies there, so that it can be stored again. */
  dropFrame(name: Uint8Array, location: FrameLocation): void {
    const { index, logger } = this.parts
    const resting = this.#restingName(name)
    const now = index.find(resting)
    if (!now || now.pack !== location.pack || now.offset !== location.offset) return
    const facts = { place: this.place, frame: hexOf(name), pack: location.pack, offset: location.offset }
    logger.error(facts, 'stored frame is bad')
    index.remove(location.pack, [resting])
    index.saveLost(resting)
    this.#lost.add(nameKey(resting))
    // Its file may be damaged further, or deleted: what heals it must not be written into it.
    if (this.parts.writer.openPack === location.pack) this.parts.writer.rotate().catch(() => {})
  }

  packPath(pack: number): string {
    return packPath(this.#paths.packs, pack)
  }

  pin(): StorePin {
    return this.parts.pins.open()
  }

  /** Begins a piece of work that writes. */
  scope(pin: StorePin, usesReserve = false): WriteScope {
    return { pin, failuresBefore: this.parts.writer.failures.count, usesReserve }
  }

  hasDisk(root: string): boolean {
    return existsSync(this.#paths.manifest(root))
  }

  /** Throws DiskMissing or ManifestCorrupt. */
  openDisk(root: string): Promise<Manifest> {
    return openDiskAt(this.#paths, root, this.place, this.#vault)
  }

  /** `commit` of what it answers makes the disk durable, after its frames. */
  beginDisk(virtualSizeBytes: number, scope: WriteScope): Promise<DiskWriter> {
    const { place } = this
    const vault = this.#vault
    const flush = (): Promise<void> => this.flush(scope)
    return this.#guarded(() =>
      beginDisk(this.#files, this.#paths, { virtualSizeBytes, pin: scope.pin, flush, place, vault }),
    )
  }

  /** Whether a frame that a disk here names can be taken to be here without a look-up. */
  trustsFrame(name: Uint8Array): boolean {
    return !this.#opened.isRebuilt && !this.#lost.has(nameKey(this.#restingName(name)))
  }

  usage(): Promise<{ readonly bytesStored: number; readonly frames: number; readonly disks: number }> {
    return Promise.resolve(usageOf(this.#paths, this.parts.packs))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.#guarded(() => this.parts.writer.close())
    } finally {
      this.parts.index[Symbol.dispose]()
      this.#opened.lock[Symbol.dispose]()
    }
  }

  #restingName(name: Uint8Array): Uint8Array {
    return this.#vault ? this.#vault.secrets().nameOf(name) : name
  }

  #checkFailures(scope: WriteScope): void {
    const { count, error } = this.parts.writer.failures
    if (count !== scope.failuresBefore) throw error
  }

  async #guarded<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw asStorageProblem(error, this.place)
    }
  }
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}

async function openDiskAt(paths: Paths, root: string, place: string, vault: VaultLock | undefined): Promise<Manifest> {
  try {
    return await openManifest(paths.manifest(root), root, vault?.secrets().manifests)
  } catch (error) {
    if (isAbsent(error)) throw new DiskMissing(root, { cause: error })
    throw asStorageProblem(error, place)
  }
}

async function beginDisk(
  files: FileSystem,
  paths: Paths,
  disk: {
    readonly virtualSizeBytes: number
    readonly pin: StorePin
    readonly flush: () => Promise<void>
    readonly place: string
    readonly vault: VaultLock | undefined
  },
): Promise<DiskWriter> {
  const { pin, place } = disk
  const temporary = join(paths.temporary, randomUuid())
  const key = disk.vault?.secrets().manifests
  const writer: ManifestWriter = await createManifestWriter(files, temporary, disk.virtualSizeBytes, key)
  return {
    async add(page) {
      try {
        await writer.add(page)
      } catch (error) {
        throw asStorageProblem(error, place)
      }
    },
    async commit() {
      try {
        // Frames first: a manifest whose frames are not durable must never be seen.
        await disk.flush()
        const root = await writer.seal()
        // Pinned before it appears: the sweep looks at pins and unlinks in one turn.
        pin.roots.add(root)
        const folder = join(paths.manifests, root.slice(0, 2))
        if (!existsSync(folder)) {
          mkdirSync(folder, { recursive: true, mode: 0o750 })
          await files.syncFolder(paths.manifests)
        }
        await writer.place(paths.manifest(root))
        return root
      } catch (error) {
        throw asStorageProblem(error, place)
      }
    },
    [Symbol.asyncDispose]: () => writer.abandon(),
  }
}

/** Roots of all manifests in the store. */
export function listRoots(manifestFolder: string): string[] {
  return readdirSync(manifestFolder).flatMap((folder) =>
    readdirSync(join(manifestFolder, folder)).filter((name) => /^[0-9a-f]{64}$/.test(name)),
  )
}

function usageOf(paths: Paths, packs: ReadonlyMap<number, PackRow>) {
  let bytesStored = 0
  let frames = 0
  for (const pack of packs.values()) {
    if (pack.state !== 'live') continue
    bytesStored += statSync(packPath(paths.packs, pack.id), { throwIfNoEntry: false })?.size ?? 0
    frames += pack.frames
  }
  const roots = listRoots(paths.manifests)
  for (const root of roots) bytesStored += statSync(paths.manifest(root), { throwIfNoEntry: false })?.size ?? 0
  return { bytesStored, frames, disks: roots.length }
}
