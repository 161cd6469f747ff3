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

/** The bytes as they rest, where their checksum is right; one open file a pack. */
async function readPacked(found: readonly (Found | undefined)[]): Promise<(EncodedFrame | undefined)[]> {
  const handles = new Map<string, FileHandle | undefined>()
  try {
    const frames: (EncodedFrame | undefined)[] = []
    for (const one of found) {
      if (!one) {
        frames.push(undefined)
        continue
      }
      const { location, folder, name } = one
      const path = folder.packPath(location.pack)
      if (!handles.has(path)) handles.set(path, await open(path, 'r').catch(() => undefined))
      const bytes = Buffer.allocUnsafeSlow(location.length)
      const length = await handles
        .get(path)
        ?.read(bytes, 0, bytes.length, location.offset)
        .then(
          (result) => result.bytesRead,
          () => -1,
        )
      const isWhole = length === bytes.length && checksum(bytes) === location.crc
      frames.push(isWhole ? { name, codec: location.codec === zstdCodec ? 'zstd' : 'raw', bytes } : undefined)
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
