import type { Logger } from '../base/logger.ts'
import { mapLimit } from '../base/map-limit.ts'
import { frameSizeBytes } from './disk-store.ts'
import type { FolderStore } from './folder-store.ts'
import { checksum } from './frame-codec.ts'
import type { FrameLocation } from './frame-index.ts'
import type { FetchResult, FrameAddress } from './frame-jobs.ts'
import { hexOf } from './frame-name.ts'
import type { FrameWorkers } from './frame-workers.ts'
import { recordsOf } from './transfer-targets.ts'

export interface FetchedFrames {
  /** n x 64 KiB in the order asked; only what is not lost may be used. */
  readonly bytes: Uint8Array
  /** What no copy can give. */
  readonly lost: readonly LostFrame[]
  /** Frames put back into copies that ought to have them. */
  readonly repaired: number
}

export interface LostFrame {
  /** Index into the names asked. */
  readonly index: number
  readonly isCorrupt: boolean
  /** Some copy said that it has it. */
  readonly wasHere: boolean
}

export interface FetcherOptions {
  /** In the order of preference. */
  readonly folders: readonly FolderStore[]
  /** Those that ought to hold the frames: what they lack is put back. */
  readonly holders: readonly FolderStore[]
  readonly workers: FrameWorkers
  readonly logger: Logger
}

/** Frames for one job: enough to make a message worth it, few enough to keep all cores busy on one read. */
const framesPerJob = 32
/** Of FetchResult.states. */
const good = 0
const gone = 1
const corrupt = 2

interface Attempt {
  readonly result: FetchResult | undefined
  /** Positions in the result -> indexes into the names asked. */
  readonly asked: readonly number[]
  /** What this folder did not give. */
  readonly missed: readonly LostFrame[]
}

interface Part {
  readonly bytes: Uint8Array
  readonly lost: readonly LostFrame[]
  readonly bad: readonly { readonly folder: FolderStore; readonly index: number }[]
}

function frameOf(bytes: Uint8Array, index: number): Uint8Array {
  return bytes.subarray(index * frameSizeBytes, (index + 1) * frameSizeBytes)
}

/** Frames on their way into a pack are flushed first: they can be read once they are in the index. */
async function locateSettled(
  folder: FolderStore,
  names: readonly Uint8Array[],
): Promise<(FrameLocation | undefined)[]> {
  if (names.some((name) => folder.locate(name) === 'pending')) {
    using pin = folder.pin()
    await folder.flush(pin).catch(() => {})
  }
  return names.map((name) => {
    const location = folder.locate(name)
    return location === 'pending' ? undefined : location
  })
}

function addressOf(folder: FolderStore, name: Uint8Array, location: FrameLocation): FrameAddress {
  const { offset, length, codec, pack } = location
  return { path: folder.packPath(pack), offset, length, codec, name: Uint8Array.from(name) }
}

/** Reads verified frames from whichever copy is good, and makes the bad copies good again. */
export class FrameFetcher {
  readonly #options: FetcherOptions

  constructor(options: FetcherOptions) {
    this.#options = options
  }

  /** Reads frames for a reader: the first good copy is enough; copies that were asked before and had it wrong are repaired. */
  fetch(names: readonly Uint8Array[]): Promise<FetchedFrames> {
    return this.#fetch(names, false)
  }

  /** For frames that some copy lacks: reads them and puts them into every holder that does not have them. */
  mend(names: readonly Uint8Array[]): Promise<FetchedFrames> {
    return this.#fetch(names, true)
  }

  async #fetch(names: readonly Uint8Array[], isMending: boolean): Promise<FetchedFrames> {
    const { workers, holders } = this.#options
    const starts = Array.from({ length: Math.ceil(names.length / framesPerJob) }, (_, index) => index * framesPerJob)
    const parts = await mapLimit(starts, workers.count * 2, async (start) => {
      const some = names.slice(start, start + framesPerJob)
      const found = await this.#fetchPart(some)
      const lacking = holders.flatMap((folder) =>
        some.flatMap((name, index) => (isMending && folder.locate(name) === undefined ? [{ folder, index }] : [])),
      )
      const part = isMending ? { ...found, bad: lacking } : found
      return { start, part, repaired: part.bad.length > 0 ? await this.#repairAll(some, part) : 0 }
    })
    const lost = parts.flatMap(({ start, part }) => part.lost.map((one) => ({ ...one, index: start + one.index })))
    const repaired = parts.reduce((sum, part) => sum + part.repaired, 0)
    const only = parts[0]
    if (parts.length === 1 && only) return { bytes: only.part.bytes, lost, repaired }
    const bytes = new Uint8Array(names.length * frameSizeBytes)
    for (const { start, part } of parts) bytes.set(part.bytes, start * frameSizeBytes)
    return { bytes, lost, repaired }
  }

  /** Reads and checks one copy, without help from the others; answers the indexes that are not good there. */
  async check(folder: FolderStore, names: readonly Uint8Array[]): Promise<number[]> {
    const { missed } = await this.#attempt(folder, names, false)
    return missed.map(({ index }) => index)
  }

