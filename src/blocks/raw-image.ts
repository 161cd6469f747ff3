import type { DiskFormat, DiskImage } from './disk-image.ts'
import { assertWithin } from './extent-runs.ts'
import type { HostFile } from './host-file.ts'

/**
 * A disk whose bytes are the first `dataBytes` bytes of the file, in order: raw, and fixed VHD without its footer.
 * Bytes between the end of the data and the virtual size (at most 511) read as zeros.
 */
export function flatImage(
  file: HostFile,
  format: Extract<DiskFormat, 'raw' | 'vhd-fixed'>,
  dataBytes: number,
  virtualSizeBytes: number,
): DiskImage {
  return {
    format,
    virtualSizeBytes,
    async *extents(signal) {
      for (const { offset, length } of file.createDataFinder()(0, dataBytes)) {
        signal?.throwIfAborted()
        const reachesEnd = offset + length === dataBytes
        yield { offset, length: reachesEnd ? virtualSizeBytes - offset : length }
      }
    },
    async read(offset, into) {
      assertWithin(virtualSizeBytes, offset, into.length)
      const inFile = Math.max(0, Math.min(into.length, dataBytes - offset))
      if (inFile < into.length) into.fill(0, inFile)
      if (inFile > 0) await file.read(offset, into.subarray(0, inFile))
    },
    close: () => file.close(),
    [Symbol.asyncDispose]: () => file.close(),
  }
}
