import { chmod, mkdir, open, readFile, rename, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { randomUuid } from '../base/random.ts'

/** Owner only: keys, secrets and the folders that hold them. */
const secretFileMode = 0o600
const secretFolderMode = 0o700

/** Makes a folder that only its owner may enter; tightens one that is there already. */
export async function ensureSecretFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: secretFolderMode })
  await chmod(folder, secretFolderMode)
}

/**
 * Replaces a small file durably: temporary file, fsync, rename, fsync of the folder. After a crash the file is the old
 * one or the new one, whole. Mode 0600 from its first byte on unless `mode` says otherwise.
 */
export async function writeDurableFile(path: string, text: string, mode: number = secretFileMode): Promise<void> {
  const temporary = `${path}.${randomUuid()}.tmp`
  const file = await open(temporary, 'wx', mode)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(temporary, path)
  const folder = await open(dirname(path), 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** The file's text, or undefined where there is none. */
export async function readFileIfAny(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

/** As `readFileIfAny`, and takes away what others may do with it: a restored backup or a copy often loosens modes. */
export async function readSecretFile(path: string): Promise<string | undefined> {
  const text = await readFileIfAny(path)
  if (text !== undefined && ((await stat(path)).mode & 0o077) !== 0) await chmod(path, secretFileMode)
  return text
}
