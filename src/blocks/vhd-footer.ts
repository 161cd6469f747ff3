import { blockProblems } from './problems.ts'

/** "Virtual Hard Disk Image Format Specification" 1.0 (Microsoft, 2006): all fields big-endian, sizes in bytes. */
export const vhdSectorBytes = 512
export const vhdFooterBytes = 512
export const vhdHeaderBytes = 1024

export const vhdDiskType = { fixed: 2, dynamic: 3, differencing: 4 } as const

/** 2000-01-01T00:00:00Z, from which the format counts seconds. */
const vhdEpochMs = 946_684_800_000
const noDataOffset = 0xffff_ffff_ffff_ffffn
const checksumAt = 64

export interface VhdFooter {
  readonly currentSizeBytes: number
  readonly diskType: number
  /** Where the dynamic header is; undefined for a fixed disk. */
  readonly dataOffset: number | undefined
}

export interface VhdIdentity {
  /** 16 bytes. */
  readonly uniqueId: Uint8Array
  /** Milliseconds since 1970; the format keeps whole seconds since 2000. */
  readonly timestampMs: number
}

/** One's complement of the sum of all bytes, the checksum's own four taken as zero. */
export function vhdChecksum(bytes: Uint8Array, at: number): number {
  let sum = 0
  for (const [index, byte] of bytes.entries()) if (index < at || index >= at + 4) sum += byte
  return ~sum >>> 0
}

/** Reads a footer and refuses what is not one. `name` and `blob` are for the messages. */
export function parseVhdFooter(bytes: Buffer, called: { name: string; blob: string }): VhdFooter {
  const { name } = called
  if (bytes.length < vhdFooterBytes || bytes.toString('latin1', 0, 8) !== 'conectix')
    throw blockProblems.VhdCookieMissing(called)
  if (bytes.readUInt32BE(checksumAt) !== vhdChecksum(bytes, checksumAt))
    throw blockProblems.VhdChecksumWrong({ name, part: 'footer' })
  const version = bytes.readUInt32BE(12)
  if (version >>> 16 !== 1) throw blockProblems.VhdFieldInvalid({ name, field: 'format version', value: hex(version) })
  const diskType = bytes.readUInt32BE(60)
  if (diskType === vhdDiskType.differencing) throw blockProblems.VhdDifferencing({ name })
  if (diskType !== vhdDiskType.fixed && diskType !== vhdDiskType.dynamic)
    throw blockProblems.VhdFieldInvalid({ name, field: 'disk type', value: diskType })
  const currentSize = bytes.readBigUInt64BE(48)
  if (currentSize > BigInt(Number.MAX_SAFE_INTEGER))
    throw blockProblems.VhdSizeWrong({ name, reason: `${currentSize} bytes is more than any disk has` })
  const currentSizeBytes = Number(currentSize)
  if (currentSizeBytes % vhdSectorBytes !== 0)
    throw blockProblems.VhdSizeWrong({ name, reason: `${currentSizeBytes} bytes is not a whole number of sectors` })
  if (bytes[84] !== 0)
    throw blockProblems.VhdFieldInvalid({ name, field: 'saved state', value: 'set (a suspended VM)' })
  const dataOffset = bytes.readBigUInt64BE(16)
  if (dataOffset === noDataOffset) return { currentSizeBytes, diskType, dataOffset: undefined }
  if (dataOffset > BigInt(Number.MAX_SAFE_INTEGER))
    throw blockProblems.VhdFieldInvalid({ name, field: 'data offset', value: `${dataOffset}` })
  return { currentSizeBytes, diskType, dataOffset: Number(dataOffset) }
}

export interface VhdDynamicHeader {
  readonly tableOffset: number
  readonly tableEntries: number
  readonly blockSizeBytes: number
}

/** Reads the 1024 bytes of a dynamic header and refuses a parent in any form. */
export function parseVhdDynamicHeader(bytes: Buffer, name: string): VhdDynamicHeader {
  if (bytes.toString('latin1', 0, 8) !== 'cxsparse')
    throw blockProblems.VhdFieldInvalid({ name, field: 'dynamic header cookie', value: "not 'cxsparse'" })
  if (bytes.readUInt32BE(36) !== vhdChecksum(bytes, 36))
    throw blockProblems.VhdChecksumWrong({ name, part: 'dynamic header' })
  const version = bytes.readUInt32BE(24)
  if (version >>> 16 !== 1)
    throw blockProblems.VhdFieldInvalid({ name, field: 'dynamic header version', value: hex(version) })
  const isSet = (from: number, to: number): boolean => bytes.subarray(from, to).some((byte) => byte !== 0)
  if (isSet(40, 56)) throw blockProblems.VhdNamesParent({ name, field: 'parent id' })
  if (isSet(64, 576)) throw blockProblems.VhdNamesParent({ name, field: 'parent name' })
  if (isSet(576, 768)) throw blockProblems.VhdNamesParent({ name, field: 'parent locator' })
  const tableOffset = bytes.readBigUInt64BE(16)
  if (tableOffset > BigInt(Number.MAX_SAFE_INTEGER) || tableOffset % 512n !== 0n)
    throw blockProblems.VhdTableOutside({ name, reason: `it should begin at byte ${tableOffset}` })
  const blockSizeBytes = bytes.readUInt32BE(32)
  // The two sizes that tools make are 512 KiB and 2 MiB; a smaller one would let the table outgrow memory.
  if (![524_288, 1_048_576, 2_097_152].includes(blockSizeBytes))
    throw blockProblems.VhdFieldInvalid({ name, field: 'block size', value: blockSizeBytes })
  return { tableOffset: Number(tableOffset), tableEntries: bytes.readUInt32BE(28), blockSizeBytes }
}

