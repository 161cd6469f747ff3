import { fstatSync, write } from 'node:fs'
import { createRequire } from 'node:module'
import { getSystemErrorName, promisify } from 'node:util'
import { MiB } from '../base/units.ts'
import type { Extent } from './disk-image.ts'

/** Linux's numbers (lseek(2), fallocate(2)); on other systems the fallback is used. */
const seekData = 3
const seekHole = 4
const keepSizePunchHole = 0x03
const enxio = 6
/** EINVAL, ENOSYS, ENOTSUP: this file system does not know holes. */
const unsupported = [22, 38, 95]

interface Kernel {
  lseek(fd: number, offset: number, whence: number): number
  fallocate(fd: number, mode: number, offset: number, length: number): Promise<number>
  errno(): number
}

type AsyncCall = (
  fd: number,
  mode: number,
  offset: number,
  length: number,
  done: (e: unknown, r: number) => void,
) => void

/** Undefined where koffi or the calls are missing: every caller has a plain way too. Each thread loads its own. */
function loadKernel(): Kernel | undefined {
  if (process.platform !== 'linux') return undefined
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi')
    const libc = koffi.load(null)
    const lseek = libc.func('int64_t lseek(int fd, int64_t offset, int whence)')
    const fallocate = libc.func('int fallocate(int fd, int mode, int64_t offset, int64_t length)')
    const callLater = fallocate.async as AsyncCall
    return {
      lseek: (fd, offset, whence) => Number(lseek(fd, offset, whence)),
      fallocate: (fd, mode, offset, length) =>
        new Promise((resolve, reject) => {
          callLater(fd, mode, offset, length, (error, result) => {
            if (error) reject(error instanceof Error ? error : new Error('fallocate failed', { cause: error }))
            else resolve(result)
          })
        }),
      errno: () => koffi.errno(),
    }
  } catch {
    return undefined
  }
}

const kernel = loadKernel()

/** Whether holes can be found and made through the system; where not, files are treated as all data. */
export const knowsHoles: boolean = kernel !== undefined

/**
 * The first range at or after byte `at`, up to `end`, that may hold data; undefined if all the rest is a hole. Answers
 * the whole range where the file system cannot tell. Moves the file position of `fd`: read by offset.
 */
export function findData(fd: number, at: number, end: number): Extent | undefined {
  if (at >= end) return undefined
  if (kernel === undefined) return { offset: at, length: end - at }
  const data = kernel.lseek(fd, at, seekData)
  if (data < 0) {
    const errno = kernel.errno()
    if (errno === enxio) return undefined
    if (!unsupported.includes(errno)) throw new Error(`looking for data failed with ${getSystemErrorName(-errno)}`)
    return { offset: at, length: end - at }
  }
  if (data >= end) return undefined
  const hole = kernel.lseek(fd, data, seekHole)
  return { offset: data, length: (hole < 0 ? end : Math.min(hole, end)) - data }
}

/** The ranges of an open file from `start` to `end` (bytes) that may hold data, ascending; holes read as zeros. */
export function* dataExtents(fd: number, end: number, start = 0): Generator<Extent> {
  for (let data = findData(fd, start, end); data !== undefined; data = findData(fd, data.offset + data.length, end))
    yield data
}

/**
 * Makes `length` bytes from `offset` read as zeros and gives their space back. The size of the file stays as it is,
 * and bytes past its end are left alone. Where the file system has no holes the zeros are written.
 */
export async function punchHole(fd: number, offset: number, length: number): Promise<void> {
  const end = Math.min(offset + length, fstatSync(fd).size)
  if (end <= offset) return
  if (kernel !== undefined && (await kernel.fallocate(fd, keepSizePunchHole, offset, end - offset)) === 0) return
  await writeZeros(fd, offset, end - offset)
}

const writeAt = promisify(write)
const zeros = Buffer.alloc(4 * MiB)

async function writeZeros(fd: number, offset: number, length: number): Promise<void> {
  for (let done = 0; done < length;) {
    const { bytesWritten } = await writeAt(fd, zeros, 0, Math.min(zeros.length, length - done), offset + done)
    done += bytesWritten
  }
}

/** Whether every byte is zero: memcmp against zeros, 26 GiB/s (STACK.md section 3). */
export function isZero(bytes: Uint8Array): boolean {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let at = 0; at < view.length; at += zeros.length) {
    const size = Math.min(zeros.length, view.length - at)
    if (zeros.compare(view, at, at + size, 0, size) !== 0) return false
  }
  return true
}

/** The name of a system error (`ENOSPC`), if that is what this is. */
export function systemErrorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('errno' in error) || typeof error.errno !== 'number') return undefined
  return error.errno < 0 ? getSystemErrorName(error.errno) : undefined
}
