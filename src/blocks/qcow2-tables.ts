import type { ClusterVisitor } from './host-clusters.ts'
import { checkHostClusters } from './host-clusters.ts'
import type { HostFile } from './host-file.ts'
import { readBytes } from './host-file.ts'
import { createLru } from './lru.ts'
import { blockProblems } from './problems.ts'
import type { Qcow2Header } from './qcow2-header.ts'

/** Where a guest cluster is in the host file. A compressed cluster ends somewhere within `length` bytes. */
export type Cluster =
  /** `isSet`: the layer says zero itself; else nothing is there, and what lies under the layer shows. */
  | { readonly kind: 'zero'; readonly isSet: boolean }
  | { readonly kind: 'data'; readonly offset: number }
  | { readonly kind: 'compressed'; readonly offset: number; readonly length: number }

const zeroCluster: Cluster = { kind: 'zero', isSet: false }
const setZeroCluster: Cluster = { kind: 'zero', isSet: true }
const maxSliceBytes = 65_536
/** At most 4 MiB, which map 32 GiB of guest in 64 KiB clusters. */
const cachedSlices = 64
/** The least room that a compressed cluster takes, when its sectors are shared with the next one. */
const leastCompressedBytes = 4

export interface Qcow2Tables {
  /** Guest cluster by number. */
  clusterAt(index: number): Promise<Cluster>
  /** All clusters that hold data, by ascending number. Reads tables, never data. */
  dataClusters(signal?: AbortSignal): AsyncIterable<readonly NumberedCluster[]>
  /** All clusters that this file decides, also those that it says are zero. */
  setClusters(signal?: AbortSignal): AsyncIterable<readonly NumberedCluster[]>
}

export interface NumberedCluster {
  readonly index: number
  readonly cluster: Cluster
}

/**
 * Loads the L1 table (at most 32 MiB) and checks every L1 and L2 entry once: within the file, aligned, no reserved bit,
 * nothing used twice. L2 tables are read again, a slice at a time, when they are needed.
 */
export async function openQcow2Tables(file: HostFile, header: Qcow2Header): Promise<Qcow2Tables> {
  const { name } = file
  const { clusterSizeBytes } = header
  const perTable = clusterSizeBytes / 8
  const sliceBytes = Math.min(clusterSizeBytes, maxSliceBytes)
  const clusterCount = Math.ceil(header.virtualSizeBytes / clusterSizeBytes)
  const l1Needed = Math.ceil(clusterCount / perTable)
  const l1 = await readBytes(file, header.l1Offset, header.l1Entries * 8)
  const slices = createLru<Buffer>(cachedSlices)
  const decode = entryDecoder(file, header)

  function l2OffsetAt(index: number): number {
    const high = l1.readUInt32BE(index * 8)
    const low = l1.readUInt32BE(index * 8 + 4)
    if (high === 0 && low === 0) return 0
    const offset = (high & 0x00ff_ffff) * 2 ** 32 + low
    if ((high & 0x7f00_0000) !== 0 || low % clusterSizeBytes !== 0 || offset === 0)
      throw blockProblems.Qcow2EntryInvalid({ name, reason: `entry ${index} of its L1 table is malformed` })
    if (offset + clusterSizeBytes > file.sizeBytes)
      throw blockProblems.Qcow2TableOutside({ name, table: `L2 table ${index}` })
    if (index >= l1Needed)
      throw blockProblems.Qcow2EntryInvalid({ name, reason: `entry ${index} of its L1 table is beyond the disk's end` })
    return offset
  }

  async function scan(visitor: ClusterVisitor): Promise<void> {
    visitor.whole(0, 1)
    visitor.whole(header.l1Offset, Math.ceil((header.l1Entries * 8) / clusterSizeBytes))
    for (let table = 0; table < header.l1Entries; table += 1) {
      const at = l2OffsetAt(table)
      if (at === 0) continue
      visitor.whole(at, 1)
      for (let slice = 0; slice < clusterSizeBytes; slice += sliceBytes) {
        const bytes = await readBytes(file, at + slice, sliceBytes)
        const first = table * perTable + slice / 8
        for (let i = 0; i < sliceBytes; i += 8) visitEntry(bytes, i, first + i / 8, visitor)
      }
    }
  }

  function visitEntry(bytes: Buffer, at: number, index: number, visitor: ClusterVisitor): void {
    const cluster = decode(bytes, at, index)
    if (cluster.kind === 'zero') return
    if (index >= clusterCount)
      throw blockProblems.Qcow2EntryInvalid({ name, reason: "an entry of its L2 tables is beyond the disk's end" })
    const { offset } = cluster
    // Compressed clusters are packed: the next may begin anywhere in this one's last sector, not before.
    if (cluster.kind === 'data') visitor.whole(offset, 1)
    else visitor.packed(offset, Math.max(offset + leastCompressedBytes, offset + cluster.length - 512))
  }

  const verdict = await checkHostClusters({ fileSizeBytes: file.sizeBytes, clusterSizeBytes }, scan)
  if (verdict.kind === 'overlap') throw blockProblems.Qcow2ClustersOverlap({ name, offset: verdict.offset })
  if (verdict.kind === 'inflates') throw blockProblems.ImageInflates({ name, reason: verdict.reason })

  const walk = { file, decode, l2OffsetAt, clusterSizeBytes, clusterCount }
  return {
    async clusterAt(index) {
      const at = l2OffsetAt(Math.floor(index / perTable))
      if (at === 0) return zeroCluster
      const within = (index % perTable) * 8
      const slice = Math.floor(within / sliceBytes) * sliceBytes
      const bytes = await slices.get(at + slice, () => readBytes(file, at + slice, sliceBytes))
      return decode(bytes, within - slice, index)
    },
    dataClusters: (signal) => clusters(walk, ({ kind }) => kind !== 'zero', signal),
    setClusters: (signal) => clusters(walk, (cluster) => cluster.kind !== 'zero' || cluster.isSet, signal),
  }
}

