import { open, type FileHandle } from 'node:fs/promises'
import { checksum } from './frame-codec.ts'
import {
  maxGroupHeadBytes,
  parseGroup,
  parsePackHead,
  parseSealTable,
  parseSealTrailer,
  sealTrailerBytes,
  type PackEntry,
} from './pack-format.ts'

export interface PackContents {
  readonly packId: number
  readonly entries: readonly PackEntry[]
  /** Behind the last whole group: what follows is a torn tail or the seal. */
  readonly endBytes: number
  readonly sealed: boolean
}

async function readAt(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const into = Buffer.alloc(length)
  const { bytesRead } = await handle.read(into, 0, length, position)
  return into.subarray(0, bytesRead)
}

async function readSeal(
  handle: FileHandle,
  size: number,
): Promise<{ readonly entries: readonly PackEntry[]; readonly tableOffset: number } | undefined> {
  if (size < sealTrailerBytes) return undefined
  const trailer = parseSealTrailer(await readAt(handle, size - sealTrailerBytes, sealTrailerBytes))
  if (!trailer || trailer.tableOffset + trailer.tableLength + sealTrailerBytes !== size) return undefined
  const entries = parseSealTable(await readAt(handle, trailer.tableOffset, trailer.tableLength), trailer.tableHash)
  return entries && { entries, tableOffset: trailer.tableOffset }
}

/** Entries whose payload is whole: after a power loss a head may have reached the disk before its payload. */
async function wholeEntries(handle: FileHandle, entries: readonly PackEntry[]): Promise<PackEntry[]> {
  const first = entries[0]
  const last = entries.at(-1)
  if (!first || !last) return []
  const bytes = await readAt(handle, first.offset, last.offset + last.length - first.offset)
  return entries.filter(({ offset, length, crc }) => {
    const payload = bytes.subarray(offset - first.offset, offset - first.offset + length)
    return payload.length === length && checksum(payload) === crc
  })
}

/**
 * Reads what a pack holds: by its table where it is sealed, else group by group from `from` on, checking every payload.
 * A damaged group's head is stepped over to the next aligned one. Undefined for a file that is no pack of ours.
 */
export async function scanPack(
  path: string,
  packId: number,
  fromOrdinal = 0,
  from = 0,
): Promise<PackContents | undefined> {
  const handle = await open(path, 'r')
  try {
    const { size } = await handle.stat()
    const head = parsePackHead(await readAt(handle, 0, 32))
    if (head && head.packId !== packId) return undefined
    // A seal stands for the whole pack even where its head is damaged.
    const seal = await readSeal(handle, size)
    if (seal) return { packId, entries: seal.entries, endBytes: seal.tableOffset, sealed: true }
    if (!head) return undefined
    const entries: PackEntry[] = []
    let position = Math.max(from, head.align)
    let endBytes = position
    let ordinal = fromOrdinal
    while (position + 32 <= size) {
      const bytes = await readAt(handle, position, maxGroupHeadBytes(head.align))
      const group = parseGroup(bytes, packId, position, ordinal)
      if (!group) {
        position += head.align
        continue
      }
      entries.push(...(await wholeEntries(handle, group.entries)))
      ordinal += group.entries.length
      position = Math.ceil(group.end / head.align) * head.align
      endBytes = Math.min(position, size)
    }
    return { packId, entries, endBytes, sealed: false }
  } finally {
    await handle.close()
  }
}
