import type { Logger } from '../base/logger.ts'
import { mapLimit } from '../base/map-limit.ts'
import { frameSizeBytes } from './disk-store.ts'
import type { FolderStore } from './folder-store.ts'
import { checksum } from './frame-codec.ts'
import type { FrameLocation } from './frame-index.ts'
import type { FrameAddress } from './frame-jobs.ts'
import { hexOf } from './frame-name.ts'
import { framesPerFetch, type FrameWorkers } from './frame-workers.ts'
import { recordsOf } from './transfer-targets.ts'

export interface FetchedFrames {
  /** What no copy can give. */
  readonly lost: readonly LostFrame[]
  /** Frames put back into copies that ought to have them. */
  readonly repaired: number
  /** Frames that are good here and could not be put back where they are bad. */
  readonly unrepaired: number
}

/** Called once for each good frame; `frame` is lent for the call only. */
export type TakeFrame = (index: number, frame: Uint8Array) => void

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

/** Of FetchResult.states. */
const good = 0
const gone = 1
const corrupt = 2

interface Bad {
  readonly folder: FolderStore
  readonly index: number
}

/** Frames on their way into a pack are flushed first: they can be read once they are in the index. */
async function locateSettled(
  folder: FolderStore,
  names: readonly Uint8Array[],
): Promise<(FrameLocation | undefined)[]> {
  if (names.some((name) => folder.locate(name) === 'pending')) {
    using pin = folder.pin()
    await folder.flush(folder.scope(pin)).catch(() => {})
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
  fetch(names: readonly Uint8Array[], take: TakeFrame): Promise<FetchedFrames> {
    return this.#fetch(names, take, false)
  }

  /** For frames that some copy lacks: reads them and puts them into every holder that does not have them. */
  mend(names: readonly Uint8Array[]): Promise<FetchedFrames> {
    return this.#fetch(names, () => {}, true)
  }

  /** Reads and checks one copy, without help from the others; answers the indexes that are not good there. */
  async check(folder: FolderStore, names: readonly Uint8Array[]): Promise<number[]> {
    const missed = await this.#attempt(folder, names, undefined, () => {})
    return missed.map(({ index }) => index)
  }

  async #fetch(names: readonly Uint8Array[], take: TakeFrame, isMending: boolean): Promise<FetchedFrames> {
    const { workers } = this.#options
    const starts = Array.from({ length: Math.ceil(names.length / framesPerFetch) }, (_, at) => at * framesPerFetch)
    const parts = await mapLimit(starts, workers.count * 2, async (start) => {
      const some = names.slice(start, start + framesPerFetch)
      const part = await workers.withSlab((slab) =>
        this.#fetchPart(some, slab, isMending, (index, frame) => take(start + index, frame)),
      )
      return { ...part, lost: part.lost.map((one) => ({ ...one, index: start + one.index })) }
    })
    return {
      lost: parts.flatMap((part) => part.lost),
      repaired: parts.reduce((sum, part) => sum + part.repaired, 0),
      unrepaired: parts.reduce((sum, part) => sum + part.unrepaired, 0),
    }
  }

  async #fetchPart(
    names: readonly Uint8Array[],
    slab: SharedArrayBuffer,
    isMending: boolean,
    take: TakeFrame,
  ): Promise<FetchedFrames> {
    const { folders, holders } = this.#options
    let todo: readonly LostFrame[] = names.map((_, index) => ({ index, isCorrupt: false, wasHere: false }))
    const bad: Bad[] = isMending
      ? holders.flatMap((folder) =>
          names.flatMap((name, index) => (folder.locate(name) === undefined ? [{ folder, index }] : [])),
        )
      : []
    // Good bytes of frames that are bad in some copy, for its repair.
    const kept = new Map<number, Uint8Array>()
    for (const folder of folders) {
      if (todo.length === 0) break
      const part = todo
      const wanted = part.flatMap(({ index }) => names[index] ?? [])
      const missed = await this.#attempt(folder, wanted, slab, (at, frame) => {
        const index = part[at]?.index
        if (index === undefined) return
        take(index, frame)
        if (bad.some((one) => one.index === index)) kept.set(index, Uint8Array.from(frame))
      })
      todo = missed.flatMap((one) => {
        const before = part[one.index]
        if (!before) return []
        if (!isMending && (one.wasHere || holders.includes(folder))) bad.push({ folder, index: before.index })
        const { isCorrupt, wasHere } = before
        return [{ index: before.index, isCorrupt: isCorrupt || one.isCorrupt, wasHere: wasHere || one.wasHere }]
      })
    }
    if (bad.length === 0) return { lost: todo, repaired: 0, unrepaired: 0 }
    return { lost: todo, ...(await this.#repairAll(names, bad, kept)) }
  }

  /** One folder's answer for some names (at most a slab of them): good ones are handed out, the others answered. */
  async #attempt(
    folder: FolderStore,
    names: readonly Uint8Array[],
    slab: SharedArrayBuffer | undefined,
    take: TakeFrame,
  ): Promise<LostFrame[]> {
    const locations = await locateSettled(folder, names)
    const asked = locations.flatMap((location, index) => (location ? [index] : []))
    const missed: LostFrame[] = locations.flatMap((location, index) =>
      location ? [] : [{ index, isCorrupt: false, wasHere: false }],
    )
    if (asked.length === 0) return missed
    const frames = asked.flatMap((index) => {
      const name = names[index]
      const location = locations[index]
      return name && location ? [addressOf(folder, name, location)] : []
    })
    const { states } = await this.#options.workers
      .pick()
      .run({ kind: 'fetch', frames, into: slab, key: folder.form.key })
    const again: number[] = []
    for (const [at, index] of asked.entries()) {
      if (states[at] !== good) again.push(at)
      else if (slab) take(index, new Uint8Array(slab, at * frameSizeBytes, frameSizeBytes))
    }
    for (const at of again) {
      const index = asked[at] ?? -1
      const name = names[index]
      const location = locations[index]
      if (!name || !location) continue
      const state = await this.#lookAgain(folder, name, location, states[at] ?? corrupt, slab)
      if (state !== good) missed.push({ index, isCorrupt: state === corrupt, wasHere: true })
      else if (slab) take(index, new Uint8Array(slab, 0, frameSizeBytes))
    }
    return missed
  }

  /** A frame may have moved to another pack meanwhile; one that is certainly bad is forgotten, so that it can be put back. */
  async #lookAgain(
    folder: FolderStore,
    name: Uint8Array,
    before: FrameLocation,
    stateBefore: number,
    slab: SharedArrayBuffer | undefined,
  ): Promise<number> {
    let state = stateBefore
    let location = before
    const now = folder.locate(name)
    if (now !== undefined && now !== 'pending' && (now.pack !== before.pack || now.offset !== before.offset)) {
      location = now
      const frames = [addressOf(folder, name, now)]
      const { states } = await this.#options.workers
        .pick()
        .run({ kind: 'fetch', frames, into: slab, key: folder.form.key })
      state = states[0] ?? corrupt
    }
    // An I/O error or too many open files may pass, and prove nothing.
    if (state === gone || state === corrupt) folder.dropFrame(name, location)
    return state
  }

  async #repairAll(
    names: readonly Uint8Array[],
    bad: readonly Bad[],
    kept: ReadonlyMap<number, Uint8Array>,
  ): Promise<Omit<FetchedFrames, 'lost'>> {
    const { folders, logger } = this.#options
    let repaired = 0
    let unrepaired = 0
    for (const folder of folders) {
      const indexes = bad.flatMap((one) => (one.folder === folder && kept.has(one.index) ? [one.index] : []))
      if (indexes.length === 0) continue
      try {
        await this.#repair(
          folder,
          indexes.flatMap((index) => names[index] ?? []),
          indexes.flatMap((index) => kept.get(index) ?? []),
        )
        repaired += indexes.length
      } catch (error) {
        // The reader has its good bytes; the copy stays bad until the next try.
        unrepaired += indexes.length
        const frame = hexOf(names[indexes[0] ?? 0] ?? new Uint8Array())
        logger.error({ place: folder.place, frame, err: error }, 'repair failed')
      }
    }
    return { repaired, unrepaired }
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
    const { admitted, bad } = await workers.pick().run({ kind: 'admit', frames: batch, form: folder.form })
    if (bad.length > 0) throw new Error('a frame changed between reading and repair')
    using pin = folder.pin()
    const scope = folder.scope(pin)
    await folder.append(recordsOf(admitted), scope)
    await folder.flush(scope)
    logger.warn({ place: folder.place, frames: names.length }, 'frames were repaired from another copy')
  }
}
