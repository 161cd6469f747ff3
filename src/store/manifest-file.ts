import { createCipheriv, randomBytes } from 'node:crypto'
import { open, type FileHandle } from 'node:fs/promises'
import type { DurableFile, FileSystem } from './durable-file.ts'

/** The file behind a manifest, read at positions: as it is, or encrypted (docs/design/store-format.md, section 10). */
export interface ManifestFile {
  readonly sizeBytes: number
  /** Answers less where the file is shorter. */
  read(position: number, length: number): Promise<Buffer>
  close(): Promise<void>
}

/**
 * Encrypted: magic[8] | initial counter[16] | 0[8], then AES-256-CTR of all bytes. Integrity comes from the root: footer,
 * table and pages are compared with it whenever they are read.
 */
const magic = Buffer.from('GLDLVALT')
const headBytes = 32

async function readAt(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const into = Buffer.alloc(length)
  const { bytesRead } = await handle.read(into, 0, length, position)
  return into.subarray(0, bytesRead)
}

/** The same for both directions. */
function crypt(key: Uint8Array, start: Buffer, bytes: Uint8Array, position: number): Buffer {
  const counter = (BigInt(`0x${start.toString('hex')}`) + BigInt(Math.floor(position / 16))) % 2n ** 128n
  const cipher = createCipheriv('aes-256-ctr', key, Buffer.from(counter.toString(16).padStart(32, '0'), 'hex'))
  cipher.update(Buffer.alloc(position % 16))
  return cipher.update(bytes)
}

/** Without a key: a plain file. A file that is not encrypted where it should be reads as empty, which no manifest is. */
export async function openManifestFile(path: string, key: Uint8Array | undefined): Promise<ManifestFile> {
  const handle = await open(path, 'r')
  const close = (): Promise<void> => handle.close()
  try {
    const { size } = await handle.stat()
    if (key === undefined)
      return { sizeBytes: size, read: (position, length) => readAt(handle, position, length), close }
    const head = await readAt(handle, 0, headBytes)
    if (head.length !== headBytes || !head.subarray(0, magic.length).equals(magic))
      return { sizeBytes: 0, read: () => Promise.resolve(Buffer.alloc(0)), close }
    const start = head.subarray(magic.length, magic.length + 16)
    return {
      sizeBytes: size - headBytes,
      read: async (position, length) => crypt(key, start, await readAt(handle, headBytes + position, length), position),
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** A new file that encrypts what is written. */
export async function createManifestFile(
  files: FileSystem,
  path: string,
  key: Uint8Array | undefined,
): Promise<DurableFile> {
  const file = await files.create(path)
  if (key === undefined) return file
  const start = randomBytes(16)
  await file.write([magic, start, Buffer.alloc(headBytes - magic.length - start.length)], 0)
  return {
    write: (chunks, position) => file.write([crypt(key, start, Buffer.concat(chunks), position)], headBytes + position),
    sync: () => file.sync(),
    truncate: (length) => file.truncate(headBytes + length),
    close: () => file.close(),
  }
}
