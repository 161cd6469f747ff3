import { join } from 'node:path'
import { randomBytes } from '../base/random.ts'
import { MiB } from '../base/units.ts'
import type { FileSystem } from './durable-file.ts'
import type { FrameIndex, PackRow } from './frame-index.ts'
import { asBuffer, nameKey } from './frame-name.ts'
import { OpenPack } from './open-pack.ts'
import { framesPerGroup, type PackEntry, type PackRecord } from './pack-format.ts'

const packBytes = 128 * MiB
const groupBytesLimit = 2 * MiB
/** Bytes written before they are made durable and indexed: about what an interrupted ingest has to do again. */
const checkpointBytes = 32 * MiB
/** Beyond this `append` waits for the disk. */
const queueLimitBytes = 16 * MiB

/**
 * The last room of a file system is not for transfers: a sweep needs some to write live frames anew before it can free
 * a pack, and so do the index and the server's database, which often lie beside. At most 1/16 of a small file system.
 */
const reserveBytes = 160 * MiB
const reserveShare = 1 / 16

/** What must not be swept: the packs in which a transfer saw or put frames. */
export interface PackHolder {
  readonly packs: Set<number>
}

export interface PackWriterOptions {
  readonly folder: string
  readonly align: number
  readonly files: FileSystem
  readonly index: FrameIndex
  /** Packs of this store by id; the writer adds the one it opens. */
  readonly packs: Map<number, PackRow>
  /** After frames came into the index. */
  readonly onIndexed: (entries: readonly PackEntry[]) => void
  /** After a pack was sealed: time to move the index's log. */
  readonly onSealed: () => void
}

/** A frame between `append` and the index; its bytes are let go as soon as they are written. */
interface Waiting {
  readonly holders: Set<PackHolder>
  pack: number | undefined
}

interface Grouped {
  readonly record: PackRecord
  readonly waiting: Waiting
  readonly usesReserve: boolean
}

/**
 * The one writer of a folder store: all transfers append to the same open pack. Steps (write a group, checkpoint, seal) run
 * one after the other; only the fsync of a checkpoint overlaps with writing what follows. A failed step poisons the
 * pack, and takes everything with it that was not in the index: transfers see `failures` grow and fail.
 */
export class PackWriter {
  readonly #options: PackWriterOptions
  readonly #pending = new Map<string, Waiting>()
  #group: Grouped[] = []
  #groupBytes = 0
  #queuedBytes = 0
  #chain: Promise<void> = Promise.resolve()
  #pack: OpenPack | undefined
  #checkpointing: Promise<void> | undefined
  #failureCount = 0
  #failure: unknown

  constructor(options: PackWriterOptions) {
    this.#options = options
  }

  /** Grows when a write failed: frames appended or held before that are gone. */
  get failures(): { readonly count: number; readonly error: unknown } {
    return { count: this.#failureCount, error: this.#failure }
  }

  get openPack(): number | undefined {
    return this.#pack?.id
  }

  /** Takes frames over; those that are on their way already are held, not written twice. Waits while the disk lags. */
  async append(records: readonly PackRecord[], holder: PackHolder, usesReserve: boolean): Promise<void> {
    for (const record of records) this.#add(record, holder, usesReserve)
    if (this.#queuedBytes > queueLimitBytes) await this.#chain
  }

  /** Whether the frame is on its way into a pack; if so it is held. */
  holdPending(key: string, holder: PackHolder | undefined): boolean {
    const waiting = this.#pending.get(key)
    if (!waiting) return false
    if (holder) {
      waiting.holders.add(holder)
      if (waiting.pack !== undefined) holder.packs.add(waiting.pack)
    }
    return true
  }

  /** Everything appended before is durable and in the index. */
  flush(): Promise<void> {
    this.#cut()
    return this.#enqueue(() => this.#checkpointAll())
  }

  /** Flushes and seals the open pack; the next frame opens another. */
  async rotate(): Promise<void> {
    this.#cut()
    await this.#enqueue(() => this.#seal())
    this.#options.onSealed()
  }

  /** Like `rotate`, as the last call. */
  async close(): Promise<void> {
    this.#cut()
    await this.#enqueue(() => this.#seal())
  }

  #add(record: PackRecord, holder: PackHolder, usesReserve: boolean): void {
    const key = nameKey(record.name)
    if (this.holdPending(key, holder)) return
    const waiting: Waiting = { holders: new Set([holder]), pack: undefined }
    this.#pending.set(key, waiting)
    this.#group.push({ record, waiting, usesReserve })
    this.#groupBytes += record.bytes.length
    if (this.#group.length >= framesPerGroup || this.#groupBytes >= groupBytesLimit) this.#cut()
  }

  /** Ends the group that is being gathered and queues it for writing. */
  #cut(): void {
    if (this.#group.length === 0) return
    const grouped = this.#group
    const bytes = this.#groupBytes
    this.#group = []
    this.#groupBytes = 0
    this.#queuedBytes += bytes
    const generation = this.#failureCount
    this.#enqueue(() => this.#writeGroup(grouped)).then(
      () => {
        if (generation === this.#failureCount) this.#queuedBytes -= bytes
      },
      () => {},
    )
  }

  #enqueue(work: () => Promise<void>): Promise<void> {
    const generation = this.#failureCount
    const step = this.#chain.then(async () => {
      if (generation !== this.#failureCount) throw this.#failure
      try {
        await work()
      } catch (error) {
        await this.#abandon(error)
        throw error
      }
    })
    this.#chain = step.catch(() => {})
    return step
  }

