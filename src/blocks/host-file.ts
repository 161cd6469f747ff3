import { constants, fstatSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { basename } from 'node:path'
import type { Extent } from './disk-image.ts'
import { blockProblems } from './problems.ts'
import { findData, systemErrorCode } from './sparse-file.ts'

/** The file that an image rests in: opened once, its size fixed then, read by offset. */
export interface HostFile {
  /** What messages call it; never a path. */
  readonly name: string
  /** The blob's address where there is one, for Azure's texts. */
  readonly blob: string
  readonly sizeBytes: number
  /** Fills `into` from `offset`; the range must be within `sizeBytes`. Throws ImageChanged if the file shrank. */
  read(offset: number, into: Uint8Array): Promise<void>
  /**
   * Answers a function that finds the parts of a range that may hold data; the rest are holes, which read as zeros. It
   * remembers the hole or data that it saw last: take a new one for each listing. It throws once the file is closed.
   */
  createDataFinder(): (start: number, end: number) => Iterable<Extent>
  close(): Promise<void>
}

/**
 * Opens a file of unknown origin for reading: no symbolic link as its last part, no waiting on a FIFO, nothing but a
 * regular file. The size is what it is now; bytes added later do not exist for the reader.
 */
export async function openHostFile(path: string, called?: { name?: string; blob?: string }): Promise<HostFile> {
  const name = called?.name ?? basename(path)
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
    (error: unknown) => {
      const code = systemErrorCode(error)
      if (code === 'ELOOP') throw blockProblems.NotRegularFile({ name, reason: 'a symbolic link' }, { cause: error })
      if (code === 'ENXIO') throw blockProblems.NotRegularFile({ name, reason: 'a socket or device' }, { cause: error })
      throw error
    },
  )
  try {
    const stat = await handle.stat()
    if (!stat.isFile()) {
      const reason = stat.isDirectory() ? 'a directory' : stat.isFIFO() ? 'a FIFO' : 'a device'
      throw blockProblems.NotRegularFile({ name, reason })
    }
    return {
      name,
      blob: called?.blob ?? name,
      sizeBytes: stat.size,
      async read(offset, into) {
        if (offset < 0 || offset + into.length > stat.size) throw new RangeError('read outside the host file')
        for (let done = 0; done < into.length;) {
          const { bytesRead } = await handle.read(into, done, into.length - done, offset + done)
          if (bytesRead === 0) throw blockProblems.ImageChanged({ name })
          done += bytesRead
        }
      },
      createDataFinder() {
        // The descriptor's number may belong to another file after close: its holes must not be taken for ours.
        const { fd } = handle
        // From `seen` to `dataStart` there is a hole, from there to `dataEnd` there is data.
        let seen = 0
        let dataStart = 0
        let dataEnd = 0
        const seek = (at: number): void => {
          if (handle.fd !== fd || fd < 0) throw new Error('the disk image was closed while its extents were listed')
          const data = findData(fd, at, stat.size)
          // What was cut off looks like a hole; it must not be taken for zeros.
          if (fstatSync(fd).size < stat.size) throw blockProblems.ImageChanged({ name })
          seen = at
          dataStart = data?.offset ?? Infinity
          dataEnd = data === undefined ? Infinity : data.offset + data.length
        }
        return function* (start, end) {
          for (let at = start; at < end;) {
            if (at < seen || at >= dataEnd) seek(at)
            if (at >= dataStart) yield { offset: at, length: Math.min(end, dataEnd) - at }
            at = Math.min(end, at < dataStart ? dataStart : dataEnd)
          }
        }
      },
      close: () => handle.close(),
    }
  } catch (error) {
    await handle.close()
    throw error
  }
}

/** Reads `length` bytes from `offset` into a buffer of their own. */
export async function readBytes(file: HostFile, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length)
  await file.read(offset, bytes)
  return bytes
}
