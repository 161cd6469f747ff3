import { createCipheriv } from 'node:crypto'
import { open } from 'node:fs/promises'

const pieceBytes = 4 << 20

/** Writes bytes that do not compress, the same for the same seed: much faster than a generator of our own. */
export async function writeNoise(
  path: string,
  sizeBytes: number,
  seed: number,
  pieces?: { readonly everyBytes: number; readonly pieceBytes: number },
): Promise<string> {
  const key = Buffer.alloc(16)
  key.writeUInt32LE(seed >>> 0)
  const cipher = createCipheriv('aes-128-ctr', key, Buffer.alloc(16))
  await using file = await open(path, 'w')
  await file.truncate(sizeBytes)
  const stepBytes = pieces?.everyBytes ?? pieceBytes
  const lengthBytes = pieces?.pieceBytes ?? pieceBytes
  for (let at = 0; at < sizeBytes; at += stepBytes) {
    const bytes = cipher.update(Buffer.alloc(Math.min(lengthBytes, sizeBytes - at)))
    await file.write(bytes, 0, bytes.length, at)
  }
  return path
}