  async #writeGroup(grouped: readonly Grouped[]): Promise<void> {
    if (!grouped.some((one) => one.usesReserve)) await this.#checkRoom()
    const pack = this.#pack ?? (await this.#open())
    await pack.write(grouped.map((one) => one.record))
    for (const { waiting } of grouped) {
      waiting.pack = pack.id
      for (const holder of waiting.holders) holder.packs.add(pack.id)
    }
    if (pack.position >= packBytes) {
      await this.#seal()
      this.#options.onSealed()
    } else if (pack.dirtyBytes >= checkpointBytes) {
      // At most one fsync runs beside the writing; a failed one is thrown here, or by the next flush.
      await this.#checkpointing
      this.#checkpointing = this.#checkpoint(pack)
      this.#checkpointing.catch(() => {})
    }
  }

  async #checkRoom(): Promise<void> {
    const { files, folder } = this.#options
    const { freeBytes, totalBytes } = await files.room(folder)
    if (freeBytes < Math.min(reserveBytes, totalBytes * reserveShare))
      throw Object.assign(new Error('only the reserve of the file system is left'), { code: 'ENOSPC' })
  }

  async #open(): Promise<OpenPack> {
    const { folder, align, files, index, packs } = this.#options
    const id = asBuffer(randomBytes(6)).readUIntLE(0, 6)
    this.#pack = await OpenPack.create({ id, path: packPath(folder, id), folder, align, files, index, packs })
    return this.#pack
  }

  async #checkpoint(pack: OpenPack): Promise<void> {
    const fresh = await pack.checkpoint()
    for (const entry of fresh) this.#pending.delete(nameKey(entry.name))
    this.#options.onIndexed(fresh)
  }

  async #checkpointAll(): Promise<void> {
    await this.#checkpointing
    this.#checkpointing = undefined
    if (this.#pack) await this.#checkpoint(this.#pack)
  }

  async #seal(): Promise<void> {
    await this.#checkpointAll()
    await this.#pack?.seal()
    this.#pack = undefined
  }

  async #abandon(error: unknown): Promise<void> {
    this.#failureCount += 1
    this.#failure = error
    this.#pending.clear()
    this.#group = []
    this.#groupBytes = 0
    this.#queuedBytes = 0
    await this.#checkpointing?.catch(() => {})
    this.#checkpointing = undefined
    const pack = this.#pack
    this.#pack = undefined
    await pack?.abandon()
  }
}

/** Twelve hex digits: names are never used twice, so that a row of the index cannot mean another pack. */
function packFileName(pack: number): string {
  return `${pack.toString(16).padStart(12, '0')}.pack`
}

export function packIdOf(fileName: string): number | undefined {
  return /^[0-9a-f]{12}\.pack$/.test(fileName) ? Number.parseInt(fileName.slice(0, 12), 16) : undefined
}

export function packPath(folder: string, pack: number): string {
  return join(folder, packFileName(pack))
}
