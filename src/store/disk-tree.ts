import { Blake3Hasher, blake3 } from '@napi-rs/blake-hash'
import { frameSizeBytes } from './disk-store.ts'
import { asBuffer, nameBytes, zeroName } from './frame-name.ts'

/**
 * What a disk's root says (docs/design/store-format.md): leaf = BLAKE3 of a frame, page = BLAKE3 of 256 leaves,
 * root = BLAKE3('goldleaf.disk.v1' | virtual size u64 | frame size u32 | page hashes). Zero frames and zero pages are 32
 * zero bytes. Little endian. Independent of codec, layout and storage class.
 */
export const leavesPerPage = 256
export const pageBytes = leavesPerPage * nameBytes

const context = 'goldleaf.disk.v1'
const zeroPage = Buffer.alloc(pageBytes)

export function frameCount(virtualSizeBytes: number): number {
  return Math.ceil(virtualSizeBytes / frameSizeBytes)
}

export function pageCount(virtualSizeBytes: number): number {
  return Math.ceil(frameCount(virtualSizeBytes) / leavesPerPage)
}

export function isZeroPage(leaves: Uint8Array): boolean {
  return Buffer.compare(leaves, zeroPage) === 0
}

export function hashPage(leaves: Uint8Array): Buffer {
  return blake3(asBuffer(leaves))
}

/** `pages`: ascending, only those that hold data. */
export function rootOf(
  virtualSizeBytes: number,
  pages: Iterable<{ readonly index: number; readonly hash: Uint8Array }>,
): string {
  const head = Buffer.alloc(12)
  head.writeBigUInt64LE(BigInt(virtualSizeBytes), 0)
  head.writeUInt32LE(frameSizeBytes, 8)
  const hasher = new Blake3Hasher().update(context).update(head)
  let next = 0
  const skipTo = (index: number): void => {
    while (next < index) {
      const count = Math.min(index - next, leavesPerPage)
      hasher.update(zeroPage.subarray(0, count * zeroName.length))
      next += count
    }
  }
  for (const page of pages) {
    skipTo(page.index)
    hasher.update(asBuffer(page.hash))
    next += 1
  }
  skipTo(pageCount(virtualSizeBytes))
  return hasher.digestBuffer().toString('hex')
}
