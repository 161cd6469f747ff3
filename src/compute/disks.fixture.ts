import { randomBytes } from '../base/random.ts'
import { writeDiskImage } from '../blocks/write-disk-image.ts'

/** Writes a fixed VHD of random data and answers what a guest reads from it. */
export async function imageData(path: string, sizeBytes: number): Promise<Buffer> {
  const content = Buffer.concat(Array.from({ length: Math.ceil(sizeBytes / 65_536) }, () => randomBytes(65_536)))
  const bytes = content.subarray(0, sizeBytes)
  await writeDiskImage(path, 'vhd-fixed', sizeBytes, one(bytes))
  return bytes
}

async function* one(bytes: Buffer): AsyncGenerator<{ offset: number; bytes: Buffer }> {
  yield { offset: 0, bytes }
}
