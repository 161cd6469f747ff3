import type { Extent } from './disk-image.ts'

/** Joins ranges that touch, so that a consumer sees as few and as long ones as there are. */
export function createExtentJoiner(): {
  add(offset: number, length: number): Extent | undefined
  end(): Extent | undefined
} {
  let start = -1
  let stop = -1
  return {
    /** Answers the range before, if this one does not continue it. */
    add(offset, length) {
      if (start >= 0 && offset === stop) {
        stop += length
        return undefined
      }
      const done = start < 0 ? undefined : { offset: start, length: stop - start }
      start = offset
      stop = offset + length
      return done
    },
    end: () => (start < 0 ? undefined : { offset: start, length: stop - start }),
  }
}

/** Throws a RangeError unless the range is within the disk: asking for more is a bug of the caller. */
export function assertWithin(virtualSizeBytes: number, offset: number, length: number): void {
  if (!Number.isSafeInteger(offset) || offset < 0 || offset + length > virtualSizeBytes)
    throw new RangeError(`read of ${length} bytes at ${offset} is outside a disk of ${virtualSizeBytes} bytes`)
}
