import { open, type FileHandle } from 'node:fs/promises'
import { frameSizeBytes, type EncodedFrame } from './disk-store.ts'
import { FrameCorrupt, FrameMissing } from './errors.ts'
import type { FolderStore } from './folder-store.ts'
import { checksum, zstdCodec } from './frame-codec.ts'
import type { FrameFetcher } from './frame-fetch.ts'
import type { FrameLocation } from './frame-index.ts'
import { hexOf } from './frame-name.ts'

interface Found {
  readonly name: Uint8Array
  readonly folder: FolderStore
  readonly location: FrameLocation
}

async function locateAll(
  folders: readonly FolderStore[],
  names: readonly Uint8Array[],
): Promise<(Found | undefined)[]> {
  for (const folder of folders) {
    if (!names.some((name) => folder.locate(name) === 'pending')) continue
    using pin = folder.pin()
    await folder.flush(folder.scope(pin)).catch(() => {})
  }
  return names.map((name) => {
    for (const folder of folders) {
      const location = folder.locate(name)
      if (location && location !== 'pending') return { name, folder, location }
    }
    return undefined
  })
}

/** Frames of one pack that lie close together: one read brings them all. */
interface Run {
  readonly path: string
  readonly start: number
  end: number
  readonly frames: { readonly index: number; readonly location: FrameLocation }[]
}

/** Heads of groups lie between frames of the same transfer; reading over them costs less than another read. */
const gapBytes = 16_384
const runBytes = 4 << 20

function runsOf(found: readonly (Found | undefined)[]): Run[] {
  const placed = found.flatMap((one, index) =>
    one ? [{ index, location: one.location, path: one.folder.packPath(one.location.pack) }] : [],
  )
  placed.sort((a, b) => (a.path === b.path ? a.location.offset - b.location.offset : a.path < b.path ? -1 : 1))
  const runs: Run[] = []
  for (const { index, location, path } of placed) {
    const { offset, length } = location
    const last = runs.at(-1)
    if (last && last.path === path && offset - last.end <= gapBytes && offset + length - last.start <= runBytes) {
      last.end = Math.max(last.end, offset + length)
      last.frames.push({ index, location })
    } else runs.push({ path, start: offset, end: offset + length, frames: [{ index, location }] })
  }
  return runs
}

/** The bytes as they rest, where their checksum is right; one open file a pack, one read a run of neighbours. */
async function readPacked(found: readonly (Found | undefined)[]): Promise<(EncodedFrame | undefined)[]> {
  const handles = new Map<string, FileHandle | undefined>()
  const frames: (EncodedFrame | undefined)[] = found.map(() => undefined)
  try {
    for (const run of runsOf(found)) {
      if (!handles.has(run.path)) handles.set(run.path, await open(run.path, 'r').catch(() => undefined))
      const all = Buffer.allocUnsafeSlow(run.end - run.start)
      const bytesRead = await handles
        .get(run.path)
        ?.read(all, 0, all.length, run.start)
        .then(
          (result) => result.bytesRead,
          () => 0,
        )
      for (const { index, location } of run.frames) {
        const at = location.offset - run.start
        const bytes = all.subarray(at, at + location.length)
        const name = found[index]?.name
        const isWhole = at + location.length <= (bytesRead ?? 0) && checksum(bytes) === location.crc
        if (isWhole && name) frames[index] = { name, codec: location.codec === zstdCodec ? 'zstd' : 'raw', bytes }
      }
    }
    return frames
  } finally {
    for (const handle of handles.values()) await handle?.close()
  }
}

/**
 * Frames as they are stored. One whose checksum is wrong is read again the careful way: from another copy, decoded,
 * verified and sent raw, which also repairs it here.
 */
export async function readEncodedFrames(
  folders: readonly FolderStore[],
  fetcher: FrameFetcher,
  names: readonly Uint8Array[],
): Promise<readonly EncodedFrame[]> {
  const frames = await readPacked(await locateAll(folders, names))
  const bad = frames.flatMap((frame, index) => (frame ? [] : [index]))
  if (bad.length > 0) {
    const wanted = bad.flatMap((index) => names[index] ?? [])
    const bytes = new Uint8Array(wanted.length * frameSizeBytes)
    const { lost } = await fetcher.fetch(wanted, (index, frame) => bytes.set(frame, index * frameSizeBytes))
    const first = lost[0]
    if (first) {
      const frame = hexOf(wanted[first.index] ?? new Uint8Array())
      throw first.isCorrupt ? new FrameCorrupt(frame) : new FrameMissing(frame)
    }
    for (const [at, index] of bad.entries()) {
      const name = names[index]
      if (name)
        frames[index] = { name, codec: 'raw', bytes: bytes.subarray(at * frameSizeBytes, (at + 1) * frameSizeBytes) }
    }
  }
  return frames.flatMap((frame) => frame ?? [])
}
