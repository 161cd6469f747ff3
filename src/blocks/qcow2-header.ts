import { MiB } from '../base/units.ts'
import type { HostFile } from './host-file.ts'
import { readBytes } from './host-file.ts'
import { blockProblems } from './problems.ts'

/** qcow2's header (qemu/docs/interop/qcow2.txt), all fields big-endian. */
export const qcow2 = {
  magic: 0x5146_49fb,
  headerBytesV2: 72,
  /** With the compression type, padded to 8. */
  headerBytesV3: 112,
  incompatible: { dirty: 1n, corrupt: 2n, dataFile: 4n, compressionType: 8n, extendedL2: 16n },
  extension: { end: 0, backingFormat: 0xe279_2aca, dataFile: 0x4441_5441, encryption: 0x0537_be77 },
} as const

export interface Qcow2Header {
  readonly version: 2 | 3
  readonly clusterBits: number
  readonly clusterSizeBytes: number
  readonly virtualSizeBytes: number
  readonly l1Entries: number
  readonly l1Offset: number
  readonly compression: 'deflate' | 'zstd'
}

/**
 * Reads the header and refuses what would need another file, a key, or a feature that we do not have. A dirty image
 * (lazy refcounts) is read: only its refcounts may be wrong, and nothing here looks at refcounts.
 */
export async function readQcow2Header(file: HostFile, checkSize: (sizeBytes: number) => void): Promise<Qcow2Header> {
  const { name } = file
  const invalid = (field: string, value: string | number): Error =>
    blockProblems.Qcow2FieldInvalid({ name, field, value })
  if (file.sizeBytes < qcow2.headerBytesV2) throw blockProblems.Qcow2TableOutside({ name, table: 'header' })
  const bytes = await readBytes(file, 0, Math.min(65_536, file.sizeBytes))
  const version = bytes.readUInt32BE(4)
  if (version !== 2 && version !== 3) throw invalid('version', version)
  const clusterBits = bytes.readUInt32BE(20)
  if (clusterBits < 9 || clusterBits > 21) throw invalid('cluster size', `2^${clusterBits} bytes`)
  if (bytes.readBigUInt64BE(8) !== 0n || bytes.readUInt32BE(16) !== 0) throw blockProblems.Qcow2BackingFile({ name })
  if (bytes.readUInt32BE(32) !== 0) throw blockProblems.Qcow2Encrypted({ name })
  const features = readFeatures(bytes, version, name)
  const clusterSizeBytes = 2 ** clusterBits
  if (features.headerBytes > clusterSizeBytes) throw invalid('header length', features.headerBytes)
  checkExtensions(bytes, features.headerBytes, Math.min(clusterSizeBytes, bytes.length), name)
  const snapshots = bytes.readUInt32BE(60)
  if (snapshots > 0) throw blockProblems.Qcow2Snapshots({ name, count: snapshots })

  const size = bytes.readBigUInt64BE(24)
  if (size > BigInt(Number.MAX_SAFE_INTEGER) || size % 512n !== 0n) throw invalid('virtual size', `${size}`)
  const virtualSizeBytes = Number(size)
  checkSize(virtualSizeBytes)
  const l1Entries = bytes.readUInt32BE(36)
  const l1Offset = bytes.readBigUInt64BE(40)
  const needed = Math.ceil(virtualSizeBytes / (clusterSizeBytes * (clusterSizeBytes / 8)))
  if (l1Entries * 8 > 32 * MiB) throw invalid('L1 table length', l1Entries)
  if (l1Entries < needed) throw invalid('L1 table length', `${l1Entries}, less than the disk's ${needed}`)
  if (l1Offset > BigInt(file.sizeBytes) || Number(l1Offset) + l1Entries * 8 > file.sizeBytes)
    throw blockProblems.Qcow2TableOutside({ name, table: 'L1 table' })
  if (Number(l1Offset) % clusterSizeBytes !== 0 || l1Offset === 0n) throw invalid('L1 table offset', `${l1Offset}`)
  return {
    version,
    clusterBits,
    clusterSizeBytes,
    virtualSizeBytes,
    l1Entries,
    l1Offset: Number(l1Offset),
    compression: features.compression,
  }
}

function readFeatures(
  bytes: Buffer,
  version: 2 | 3,
  name: string,
): { headerBytes: number; compression: 'deflate' | 'zstd' } {
  if (version === 2) return { headerBytes: qcow2.headerBytesV2, compression: 'deflate' }
  if (bytes.length < 104) throw blockProblems.Qcow2TableOutside({ name, table: 'header' })
  const bits = bytes.readBigUInt64BE(72)
  const { dirty, corrupt, dataFile, compressionType, extendedL2 } = qcow2.incompatible
  if (bits & corrupt) throw blockProblems.Qcow2MarkedCorrupt({ name })
  if (bits & dataFile) throw blockProblems.Qcow2DataFile({ name })
  if (bits & extendedL2) throw blockProblems.Qcow2FeatureUnsupported({ name, feature: 'extended L2 entries' })
  const unknown = bits & ~(dirty | compressionType)
  if (unknown)
    throw blockProblems.Qcow2FeatureUnsupported({ name, feature: `incompatible features 0x${unknown.toString(16)}` })
  const headerBytes = bytes.readUInt32BE(100)
  if (headerBytes < 104 || headerBytes % 8 !== 0 || headerBytes > bytes.length)
    throw blockProblems.Qcow2FieldInvalid({ name, field: 'header length', value: headerBytes })
  const type = headerBytes > 104 ? bytes.readUInt8(104) : 0
  if ((type !== 0) !== ((bits & compressionType) !== 0n))
    throw blockProblems.Qcow2FieldInvalid({ name, field: 'compression type', value: `${type} against its feature bit` })
  if (type > 1) throw blockProblems.Qcow2FeatureUnsupported({ name, feature: `compression type ${type}` })
  return { headerBytes, compression: type === 1 ? 'zstd' : 'deflate' }
}

/** Extensions follow the header: type, length, data padded to 8. Unknown ones may be ignored by the specification. */
function checkExtensions(bytes: Buffer, from: number, to: number, name: string): void {
  let at = from
  while (at + 8 <= to) {
    const type = bytes.readUInt32BE(at)
    const length = bytes.readUInt32BE(at + 4)
    if (type === qcow2.extension.end) return
    if (length > to - at - 8)
      throw blockProblems.Qcow2FieldInvalid({ name, field: 'header extension length', value: length })
    if (type === qcow2.extension.backingFormat) throw blockProblems.Qcow2BackingFile({ name })
    // Refused even if the feature bit is clear: see DATAPLANE section 6.5 (CVE-2024-32498).
    if (type === qcow2.extension.dataFile) throw blockProblems.Qcow2DataFile({ name })
    if (type === qcow2.extension.encryption) throw blockProblems.Qcow2Encrypted({ name })
    at += 8 + Math.ceil(length / 8) * 8
  }
}