interface Walk {
  readonly file: HostFile
  readonly decode: ReturnType<typeof entryDecoder>
  readonly l2OffsetAt: (table: number) => number
  readonly clusterSizeBytes: number
  readonly clusterCount: number
}

/** The clusters that are wanted, a slice of an L2 table at a time. */
async function* clusters(
  { file, decode, l2OffsetAt, clusterSizeBytes, clusterCount }: Walk,
  isWanted: (cluster: Cluster) => boolean,
  signal?: AbortSignal,
): AsyncGenerator<readonly NumberedCluster[]> {
  const perTable = clusterSizeBytes / 8
  const sliceBytes = Math.min(clusterSizeBytes, maxSliceBytes)
  for (let table = 0; table * perTable < clusterCount; table += 1) {
    const at = l2OffsetAt(table)
    if (at === 0) continue
    for (let slice = 0; slice < clusterSizeBytes; slice += sliceBytes) {
      signal?.throwIfAborted()
      const bytes = await readBytes(file, at + slice, sliceBytes)
      const first = table * perTable + slice / 8
      const found: NumberedCluster[] = []
      for (let i = 0; i < sliceBytes && first + i / 8 < clusterCount; i += 8) {
        const cluster = decode(bytes, i, first + i / 8)
        if (isWanted(cluster)) found.push({ index: first + i / 8, cluster })
      }
      if (found.length > 0) yield found
    }
  }
}

/** Decodes and checks one L2 entry: also on later reads, as the file may have changed under us. */
function entryDecoder(file: HostFile, header: Qcow2Header): (bytes: Buffer, at: number, index: number) => Cluster {
  const { name } = file
  const { clusterSizeBytes, clusterBits, version, virtualSizeBytes } = header
  // A compressed entry: host offset in the low bits, above it the number of further 512-byte sectors, below bit 62.
  const sectorShift = 62 - (clusterBits - 8) - 32
  const outside = (index: number): Error =>
    blockProblems.Qcow2ClusterOutside({ name, offset: index * clusterSizeBytes })
  return (bytes, at, index) => {
    const high = bytes.readUInt32BE(at)
    const low = bytes.readUInt32BE(at + 4)
    if (high === 0 && low === 0) return zeroCluster
    if ((high & 0x4000_0000) !== 0) {
      const offset = (high & (2 ** sectorShift - 1)) * 2 ** 32 + low
      const sectors = (high & 0x3fff_ffff) >>> sectorShift
      const length = (sectors + 1) * 512 - (low & 511)
      // A last cluster whose sector is cut off by the file's end is whole if the stream in it is: unpacking will tell.
      if (offset < clusterSizeBytes || offset >= file.sizeBytes) throw outside(index)
      if (high >= 0x8000_0000)
        throw blockProblems.Qcow2EntryInvalid({ name, reason: 'a compressed cluster is marked as copied' })
      return { kind: 'compressed', offset, length: Math.min(length, file.sizeBytes - offset) }
    }
    const offset = (high & 0x00ff_ffff) * 2 ** 32 + unsigned(low & 0xffff_fe00)
    const isZero = (low & 1) !== 0
    if ((high & 0x3f00_0000) !== 0 || (low & 0x1fe) !== 0 || (isZero && version === 2))
      throw blockProblems.Qcow2EntryInvalid({ name, reason: 'an entry of its L2 tables has reserved bits set' })
    if (offset % clusterSizeBytes !== 0)
      throw blockProblems.Qcow2EntryInvalid({ name, reason: 'a cluster is not aligned' })
    if (isZero) return setZeroCluster
    if (offset === 0) throw blockProblems.Qcow2EntryInvalid({ name, reason: 'an entry of its L2 tables has no offset' })
    const guestBytes = Math.min(clusterSizeBytes, Math.max(0, virtualSizeBytes - index * clusterSizeBytes))
    if (offset + guestBytes > file.sizeBytes) throw outside(index)
    return { kind: 'data', offset }
  }
}

const unsigned = (value: number): number => value >>> 0
