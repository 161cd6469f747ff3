import { GiB } from '../base/units.ts'

/** Called for each range of the host file that something occupies: `start` and `end` in bytes. */
export type VisitRange = (start: number, end: number) => void

export type RangeVerdict =
  | { readonly kind: 'disjoint' }
  | { readonly kind: 'overlap'; readonly offset: number }
  | { readonly kind: 'inflates'; readonly reason: string }

const regionCount = 4096
/** Two arrays of this many doubles: 16 MiB at most, whatever the image. */
const windowRanges = 1_048_576
/** Out-of-order tables are read once per window; this bounds how often. 1 TiB in 64 KiB clusters has half of it. */
const maxUnorderedRanges = 33_554_432
/** zlib's best is 1032 : 1. zstd can do more on constant bytes, hence the allowance. */
const maxRatio = 1100
const freeAllowanceBytes = 16 * GiB

interface RangeCheck {
  readonly fileSizeBytes: number
  /** Guest bytes that one range stands for at most: what a compressed cluster may unpack to. */
  readonly rangeGuestBytes: number
}

/**
 * Whether no byte of the host file is used twice, in bounded memory: two guest clusters on one host cluster would let a
 * small file cost a terabyte of reading (DATAPLANE section 6.5, rule 5). `scan` may run several times and must report
 * the same ranges, each non-empty and within the file. Ranges in ascending order take one pass.
 */
export async function checkHostRanges(
  check: RangeCheck,
  scan: (visit: VisitRange) => Promise<void>,
): Promise<RangeVerdict> {
  const counts = new Uint32Array(regionCount)
  const regionOf = (start: number): number => Math.floor((start / check.fileSizeBytes) * (regionCount - 1))
  const ledger = createLedger(check.rangeGuestBytes)
  let isAscending = true
  await scan((start, end) => {
    const region = regionOf(start)
    counts[region] = (counts[region] ?? 0) + 1
    if (isAscending) isAscending = ledger.add(start, end)
  })
  if (isAscending) return ledger.verdict()
  return checkUnordered(check, scan, counts, regionOf)
}

async function checkUnordered(
  check: RangeCheck,
  scan: (visit: VisitRange) => Promise<void>,
  counts: Uint32Array,
  regionOf: (start: number) => number,
): Promise<RangeVerdict> {
  let total = 0
  for (const count of counts) total += count
  if (total > maxUnorderedRanges) return { kind: 'inflates', reason: `its ${total} clusters are in no order` }
  const ledger = createLedger(check.rangeGuestBytes)
  for (let first = 0; first < regionCount;) {
    let next = first
    let size = 0
    while (next < regionCount && size + (counts[next] ?? 0) <= windowRanges) size += counts[next++] ?? 0
    if (next === first) return { kind: 'inflates', reason: 'too many clusters share one part of the file' }
    if (size > 0) {
      const overlap = await addWindow(ledger, size, scan, (start) => regionOf(start) >= first && regionOf(start) < next)
      if (overlap !== undefined) return { kind: 'overlap', offset: overlap }
    }
    first = next
  }
  return ledger.verdict()
}

/**
 * Starts and ends are sorted apart: n ranges are disjoint exactly if the i-th smallest end is not after the (i+1)-th
 * smallest start, because then no byte has seen more than one start without its end.
 */
async function addWindow(
  ledger: ReturnType<typeof createLedger>,
  size: number,
  scan: (visit: VisitRange) => Promise<void>,
  isInside: (start: number) => boolean,
): Promise<number | undefined> {
  const starts = new Float64Array(size)
  const ends = new Float64Array(size)
  let filled = 0
  await scan((start, end) => {
    if (filled >= size || !isInside(start)) return
    starts[filled] = start
    ends[filled] = end
    filled += 1
  })
  starts.subarray(0, filled).sort()
  ends.subarray(0, filled).sort()
  for (let i = 0; i < filled; i += 1) if (!ledger.add(starts[i] ?? 0, ends[i] ?? 0)) return starts[i]
  return undefined
}

/** Adds ranges by ascending start, and counts what part of the file each can call its own. */
function createLedger(rangeGuestBytes: number) {
  let lastStart = 0
  let lastEnd = 0
  let ownedBytes = 0
  let guestBytes = 0
  return {
    /** False if this range begins before the one before it ended. */
    add(start: number, end: number): boolean {
      if (start < lastEnd) return false
      ownedBytes += Math.min(start - lastStart, rangeGuestBytes)
      guestBytes += rangeGuestBytes
      lastStart = start
      lastEnd = end
      return true
    },
    verdict(): RangeVerdict {
      const owned = ownedBytes + Math.min(rangeGuestBytes, lastEnd - lastStart)
      if (guestBytes <= freeAllowanceBytes || guestBytes <= maxRatio * owned) return { kind: 'disjoint' }
      return { kind: 'inflates', reason: `${owned} bytes of the file unpack to up to ${guestBytes} bytes` }
    },
  }
}
