import { unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { randomBytes } from '../base/random.ts'
import { MiB } from '../base/units.ts'
import type { DurableFile, FileSystem } from './durable-file.ts'
import type { FrameIndex, PackRow } from './frame-index.ts'
import { asBuffer, nameKey } from './frame-name.ts'
import {
  encodePackHead,
  encodeSeal,
  framesPerGroup,
  layOutGroup,
  type PackEntry,
  type PackRecord,
} from './pack-format.ts'
import { yieldTurn } from './yield-turn.ts'

const packBytes = 128 * MiB
const groupBytesLimit = 2 * MiB
/** Bytes written but not yet durable and indexed: what an interrupted ingest may have to send again. */
const checkpointBytes = 64 * MiB
/** Beyond this `append` waits for the disk. */
const queueLimitBytes = 16 * MiB
const rowsPerTurn = 256

/** What must not be swept: the packs in which a transfer saw or put frames. */
export interface PackHolder {
  readonly packs: Set<number>
}

export interface PackWriter {
  /** Takes frames over; those that are on their way already are held, not written twice. Waits while the disk lags. */
  append(records: readonly PackRecord[], holder: PackHolder): Promise<void>
  /** Whether the frame is on its way into a pack; if so it is held. */
  holdPending(key: string, holder: PackHolder): boolean
  /** Everything appended before is durable and in the index. */
  flush(): Promise<void>
  /** Grows when a write failed: frames appended or held before that are gone. */
  failures(): { readonly count: number; readonly error: unknown }
  openPack(): number | undefined
  /** Flushes and seals the open pack; the next frame opens another. */
  rotate(): Promise<void>
  /** Flushes, seals the open pack. */
  close(): Promise<void>
}

interface OpenPack {
  readonly id: number
  readonly path: string
  readonly file: DurableFile
  readonly entries: PackEntry[]
  ordinals: number
  position: number
  durableBytes: number
  indexedBytes: number
  indexedFrames: number
  payloadBytes: number
}

export interface PackWriterOptions {
  readonly folder: string
  readonly align: number
  readonly files: FileSystem
  readonly index: FrameIndex
  /** Packs of this store by id; the writer adds the one it opens. */
  readonly packs: Map<number, PackRow>
  readonly pathOf: (pack: number) => string
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
}

/** The one writer of a folder store: all transfers append to the same open pack, one step at a time. */
export function createPackWriter(options: PackWriterOptions): PackWriter {
  const { index, packs, align } = options
  const pending = new Map<string, Waiting>()
  let group: Grouped[] = []
  let groupBytes = 0
  let queuedBytes = 0
  let chain: Promise<void> = Promise.resolve()
  let pack: OpenPack | undefined
  let failureCount = 0
  let failure: unknown

  const rowOf = (from: OpenPack, isSealed: boolean): PackRow => ({
    id: from.id,
    indexedBytes: from.indexedBytes,
    sealed: isSealed,
    state: 'live',
    frames: from.ordinals,
    payloadBytes: from.payloadBytes,
  })

  const createPack = async (): Promise<OpenPack> => {
    const id = asBuffer(randomBytes(6)).readUIntLE(0, 6)
    const path = options.pathOf(id)
    const file = await options.files.create(path)
    const made: OpenPack = {
      id,
      path,
      file,
      entries: [],
      ordinals: 0,
      position: align,
      durableBytes: 0,
      indexedBytes: 0,
      indexedFrames: 0,
      payloadBytes: 0,
    }
    pack = made
    packs.set(id, rowOf(made, false))
    await file.write([encodePackHead(id, align)], 0)
    return made
  }

  /** Order of durability: pack, folder, index. Only then are the frames no longer pending. */
  const checkpoint = async (): Promise<void> => {
    if (!pack || pack.position === pack.durableBytes) return
    const from = pack
    const isNew = from.durableBytes === 0
    await from.file.sync()
    if (isNew) await options.files.syncFolder(options.folder)
    from.durableBytes = from.position
    const fresh = from.entries.slice(from.indexedFrames)
    for (let at = 0; at < fresh.length; at += rowsPerTurn) {
      index.insert(from.id, fresh.slice(at, at + rowsPerTurn))
      await yieldTurn()
    }
    from.indexedFrames = from.entries.length
    from.indexedBytes = from.durableBytes
    index.savePack(rowOf(from, false))
    packs.set(from.id, rowOf(from, false))
    for (const entry of fresh) pending.delete(nameKey(entry.name))
    options.onIndexed(fresh)
  }

  const seal = async (isLast: boolean): Promise<void> => {
    if (!pack) return
    await checkpoint()
    const from = pack
    // The table only speeds up a rebuild; the groups are durable already, so it needs no fsync of its own.
    await from.file.write([encodeSeal(from.position, from.entries)], from.position)
    await from.file.close()
    pack = undefined
    index.savePack(rowOf(from, true))
    packs.set(from.id, rowOf(from, true))
    if (!isLast) options.onSealed()
  }

  /** The pack is poison: cut to what is known to be durable and never written again. */
  const abandonPack = async (error: unknown): Promise<void> => {
    failureCount += 1
    failure = error
    pending.clear()
    group = []
    groupBytes = 0
    queuedBytes = 0
    const from = pack
    pack = undefined
    if (!from) return
    const isTruncated = await from.file.truncate(from.durableBytes).then(
      () => true,
      () => false,
    )
    await from.file.close().catch(() => {})
    try {
      if (from.durableBytes === 0 && isTruncated) {
        packs.delete(from.id)
        await unlink(from.path)
        return
      }
      const row = rowOf(from, from.indexedBytes === from.durableBytes)
      packs.set(from.id, row)
      index.savePack(row)
    } catch {
      // The index is derived: what it misses is found by the scan at the next start.
    }
  }

  const enqueue = (work: () => Promise<void>): Promise<void> => {
    const generation = failureCount
    const step = chain.then(async () => {
      if (generation !== failureCount) throw failure
      try {
        await work()
      } catch (error) {
        if (generation === failureCount) await abandonPack(error)
        throw error
      }
    })
    chain = step.catch(() => {})
    return step
  }

  const writeGroup = async (grouped: readonly Grouped[]): Promise<void> => {
    const into = pack ?? (await createPack())
    const records = grouped.map((one) => one.record)
    const { head, padding, entries, end } = layOutGroup(into.id, align, into.position, into.ordinals, records)
    await into.file.write([head, ...records.map((record) => record.bytes), Buffer.alloc(padding)], into.position)
    into.position = end
    into.ordinals += entries.length
    for (const entry of entries) {
      into.entries.push(entry)
      into.payloadBytes += entry.length
    }
    for (const { waiting } of grouped) {
      waiting.pack = into.id
      for (const holder of waiting.holders) holder.packs.add(into.id)
    }
    if (into.position - into.durableBytes >= checkpointBytes) await checkpoint()
    if (into.position >= packBytes) await seal(false)
  }

  const cut = (): void => {
    if (group.length === 0) return
    const grouped = group
    const bytes = groupBytes
    group = []
    groupBytes = 0
    queuedBytes += bytes
    const generation = failureCount
    enqueue(() => writeGroup(grouped)).then(
      () => {
        if (generation === failureCount) queuedBytes -= bytes
      },
      () => {},
    )
  }

  const holdPending = (key: string, holder: PackHolder): boolean => {
    const waiting = pending.get(key)
    waiting?.holders.add(holder)
    if (waiting?.pack !== undefined) holder.packs.add(waiting.pack)
    return waiting !== undefined
  }

  const add = (record: PackRecord, holder: PackHolder): void => {
    const key = nameKey(record.name)
    if (holdPending(key, holder)) return
    const waiting: Waiting = { holders: new Set([holder]), pack: undefined }
    pending.set(key, waiting)
    group.push({ record, waiting })
    groupBytes += record.bytes.length
    if (group.length >= framesPerGroup || groupBytes >= groupBytesLimit) cut()
  }

  return {
    async append(records, holder) {
      for (const record of records) add(record, holder)
      if (queuedBytes > queueLimitBytes) await chain
    },
    holdPending,
    flush() {
      cut()
      return enqueue(checkpoint)
    },
    failures: () => ({ count: failureCount, error: failure }),
    openPack: () => pack?.id,
    async rotate() {
      cut()
      await enqueue(() => seal(false))
    },
    async close() {
      cut()
      await enqueue(() => seal(true))
    },
  }
}

/** Twelve hex digits: names are never used twice, so that a row of the index cannot mean another pack. */
export function packFileName(pack: number): string {
  return `${pack.toString(16).padStart(12, '0')}.pack`
}

export function packIdOf(fileName: string): number | undefined {
  return /^[0-9a-f]{12}\.pack$/.test(fileName) ? Number.parseInt(fileName.slice(0, 12), 16) : undefined
}

export function packPath(folder: string, pack: number): string {
  return join(folder, packFileName(pack))
}
