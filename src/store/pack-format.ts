import { blake3 } from '@napi-rs/blake-hash'
import { checksum, type CodecNumber } from './frame-codec.ts'
import { asBuffer, nameBytes } from './frame-name.ts'

/**
 * The bytes of a pack (docs/design/store-format.md). A pack is a head, then groups of up to 64 frames, then, when sealed, a
 * table of everything in it. Groups start on `align` bytes so that a scan finds the next one behind a damaged one, and
 * so that raw frames of Premium lie on 4 KiB. Little endian.
 */
const packVersion = 1
export const framesPerGroup = 64
const entryBytes = 48
const groupHeadBytes = 32
const trailerBytes = 64

const packMagic = Buffer.from('GLDLPACK')
const groupMagic = Buffer.from('GLDG')
const sealMagic = Buffer.from('GLDLSEAL')

/** A frame on its way into a pack. */
export interface PackRecord {
  readonly name: Uint8Array
  readonly codec: CodecNumber
  readonly bytes: Uint8Array
  /** CRC-32 of `bytes`. */
  readonly crc: number
}

/** A frame in a pack; `offset` is from the start of the file, `ordinal` its number in the pack. */
export interface PackEntry {
  readonly name: Uint8Array
  readonly codec: CodecNumber
  readonly offset: number
  readonly length: number
  readonly crc: number
  readonly ordinal: number
}

function alignUp(value: number, align: number): number {
  return Math.ceil(value / align) * align
}

export function encodePackHead(packId: number, align: number): Buffer {
  const head = Buffer.alloc(align)
  packMagic.copy(head, 0)
  head.writeUInt16LE(packVersion, 8)
  head.writeUInt32LE(align, 12)
  head.writeBigUInt64LE(BigInt(packId), 16)
  head.writeUInt32LE(checksum(head.subarray(0, 28)), 28)
  return head
}

/** Answers undefined where the head is damaged or of a newer version. `head`: the first 32 bytes of the file. */
export function parsePackHead(head: Buffer): { readonly packId: number; readonly align: number } | undefined {
  if (head.length < 32 || !head.subarray(0, 8).equals(packMagic)) return undefined
  if (head.readUInt16LE(8) !== packVersion || head.readUInt32LE(28) !== checksum(head.subarray(0, 28))) return undefined
  return { packId: Number(head.readBigUInt64LE(16)), align: head.readUInt32LE(12) }
}

function writeEntry(into: Buffer, at: number, entry: Omit<PackEntry, 'ordinal'>): void {
  asBuffer(entry.name).copy(into, at)
  into.writeUInt32LE(entry.offset, at + 32)
  into.writeUInt32LE(entry.length, at + 36)
  into.writeUInt32LE(entry.crc, at + 40)
  into.writeUInt8(entry.codec, at + 44)
}

function parseEntry(from: Buffer, at: number, ordinal: number): PackEntry {
  return {
    name: from.subarray(at, at + nameBytes),
    offset: from.readUInt32LE(at + 32),
    length: from.readUInt32LE(at + 36),
    crc: from.readUInt32LE(at + 40),
    codec: from.readUInt8(at + 44) === 1 ? 1 : 0,
    ordinal,
  }
}

/**
 * Lays out a group at `position`: its head, to be followed by the payloads as they are and `padding` zero bytes.
 * Group head: magic, version u16, count u16, head length u32, payload length u32, pack id u64, crc u32 of the head.
 */
export function layOutGroup(
  packId: number,
  align: number,
  position: number,
  firstOrdinal: number,
  records: readonly PackRecord[],
): { readonly head: Buffer; readonly padding: number; readonly entries: PackEntry[]; readonly end: number } {
  const head = Buffer.alloc(alignUp(groupHeadBytes + records.length * entryBytes, align))
  const entries: PackEntry[] = []
  let offset = position + head.length
  for (const [index, record] of records.entries()) {
    const { name, codec, crc } = record
    const entry = { name, codec, crc, offset, length: record.bytes.length, ordinal: firstOrdinal + index }
    writeEntry(head, groupHeadBytes + index * entryBytes, entry)
    entries.push(entry)
    offset += record.bytes.length
  }
  groupMagic.copy(head, 0)
  head.writeUInt16LE(packVersion, 4)
  head.writeUInt16LE(records.length, 6)
  head.writeUInt32LE(head.length, 8)
  head.writeUInt32LE(offset - position - head.length, 12)
  head.writeBigUInt64LE(BigInt(packId), 16)
  head.writeUInt32LE(checksum(head), 24)
  const end = alignUp(offset, align)
  return { head, padding: end - offset, entries, end }
}

