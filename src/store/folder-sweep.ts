import { open } from 'node:fs/promises'
import { statSync, unlinkSync } from 'node:fs'
import { Problem } from '../base/problem.ts'
import { listRoots, type FolderParts, type FolderStore } from './folder-store.ts'
import { checksum } from './frame-codec.ts'
import type { PackRow } from './frame-index.ts'
import { asBuffer, isZeroName, nameAt, nameBytes } from './frame-name.ts'
import type { PackEntry } from './pack-format.ts'
import { scanPack } from './pack-scan.ts'
import type { SweepGuard } from './store-pin.ts'
import { yieldTurn } from './yield-turn.ts'

/** Live roots, or the way to ask for them: see `DiskStore.sweep`. */
export type LiveRoots = ReadonlySet<string> | (() => Promise<ReadonlySet<string>>)

/** Packs of which less than this is live are written anew. */
const repackBelow = 0.6
const namesPerTurn = 256

interface PackMarks {
  /** One bit a frame, by its number in the pack. */
  readonly bits: Uint8Array
  liveBytes: number
}

/**
 * Frees what no live disk, pin or transfer needs. Order: dead manifests, then packs without live frames, then packs that
 * are mostly dead, after their live frames were written elsewhere. Transfers go on meanwhile: the guard holds what any of
 * them touched since it began, and each removal looks at it in the same turn of the event loop.
 */
export async function sweepFolder(store: FolderStore, live: LiveRoots, signal?: AbortSignal): Promise<number> {
  const { parts } = store
  using guard = parts.pins.guard()
  const packsBefore = [...parts.packs.keys()]
  const roots = typeof live === 'function' ? await live() : live
  let freed = sweepManifests(parts, roots, guard)
  const marks = await markFrames(store, signal)
  // Dead packs first: on a full disk they make the room in which others are written anew.
  const liveBytesOf = (pack: number): number => marks.get(pack)?.liveBytes ?? 0
  let refused: Problem | undefined
  for (const pack of packsBefore.toSorted((a, b) => liveBytesOf(a) - liveBytesOf(b))) {
    signal?.throwIfAborted()
    const before = parts.packs.get(pack)
    if (!before || guard.holdsPack(pack)) continue
    if (liveBytesOf(pack) >= before.payloadBytes * repackBelow && before.payloadBytes > 0) continue
    try {
      if (pack === parts.writer.openPack) await parts.writer.rotate()
      const row = parts.packs.get(pack)
      if (row?.sealed) freed += await sweepPack(store, row, marks.get(pack), guard)
    } catch (error) {
      // No room to write this one anew: smaller ones may still fit.
      if (!(error instanceof Problem) || error.kind !== 'storageFull') throw error
      refused = error
    }
  }
  if (refused && freed <= 0) throw refused
  return freed
}

function sweepManifests(parts: FolderParts, live: ReadonlySet<string>, guard: SweepGuard): number {
  let freed = 0
  for (const root of listRoots(parts.manifestFolder)) {
    if (live.has(root) || guard.holdsRoot(root)) continue
    const path = parts.manifestPath(root)
    const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0
    // In this turn, not later: a transfer that pins the disk in the meantime must find it or not find it.
    unlinkSync(path)
    freed += size
  }
  return freed
}

/** Bits for every frame that a remaining disk names. A disk that cannot be read stops the sweep: its frames are unknown. */
async function markFrames(store: FolderStore, signal: AbortSignal | undefined): Promise<Map<number, PackMarks>> {
  const { parts } = store
  const marks = new Map<number, PackMarks>()
  // Versions of one image share most pages; a page seen once is not looked up again.
  const seen = new Set<string>()
  for (const root of listRoots(parts.manifestFolder)) {
    const manifest = await store.openDisk(root)
    try {
      for (const index of manifest.pageIndexes()) {
        const hash = asBuffer(manifest.pageHash(index) ?? new Uint8Array()).toString('latin1')
        if (seen.has(hash)) continue
        seen.add(hash)
        signal?.throwIfAborted()
        const leaves = await manifest.page(index)
        if (leaves) markPage(store, marks, leaves)
        await yieldTurn()
      }
    } finally {
      await manifest.close()
    }
  }
  return marks
}

