import type { FileHandle } from 'node:fs/promises'
import { open, rename, rm } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { randomUuid } from '../base/random.ts'
import { blockProblems } from './problems.ts'
import { systemErrorCode } from './sparse-file.ts'

/**
 * Makes a file appear whole or not at all: `fill` writes a temporary file beside it, which is synced, renamed over
 * `path`, and the folder synced. After an error nothing is left. A full disk becomes the problem DiskSpaceExhausted.
 */
export async function replaceFile(path: string, fill: (handle: FileHandle) => Promise<void>): Promise<void> {
  const temporary = `${path}.${randomUuid()}.tmp`
  try {
    const handle = await open(temporary, 'wx+')
    try {
      await fill(handle)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    if (['ENOSPC', 'EDQUOT', 'EFBIG'].includes(systemErrorCode(error) ?? ''))
      throw blockProblems.DiskSpaceExhausted({ name: basename(path) }, { cause: error })
    throw error
  }
  await syncFolder(dirname(path))
}

/** Makes creations, renames and removals in a folder durable. */
export async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, 'r')
  await folder.sync()
}

/** Writes all of `bytes` at `offset`. */
export async function writeFully(handle: FileHandle, bytes: Uint8Array, offset: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, offset + done)
    done += bytesWritten
  }
}
