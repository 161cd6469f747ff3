import { frameSizeBytes, type Extent, type StoredDisk } from './disk-store.ts'
import { leavesPerPage } from './disk-tree.ts'
import { FrameCorrupt, FrameMissing } from './errors.ts'
import type { FrameFetcher } from './frame-fetch.ts'
import { hexOf, isZeroName, nameAt, nameBytes, nameKey, zeroName } from './frame-name.ts'
import { createLeafReader } from './leaf-pages.ts'
import type { Manifest } from './manifest.ts'

/** Decoded frames that were read lately, shared by all open disks of a store: small reads come back to the same frame. */
export interface FrameCache {
  get(key: string): Uint8Array | undefined
  set(key: string, frame: Uint8Array): void
}

export function createFrameCache(limit = 256): FrameCache {
  const frames = new Map<string, Uint8Array>()
  return {
    get(key) {
      const frame = frames.get(key)
      if (frame) {
        frames.delete(key)
        frames.set(key, frame)
      }
      return frame
    },
    set(key, frame) {
      frames.delete(key)
      frames.set(key, frame)
      const oldest = frames.keys().next().value
      if (frames.size > limit && oldest !== undefined) frames.delete(oldest)
    },
  }
}

/** Larger reads are streams: they would only push the others out of the cache. */
const cachedReadFrames = 4
/** A longer read is cut into parts of 8 MiB so that its signal is heard and memory stays bounded. */
const partFrames = 128

export interface StoredDiskOptions {
  readonly manifest: Manifest
  readonly fetcher: FrameFetcher
  readonly cache: FrameCache
  /** Keeps the disk from being swept while it is open. */
  readonly pin: Disposable
}

export function createStoredDisk({ manifest, fetcher, cache, pin }: StoredDiskOptions): StoredDisk {
  const leafOf = createLeafReader(manifest, 32)
  const { root, virtualSizeBytes } = manifest

  /** Hands out the frames of a range that hold data, each verified, in any order. */
  const readFrames = async (first: number, count: number, give: (frame: number, bytes: Uint8Array) => void) => {
    const wanted: Uint8Array[] = []
    // The same content may stand in several places of a disk.
    const places = new Map<string, number[]>()
    for (let frame = first; frame < first + count; frame += 1) {
      const name = await leafOf(frame)
      if (isZeroName(name)) continue
      const key = nameKey(name)
      const known = cache.get(key)
      const others = places.get(key)
      if (known) give(frame, known)
      else if (others) others.push(frame)
      else {
        places.set(key, [frame])
        wanted.push(name)
      }
    }
    if (wanted.length === 0) return
    const { lost } = await fetcher.fetch(wanted, (index, bytes) => {
      const key = nameKey(wanted[index] ?? zeroName)
      for (const frame of places.get(key) ?? []) give(frame, bytes)
      if (count <= cachedReadFrames) cache.set(key, Uint8Array.from(bytes))
    })
    const bad = lost[0]
    if (!bad) return
    const frame = hexOf(wanted[bad.index] ?? zeroName)
    throw bad.isCorrupt ? new FrameCorrupt(frame) : new FrameMissing(frame)
  }

  const read = async (offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array> => {
    if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || offset < 0 || length < 0)
      throw new RangeError(`not a range: ${offset}+${length}`)
    if (offset + length > virtualSizeBytes) throw new RangeError(`range ${offset}+${length} ends behind the disk`)
    const into = new Uint8Array(length)
    const end = offset + length
    const last = Math.ceil(end / frameSizeBytes)
    for (let first = Math.floor(offset / frameSizeBytes); first < last; first += partFrames) {
      signal?.throwIfAborted()
      await readFrames(first, Math.min(partFrames, last - first), (frame, bytes) => {
        const start = frame * frameSizeBytes
        const from = Math.max(offset, start)
        const to = Math.min(end, start + frameSizeBytes)
        into.set(bytes.subarray(from - start, to - start), from - offset)
      })
    }
    return into
  }

  const close = async (): Promise<void> => {
    pin[Symbol.dispose]()
    await manifest.close()
  }
  return {
    root,
    virtualSizeBytes,
    read,
    extents: () => extentsOf(manifest),
    close,
    [Symbol.asyncDispose]: close,
  }
}

async function* extentsOf(manifest: Manifest): AsyncIterable<Extent> {
  let start = 0
  let end = 0
  for await (const { index, leaves } of manifest.pages()) {
    for (let leaf = 0; leaf * nameBytes < leaves.length; leaf += 1) {
      if (isZeroName(nameAt(leaves, leaf))) continue
      const offset = (index * leavesPerPage + leaf) * frameSizeBytes
      if (offset !== end) {
        if (end > start) yield { offset: start, length: end - start }
        start = offset
      }
      end = Math.min(offset + frameSizeBytes, manifest.virtualSizeBytes)
    }
  }
  if (end > start) yield { offset: start, length: end - start }
}
