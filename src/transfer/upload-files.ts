import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { chmod, mkdir, open, readdir, rm, stat, statfs, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { Problem } from '../base/problem.ts'
import { MiB } from '../base/units.ts'
import { syncFolder } from '../blocks/replace-file.ts'
import { transferProblems } from './problems.ts'
import { writeSparse } from './sparse-file.ts'

/**
 * The files of the upload area: `{folder}/{id}/data`, and `block-{hex}` beside it for staged blocks. Names are ids that
 * we drew: nothing a client says becomes part of a path.
 */
export interface UploadFiles {
  readonly folder: string
  dataPath(id: string): string
  /** Makes the folder and a hole of `sizeBytes`; durable once resolved. Fails where it exists. */
  create(id: string, sizeBytes: number): Promise<void>
  open(id: string): Promise<FileHandle>
  openForRead(id: string): Promise<FileHandle>
  /** `name`: hex. */
  blockPath(id: string, name: string): string
  syncFolder(id: string): Promise<void>
  remove(id: string): Promise<void>
  /** Ids of folders with the moment of their last change. */
  list(): Promise<{ readonly id: string; readonly changedMs: number }[]>
  /** Throws StorageFull while the disk has no room for `bytes` beyond the reserve. */
  ensureRoom(bytes: number): Promise<void>
  /** A full disk becomes StorageFull; anything else passes as it is. */
  explain(error: unknown): Promise<unknown>
}

/** Kept free so that the metadata database, which may share the disk, can still commit. */
const reserveBytes = 64 * MiB

export async function createUploadFiles(folder: string): Promise<UploadFiles> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  // Folders of earlier releases were open to others.
  await chmod(folder, 0o700)
  const pathOf = (id: string): string => {
    if (!/^[0-9a-f-]{36}$/.test(id)) throw new Error('an upload id is a uuid')
    return join(folder, id)
  }
  const freeBytes = async (): Promise<number> => {
    const { bavail, bsize } = await statfs(folder)
    return bavail * bsize
  }
  return {
    folder,
    dataPath: (id) => join(pathOf(id), 'data'),
    async create(id, sizeBytes) {
      await mkdir(pathOf(id))
      const file = await open(join(pathOf(id), 'data'), 'wx+')
      try {
        await file.truncate(sizeBytes)
        await file.sync()
      } finally {
        await file.close()
      }
      await syncFolder(pathOf(id))
      await syncFolder(folder)
    },
    open: (id) => open(join(pathOf(id), 'data'), constants.O_RDWR),
    openForRead: (id) => open(join(pathOf(id), 'data'), constants.O_RDONLY),
    blockPath(id, name) {
      if (!/^[0-9a-f]{2,128}$/.test(name)) throw new Error('a block name is hex')
      return join(pathOf(id), `block-${name}`)
    },
    syncFolder: (id) => syncFolder(pathOf(id)),
    remove: (id) => rm(pathOf(id), { recursive: true, force: true }),
    async list() {
      const found = []
      for (const id of await readdir(folder)) {
        const facts = await stat(join(folder, id)).catch(() => undefined)
        if (facts && /^[0-9a-f-]{36}$/.test(id)) found.push({ id, changedMs: facts.mtimeMs })
      }
      return found
    },
    async ensureRoom(bytes) {
      const free = await freeBytes()
      if (free < bytes + reserveBytes)
        throw transferProblems.StorageFull({ neededBytes: bytes + reserveBytes, freeBytes: free })
    },
    async explain(error) {
      if (error instanceof Problem || !(error instanceof Error) || !('code' in error)) return error
      if (error.code !== 'ENOSPC' && error.code !== 'EDQUOT') return error
      return transferProblems.StorageFull({ neededBytes: reserveBytes, freeBytes: await freeBytes() }, { cause: error })
    },
  }
}

export interface ReceiveOptions {
  readonly offset: number
  /** The body may have no more than this; one byte more throws `tooLarge`. */
  readonly maxBytes: number
  readonly tooLarge: () => Problem
  /** Nothing was ever written where this goes. */
  readonly fresh: boolean
  /** Base64 of the MD5 that the client announced. */
  readonly md5?: string | undefined
  /** Called every 8 MiB, so that concurrent uploads leave of the reserve what the database needs: throws to stop. */
  readonly ensureRoom: () => Promise<void>
  /** Called every 64 MiB with the bytes written so far. */
  readonly keep?: ((writtenBytes: number) => Promise<void>) | undefined
}

/** What a body brought; `error` where the connection broke before its end. What is counted is written, not yet synced. */
export interface Received {
  readonly bytes: number
  readonly broken?: unknown
}

const gatherBytes = 1 * MiB
const roomEveryBytes = 8 * MiB
const keepEveryBytes = 64 * MiB

/**
 * Writes a body into a file as it comes, zeros as holes. Reads no faster than the disk writes, holds 1 MiB. A broken
 * connection is an answer, not an error: its bytes count for a resumed upload.
 */
export async function receiveBody(
  file: FileHandle,
  body: AsyncIterable<Uint8Array>,
  options: ReceiveOptions,
): Promise<Received> {
  const gathered = Buffer.allocUnsafe(gatherBytes)
  const digest = options.md5 === undefined ? undefined : createHash('md5')
  let filled = 0
  let bytes = 0
  let sinceRoom = 0
  let sinceKeep = 0
  const flush = async (): Promise<void> => {
    await writeSparse(file, gathered.subarray(0, filled), options.offset + bytes - filled, options.fresh)
    filled = 0
  }
  const source = body[Symbol.asyncIterator]()
  for (;;) {
    const next = await source.next().catch((error: unknown) => ({ broken: error }))
    if ('broken' in next) {
      await flush()
      return { bytes, broken: next.broken }
    }
    if (next.done) break
    let chunk = next.value
    if (bytes + chunk.length > options.maxBytes) throw options.tooLarge()
    digest?.update(chunk)
    sinceRoom += chunk.length
    sinceKeep += chunk.length
    while (chunk.length > 0) {
      const part = chunk.subarray(0, gatherBytes - filled)
      gathered.set(part, filled)
      filled += part.length
      bytes += part.length
      chunk = chunk.subarray(part.length)
      if (filled === gatherBytes) await flush()
    }
    if (sinceRoom >= roomEveryBytes) {
      sinceRoom = 0
      await options.ensureRoom()
    }
    if (sinceKeep >= keepEveryBytes) {
      sinceKeep = 0
      await options.keep?.(bytes - filled)
    }
  }
  await flush()
  if (digest && digest.digest('base64') !== options.md5) throw transferProblems.Md5Mismatch({})
  return { bytes }
}

/**
 * A body that must arrive whole, into a file of its own: cut to what came and synced; answers its size. Throws
 * IncompleteBody where the connection broke.
 */
export async function receiveWhole(
  file: FileHandle,
  body: AsyncIterable<Uint8Array>,
  options: Pick<ReceiveOptions, 'maxBytes' | 'tooLarge' | 'md5' | 'ensureRoom'>,
  announcedBytes: number | undefined,
): Promise<number> {
  const received = await receiveBody(file, body, { ...options, offset: 0, fresh: true })
  const { bytes } = received
  if ('broken' in received)
    throw transferProblems.IncompleteBody(
      { expectedBytes: announcedBytes ?? bytes, receivedBytes: bytes },
      { cause: received.broken },
    )
  await file.truncate(bytes)
  await file.sync()
  return bytes
}
