import { MiB } from '../base/units.ts'
import type { DiskImage } from './disk-image.ts'
import { isZero } from './sparse-file.ts'

/** Guest bytes at their place; ascending, not overlapping. What is not given is zero. */
export interface GuestData {
  readonly offset: number
  readonly bytes: Uint8Array
}

/**
 * Everything in an image that may be other than zero, in pieces of at most `unitBytes` that do not cross a multiple of
 * it. The bytes of a piece are valid until the next one is asked for: the buffer is used again.
 */
export async function* readGuestData(
  image: DiskImage,
  options: { signal?: AbortSignal | undefined; unitBytes?: number } = {},
): AsyncGenerator<GuestData> {
  const unit = options.unitBytes ?? 4 * MiB
  const buffer = Buffer.allocUnsafeSlow(unit)
  for await (const extent of image.extents(options.signal)) {
    const end = extent.offset + extent.length
    for (let at = extent.offset; at < end;) {
      options.signal?.throwIfAborted()
      const bytes = buffer.subarray(0, Math.min(end - at, unit - (at % unit)))
      await image.read(at, bytes)
      yield { offset: at, bytes }
      at += bytes.length
    }
  }
}

/** The grid on which zeros are looked for: a block of the usual file systems, and so the smallest hole. */
export const zeroGridBytes = 4096

/** The runs of a buffer that are not zero, on the 4 KiB grid of the guest (`offset` is where the buffer begins). */
export function* dataRuns(offset: number, bytes: Uint8Array): Generator<{ start: number; end: number }> {
  let start = -1
  for (let at = 0; at < bytes.length;) {
    const next = Math.min(bytes.length, at + zeroGridBytes - ((offset + at) % zeroGridBytes))
    const hasData = !isZero(bytes.subarray(at, next))
    if (hasData && start < 0) start = at
    if (!hasData && start >= 0) {
      yield { start, end: at }
      start = -1
    }
    at = next
  }
  if (start >= 0) yield { start, end: bytes.length }
}

/** Checks what a producer gives: ascending and within the disk. Anything else is a bug of the producer. */
export async function* inOrder(
  data: AsyncIterable<GuestData>,
  virtualSizeBytes: number,
  signal?: AbortSignal,
): AsyncGenerator<GuestData> {
  let end = 0
  for await (const piece of data) {
    signal?.throwIfAborted()
    if (piece.offset < end || piece.offset + piece.bytes.length > virtualSizeBytes)
      throw new RangeError(`data for guest offset ${piece.offset} is out of order or outside the disk`)
    end = piece.offset + piece.bytes.length
    yield piece
  }
}

/**
 * Collects data into whole units of `unitBytes` on the guest's grid (block, cluster), filled up with zeros; units that
 * are all zero are left out. Each unit has memory of its own.
 */
export async function* inUnits(
  data: AsyncIterable<GuestData>,
  unitBytes: number,
): AsyncGenerator<{ readonly index: number; readonly bytes: Buffer }> {
  let index = -1
  let unit: Buffer | undefined
  for await (const { offset, bytes } of data) {
    for (let done = 0; done < bytes.length;) {
      const at = offset + done
      const here = Math.floor(at / unitBytes)
      if (here !== index) {
        if (unit !== undefined && !isZero(unit)) yield { index, bytes: unit }
        index = here
        unit = undefined
      }
      const part = bytes.subarray(done, Math.min(bytes.length, done + unitBytes - (at % unitBytes)))
      if (part.length === unitBytes) unit = Buffer.from(part)
      else {
        unit ??= Buffer.alloc(unitBytes)
        unit.set(part, at % unitBytes)
      }
      done += part.length
    }
  }
  if (unit !== undefined && !isZero(unit)) yield { index, bytes: unit }
}