function markPage(store: FolderStore, marks: Map<number, PackMarks>, leaves: Uint8Array): void {
  for (let leaf = 0; leaf * nameBytes < leaves.length; leaf += 1) {
    const name = nameAt(leaves, leaf)
    if (isZeroName(name)) continue
    const location = store.locate(name)
    if (!location || location === 'pending') continue
    const frames = store.parts.packs.get(location.pack)?.frames ?? 0
    const mark = marks.get(location.pack) ?? { bits: new Uint8Array(Math.ceil(frames / 8) + 1), liveBytes: 0 }
    marks.set(location.pack, mark)
    const byte = location.ordinal >> 3
    const bit = 1 << (location.ordinal & 7)
    // An open pack grows after its bits were made; what came later is held by the guard, and so is then its pack.
    if (((mark.bits[byte] ?? 0) & bit) !== 0) continue
    if (byte < mark.bits.length) mark.bits[byte] = (mark.bits[byte] ?? 0) | bit
    mark.liveBytes += location.length
  }
}

async function sweepPack(
  store: FolderStore,
  row: PackRow,
  mark: PackMarks | undefined,
  guard: SweepGuard,
): Promise<number> {
  const { parts } = store
  const contents = await scanPack(parts.packPath(row.id), row.id)
  const entries = contents?.entries ?? []
  const rescued = mark ? await rescue(store, row.id, entries, mark) : 0
  if (rescued === undefined) return 0
  // From here to the map's change nothing waits: a transfer finds the frame and holds the pack, or does not find it.
  if (guard.holdsPack(row.id)) return 0
  parts.packs.delete(row.id)
  return (await removePack(parts, row, entries)) - rescued
}

/** Writes a pack's live frames into the open pack; answers their bytes, undefined where the pack must stay. */
async function rescue(
  store: FolderStore,
  pack: number,
  entries: readonly PackEntry[],
  mark: PackMarks,
): Promise<number | undefined> {
  const { parts } = store
  using pin = store.pin()
  const scope = store.scope(pin, true)
  const handle = await open(parts.packPath(pack), 'r')
  let bytesMoved = 0
  try {
    for (const entry of entries) {
      if (((mark.bits[entry.ordinal >> 3] ?? 0) & (1 << (entry.ordinal & 7))) === 0) continue
      const bytes = Buffer.allocUnsafeSlow(entry.length)
      const { bytesRead } = await handle.read(bytes, 0, bytes.length, entry.offset)
      if (bytesRead !== bytes.length || checksum(bytes) !== entry.crc) {
        parts.logger.error({ place: store.place, pack, offset: entry.offset }, 'live frame is bad: its pack is kept')
        return undefined
      }
      const { name, codec, crc } = entry
      await store.appendResting([{ name, codec, crc, bytes }], scope)
      bytesMoved += bytes.length
    }
  } finally {
    await handle.close()
  }
  await store.flush(scope)
  return bytesMoved
}

async function removePack(parts: FolderParts, row: PackRow, entries: readonly PackEntry[]): Promise<number> {
  const path = parts.packPath(row.id)
  // Marked first: should we die here, the next start ends the deletion instead of missing a pack.
  parts.index.savePack({ ...row, state: 'dying' })
  for (let at = 0; at < entries.length; at += namesPerTurn) {
    const names = entries.slice(at, at + namesPerTurn).map((entry) => entry.name)
    parts.index.remove(row.id, names)
    await yieldTurn()
  }
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0
  unlinkSync(path)
  parts.index.deletePack(row.id)
  return size
}
