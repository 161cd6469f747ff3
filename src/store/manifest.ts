import { rename, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { KiB } from '../base/units.ts'
import { frameSizeBytes, type LeafPage } from './disk-store.ts'
import { frameCount, hashPage, isZeroPage, leavesPerPage, pageBytes, pageCount, rootOf } from './disk-tree.ts'
import type { DurableFile, FileSystem } from './durable-file.ts'
import { ManifestCorrupt } from './errors.ts'
import { createManifestFile, openManifestFile, type ManifestFile } from './manifest-file.ts'
import { checksum } from './frame-codec.ts'
import { isZeroName, nameAt, nameBytes, sameBytes } from './frame-name.ts'

/**
 * A manifest file (docs/design/store-format.md): the leaf pages that hold data, one behind the other, packed; a table of
 * (page index, number of leaves, page hash) for each; a footer. Only what holds data takes room, and a page is read when
 * it is needed.
 */
const magic = Buffer.from('GLDLMANI')
const footerBytes = 64
const tableEntryBytes = 8 + nameBytes
const bitmapBytes = leavesPerPage / 8
const bufferBytes = 512 * KiB

export interface Manifest {
  readonly root: string
  readonly virtualSizeBytes: number
  /** Frames that hold data. */
  readonly frames: number
  readonly fileBytes: number
  /** Numbers of the pages that hold data, ascending. */
  pageIndexes(): Iterable<number>
  /** Hash of a page that holds data; undefined for a page of zeros. */
  pageHash(index: number): Uint8Array | undefined
  /** A page's leaves, checked against the root; undefined for a page of zeros. Throws ManifestCorrupt. */
  page(index: number): Promise<Uint8Array | undefined>
  pages(): AsyncIterable<LeafPage>
  close(): Promise<void>
}

interface Footer {
  readonly virtualSizeBytes: number
  readonly pages: number
  readonly frames: number
}

function encodeFooter(footer: Footer): Buffer {
  const bytes = Buffer.alloc(footerBytes)
  magic.copy(bytes, 0)
  bytes.writeUInt16LE(1, 8)
  bytes.writeUInt32LE(frameSizeBytes, 12)
  bytes.writeBigUInt64LE(BigInt(footer.virtualSizeBytes), 16)
  bytes.writeUInt32LE(footer.pages, 24)
  bytes.writeUInt32LE(footer.frames, 28)
  bytes.writeUInt32LE(checksum(bytes.subarray(0, 60)), 60)
  return bytes
}

function parseFooter(bytes: Buffer): Footer | undefined {
  if (bytes.length !== footerBytes || !bytes.subarray(0, 8).equals(magic)) return undefined
  if (bytes.readUInt32LE(60) !== checksum(bytes.subarray(0, 60)) || bytes.readUInt16LE(8) !== 1) return undefined
  if (bytes.readUInt32LE(12) !== frameSizeBytes) return undefined
  return {
    virtualSizeBytes: Number(bytes.readBigUInt64LE(16)),
    pages: bytes.readUInt32LE(24),
    frames: bytes.readUInt32LE(28),
  }
}

interface TableEntry {
  readonly index: number
  /** Leaves that hold data, 1 to 256. */
  readonly leaves: number
  readonly hash: Uint8Array
}

function* tableEntries(table: Buffer): Iterable<TableEntry> {
  for (let at = 0; at < table.length; at += tableEntryBytes)
    yield {
      index: table.readUInt32LE(at),
      leaves: table.readUInt16LE(at + 4),
      hash: table.subarray(at + 8, at + tableEntryBytes),
    }
}

/** A full page as it is; else one bit a leaf, and the leaves that hold data. */
function packPage(leaves: Uint8Array): { readonly bytes: Uint8Array; readonly count: number } {
  const bitmap = Buffer.alloc(bitmapBytes)
  const parts: Uint8Array[] = [bitmap]
  for (let leaf = 0; leaf < leavesPerPage; leaf += 1) {
    const name = nameAt(leaves, leaf)
    if (isZeroName(name)) continue
    bitmap.writeUInt8(bitmap.readUInt8(leaf >> 3) | (1 << (leaf & 7)), leaf >> 3)
    parts.push(name)
  }
  const count = parts.length - 1
  return { bytes: count === leavesPerPage ? leaves : Buffer.concat(parts), count }
}

function packedBytes(count: number): number {
  return count === leavesPerPage ? pageBytes : bitmapBytes + count * nameBytes
}

/** Undefined where the bitmap does not fit the number of leaves. */
function unpackPage(bytes: Buffer, count: number): Uint8Array | undefined {
  if (bytes.length !== packedBytes(count)) return undefined
  if (count === leavesPerPage) return bytes
  const leaves = new Uint8Array(pageBytes)
  let at = bitmapBytes
  for (let leaf = 0; leaf < leavesPerPage; leaf += 1) {
    if ((bytes.readUInt8(leaf >> 3) & (1 << (leaf & 7))) === 0) continue
    if (at === bytes.length) return undefined
    leaves.set(bytes.subarray(at, at + nameBytes), leaf * nameBytes)
    at += nameBytes
  }
  return at === bytes.length ? leaves : undefined
}

interface Table {
  readonly footer: Footer
  readonly bytes: Buffer
  /** Where each page starts in the file. */
  readonly offsets: Float64Array
  readonly fileBytes: number
}

async function readTable(file: ManifestFile, root: string): Promise<Table> {
  const size = file.sizeBytes
  const footer = parseFooter(await file.read(Math.max(0, size - footerBytes), Math.min(size, footerBytes)))
  if (!footer) throw new ManifestCorrupt(root, 'footer')
  const tableLength = footer.pages * tableEntryBytes
  if (tableLength + footerBytes > size) throw new ManifestCorrupt(root, 'length')
  const bytes = await file.read(size - footerBytes - tableLength, tableLength)
  const offsets = new Float64Array(footer.pages)
  let previous = -1
  let place = 0
  let end = 0
  let frames = 0
  for (const { index, leaves } of tableEntries(bytes)) {
    if (index <= previous || index >= pageCount(footer.virtualSizeBytes) || leaves < 1 || leaves > leavesPerPage)
      throw new ManifestCorrupt(root, 'page table')
    previous = index
    offsets[place] = end
    place += 1
    end += packedBytes(leaves)
    frames += leaves
  }
  if (end + tableLength + footerBytes !== size || frames !== footer.frames) throw new ManifestCorrupt(root, 'length')
  if (rootOf(footer.virtualSizeBytes, tableEntries(bytes)) !== root) throw new ManifestCorrupt(root, 'root')
  return { footer, bytes, offsets, fileBytes: size }
}

/** Opens and checks a manifest down to its page hashes; pages are checked when they are read. `key`: of a vault. */
export async function openManifest(path: string, root: string, key?: Uint8Array): Promise<Manifest> {
  const file = await openManifestFile(path, key)
  try {
    return manifestOf(file, root, await readTable(file, root))
  } catch (error) {
    await file.close()
    throw error
  }
}

function manifestOf(file: ManifestFile, root: string, { footer, bytes, offsets, fileBytes }: Table): Manifest {
  const indexAt = (place: number): number => bytes.readUInt32LE(place * tableEntryBytes)
  const findPlace = (index: number): number | undefined => {
    let low = 0
    let high = footer.pages - 1
    while (low <= high) {
      const middle = (low + high) >> 1
      const found = indexAt(middle)
      if (found === index) return middle
      if (found < index) low = middle + 1
      else high = middle - 1
    }
    return undefined
  }
  const hashAt = (place: number): Uint8Array => {
    return bytes.subarray(place * tableEntryBytes + 8, (place + 1) * tableEntryBytes)
  }
  const readPage = async (place: number): Promise<Uint8Array> => {
    const count = bytes.readUInt16LE(place * tableEntryBytes + 4)
    const leaves = unpackPage(await file.read(offsets[place] ?? 0, packedBytes(count)), count)
    if (!leaves || !sameBytes(hashPage(leaves), hashAt(place)))
      throw new ManifestCorrupt(root, `page ${indexAt(place)}`)
    return leaves
  }
  return {
    root,
    virtualSizeBytes: footer.virtualSizeBytes,
    frames: footer.frames,
    fileBytes,
    *pageIndexes() {
      for (let place = 0; place < footer.pages; place += 1) yield indexAt(place)
    },
    pageHash(index) {
      const place = findPlace(index)
      return place === undefined ? undefined : hashAt(place)
    },
    async page(index) {
      const place = findPlace(index)
      return place === undefined ? undefined : readPage(place)
    },
    async *pages() {
      for (let place = 0; place < footer.pages; place += 1)
        yield { index: indexAt(place), leaves: await readPage(place) }
    },
    close: () => file.close(),
  }
}

export interface ManifestWriter {
  /** Ascending; pages of zeros are left out by the writer itself. */
  add(page: LeafPage): Promise<void>
  /** Writes the table, makes it durable and answers the root; `place` puts the file where it belongs. */
  seal(): Promise<string>
  /** Renames the file to its name and makes that durable. */
  place(path: string): Promise<void>
  /** Removes the temporary file; harmless after `place`. */
  abandon(): Promise<void>
}

/** Writes a manifest under a temporary name; memory: one buffer of pages and 40 bytes a page. */
export async function createManifestWriter(
  files: FileSystem,
  temporaryPath: string,
  virtualSizeBytes: number,
  key?: Uint8Array,
): Promise<ManifestWriter> {
  const file: DurableFile = await createManifestFile(files, temporaryPath, key)
  const table: Buffer[] = []
  let buffered: Uint8Array[] = []
  let bufferedBytes = 0
  let position = 0
  let frames = 0
  let isOpen = true
  const flush = async (): Promise<void> => {
    const chunks = buffered
    buffered = []
    const at = position
    position += bufferedBytes
    bufferedBytes = 0
    await file.write(chunks, at)
  }
  const close = async (): Promise<void> => {
    if (isOpen) {
      isOpen = false
      await file.close()
    }
  }
  return {
    async add({ index, leaves }) {
      if (leaves.length !== pageBytes) throw new RangeError(`a leaf page has ${pageBytes} bytes, not ${leaves.length}`)
      if (index >= pageCount(virtualSizeBytes)) throw new RangeError(`page ${index} is behind the end of the disk`)
      const previous = table.at(-1)?.readUInt32LE(0) ?? -1
      if (index <= previous) throw new RangeError(`page ${index} after page ${previous}`)
      if (isZeroPage(leaves)) return
      const behindEnd = leaves.subarray(Math.max(0, frameCount(virtualSizeBytes) - index * leavesPerPage) * nameBytes)
      if (behindEnd.some((byte) => byte !== 0)) throw new RangeError(`page ${index} names frames behind the disk's end`)
      const { bytes, count } = packPage(leaves)
      const entry = Buffer.alloc(tableEntryBytes)
      entry.writeUInt32LE(index, 0)
      entry.writeUInt16LE(count, 4)
      hashPage(leaves).copy(entry, 8)
      table.push(entry)
      frames += count
      buffered.push(bytes)
      bufferedBytes += bytes.length
      if (bufferedBytes >= bufferBytes) await flush()
    },
    async seal() {
      await flush()
      const all = Buffer.concat(table)
      await file.write([all, encodeFooter({ virtualSizeBytes, pages: table.length, frames })], position)
      await file.sync()
      await close()
      return rootOf(virtualSizeBytes, tableEntries(all))
    },
    async place(path) {
      await rename(temporaryPath, path)
      await files.syncFolder(dirname(path))
    },
    async abandon() {
      await close().catch(() => {})
      await unlink(temporaryPath).catch(() => {})
    },
  }
}
