import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ensureKeyFolder, keyFileMark, openKeyFolder, readKeyFile, writeKeyFile } from './key-files.ts'
import { keyProblems } from './problems.ts'

/**
 * The data keys of disk encryption sets ("vaults" to the store). Each is 32 random bytes, kept only wrapped: encrypted with
 * the operator's key that the set names (AES-256-GCM, the vault's name authenticated). Rotation wraps it anew; bytes stay.
 */
export interface DataKeys {
  /** Makes the vault's data key, or wraps the one that is there with another key. May run twice. */
  put(vault: string, keyName: string): Promise<void>
  /** Throws DiskEncryptionKeyUnavailable. Looks each time whether the operator's key is still there. */
  find(vault: string): Promise<Uint8Array>
  /** Forgets it for good: what it encrypts is lost. */
  drop(vault: string): Promise<void>
}

interface Wrapped {
  readonly version: 1
  readonly key: string
  readonly nonce: string
  readonly data: string
  readonly tag: string
}

const algorithm = 'aes-256-gcm'

function wrap(vault: string, keyName: string, key: Buffer, dataKey: Uint8Array): Wrapped {
  const nonce = randomBytes(12)
  const cipher = createCipheriv(algorithm, key, nonce)
  cipher.setAAD(Buffer.from(vault))
  const data = Buffer.concat([cipher.update(dataKey), cipher.final()])
  const text = (bytes: Buffer): string => bytes.toString('base64')
  return { version: 1, key: keyName, nonce: text(nonce), data: text(data), tag: text(cipher.getAuthTag()) }
}

/** Undefined: another key wrapped it, or it is damaged. */
function unwrap(vault: string, key: Buffer, { nonce, data, tag }: Wrapped): Buffer | undefined {
  const bytes = (value: string): Buffer => Buffer.from(value, 'base64')
  try {
    const decipher = createDecipheriv(algorithm, key, bytes(nonce), { authTagLength: 16 })
    decipher.setAAD(Buffer.from(vault))
    decipher.setAuthTag(bytes(tag))
    return Buffer.concat([decipher.update(bytes(data)), decipher.final()])
  } catch {
    return undefined
  }
}

/** `folder`: of the wrapped data keys. `keysFolder`: of the operator's keys, best on another device. */
export function openDataKeys(folder: string, keysFolder: string): DataKeys {
  const keys = openKeyFolder(keysFolder)
  const pathOf = (vault: string): string => join(folder, vault)
  const known = new Map<string, { readonly mark: string; readonly keyName: string; readonly dataKey: Buffer }>()

  const marksOf = async (vault: string, keyName: string): Promise<string> =>
    `${await keyFileMark(pathOf(vault))} / ${await keyFileMark(keys.pathOf(keyName))}`

  const readWrapped = async (vault: string): Promise<Wrapped | undefined> => {
    const text = await readKeyFile(pathOf(vault))
    return text === undefined ? undefined : (JSON.parse(text) as Wrapped)
  }
  const open = async (vault: string, wrapped: Wrapped): Promise<Buffer> => {
    const key = await keys.read(wrapped.key)
    if (!key) throw keyProblems.DiskEncryptionKeyUnavailable({ key: wrapped.key, reason: 'it is not in the folder' })
    const dataKey = unwrap(vault, key, wrapped)
    if (dataKey) return dataKey
    throw keyProblems.DiskEncryptionKeyUnavailable({
      key: wrapped.key,
      reason: 'the folder has another under its name',
    })
  }
  return {
    async put(vault, keyName) {
      const before = await readWrapped(vault)
      // Before a key is made: where the data key cannot be read it cannot be wrapped anew either.
      const dataKey = before ? await open(vault, before) : randomBytes(32)
      if (before?.key === keyName) return
      await keys.ensure(keyName)
      const key = await keys.read(keyName)
      if (!key) throw keyProblems.DiskEncryptionKeyUnavailable({ key: keyName, reason: 'its file is no key' })
      await ensureKeyFolder(folder)
      await writeKeyFile(pathOf(vault), `${JSON.stringify(wrap(vault, keyName, key, dataKey))}\n`)
      known.delete(vault)
    },
    async find(vault) {
      const held = known.get(vault)
      if (held && held.mark === (await marksOf(vault, held.keyName))) return held.dataKey
      known.delete(vault)
      const wrapped = await readWrapped(vault)
      if (!wrapped)
        throw keyProblems.DiskEncryptionKeyUnavailable({ key: vault, reason: 'the disk encryption set is gone' })
      const mark = await marksOf(vault, wrapped.key)
      const dataKey = await open(vault, wrapped)
      known.set(vault, { mark, keyName: wrapped.key, dataKey })
      return dataKey
    },
    async drop(vault) {
      known.delete(vault)
      await rm(pathOf(vault), { force: true })
    },
  }
}
