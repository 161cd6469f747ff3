import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import * as fc from 'fast-check'
import type { DiskFormat, DiskImage } from './disk-image.ts'
import type { GuestData } from './guest-data.ts'
import { readGuestData, zeroGridBytes } from './guest-data.ts'
import { isZero } from './sparse-file.ts'

export const allFormats: readonly { format: DiskFormat; compress: boolean; qemuName: string }[] = [
  { format: 'raw', compress: false, qemuName: 'raw' },
  { format: 'vhd-fixed', compress: false, qemuName: 'vpc' },
  { format: 'vhd-dynamic', compress: false, qemuName: 'vpc' },
  { format: 'qcow2', compress: false, qemuName: 'qcow2' },
  { format: 'qcow2', compress: true, qemuName: 'qcow2' },
]

/** A folder for one test file, removed at its end. */
export async function makeTestFolder(): Promise<{ path: (name: string) => string }> {
  const folder = await mkdtemp(join(tmpdir(), 'goldleaf-blocks-'))
  after(() => rm(folder, { recursive: true, force: true }))
  return { path: (name) => join(folder, name) }
}

/** The seed of this run, printed: put it here in place of the random one to repeat a failure. */
export function chooseSeed(): number {
  const seed = Math.floor(Math.random() * 2 ** 31)
  process.stdout.write(`# fast-check seed ${seed}\n`)
  return seed
}

export interface Piece {
  readonly offset: number
  readonly length: number
  readonly kind: 'noise' | 'constant' | 'text' | 'zeros'
  readonly salt: number
}

/** Bytes that depend on the piece alone: noise does not compress, constant and text do. */
export function bytesOf(piece: Piece): Buffer {
  switch (piece.kind) {
    case 'zeros':
      return Buffer.alloc(piece.length)
    case 'constant':
      return Buffer.alloc(piece.length, (piece.salt % 255) + 1)
    case 'text':
      return Buffer.alloc(piece.length, `line ${piece.salt} of a log file\n`)
    case 'noise': {
      const bytes = Buffer.alloc(piece.length)
      let state = piece.salt | 1
      for (let at = 0; at < bytes.length; at += 1) {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0
        bytes[at] = state >>> 24
      }
      return bytes
    }
  }
}

export interface RandomDisk {
  readonly virtualSizeBytes: number
  readonly pieces: readonly Piece[]
}

/** Sparse disks of up to `maxSectors` sectors; ragged ends, neighbours, pieces over the borders of blocks and tables. */
export function randomDisk(maxSectors: number): fc.Arbitrary<RandomDisk> {
  const piece = (size: number): fc.Arbitrary<Piece> =>
    fc.record({
      offset: fc.oneof(
        fc.nat(size - 1),
        fc.nat(Math.floor((size - 1) / 65_536)).map((n) => n * 65_536),
      ),
      length: fc.oneof(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 1, max: 300_000 })),
      kind: fc.constantFrom('noise', 'constant', 'text', 'zeros'),
      salt: fc.nat(1_000_000),
    })
  return fc
    .integer({ min: 1, max: maxSectors })
    .map((sectors) => sectors * 512)
    .chain((virtualSizeBytes) =>
      fc.array(piece(virtualSizeBytes), { maxLength: 12 }).map((pieces) => {
        let end = 0
        const kept: Piece[] = []
        for (const p of pieces.toSorted((a, b) => a.offset - b.offset)) {
          const offset = Math.max(p.offset, end)
          const length = Math.min(p.length, virtualSizeBytes - offset)
          if (length <= 0) continue
          kept.push({ ...p, offset, length })
          end = offset + length
        }
        return { virtualSizeBytes, pieces: kept }
      }),
    )
}

export async function* dataOf(disk: RandomDisk): AsyncGenerator<GuestData> {
  for (const piece of disk.pieces) yield { offset: piece.offset, bytes: bytesOf(piece) }
}

export function wholeDisk(disk: RandomDisk): Buffer {
  const bytes = Buffer.alloc(disk.virtualSizeBytes)
  for (const piece of disk.pieces) bytes.set(bytesOf(piece), piece.offset)
  return bytes
}

/** Names what the guest reads: size and every 4 KiB block that is not zero; the same however it is stored. */
export async function fingerprint(virtualSizeBytes: number, data: AsyncIterable<GuestData>): Promise<string> {
  const hash = createHash('sha256').update(`${virtualSizeBytes}\n`)
  let block = Buffer.alloc(zeroGridBytes)
  let at = -1
  const flush = (): void => {
    if (at >= 0 && !isZero(block)) hash.update(`${at}\n`).update(block)
    block = Buffer.alloc(zeroGridBytes)
  }
  for await (const { offset, bytes } of data)
    for (let done = 0; done < bytes.length;) {
      const here = Math.floor((offset + done) / zeroGridBytes)
      if (here !== at) {
        flush()
        at = here
      }
      const within = (offset + done) % zeroGridBytes
      const part = bytes.subarray(done, Math.min(bytes.length, done + zeroGridBytes - within))
      block.set(part, within)
      done += part.length
    }
  flush()
  return hash.digest('hex')
}

export function fingerprintOf(image: DiskImage, unitBytes?: number): Promise<string> {
  return fingerprint(image.virtualSizeBytes, readGuestData(image, unitBytes === undefined ? {} : { unitBytes }))
}
