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

/** Reads verified frames from whichever copy is good, and makes the bad copies good again. */
export interface FrameFetcher {
  /**
   * `bytes`: n x 64 KiB in the order asked. `lost`: indexes that no copy can give, with whether something was there
   * that is not what its name says. `repaired`: copies made whole.
   */
  fetch(names: readonly Uint8Array[], options?: { readonly wantBytes?: boolean }): Promise<FetchedFrames>
  /** The same for one copy only, without help from the others; answers the indexes that are not good there. */
  check(folder: FolderStore, names: readonly Uint8Array[]): Promise<number[]>
}

export interface FetchedFrames {
  readonly bytes: Uint8Array
  readonly lost: readonly LostFrame[]
  readonly repaired: number
}

export interface LostFrame {
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

/** Frames for one job: enough to make a message worth it, few enough to keep both cores busy on one read. */
const framesPerJob = 32
const goneState = 1

async function locateSettled(
  folder: FolderStore,
  names: readonly Uint8Array[],
): Promise<(FrameLocation | undefined)[]> {
  const first = names.map((name) => folder.locate(name))
  if (!first.includes('pending')) return first.map((one) => (one === 'pending' ? undefined : one))
  using pin = folder.pin()
  await folder.flush(pin).catch(() => {})
  return names.map((name) => {
    const location = folder.locate(name)
    return location === 'pending' ? undefined : location
  })
}

function addressOf(folder: FolderStore, name: Uint8Array, location: FrameLocation): FrameAddress {
  const { offset, length, codec, pack } = location
  return { path: folder.packPath(pack), offset, length, codec, name: Uint8Array.from(name) }
}

interface Attempt {
  readonly result: FetchResult | undefined
  /** Positions in the result -> indexes into the names asked. */
  readonly asked: readonly number[]
  /** Indexes that this folder did not give, and whether it had something bad there. */
  readonly missed: readonly LostFrame[]
}

/** One folder's answer for some names. A frame that moved to another pack meanwhile is looked up once more. */
async function attempt(
  folder: FolderStore,
  workers: FrameWorkers,
  names: readonly Uint8Array[],
  wantBytes: boolean,
): Promise<Attempt> {
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
  const result = await workers.pick().run({ kind: 'fetch', frames, wantBytes })
  for (const [at, index] of asked.entries()) {
    const state = result.states[at]
    if (state === 0) continue
    const name = names[index]
    const before = locations[index]
    if (!name || !before) continue
    const now = folder.locate(name)
    const hasMoved =
      now !== undefined && now !== 'pending' && (now.pack !== before.pack || now.offset !== before.offset)
    if (hasMoved) {
      const again = await workers.pick().run({ kind: 'fetch', frames: [addressOf(folder, name, now)], wantBytes })
      if (again.states[0] === 0) {
        if (again.bytes) result.bytes?.set(again.bytes, at * frameSizeBytes)
        result.states[at] = 0
        continue
      }
      if (isProven(again.states[0])) folder.dropFrame(name, now)
    } else if (isProven(state)) folder.dropFrame(name, before)
    missed.push({ index, isCorrupt: state !== goneState, wasHere: true })
  }
  return { result, asked, missed }
}

/** Gone or corrupt for certain; an I/O error or too many open files may pass and proves nothing. */
function isProven(state: number | undefined): boolean {
  return state === 1 || state === 2
}

export function createFrameFetcher(options: FetcherOptions): FrameFetcher {
  const { folders, holders, workers, logger } = options

  const repair = async (folder: FolderStore, names: readonly Uint8Array[], frames: readonly Uint8Array[]) => {
    const payload = Uint8Array.from(Buffer.concat(frames))
    const batch = {
      names: Uint8Array.from(Buffer.concat(names)),
      codecs: names.map(() => 0 as const),
      lengths: names.map(() => frameSizeBytes),
      crcs: frames.map((frame) => checksum(frame)),
      payload,
    }
    const { admitted } = await workers
      .pick()
      .run({ kind: 'admit', frames: batch, codec: folder.codec }, [payload.buffer])
    using pin = folder.pin()
    await folder.append(recordsOf(admitted), pin)
    await folder.flush(pin)
    logger.warn({ place: folder.place, frames: names.length }, 'frames were repaired from another copy')
  }

  const fetchPart = async (names: readonly Uint8Array[], wantBytes: boolean, into: Uint8Array | undefined) => {
    let todo: LostFrame[] = names.map((_, index) => ({ index, isCorrupt: false, wasHere: false }))
    const bad: { readonly folder: FolderStore; readonly index: number }[] = []
    let direct: Uint8Array | undefined
    let bytes = into
    for (const folder of folders) {
      if (todo.length === 0) break
      const part = todo
      const wanted = part.flatMap(({ index }) => names[index] ?? [])
      // Once a copy was found bad, the bytes are needed to repair it, wanted or not.
      const { result, asked, missed } = await attempt(folder, workers, wanted, wantBytes || bad.length > 0)
      if (result?.bytes && part.length === names.length && missed.length === 0) direct = result.bytes
      else if (result?.bytes) {
        bytes ??= new Uint8Array(names.length * frameSizeBytes)
        for (const [at, position] of asked.entries()) {
          const index = part[position]?.index
          if (index === undefined || result.states[at] !== 0) continue
          bytes.set(result.bytes.subarray(at * frameSizeBytes, (at + 1) * frameSizeBytes), index * frameSizeBytes)
        }
      }
      const isHolder = holders.includes(folder)
      todo = missed.flatMap((one) => {
        const before = part[one.index]
        if (!before) return []
        if (isHolder || one.wasHere) bad.push({ folder, index: before.index })
        return [
          {
            index: before.index,
            isCorrupt: before.isCorrupt || one.isCorrupt,
            wasHere: before.wasHere || one.wasHere,
          },
        ]
      })
    }
    return { bytes: direct ?? bytes ?? new Uint8Array(wantBytes ? names.length * frameSizeBytes : 0), lost: todo, bad }
  }

  const repairAll = async (
    names: readonly Uint8Array[],
    part: Awaited<ReturnType<typeof fetchPart>>,
  ): Promise<number> => {
    const lost = new Set(part.lost.map(({ index }) => index))
    let repaired = 0
    for (const folder of folders) {
      const indexes = part.bad.flatMap((one) => (one.folder === folder && !lost.has(one.index) ? [one.index] : []))
      if (indexes.length === 0) continue
      try {
        const frames = indexes.map((index) => part.bytes.subarray(index * frameSizeBytes, (index + 1) * frameSizeBytes))
        await repair(
          folder,
          indexes.flatMap((index) => names[index] ?? []),
          frames,
        )
        repaired += indexes.length
      } catch (error) {
        // The reader has its good bytes; the copy stays bad until the next try.
        logger.error(
          { place: folder.place, frame: hexOf(names[indexes[0] ?? 0] ?? new Uint8Array()), error },
          'repair failed',
        )
      }
    }
    return repaired
  }

  return {
    async fetch(names, { wantBytes = true } = {}) {
      const starts = Array.from({ length: Math.ceil(names.length / framesPerJob) }, (_, index) => index * framesPerJob)
      const parts = await mapLimit(starts, workers.count * 2, async (start) => {
        const some = names.slice(start, start + framesPerJob)
        const part = await fetchPart(some, wantBytes, undefined)
        return { start, part, repaired: part.bad.length > 0 ? await repairAll(some, part) : 0 }
      })
      const lost = parts.flatMap(({ start, part }) => part.lost.map((one) => ({ ...one, index: start + one.index })))
      const repaired = parts.reduce((sum, part) => sum + part.repaired, 0)
      const only = parts[0]
      if (parts.length === 1 && only) return { bytes: only.part.bytes, lost, repaired }
      const bytes = new Uint8Array(wantBytes ? names.length * frameSizeBytes : 0)
      if (wantBytes) for (const { start, part } of parts) bytes.set(part.bytes, start * frameSizeBytes)
      return { bytes, lost, repaired }
    },
    async check(folder, names) {
      const { missed } = await attempt(folder, workers, names, false)
      return missed.map(({ index }) => index)
    },
  }
}
