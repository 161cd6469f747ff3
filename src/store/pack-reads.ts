import { frameSizeBytes } from './disk-store.ts'

/** Where a frame rests: a range of a pack. */
export interface PackedRange {
  readonly path: string
  readonly offset: number
  readonly length: number
}

export interface PackRead {
  readonly path: string
  readonly from: number
  readonly to: number
  /** Indexes of the frames that it brings. */
  readonly members: readonly number[]
}

/** Reading over a gap costs less than another read. */
const mostGapBytes = frameSizeBytes
export const mostReadBytes = 2 * 1024 * 1024

/** Reads neighbours with one call: frames of one disk mostly lie in the order of the disk. Grouped by pack. */
export function packReads(frames: readonly PackedRange[]): readonly PackRead[] {
  const order = [...frames.keys()].sort((a, b) => {
    const x = frames[a]
    const y = frames[b]
    if (!x || !y) return 0
    return x.path === y.path ? x.offset - y.offset : x.path < y.path ? -1 : 1
  })
  const reads: { path: string; from: number; to: number; members: number[] }[] = []
  for (const index of order) {
    const frame = frames[index]
    if (!frame) continue
    const last = reads.at(-1)
    const end = frame.offset + frame.length
    if (
      last &&
      last.path === frame.path &&
      frame.offset - last.to <= mostGapBytes &&
      end - last.from <= mostReadBytes
    ) {
      last.to = Math.max(last.to, end)
      last.members.push(index)
    } else reads.push({ path: frame.path, from: frame.offset, to: end, members: [index] })
  }
  return reads
}
