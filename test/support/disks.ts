import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Of what is random in a test, whose name has it. */
export const testSeed = Number(process.env['GOLDLEAF_SEED'] ?? Date.now() % 1_000_000)

/** A small repeatable source of bytes (mulberry32): the seed is in the test's name, so a failure can be replayed. */
export function seededBytes(seed: number): (length: number) => Buffer {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return (t ^ (t >>> 14)) >>> 0
  }
  return (length) => {
    const bytes = Buffer.alloc(length)
    for (let at = 0; at + 4 <= length; at += 4) bytes.writeUInt32LE(next(), at)
    return bytes
  }
}

/** Writes a sparse raw disk: `pieces` of random bytes of up to 300 KiB at random places; returns its path. */
export async function writeSparseDisk(path: string, sizeBytes: number, pieces: number, seed: number): Promise<string> {
  const bytes = seededBytes(seed)
  const number = (): number => bytes(4).readUInt32LE(0)
  await using file = await open(path, 'w')
  await file.truncate(sizeBytes)
  for (let i = 0; i < pieces; i += 1) {
    const length = 512 * (1 + (number() % 600))
    const offset = 512 * (number() % Math.floor((sizeBytes - length) / 512))
    await file.write(bytes(length - (length % 4)), 0, length - (length % 4), offset)
  }
  await file.sync()
  return path
}

export async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash('sha256')
  await using file = await open(path, 'r')
  for await (const chunk of file.createReadStream({ highWaterMark: 1 << 20 })) hash.update(chunk as Buffer)
  return hash.digest('hex')
}

/** qemu-img as the judge: throws unless two images have the same content. */
export async function assertSameImage(a: string, formatA: string, b: string, formatB: string): Promise<void> {
  await run('qemu-img', ['compare', '-f', formatA, '-F', formatB, a, b])
}

export async function convertImage(
  from: string,
  to: string,
  format: string,
  options: readonly string[] = [],
): Promise<void> {
  await run('qemu-img', ['convert', '-f', 'raw', '-O', format, ...options, from, to])
}