/** Cylinders, heads and sectors as the specification's appendix computes them; only old BIOSes look at them. */
function geometryOf(sizeBytes: number): { cylinders: number; heads: number; sectors: number } {
  const total = Math.min(Math.floor(sizeBytes / vhdSectorBytes), 65_535 * 16 * 255)
  if (total >= 65_535 * 16 * 63) return { cylinders: Math.floor(Math.floor(total / 255) / 16), heads: 16, sectors: 255 }
  let sectors = 17
  let tracks = Math.floor(total / sectors)
  let heads = Math.max(Math.floor((tracks + 1023) / 1024), 4)
  if (tracks >= heads * 1024 || heads > 16) {
    sectors = 31
    heads = 16
    tracks = Math.floor(total / sectors)
  }
  if (tracks >= heads * 1024) {
    sectors = 63
    heads = 16
    tracks = Math.floor(total / sectors)
  }
  return { cylinders: Math.floor(tracks / heads), heads, sectors }
}

function makeFooter(virtualSizeBytes: number, diskType: number, dataOffset: bigint, identity: VhdIdentity): Buffer {
  if (!Number.isSafeInteger(virtualSizeBytes) || virtualSizeBytes <= 0 || virtualSizeBytes % vhdSectorBytes !== 0)
    throw new RangeError(`a VHD cannot have ${virtualSizeBytes} bytes`)
  if (identity.uniqueId.length !== 16) throw new RangeError('a VHD has a unique id of 16 bytes')
  const bytes = Buffer.alloc(vhdFooterBytes)
  bytes.write('conectix', 0, 'latin1')
  bytes.writeUInt32BE(2, 8)
  bytes.writeUInt32BE(0x0001_0000, 12)
  bytes.writeBigUInt64BE(dataOffset, 16)
  bytes.writeUInt32BE(Math.max(0, Math.floor((identity.timestampMs - vhdEpochMs) / 1000)) >>> 0, 24)
  // QEMU and Azure take the exact size from the footer if the creator is 'win '; from an unknown one QEMU would take
  // the size of the geometry, which is rounded down (qemu/block/vpc.c, use_chs).
  bytes.write('win ', 28, 'latin1')
  bytes.writeUInt32BE(0x000a_0000, 32)
  bytes.write('Wi2k', 36, 'latin1')
  bytes.writeBigUInt64BE(BigInt(virtualSizeBytes), 40)
  bytes.writeBigUInt64BE(BigInt(virtualSizeBytes), 48)
  const { cylinders, heads, sectors } = geometryOf(virtualSizeBytes)
  bytes.writeUInt16BE(cylinders, 56)
  bytes.writeUInt8(heads, 58)
  bytes.writeUInt8(sectors, 59)
  bytes.writeUInt32BE(diskType, 60)
  bytes.set(identity.uniqueId, 68)
  bytes.writeUInt32BE(vhdChecksum(bytes, checksumAt), checksumAt)
  return bytes
}

/** The 512 bytes that follow the data of a fixed VHD. `virtualSizeBytes` must be a multiple of 512. */
export function fixedVhdFooter(virtualSizeBytes: number, identity: VhdIdentity): Uint8Array {
  return makeFooter(virtualSizeBytes, vhdDiskType.fixed, noDataOffset, identity)
}

/** The footer of a dynamic VHD, whose dynamic header follows the copy at byte 0. */
export function dynamicVhdFooter(virtualSizeBytes: number, identity: VhdIdentity): Uint8Array {
  return makeFooter(virtualSizeBytes, vhdDiskType.dynamic, BigInt(vhdFooterBytes), identity)
}

export function vhdDynamicHeader(header: VhdDynamicHeader): Uint8Array {
  const bytes = Buffer.alloc(vhdHeaderBytes)
  bytes.write('cxsparse', 0, 'latin1')
  bytes.writeBigUInt64BE(noDataOffset, 8)
  bytes.writeBigUInt64BE(BigInt(header.tableOffset), 16)
  bytes.writeUInt32BE(0x0001_0000, 24)
  bytes.writeUInt32BE(header.tableEntries, 28)
  bytes.writeUInt32BE(header.blockSizeBytes, 32)
  bytes.writeUInt32BE(vhdChecksum(bytes, 36), 36)
  return bytes
}

const hex = (value: number): string => `0x${value.toString(16)}`
