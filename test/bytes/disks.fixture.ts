import { open } from 'node:fs/promises'
import { seededBytes } from '../support/disks.ts'

const MiB = 1 << 20

export interface TestDisk {
  readonly name: string
  readonly sizeBytes: number
  readonly pieces: readonly { readonly offset: number; readonly bytes: Buffer }[]
}

type Pick = (below: number) => number

/** Noise, text, one byte over and over, or zeros that are written: data that is not there to be seen. */
function makeBytes(pick: Pick, random: (length: number) => Buffer, length: number): Buffer {
  const kind = pick(5)
  if (kind === 0) return Buffer.alloc(length)
  if (kind === 1) return Buffer.alloc(length, `line ${pick(1000)} of some log\n`)
  if (kind === 2) return Buffer.alloc(length, pick(255) + 1)
  const bytes = random(length)
  // A source of 32 bit words leaves the last bytes of an odd length alone.
  bytes.fill(pick(255) + 1, length - (length % 4))
  return bytes
}

/** Disks whose sizes and contents lie on and beside every border there is: sector, frame, page, VHD block. */
export function makeDisks(seed: number): readonly TestDisk[] {
  const random = seededBytes(seed)
  const pick: Pick = (below) => random(4).readUInt32LE(0) % below
  const sparse = (name: string, sizeBytes: number, count: number): TestDisk => ({
    name,
    sizeBytes,
    pieces: Array.from({ length: count }, () => {
      const isAligned = pick(3) === 0
      const at = pick(sizeBytes)
      const offset = isAligned ? at - (at % 65_536) : at
      const length = Math.min(1 + (pick(2) === 0 ? pick(5_000) : pick(300_000)), sizeBytes - offset)
      return { offset, bytes: makeBytes(pick, random, length) }
    }),
  })
  const dense = (name: string, sizeBytes: number): TestDisk => ({
    name,
    sizeBytes,
    pieces: [{ offset: 0, bytes: random(sizeBytes) }],
  })
  const edges = (name: string, sizeBytes: number): TestDisk => ({
    name,
    sizeBytes,
    pieces: [0, 65_535, 65_536, MiB - 1, sizeBytes - 1]
      .filter((offset) => offset < sizeBytes)
      .map((offset) => ({ offset, bytes: Buffer.from([pick(255) + 1]) })),
  })
  return [
    dense('one sector', 512),
    dense('one MiB and a sector, dense', MiB + 512),
    edges('single bytes on borders, ragged end', 17 * MiB + 7 * 512),
    { name: 'nothing but zeros', sizeBytes: 3 * MiB, pieces: [] },
    { name: 'zeros that are written', sizeBytes: 2 * MiB, pieces: [{ offset: 0, bytes: Buffer.alloc(2 * MiB) }] },
    dense('dense', 6 * MiB),
    sparse('random, ragged end', 512 * (1 + pick(60_000)), 14),
    sparse('random, whole MiB', MiB * (1 + pick(40)), 18),
    sparse('random, whole MiB too', MiB * (20 + pick(60)), 25),
    sparse('large and nearly empty', 300 * MiB + 512, 5),
  ]
}

export async function writeRaw(path: string, disk: TestDisk): Promise<string> {
  await using file = await open(path, 'w')
  await file.truncate(disk.sizeBytes)
  for (const { offset, bytes } of disk.pieces) await file.write(bytes, 0, bytes.length, offset)
  return path
}
