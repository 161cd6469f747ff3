import type { FileHandle } from 'node:fs/promises'
import { promisify } from 'node:util'
import { constants, zstdCompress } from 'node:zlib'
import { KiB, MiB } from '../base/units.ts'
import type { GuestData } from './guest-data.ts'
import { inUnits } from './guest-data.ts'
import { qcow2 } from './qcow2-header.ts'
import { writeFully } from './replace-file.ts'

const clusterBits = 16
const clusterBytes = 64 * KiB
/** An L2 table maps 512 MiB of guest. */
const perTable = clusterBytes / 8
const refcountsPerBlock = clusterBytes / 2
const copied = 2n ** 63n
const compressedFlag = 2n ** 62n
/** Of a compressed entry: where the count of further sectors begins. */
const sectorShift = BigInt(62 - (clusterBits - 8))
const packedAtOnce = 4

const zstdCompressLater = promisify(zstdCompress)

/**
 * Writes a qcow2 version 3 in 64 KiB clusters, each L2 table before the clusters that it maps, refcounts last. With
 * `compress`, clusters that zstd makes smaller are packed one behind the other. `data` is ascending.
 */
export async function writeQcow2(
  handle: FileHandle,
  virtualSizeBytes: number,
  data: AsyncIterable<GuestData>,
  compress: boolean,
): Promise<void> {
  const l1Entries = Math.ceil(virtualSizeBytes / (clusterBytes * perTable))
  const l1 = Buffer.alloc(toClusters(l1Entries * 8) * clusterBytes)
  const body = createAppender(handle, clusterBytes + l1.length)
  let table = -1
  let l2 = Buffer.alloc(0)
  let l2At = 0
  const endTable = async (): Promise<void> => {
    if (table >= 0) await body.overwrite(l2, l2At)
  }
  const units = inUnits(data, clusterBytes)
  for await (const { index, bytes, packed } of compress ? packAhead(units) : plain(units)) {
    if (Math.floor(index / perTable) !== table) {
      await endTable()
      table = Math.floor(index / perTable)
      l2 = Buffer.alloc(clusterBytes)
      l2At = await body.append(l2, 'cluster')
      l1.writeBigUInt64BE(copied | BigInt(l2At), table * 8)
    }
    const entry =
      packed === undefined
        ? copied | BigInt(await body.append(bytes, 'cluster'))
        : compressedEntry(await body.append(packed, 'packed'), packed.length)
    l2.writeBigUInt64BE(entry, (index % perTable) * 8)
  }
  await endTable()
  await body.flush()

  const refcounts = layRefcounts(body.clusters(), l1.length / clusterBytes, body.shares())
  for (const part of refcounts.parts) await writeFully(handle, part.bytes, part.offset)
  await handle.truncate(refcounts.totalClusters * clusterBytes)
  await writeFully(handle, l1, clusterBytes)
  await writeFully(handle, makeHeader(virtualSizeBytes, l1Entries, refcounts, compress), 0)
}

interface Unit {
  readonly index: number
  readonly bytes: Buffer
  readonly packed: Buffer | undefined
}

async function* plain(units: AsyncIterable<{ index: number; bytes: Buffer }>): AsyncGenerator<Unit> {
  for await (const { index, bytes } of units) yield { index, bytes, packed: undefined }
}

/** Compresses a few clusters at once, in libuv's threads, and keeps their order. */
async function* packAhead(units: AsyncIterable<{ index: number; bytes: Buffer }>): AsyncGenerator<Unit> {
  const ahead: Promise<Unit>[] = []
  try {
    for await (const { index, bytes } of units) {
      ahead.push(pack(index, bytes))
      const next = ahead.length >= packedAtOnce ? ahead.shift() : undefined
      if (next !== undefined) yield await next
    }
    for (let next = ahead.shift(); next !== undefined; next = ahead.shift()) yield await next
  } finally {
    await Promise.allSettled(ahead)
  }
}

async function pack(index: number, bytes: Buffer): Promise<Unit> {
  const params = { [constants.ZSTD_c_compressionLevel]: 1 }
  const packed = await zstdCompressLater(bytes, { params, chunkSize: clusterBytes })
  return { index, bytes, packed: packed.length < clusterBytes - 512 ? packed : undefined }
}

/** Sectors are counted from the one the cluster begins in; the first is not counted. */
function compressedEntry(offset: number, length: number): bigint {
  const further = Math.floor((offset + length - 1) / 512) - Math.floor(offset / 512)
  return compressedFlag | (BigInt(further) << sectorShift) | BigInt(offset)
}

