import { open, type FileHandle } from 'node:fs/promises'
import { frameSizeBytes, type EncodedFrame } from './disk-store.ts'
import { FrameCorrupt, FrameMissing } from './errors.ts'
import type { FolderStore } from './folder-store.ts'
import { checksum, zstdCodec } from './frame-codec.ts'
import type { FrameFetcher } from './frame-fetch.ts'
import type { FrameLocation } from './frame-index.ts'
import { hexOf } from './frame-name.ts'
import { packReads } from './pack-reads.ts'

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
      // What rests in a vault leaves it decoded and verified only.
      if (folder.isVault) continue
      const location = folder.locate(name)
      if (location && location !== 'pending') return { name, folder, location }
    }
    return undefined
  })
}

/** The bytes as they rest, where their checksum is right; one open file a pack, one read a run of neighbours. */
async function readPacked(found: readonly (Found | undefined)[]): Promise<(EncodedFrame | undefined)[]> {
  const handles = new Map<string, FileHandle | undefined>()
  const frames: (EncodedFrame | undefined)[] = found.map(() => undefined)
  const placed = found.flatMap((one, index) => {
    if (!one) return []
    const { offset, length } = one.location
    return [{ ...one, index, path: one.folder.packPath(one.location.pack), offset, length }]
  })
  try {
    for (const { path, from, to, members } of packReads(placed)) {
      if (!handles.has(path)) handles.set(path, await open(path, 'r').catch(() => undefined))
      const all = Buffer.allocUnsafeSlow(to - from)
      const bytesRead = await handles
        .get(path)
        ?.read(all, 0, all.length, from)
        .then(
          (result) => result.bytesRead,
          () => 0,
        )
      for (const member of members) {
        const one = placed[member]
        if (!one) continue
        const { index, name, location } = one
        const at = location.offset - from
        const bytes = all.subarray(at, at + location.length)
        const isWhole = at + location.length <= (bytesRead ?? 0) && checksum(bytes) === location.crc
        if (isWhole) frames[index] = { name, codec: location.codec === zstdCodec ? 'zstd' : 'raw', bytes }
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