/** The most bytes a group's head can take. */
export function maxGroupHeadBytes(align: number): number {
  return alignUp(groupHeadBytes + framesPerGroup * entryBytes, align)
}

/** Reads a group's head that starts at `position`; undefined where there is none, or a damaged one. */
export function parseGroup(
  bytes: Buffer,
  packId: number,
  position: number,
  firstOrdinal: number,
): { readonly entries: PackEntry[]; readonly end: number } | undefined {
  if (bytes.length < groupHeadBytes || !bytes.subarray(0, 4).equals(groupMagic)) return undefined
  const headLength = bytes.readUInt32LE(8)
  const count = bytes.readUInt16LE(6)
  if (count > framesPerGroup || headLength < groupHeadBytes + count * entryBytes || bytes.length < headLength)
    return undefined
  if (Number(bytes.readBigUInt64LE(16)) !== packId) return undefined
  const head = Buffer.from(bytes.subarray(0, headLength))
  head.writeUInt32LE(0, 24)
  if (checksum(head) !== bytes.readUInt32LE(24)) return undefined
  const entries: PackEntry[] = []
  for (let index = 0; index < count; index += 1)
    entries.push(parseEntry(head, groupHeadBytes + index * entryBytes, firstOrdinal + index))
  return { entries, end: position + headLength + head.readUInt32LE(12) }
}

/**
 * The end of a sealed pack: a table of all entries and a trailer of 64 bytes: magic, table offset u64, count u32, crc u32 of
 * the trailer, BLAKE3 of the table. Redundant to the groups: it lets an index be rebuilt without a walk, and survives
 * damage to a group's head.
 */
export function encodeSeal(position: number, entries: readonly PackEntry[]): Buffer {
  const bytes = Buffer.alloc(entries.length * entryBytes + trailerBytes)
  for (const [index, entry] of entries.entries()) writeEntry(bytes, index * entryBytes, entry)
  const table = bytes.subarray(0, entries.length * entryBytes)
  const trailer = bytes.subarray(table.length)
  sealMagic.copy(trailer, 0)
  trailer.writeBigUInt64LE(BigInt(position), 8)
  trailer.writeUInt32LE(entries.length, 16)
  blake3(table).copy(trailer, 32)
  trailer.writeUInt32LE(checksum(trailer), 20)
  return bytes
}

export const sealTrailerBytes = trailerBytes

/** Where the table of a sealed pack is; undefined for a pack without a whole trailer. `trailer`: its last 64 bytes. */
export function parseSealTrailer(
  trailer: Buffer,
): { readonly tableOffset: number; readonly tableLength: number; readonly tableHash: Buffer } | undefined {
  if (trailer.length !== trailerBytes || !trailer.subarray(0, 8).equals(sealMagic)) return undefined
  const copy = Buffer.from(trailer)
  copy.writeUInt32LE(0, 20)
  if (checksum(copy) !== trailer.readUInt32LE(20)) return undefined
  return {
    tableOffset: Number(trailer.readBigUInt64LE(8)),
    tableLength: trailer.readUInt32LE(16) * entryBytes,
    tableHash: copy.subarray(32, 64),
  }
}

export function parseSealTable(table: Buffer, tableHash: Buffer): PackEntry[] | undefined {
  if (!blake3(table).equals(tableHash)) return undefined
  return Array.from({ length: table.length / entryBytes }, (_, index) => parseEntry(table, index * entryBytes, index))
}