  async #fetchPart(names: readonly Uint8Array[]): Promise<Part> {
    const { folders, holders } = this.#options
    let todo: readonly LostFrame[] = names.map((_, index) => ({ index, isCorrupt: false, wasHere: false }))
    const bad: { readonly folder: FolderStore; readonly index: number }[] = []
    let bytes: Uint8Array | undefined
    for (const folder of folders) {
      if (todo.length === 0) break
      const part = todo
      const wanted = part.flatMap(({ index }) => names[index] ?? [])
      const { result, asked, missed } = await this.#attempt(folder, wanted, true)
      if (result?.bytes && missed.length === 0 && part.length === names.length)
        return { bytes: result.bytes, lost: [], bad }
      for (const [at, position] of asked.entries()) {
        const index = part[position]?.index
        if (!result?.bytes || index === undefined || result.states[at] !== good) continue
        bytes ??= new Uint8Array(names.length * frameSizeBytes)
        bytes.set(frameOf(result.bytes, at), index * frameSizeBytes)
      }
      todo = missed.flatMap((one) => {
        const before = part[one.index]
        if (!before) return []
        if (one.wasHere || holders.includes(folder)) bad.push({ folder, index: before.index })
        const { isCorrupt, wasHere } = before
        return [{ index: before.index, isCorrupt: isCorrupt || one.isCorrupt, wasHere: wasHere || one.wasHere }]
      })
    }
    return { bytes: bytes ?? new Uint8Array(names.length * frameSizeBytes), lost: todo, bad }
  }

  /** One folder's answer for some names. */
  async #attempt(folder: FolderStore, names: readonly Uint8Array[], wantBytes: boolean): Promise<Attempt> {
    const locations = await locateSettled(folder, names)
    const asked = locations.flatMap((location, index) => (location ? [index] : []))
    const missed: LostFrame[] = locations.flatMap((location, index) =>
      location ? [] : [{ index, isCorrupt: false, wasHere: false }],
    )
    if (asked.length === 0) return { result: undefined, asked, missed }
    const frames = asked.flatMap((index) => {
      const name = names[index]
      const location = locations[index]
      return name && location ? [addressOf(folder, name, location)] : []
    })
    const result = await this.#options.workers.pick().run({ kind: 'fetch', frames, wantBytes })
    for (const [at, index] of asked.entries()) {
      const name = names[index]
      const location = locations[index]
      if (result.states[at] === good || !name || !location) continue
      const state = await this.#lookAgain(folder, name, location, result, at)
      if (state !== good) missed.push({ index, isCorrupt: state === corrupt, wasHere: true })
    }
    return { result, asked, missed }
  }

  /** A frame may have moved to another pack meanwhile; one that is certainly bad is forgotten, so that it can be put back. */
  async #lookAgain(
    folder: FolderStore,
    name: Uint8Array,
    before: FrameLocation,
    result: FetchResult,
    at: number,
  ): Promise<number> {
    let state = result.states[at] ?? corrupt
    let location = before
    const now = folder.locate(name)
    if (now !== undefined && now !== 'pending' && (now.pack !== before.pack || now.offset !== before.offset)) {
      location = now
      const frames = [addressOf(folder, name, now)]
      const again = await this.#options.workers.pick().run({ kind: 'fetch', frames, wantBytes: true })
      state = again.states[0] ?? corrupt
      if (state === good && again.bytes) result.bytes?.set(again.bytes, at * frameSizeBytes)
    }
    result.states[at] = state
    // An I/O error or too many open files may pass, and prove nothing.
    if (state === gone || state === corrupt) folder.dropFrame(name, location)
    return state
  }

  async #repairAll(names: readonly Uint8Array[], part: Part): Promise<number> {
    const { folders, logger } = this.#options
    const lost = new Set(part.lost.map(({ index }) => index))
    let repaired = 0
    for (const folder of folders) {
      const indexes = part.bad.flatMap((one) => (one.folder === folder && !lost.has(one.index) ? [one.index] : []))
      if (indexes.length === 0) continue
      try {
        await this.#repair(
          folder,
          indexes.flatMap((index) => names[index] ?? []),
          indexes.map((index) => frameOf(part.bytes, index)),
        )
        repaired += indexes.length
      } catch (error) {
        // The reader has its good bytes; the copy stays bad until the next try.
        const frame = hexOf(names[indexes[0] ?? 0] ?? new Uint8Array())
        logger.error({ place: folder.place, frame, error }, 'repair failed')
      }
    }
    return repaired
  }

  async #repair(folder: FolderStore, names: readonly Uint8Array[], frames: readonly Uint8Array[]): Promise<void> {
    const { workers, logger } = this.#options
    const batch = {
      names: Uint8Array.from(Buffer.concat(names)),
      codecs: names.map(() => 0 as const),
      lengths: names.map(() => frameSizeBytes),
      crcs: frames.map((frame) => checksum(frame)),
      payload: Uint8Array.from(Buffer.concat(frames)),
    }
    const { admitted, bad } = await workers.pick().run({ kind: 'admit', frames: batch, codec: folder.codec })
    if (bad.length > 0) throw new Error('a frame changed between reading and repair')
    using pin = folder.pin()
    await folder.append(recordsOf(admitted), pin)
    await folder.flush(pin)
    logger.warn({ place: folder.place, frames: names.length }, 'frames were repaired from another copy')
  }
}
