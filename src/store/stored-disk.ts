import { frameSizeBytes, type Extent, type StoredDisk } from './disk-store.ts'
import { leavesPerPage } from './disk-tree.ts'
import { FrameCorrupt, FrameMissing } from './errors.ts'
import type { FrameFetcher } from './frame-fetch.ts'
import { hexOf, isZeroName, nameAt, nameBytes, nameKey } from './frame-name.ts'
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

  /** Frames by number, verified; undefined = zeros. */
  const readFrames = async (first: number, count: number): Promise<(Uint8Array | undefined)[]> => {
    const names = await Promise.all(Array.from({ length: count }, (_, index) => leafOf(first + index)))
    const found = new Map<string, Uint8Array>()
    const wanted: Uint8Array[] = []
    const asked = new Set<string>()
    for (const name of names) {
      if (isZeroName(name)) continue
      const key = nameKey(name)
      const known = cache.get(key)
      if (known) found.set(key, known)
      else if (!asked.has(key)) {
        asked.add(key)
        wanted.push(name)
      }
    }
    if (wanted.length > 0) {
      const { bytes, lost } = await fetcher.fetch(wanted)
      const bad = lost[0]
      if (bad) {
        const frame = hexOf(wanted[bad.index] ?? new Uint8Array())
        throw bad.isCorrupt ? new FrameCorrupt(frame) : new FrameMissing(frame)
      }
      for (const [index, name] of wanted.entries()) {
        const frame = bytes.subarray(index * frameSizeBytes, (index + 1) * frameSizeBytes)
        found.set(nameKey(name), frame)
        if (count <= cachedReadFrames) cache.set(nameKey(name), Uint8Array.from(frame))
      }
    }
    return names.map((name) => found.get(nameKey(name)))
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
      const frames = await readFrames(first, Math.min(partFrames, last - first))
      for (const [index, frame] of frames.entries()) {
        if (!frame) continue
        const start = (first + index) * frameSizeBytes
        const from = Math.max(offset, start)
        const to = Math.min(end, start + frameSizeBytes)
        into.set(frame.subarray(from - start, to - start), from - offset)
      }
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
