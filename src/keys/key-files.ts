import { randomBytes } from 'node:crypto'
import { chmod, mkdir, readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { replaceFile, syncFolder, writeFully } from '../blocks/replace-file.ts'

/** Whoever has these files reads what they encrypt: the owner only. */
const fileMode = 0o600
const folderMode = 0o700

/** Makes a folder that only its owner may enter. */
export async function ensureKeyFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: folderMode })
  await chmod(folder, folderMode)
  await syncFolder(dirname(folder))
}

/** Replaces a small file durably, whole or not at all, mode 0600 from its first byte on. */
export function writeKeyFile(path: string, text: string): Promise<void> {
  return replaceFile(path, async (handle) => {
    await handle.chmod(fileMode)
    await writeFully(handle, Buffer.from(text), 0)
  })
}

/** Undefined where there is no such file. */
export async function readKeyFile(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}

/** Changes with the file: tells whether it was replaced or removed without reading it. */
export async function keyFileMark(path: string): Promise<string | undefined> {
  try {
    const { ino, size, mtimeMs, ctimeMs } = await stat(path)
    return [ino, size, mtimeMs, ctimeMs].join(' ')
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')
}

/**
 * The operator's keys: one file each, 32 random bytes in hex. A key is made when a disk encryption set first names it, and
 * never again by reading: one that was destroyed stays destroyed.
 */
export interface KeyFolder {
  pathOf(name: string): string
  ensure(name: string): Promise<void>
  /** Undefined: there is none, or it is no key. */
  read(name: string): Promise<Buffer | undefined>
}

export function openKeyFolder(folder: string): KeyFolder {
  const pathOf = (name: string): string => join(folder, `${name}.key`)
  return {
    pathOf,
    async ensure(name) {
      if ((await readKeyFile(pathOf(name))) !== undefined) return
      await ensureKeyFolder(folder)
      await writeKeyFile(pathOf(name), `${randomBytes(32).toString('hex')}\n`)
    },
    async read(name) {
      const text = (await readKeyFile(pathOf(name)))?.trim() ?? ''
      return /^[0-9a-f]{64}$/.test(text) ? Buffer.from(text, 'hex') : undefined
    },
  }
}
