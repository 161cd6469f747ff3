import { constants } from 'node:fs'
import { open, statfs, type FileHandle } from 'node:fs/promises'
import { syncFolder } from '../blocks/replace-file.ts'

/** Writes at positions, then makes it durable. The seam at which tests inject a full or failing disk. */
export interface DurableFile {
  /** Writes all of `chunks`, one behind the other, from `position`. */
  write(chunks: readonly Uint8Array[], position: number): Promise<void>
  /** fdatasync. Once it failed, nothing that was written since the last success may be believed (DATAPLANE 6.1). */
  sync(): Promise<void>
  truncate(length: number): Promise<void>
  close(): Promise<void>
}

export interface FileSystem {
  /** Fails where the file exists. */
  create(path: string): Promise<DurableFile>
  /** Makes creations, renames and removals in a folder durable. */
  syncFolder(path: string): Promise<void>
  /** Room of the file system that holds a folder, as this process may use it. */
  room(path: string): Promise<{ readonly freeBytes: number; readonly totalBytes: number }>
}

async function writeAll(handle: FileHandle, chunks: readonly Uint8Array[], position: number): Promise<void> {
  let rest = chunks.filter((chunk) => chunk.length > 0)
  let at = position
  while (rest.length > 0) {
    const { bytesWritten } = await handle.writev(rest, at)
    at += bytesWritten
    let done = bytesWritten
    const left: Uint8Array[] = []
    for (const chunk of rest) {
      if (done >= chunk.length) done -= chunk.length
      else {
        left.push(done > 0 ? chunk.subarray(done) : chunk)
        done = 0
      }
    }
    rest = left
  }
}

export const nodeFileSystem: FileSystem = {
  async create(path) {
    const handle = await open(path, constants.O_CREAT | constants.O_EXCL | constants.O_RDWR, 0o640)
    return {
      write: (chunks, position) => writeAll(handle, chunks, position),
      async sync() {
        await handle.datasync()
        // What lies in a file that somebody deleted meanwhile is durable for nobody: it must not be acknowledged.
        if ((await handle.stat()).nlink === 0)
          throw Object.assign(new Error('the file was deleted while it was written'), { code: 'ENOENT' })
      },
      truncate: (length) => handle.truncate(length),
      close: () => handle.close(),
    }
  },
  async room(path) {
    const { bsize, bavail, blocks } = await statfs(path)
    return { freeBytes: bsize * bavail, totalBytes: bsize * blocks }
  },
  syncFolder,
}