/** Appends to the file through a buffer, and remembers how many compressed clusters share each host cluster. */
function createAppender(handle: FileHandle, start: number) {
  const buffer = Buffer.allocUnsafeSlow(4 * MiB)
  let buffered = 0
  let end = start
  /** 0 = one owner, as usual; only clusters that hold packed data have an entry. */
  let shares = new Uint16Array(0)
  const flush = async (): Promise<void> => {
    await writeFully(handle, buffer.subarray(0, buffered), end - buffered)
    buffered = 0
  }
  const put = async (bytes: Uint8Array): Promise<void> => {
    if (buffered + bytes.length > buffer.length) await flush()
    buffer.set(bytes, buffered)
    buffered += bytes.length
    end += bytes.length
  }
  const share = (from: number, to: number): void => {
    const last = Math.floor((to - 1) / clusterBytes)
    if (last >= shares.length) {
      const grown = new Uint16Array(Math.max(1024, last * 2))
      grown.set(shares)
      shares = grown
    }
    for (let i = Math.floor(from / clusterBytes); i <= last; i += 1) shares[i] = (shares[i] ?? 0) + 1
  }
  return {
    /** Answers where the bytes begin: at the next whole cluster, or right behind what was packed before. */
    async append(bytes: Uint8Array, where: 'cluster' | 'packed'): Promise<number> {
      const gap = where === 'cluster' ? (clusterBytes - (end % clusterBytes)) % clusterBytes : 0
      if (gap > 0) await put(Buffer.alloc(gap))
      const at = end
      await put(bytes)
      if (where === 'packed') share(at, end)
      return at
    },
    async overwrite(bytes: Uint8Array, at: number): Promise<void> {
      await flush()
      await writeFully(handle, bytes, at)
    },
    flush,
    clusters: () => toClusters(end),
    shares: () => shares,
  }
}

interface Refcounts {
  readonly tableOffset: number
  readonly tableClusters: number
  readonly totalClusters: number
  readonly parts: Iterable<{ readonly offset: number; readonly bytes: Uint8Array }>
}

/** The refcount table and its blocks follow the data and count themselves too: hence the search for a fixed point. */
function layRefcounts(dataClusters: number, l1Clusters: number, shares: Uint16Array): Refcounts {
  let blocks = 0
  let tableClusters = 1
  for (;;) {
    const total = dataClusters + tableClusters + blocks
    const needed = Math.ceil(total / refcountsPerBlock)
    const tableNeeded = toClusters(needed * 8)
    if (needed === blocks && tableNeeded === tableClusters) break
    blocks = needed
    tableClusters = tableNeeded
  }
  const totalClusters = dataClusters + tableClusters + blocks
  const tableOffset = Math.max(dataClusters, 1 + l1Clusters) * clusterBytes
  const firstBlock = tableOffset + tableClusters * clusterBytes
  function* parts(): Generator<{ offset: number; bytes: Uint8Array }> {
    const table = Buffer.alloc(tableClusters * clusterBytes)
    for (let block = 0; block < blocks; block += 1) {
      const offset = firstBlock + block * clusterBytes
      table.writeBigUInt64BE(BigInt(offset), block * 8)
      const bytes = Buffer.alloc(clusterBytes)
      const first = block * refcountsPerBlock
      for (let i = 0; i < refcountsPerBlock && first + i < totalClusters; i += 1)
        bytes.writeUInt16BE(shares[first + i] || 1, i * 2)
      yield { offset, bytes }
    }
    yield { offset: tableOffset, bytes: table }
  }
  return { tableOffset, tableClusters, totalClusters, parts: parts() }
}

function makeHeader(virtualSizeBytes: number, l1Entries: number, refcounts: Refcounts, compress: boolean): Buffer {
  const bytes = Buffer.alloc(clusterBytes)
  bytes.writeUInt32BE(qcow2.magic, 0)
  bytes.writeUInt32BE(3, 4)
  bytes.writeUInt32BE(clusterBits, 20)
  bytes.writeBigUInt64BE(BigInt(virtualSizeBytes), 24)
  bytes.writeUInt32BE(l1Entries, 36)
  bytes.writeBigUInt64BE(BigInt(clusterBytes), 40)
  bytes.writeBigUInt64BE(BigInt(refcounts.tableOffset), 48)
  bytes.writeUInt32BE(refcounts.tableClusters, 56)
  bytes.writeBigUInt64BE(compress ? qcow2.incompatible.compressionType : 0n, 72)
  bytes.writeUInt32BE(4, 96)
  bytes.writeUInt32BE(qcow2.headerBytesV3, 100)
  bytes.writeUInt8(compress ? 1 : 0, 104)
  return bytes
}

const toClusters = (sizeBytes: number): number => Math.ceil(sizeBytes / clusterBytes)
