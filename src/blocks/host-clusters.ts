import type { RangeVerdict } from './host-ranges.ts'
import { checkHostRanges } from './host-ranges.ts'

export interface ClusterVisitor {
  /** `count` whole clusters of the host file from byte `start`, which is aligned. */
  whole(start: number, count: number): void
  /** Bytes that a packed (compressed) cluster has for itself; they begin and end anywhere. */
  packed(start: number, end: number): void
}

/** Two bitmaps of 8 MiB at most: 4 TiB of 64 KiB clusters at a time. */
const windowClusters = 2 ** 26
const maxHostClusters = 2 ** 30

/**
 * Whether no part of the host file is used twice. Whole clusters are ticked off in a bitmap, in whatever order they
 * come; packed ones are checked byte by byte with checkHostRanges. `scan` runs once for each window of the file (one for
 * all usual images) and again if there are packed clusters; all that it reports must be within the file.
 */
export async function checkHostClusters(
  facts: { readonly fileSizeBytes: number; readonly clusterSizeBytes: number },
  scan: (visitor: ClusterVisitor) => Promise<void>,
): Promise<RangeVerdict> {
  const { fileSizeBytes, clusterSizeBytes } = facts
  const total = Math.ceil(fileSizeBytes / clusterSizeBytes)
  if (total > maxHostClusters) return { kind: 'inflates', reason: `its file has ${total} clusters` }
  let hasPacked = false
  for (let first = 0; first < total; first += windowClusters) {
    const size = Math.min(windowClusters, total - first)
    const whole = new Uint8Array(Math.ceil(size / 8))
    const packed = new Uint8Array(whole.length)
    let overlap: number | undefined
    await scan({
      whole(start, count) {
        for (let cluster = start / clusterSizeBytes; count > 0; cluster += 1, count -= 1) {
          const bit = cluster - first
          if (bit < 0 || bit >= size) continue
          if (!tick(whole, bit)) overlap ??= cluster * clusterSizeBytes
        }
      },
      packed(start, end) {
        hasPacked = true
        const last = Math.floor((end - 1) / clusterSizeBytes) - first
        for (let bit = Math.floor(start / clusterSizeBytes) - first; bit <= last; bit += 1)
          if (bit >= 0 && bit < size) tick(packed, bit)
      },
    })
    overlap ??= findCommon(whole, packed, (bit) => (first + bit) * clusterSizeBytes)
    if (overlap !== undefined) return { kind: 'overlap', offset: overlap }
  }
  if (!hasPacked) return { kind: 'disjoint' }
  return checkHostRanges({ fileSizeBytes, rangeGuestBytes: clusterSizeBytes }, (visit) =>
    scan({ whole() {}, packed: visit }),
  )
}

/** Sets a bit; false if it was set before. */
function tick(bitmap: Uint8Array, bit: number): boolean {
  const byte = bitmap[bit >>> 3] ?? 0
  const mask = 1 << (bit & 7)
  bitmap[bit >>> 3] = byte | mask
  return (byte & mask) === 0
}

function findCommon(a: Uint8Array, b: Uint8Array, offsetOf: (bit: number) => number): number | undefined {
  for (let i = 0; i < a.length; i += 1) {
    const common = (a[i] ?? 0) & (b[i] ?? 0)
    if (common !== 0) return offsetOf(i * 8 + 31 - Math.clz32(common & -common))
  }
  return undefined
}
