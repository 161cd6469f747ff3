import { inflateRaw, zstdDecompress } from 'node:zlib'
import { promisify } from 'node:util'
import { mapLimit } from '../base/map-limit.ts'
import { MiB } from '../base/units.ts'
import type { DiskImage, Extent } from './disk-image.ts'
import { assertWithin, createExtentJoiner } from './extent-runs.ts'
import type { HostFile } from './host-file.ts'
import { readBytes } from './host-file.ts'
import { createLru } from './lru.ts'
import { blockProblems } from './problems.ts'
import type { Qcow2Header } from './qcow2-header.ts'
import { readQcow2Header } from './qcow2-header.ts'
import type { Cluster, Qcow2Tables } from './qcow2-tables.ts'
import { openQcow2Tables } from './qcow2-tables.ts'
import { zstdFrameLength } from './zstd-frame.ts'

const inflateRawLater = promisify(inflateRaw)
const zstdDecompressLater = promisify(zstdDecompress)

/** libuv has four threads by default: more at once would only hold memory. */
const unpackLimit = 4
const unpackedCacheBytes = 8 * MiB

/** Opens a qcow2 (version 2 or 3) whose magic was seen, alone: no other file is ever opened. */
export async function openQcow2(file: HostFile, checkSize: (sizeBytes: number) => void): Promise<DiskImage> {
  const header = await readQcow2Header(file, checkSize)
  const tables = await openQcow2Tables(file, header)
  return {
    format: 'qcow2',
    virtualSizeBytes: header.virtualSizeBytes,
    extents: (signal) => listExtents(file, header, tables, signal),
    read: createReader(file, header, tables),
    close: () => file.close(),
    [Symbol.asyncDispose]: () => file.close(),
  }
}

async function* listExtents(
  file: HostFile,
  header: Qcow2Header,
  tables: Qcow2Tables,
  signal?: AbortSignal,
): AsyncGenerator<Extent> {
  const { clusterSizeBytes, virtualSizeBytes } = header
  const joiner = createExtentJoiner()
  const findData = file.createDataFinder()
  for await (const batch of tables.dataClusters(signal)) {
    for (let i = 0; i < batch.length;) {
      const { index, cluster } = batch[i] ?? { index: 0, cluster: { kind: 'zero', isSet: false } }
      const guest = index * clusterSizeBytes
      let count = 1
      if (cluster.kind === 'data') while (continues(batch, i, count, clusterSizeBytes)) count += 1
      i += count
      const length = Math.min(count * clusterSizeBytes, virtualSizeBytes - guest)
      if (cluster.kind === 'compressed') {
        const done = joiner.add(guest, length)
        if (done) yield done
      } else if (cluster.kind === 'data') {
        // Preallocated clusters are mapped but may still be holes of the file.
        for (const data of findData(cluster.offset, cluster.offset + length)) {
          const done = joiner.add(guest + data.offset - cluster.offset, data.length)
          if (done) yield done
        }
      }
    }
  }
  const last = joiner.end()
  if (last) yield last
}

/** Whether the cluster `count` places after `first` follows it in the guest and in the file. */
function continues(
  batch: readonly { index: number; cluster: Cluster }[],
  first: number,
  count: number,
  clusterSizeBytes: number,
): boolean {
  const a = batch[first]
  const b = batch[first + count]
  return (
    a?.cluster.kind === 'data' &&
    b?.cluster.kind === 'data' &&
    b.index === a.index + count &&
    b.cluster.offset === a.cluster.offset + count * clusterSizeBytes
  )
}

type Job = () => Promise<void>

function createReader(file: HostFile, header: Qcow2Header, tables: Qcow2Tables): DiskImage['read'] {
  const { clusterSizeBytes, virtualSizeBytes } = header
  const unpacked = createLru<Buffer>(Math.max(1, unpackedCacheBytes / clusterSizeBytes))

  async function unpackInto(
    cluster: Cluster & { kind: 'compressed' },
    within: number,
    into: Uint8Array,
  ): Promise<void> {
    const isWhole = within === 0 && into.length === clusterSizeBytes
    const bytes = isWhole
      ? await unpack(file, header, cluster)
      : await unpacked.get(cluster.offset, () => unpack(file, header, cluster))
    into.set(bytes.subarray(within, within + into.length))
  }

  return async (offset, into) => {
    assertWithin(virtualSizeBytes, offset, into.length)
    const jobs: Job[] = []
    // A run of data clusters that lie one behind the other in the file is read at once.
    let run: { host: number; from: number; to: number } | undefined
    const endRun = (): void => {
      if (run === undefined) return
      const { host, from, to } = run
      jobs.push(() => file.read(host, into.subarray(from, to)))
      run = undefined
    }
    for (let done = 0; done < into.length;) {
      const index = Math.floor((offset + done) / clusterSizeBytes)
      const within = (offset + done) % clusterSizeBytes
      const end = Math.min(into.length, done + clusterSizeBytes - within)
      const cluster = await tables.clusterAt(index)
      if (cluster.kind === 'data' && run !== undefined && cluster.offset + within === run.host + run.to - run.from)
        run.to = end
      else {
        endRun()
        const part = into.subarray(done, end)
        if (cluster.kind === 'data') run = { host: cluster.offset + within, from: done, to: end }
        else if (cluster.kind === 'compressed') jobs.push(() => unpackInto(cluster, within, part))
        else part.fill(0)
      }
      done = end
    }
    endRun()
    await mapLimit(jobs, unpackLimit, (job) => job())
  }
}

/** Unpacks one cluster; it must give exactly one cluster's bytes, and is stopped at one byte more. */
async function unpack(file: HostFile, header: Qcow2Header, cluster: Cluster & { kind: 'compressed' }): Promise<Buffer> {
  const packed = await readBytes(file, cluster.offset, cluster.length)
  const limit = { maxOutputLength: header.clusterSizeBytes, chunkSize: header.clusterSizeBytes }
  try {
    const bytes = await (header.compression === 'zstd'
      ? zstdDecompressLater(packed.subarray(0, zstdFrameLength(packed) ?? 0), limit)
      : inflateRawLater(packed, limit))
    if (bytes.length !== header.clusterSizeBytes) throw new Error(`unpacks to ${bytes.length} bytes`)
    return bytes
  } catch (error) {
    throw blockProblems.Qcow2ClusterBroken({ name: file.name, offset: cluster.offset }, { cause: error })
  }
}
