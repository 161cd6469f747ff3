import { globSync } from 'node:fs'
import { open, rm, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { seededBytes } from '../support/disks.ts'

/** Where a region's bytes lie: docs/design/store-format.md section 2. */
export interface Place {
  readonly data: string
  readonly region: string
  /** `stamp-1`, or `zone-1` to `zone-3`. */
  readonly unit?: string
  readonly layout?: 'standard' | 'premium'
}

function folderOf({ data, region, unit = 'stamp-1', layout = 'standard' }: Place): string {
  return join(data, 'regions', region, unit, layout)
}

export function filesIn(place: Place, pattern: string): string[] {
  const folder = folderOf(place)
  return globSync(pattern, { cwd: folder }).map((name) => join(folder, name))
}

/** Turns over single bits all over a file, its first bytes left alone. */
export async function flipBits(path: string, count: number, seed: number, from = 0): Promise<void> {
  const random = seededBytes(seed)
  const { size } = await stat(path)
  await using file = await open(path, 'r+')
  for (let flip = 0; flip < count; flip += 1) {
    const at = from + (random(4).readUInt32LE(0) % (size - from))
    const byte = Buffer.alloc(1)
    await file.read(byte, 0, 1, at)
    byte[0] = (byte[0] ?? 0) ^ (1 << (flip % 8))
    await file.write(byte, 0, 1, at)
  }
}

export interface Damage {
  readonly why: string
  readonly harmless?: boolean
  /** Default: both. */
  readonly only?: 'running' | 'stopped'
  /** A server that has the folder open cannot write there any more: it says so, and heals when it is started again. */
  readonly isOutOfOrderUntilRestart?: boolean
  readonly run: (place: Place, seed: number) => Promise<void>
}

const each = async (paths: readonly string[], work: (path: string) => Promise<void>): Promise<void> => {
  if (paths.length === 0) throw new Error('nothing to damage: has the layout of the store changed?')
  for (const path of paths) await work(path)
}

export const damages: readonly Damage[] = [
  {
    why: 'flipped bits in packs',
    run: (place, seed) => each(filesIn(place, 'packs/*.pack'), (path) => flipBits(path, 25, seed, 4096)),
  },
  {
    why: 'packs cut in half',
    only: 'stopped',
    run: (place) => each(filesIn(place, 'packs/*.pack'), async (path) => truncate(path, (await stat(path)).size >> 1)),
  },
  { why: 'packs deleted', run: (place) => each(filesIn(place, 'packs/*.pack'), (path) => rm(path)) },
  {
    why: 'flipped bits in manifests',
    only: 'running',
    run: (place, seed) => each(filesIn(place, 'manifests/*/*'), (path) => flipBits(path, 2, seed)),
  },
  { why: 'manifests deleted', run: (place) => each(filesIn(place, 'manifests/*/*'), (path) => rm(path)) },
  {
    why: 'index deleted',
    only: 'stopped',
    harmless: true,
    run: (place) => each(filesIn(place, 'index.sqlite*'), (path) => rm(path)),
  },
  {
    why: 'the whole folder deleted',
    only: 'running',
    isOutOfOrderUntilRestart: true,
    run: (place) => rm(folderOf(place), { recursive: true }),
  },
]
