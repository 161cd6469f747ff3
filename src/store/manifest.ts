import { open, rename, unlink, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { frameSizeBytes, type LeafPage } from './disk-store.ts'
import { frameCount, hashPage, isZeroPage, leavesPerPage, pageBytes, pageCount, rootOf } from './disk-tree.ts'
import type { DurableFile, FileSystem } from './durable-file.ts'
import { ManifestCorrupt } from './errors.ts'
import { checksum } from './frame-codec.ts'
import { isZeroName, nameBytes, sameBytes } from './frame-name.ts'

/**
 * A manifest file (docs/design/store-format.md): the leaf pages that hold data, one behind the other; a table of (page index
 * u32, page hash) for each; a footer. Only what holds data takes room, and a page is read when it is needed.
 */
const magic = Buffer.from('GLDLMANI')
const footerBytes = 64
const tableEntryBytes = 4 + nameBytes
const bufferedPages = 64

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

function* tableEntries(table: Buffer): Iterable<{ readonly index: number; readonly hash: Uint8Array }> {
  for (let at = 0; at < table.length; at += tableEntryBytes)
    yield { index: table.readUInt32LE(at), hash: table.subarray(at + 4, at + tableEntryBytes) }
}

async function readExactly(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const into = Buffer.alloc(length)
  const { bytesRead } = await handle.read(into, 0, length, position)
  return into.subarray(0, bytesRead)
}

async function readTable(handle: FileHandle, root: string): Promise<{ footer: Footer; table: Buffer; size: number }> {
  const { size } = await handle.stat()
  const footer = parseFooter(await readExactly(handle, Math.max(0, size - footerBytes), Math.min(size, footerBytes)))
  if (!footer) throw new ManifestCorrupt(root, 'footer')
  const tableLength = footer.pages * tableEntryBytes
  if (size !== footer.pages * pageBytes + tableLength + footerBytes) throw new ManifestCorrupt(root, 'length')
  const table = await readExactly(handle, footer.pages * pageBytes, tableLength)
  let previous = -1
  for (const { index } of tableEntries(table)) {
    if (index <= previous || index >= pageCount(footer.virtualSizeBytes)) throw new ManifestCorrupt(root, 'page table')
    previous = index
  }
  if (rootOf(footer.virtualSizeBytes, tableEntries(table)) !== root) throw new ManifestCorrupt(root, 'root')
  return { footer, table, size }
}

/** Opens and checks a manifest down to its page hashes; pages are checked when they are read. */
export async function openManifest(path: string, root: string): Promise<Manifest> {
  const handle = await open(path, 'r')
  try {
    const { footer, table, size } = await readTable(handle, root)
    return manifestOf(handle, root, footer, table, size)
  } catch (error) {
    await handle.close()
    throw error
  }
}

function manifestOf(handle: FileHandle, root: string, footer: Footer, table: Buffer, size: number): Manifest {
  const indexAt = (place: number): number => table.readUInt32LE(place * tableEntryBytes)
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
    return table.subarray(place * tableEntryBytes + 4, (place + 1) * tableEntryBytes)
  }
  const readPage = async (place: number): Promise<Uint8Array> => {
    const leaves = await readExactly(handle, place * pageBytes, pageBytes)
    if (leaves.length !== pageBytes || !sameBytes(hashPage(leaves), hashAt(place)))
      throw new ManifestCorrupt(root, `page ${indexAt(place)}`)
    return leaves
  }
  return {
    root,
    virtualSizeBytes: footer.virtualSizeBytes,
    frames: footer.frames,
    fileBytes: size,
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
    close: () => handle.close(),
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

/** Writes a manifest under a temporary name; memory: one buffer of pages and 36 bytes a page. */
export async function createManifestWriter(
  files: FileSystem,
  temporaryPath: string,
  virtualSizeBytes: number,
): Promise<ManifestWriter> {
  const file: DurableFile = await files.create(temporaryPath)
  const table: Buffer[] = []
  let buffered: Uint8Array[] = []
  let position = 0
  let frames = 0
  let isOpen = true
  const flush = async (): Promise<void> => {
    const chunks = buffered
    buffered = []
    const at = position
    position += chunks.length * pageBytes
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
      const entry = Buffer.alloc(tableEntryBytes)
      entry.writeUInt32LE(index, 0)
      hashPage(leaves).copy(entry, 4)
      table.push(entry)
      for (let leaf = 0; leaf < leavesPerPage; leaf += 1)
        if (!isZeroName(leaves.subarray(leaf * nameBytes, (leaf + 1) * nameBytes))) frames += 1
      buffered.push(leaves)
      if (buffered.length >= bufferedPages) await flush()
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
