import type { FileHandle } from 'node:fs/promises'
import { writeFully } from '../blocks/replace-file.ts'
import { isZero, punchHole } from '../blocks/sparse-file.ts'

/** The grid of file systems: a hole that is smaller saves nothing. */
const blockSize = 4096

/**
 * Writes bytes without storing zeros: whole zero blocks become holes. `fresh`: nothing was ever written there, so that
 * a zero block needs nothing at all (the file already has its full size).
 */
export async function writeSparse(file: FileHandle, bytes: Uint8Array, offset: number, fresh = false): Promise<void> {
  let at = 0
  while (at < bytes.length) {
    const zero = isZero(bytes.subarray(at, blockEnd(bytes, at, offset)))
    let end = blockEnd(bytes, at, offset)
    while (end < bytes.length && isZero(bytes.subarray(end, blockEnd(bytes, end, offset))) === zero)
      end = blockEnd(bytes, end, offset)
    if (!zero) await writeFully(file, bytes.subarray(at, end), offset + at)
    else if (!fresh) await punchHole(file.fd, offset + at, end - at)
    at = end
  }
}

/** The end of the file's 4 KiB block in which `at` lies, as an index of `bytes`. */
function blockEnd(bytes: Uint8Array, at: number, offset: number): number {
  return Math.min(at + blockSize - ((offset + at) % blockSize), bytes.length)
}
