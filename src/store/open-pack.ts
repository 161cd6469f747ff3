import { unlink } from 'node:fs/promises'
import type { DurableFile, FileSystem } from './durable-file.ts'
import type { FrameIndex, PackRow } from './frame-index.ts'
import { encodePackHead, encodeSeal, layOutGroup, type PackEntry, type PackRecord } from './pack-format.ts'
import { yieldTurn } from './yield-turn.ts'

const rowsPerTurn = 256

export interface OpenPackOptions {
  readonly id: number
  readonly path: string
  /** Folder of the packs. */
  readonly folder: string
  readonly align: number
  readonly files: FileSystem
  readonly index: FrameIndex
  /** Packs of the store by id; kept in step with the index. */
  readonly packs: Map<number, PackRow>
}

/** The pack that is being written. Its methods are called one after the other, but `checkpoint` may run beside `write`. */
export class OpenPack {
  readonly id: number
  readonly #options: OpenPackOptions
  readonly #file: DurableFile
  readonly #entries: PackEntry[] = []
  #ordinals = 0
  #payloadBytes = 0
  #position: number
  #durableBytes = 0
  #indexedBytes = 0
  #indexedEntries = 0

  private constructor(options: OpenPackOptions, file: DurableFile) {
    this.id = options.id
    this.#options = options
    this.#file = file
    this.#position = options.align
  }

  static async create(options: OpenPackOptions): Promise<OpenPack> {
    const file = await options.files.create(options.path)
    const pack = new OpenPack(options, file)
    try {
      await file.write([encodePackHead(options.id, options.align)], 0)
    } catch (error) {
      await file.close().catch(() => {})
      await unlink(options.path).catch(() => {})
      throw error
    }
    options.packs.set(pack.id, pack.#row(false, 0, 0))
    return pack
  }

  get position(): number {
    return this.#position
  }

  get dirtyBytes(): number {
    return this.#position - this.#durableBytes
  }

  #row(isSealed: boolean, frames: number, payloadBytes: number): PackRow {
    return { id: this.id, indexedBytes: this.#indexedBytes, sealed: isSealed, state: 'live', frames, payloadBytes }
  }

  #save(row: PackRow): void {
    this.#options.packs.set(row.id, row)
    this.#options.index.savePack(row)
  }

  async write(records: readonly PackRecord[]): Promise<void> {
    const { align } = this.#options
    const { head, padding, entries, end } = layOutGroup(this.id, align, this.#position, this.#ordinals, records)
    await this.#file.write([head, ...records.map((record) => record.bytes), Buffer.alloc(padding)], this.#position)
    this.#position = end
    this.#ordinals += entries.length
    for (const entry of entries) {
      this.#entries.push(entry)
      this.#payloadBytes += entry.length
    }
  }

  /** Order of durability: pack, folder, index. Answers the entries that are in the index now and were not before. */
  async checkpoint(): Promise<readonly PackEntry[]> {
    const { index, files, folder } = this.#options
    const upTo = this.#position
    const frames = this.#ordinals
    const payloadBytes = this.#payloadBytes
    const fresh = this.#entries.slice(this.#indexedEntries)
    if (upTo === this.#durableBytes) return []
    const isNew = this.#durableBytes === 0
    await this.#file.sync()
    if (isNew) await files.syncFolder(folder)
    this.#durableBytes = upTo
    for (let at = 0; at < fresh.length; at += rowsPerTurn) {
      index.insert(this.id, fresh.slice(at, at + rowsPerTurn))
      await yieldTurn()
    }
    this.#indexedEntries += fresh.length
    this.#indexedBytes = upTo
    this.#save(this.#row(false, frames, payloadBytes))
    return fresh
  }

  /** After a checkpoint. The table only speeds up a rebuild; the groups are durable, so it needs no fsync of its own. */
  async seal(): Promise<void> {
    await this.#file.write([encodeSeal(this.#position, this.#entries)], this.#position)
    await this.#file.close()
    this.#save(this.#row(true, this.#ordinals, this.#payloadBytes))
  }

  /** After a failed write or fsync: cut to what is known to be durable, never written again (DATAPLANE 6.1). */
  async abandon(): Promise<void> {
    const isTruncated = await this.#file.truncate(this.#durableBytes).then(
      () => true,
      () => false,
    )
    await this.#file.close().catch(() => {})
    try {
      if (this.#durableBytes === 0 && isTruncated) {
        this.#options.packs.delete(this.id)
        await unlink(this.#options.path)
        return
      }
      const kept = this.#entries.slice(0, this.#indexedEntries)
      const payloadBytes = kept.reduce((sum, entry) => sum + entry.length, 0)
      // Frames that are durable but not in the index are found by the scan at the next start, if it is not sealed.
      this.#save(this.#row(this.#indexedBytes === this.#durableBytes, kept.length, payloadBytes))
    } catch {
      // The index is derived: what it misses is found by the scan at the next start.
    }
  }
}
