// `npm run bench`: publish, next version, replicate, read back, beside the tools one would use instead, on the same
// data in the same run. Prints a table and, with --json FILE, the figures. What it measures is what a user waits for:
// every figure includes making the result durable.
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { mapLimit } from '../src/base/map-limit.ts'
import { formatBytes, GiB, MiB, TiB } from '../src/base/units.ts'
import type { Region } from '../src/base/region.ts'
import type { Extent, StorageClass, TransferProgress } from '../src/store/disk-store.ts'
import { frameSizeBytes } from '../src/store/disk-store.ts'
import { createDiskStores } from '../src/store/disk-stores.ts'
import { makeDisk, changeDisk } from './disk.ts'

const rounds = 3
const { values: options } = parseArgs({
  options: { size: { type: 'string' }, folder: { type: 'string' }, json: { type: 'string' } },
})
const sizeMiB = Number(options.size ?? 1024)
const folder = mkdtempSync(join(options.folder ?? tmpdir(), 'goldleaf-bench-'))
const results: Record<string, number | string> = {}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}

async function seconds(work: () => Promise<unknown> | void): Promise<number> {
  const startMs = performance.now()
  await work()
  return (performance.now() - startMs) / 1000
}

function run(program: string, ...args: string[]): void {
  const done = spawnSync(program, args, { stdio: ['ignore', 'ignore', 'inherit'] })
  if (done.status !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${done.status}`)
}

/** A peer's result counts when it is durable, as ours does. */
async function sync(path: string): Promise<void> {
  await using file = await open(path, 'r+')
  await file.sync()
}

async function timed(
  name: string,
  prepare: (round: number) => void,
  work: (round: number) => Promise<unknown>,
): Promise<number> {
  const all: number[] = []
  for (let round = 0; round < rounds; round += 1) {
    prepare(round)
    all.push(await seconds(() => work(round)))
  }
  const result = median(all)
  results[name] = result
  process.stderr.write(`${name}: ${all.map((s) => s.toFixed(2)).join(' ')} s\n`)
  return result
}

function region(name: string, round: number): Region {
  const home = join(folder, `store-${round}`, name)
  return {
    name,
    displayName: name,
    zones: ['1', '2', '3'],
    pairedRegion: undefined,
    geographyGroup: 'Bench',
    stampFolders: [join(home, 'stamp')],
    zoneFolders: [1, 2, 3].map((zone) => join(home, `zone-${zone}`)),
  }
}

async function measureDisk(): Promise<{ readonly writeMiBs: number; readonly readMiBs: number }> {
  const path = join(folder, 'limit')
  const block = Buffer.alloc(4 * MiB, 0xa5)
  const bytes = 512 * MiB
  const written = await seconds(async () => {
    await using file = await open(path, 'w')
    for (let at = 0; at < bytes; at += block.length) await file.write(block, 0, block.length, at)
    await file.sync()
  })
  const read = await seconds(async () => {
    await using file = await open(path, 'r')
    for (let at = 0; at < bytes; at += block.length) await file.read(block, 0, block.length, at)
  })
  rmSync(path)
  return { writeMiBs: bytes / MiB / written, readMiBs: bytes / MiB / read }
}

/** Our own road on one fresh pair of regions: first version, next version, replicate both, read back, verify. */
async function goldleaf(round: number, one: string, two: string, storageClass: StorageClass) {
  const regions = [region('home', round), region('away', round)]
  await using stores = await createDiskStores({ regions })
  const home = stores.store('home', storageClass)
  const away = stores.store('away', storageClass)
  const times: Record<string, number> = {}
  const figures: Record<string, TransferProgress> = {}
  const step = async <T extends { readonly root: string; readonly progress: TransferProgress }>(
    name: string,
    work: () => Promise<T>,
  ) => {
    const startMs = performance.now()
    const done = await work()
    times[name] = (performance.now() - startMs) / 1000
    figures[name] = done.progress
    return done.root
  }
  const first = await step('first publish', () => home.ingest({ path: one, format: 'raw' }))
  const next = await step('next version', () => home.ingest({ path: two, format: 'raw' }, { parentRoot: first }))
  await step('replicate first', () => away.receive(home, first))
  await step('replicate next', () => away.receive(home, next, { parentRoot: first }))
  times['read back'] = await seconds(async () => {
    await using disk = await away.open(next)
    await using out = await open(join(folder, 'back.raw'), 'w')
    await out.truncate(disk.virtualSizeBytes)
    // As a client with a few ranges under way.
    await mapLimit(piecesOf(disk.extents()), 4, async ({ offset, length }) => {
      await out.write(await disk.read(offset, length), 0, length, offset)
    })
    await out.sync()
  })
  run('cmp', two, join(folder, 'back.raw'))
  times['verify'] = await seconds(async () => {
    const { lost } = await away.verify(next)
    if (lost.length > 0) throw new Error('frames were lost')
  })
  const usage = await away.usage()
  return { times, figures, bytesStored: usage.bytesStored }
}

async function* piecesOf(extents: AsyncIterable<Extent>): AsyncIterable<Extent> {
  for await (const { offset, length } of extents)
    for (let at = 0; at < length; at += 4 * MiB) yield { offset: offset + at, length: Math.min(4 * MiB, length - at) }
}

async function compare(one: string, two: string): Promise<void> {
  const target = (round: number, ending: string): string => join(folder, `peer-${round}.${ending}`)
  const clear = (): void => {
    for (let round = 0; round < rounds; round += 1)
      for (const ending of ['raw', 'qcow2']) rmSync(target(round, ending), { force: true })
  }
  const peer = (name: string, ending: string, program: string, ...args: string[]) =>
    timed(name, clear, async (round) => {
      run(program, ...args, one, target(round, ending))
      await sync(target(round, ending))
    })
  const cp = await peer('cp --sparse=always', 'raw', 'cp', '--sparse=always')
  const raw = await peer('qemu-img convert raw', 'raw', 'qemu-img', 'convert', '-f', 'raw', '-O', 'raw')
  const zstd = await peer(
    'qemu-img convert qcow2 zstd',
    'qcow2',
    'qemu-img',
    'convert',
    '-f',
    'raw',
    '-O',
    'qcow2',
    '-c',
    '-o',
    'compression_type=zstd',
  )
  const zstdBytes = statSync(target(rounds - 1, 'qcow2')).size
  clear()
  for (const storageClass of ['Standard_LRS', 'Premium_LRS'] as const) {
    const all: Awaited<ReturnType<typeof goldleaf>>[] = []
    for (let round = 0; round < rounds; round += 1) {
      rmSync(join(folder, `store-${round}`), { recursive: true, force: true })
      all.push(await goldleaf(round, one, two, storageClass))
      rmSync(join(folder, `store-${round}`), { recursive: true, force: true })
    }
    const time = (name: string): number => median(all.map(({ times }) => times[name] ?? Number.NaN))
    const [sample] = all
    const changed = sample?.figures['next version']?.bytesNew ?? 0
    const sent = sample?.figures['replicate next']?.bytesSent ?? 0
    const row = (what: string, ours: number, versus: string, theirs: number): void => {
      const ratio = ours / theirs
      results[`${storageClass} ${what}`] = ours
      results[`${storageClass} ${what} / ${versus}`] = ratio
      process.stdout.write(
        `${storageClass.padEnd(13)} ${what.padEnd(16)} ${ours.toFixed(2).padStart(7)} s   ${ratio.toFixed(2).padStart(5)} x ${versus} (${theirs.toFixed(2)} s)\n`,
      )
    }
    row('first publish', time('first publish'), 'qemu-img zstd', zstd)
    row('first publish', time('first publish'), 'qemu-img raw', raw)
    row('next version', time('next version'), 'cp', cp)
    row('replicate first', time('replicate first'), 'cp', cp)
    row('replicate next', time('replicate next'), 'cp', cp)
    row('read back', time('read back'), 'cp', cp)
    row('verify', time('verify'), 'cp', cp)
    process.stdout.write(
      `${storageClass.padEnd(13)} changed frames ${formatBytes(changed)}, sent for them ${formatBytes(sent)} (${(sent / changed).toFixed(3)}), kept for both ${formatBytes(sample?.bytesStored ?? 0)} (qcow2 zstd of one: ${formatBytes(zstdBytes)})\n`,
    )
    results[`${storageClass} sent / changed`] = sent / changed
  }
}

/** A sparse 1 TiB disk with 1 GiB of data in a process of its own: the peak of its memory is the figure. */
async function measureMemory(): Promise<void> {
  const path = join(folder, 'huge.raw')
  await using file = await open(path, 'w')
  await file.truncate(TiB)
  const block = Buffer.alloc(MiB)
  for (let i = 0; i < 1024; i += 1) {
    for (let at = 0; at < block.length; at += 8) block.writeUInt32LE((Math.imul(i + 1, 2_654_435_761) + at) >>> 0, at)
    await file.write(block, 0, block.length, i * GiB)
  }
  await file.sync()
  const child = spawn(process.execPath, [join(import.meta.dirname, 'memory.ts'), path, join(folder, 'huge-store')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  for await (const chunk of child.stdout) text += String(chunk)
  const { peakMiB, ingestSeconds } = JSON.parse(text) as { peakMiB: number; ingestSeconds: number }
  results['1 TiB peak MiB'] = peakMiB
  results['1 TiB seconds'] = ingestSeconds
  process.stdout.write(
    `1 TiB sparse, 1 GiB of data: ${ingestSeconds.toFixed(2)} s, peak memory ${peakMiB.toFixed(0)} MiB (limit 512)\n`,
  )
}

try {
  const one = join(folder, 'one.raw')
  const two = join(folder, 'two.raw')
  const dataBytes = await makeDisk(one, sizeMiB)
  run('cp', '--sparse=always', one, two)
  const changedFrames = await changeDisk(two, 0.01)
  const limit = await measureDisk()
  process.stdout.write(
    `disk of ${formatBytes(statSync(one).size)} with ${formatBytes(dataBytes)} of data; ${changedFrames} frames of ${formatBytes(frameSizeBytes)} changed for the next version\n` +
      `limit of this disk: write ${limit.writeMiBs.toFixed(0)} MiB/s, read ${limit.readMiBs.toFixed(0)} MiB/s (from the page cache): ${(dataBytes / MiB / limit.writeMiBs).toFixed(2)} s to write the data once\n`,
  )
  await compare(one, two)
  await measureMemory()
  const file = options.json
  if (file) writeFileSync(file, `${JSON.stringify({ sizeMiB, dataBytes, ...limit, ...results }, undefined, 2)}\n`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
