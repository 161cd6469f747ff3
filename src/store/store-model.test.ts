import assert from 'node:assert/strict'
import { cpSync, existsSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { test } from 'node:test'
import { createDiskStores, type OpenDiskStores } from './disk-stores.ts'
import { nodeFileSystem, type FileSystem } from './durable-file.ts'
import {
  bytesOf,
  changeDisk,
  createTestFolder,
  packsIn,
  randomDisk,
  readAll,
  seeded,
  testRegion,
  writeDisk,
  type ModelDisk,
} from './store.fixture.ts'

/** Knows of each file how much of it was made durable. */
function trackingFiles(): FileSystem & { readonly durable: Map<string, number> } {
  const durable = new Map<string, number>()
  return {
    durable,
    async create(path) {
      const file = await nodeFileSystem.create(path)
      let written = 0
      return {
        ...file,
        async write(chunks, position) {
          await file.write(chunks, position)
          written = Math.max(written, position + chunks.reduce((sum, chunk) => sum + chunk.length, 0))
        },
        async sync() {
          const upTo = written
          await file.sync()
          durable.set(basename(path), upTo)
        },
      }
    },
    syncFolder: (path) => nodeFileSystem.syncFolder(path),
    room: (path) => nodeFileSystem.room(path),
  }
}

/**
 * What a power loss leaves: packs as far as they were synced, behind that a torn part, holes or nothing; the index as
 * it was some time ago, or gone. (Manifests are synced before they get their name.)
 */
async function losePower(
  from: string,
  to: string,
  durable: ReadonlyMap<string, number>,
  oldIndex: string | undefined,
  random: () => number,
): Promise<void> {
  cpSync(from, to, { recursive: true, filter: (path) => !basename(path).startsWith('index.sqlite') })
  const store = join(to, 'here', 'stamp1', 'standard')
  for (const pack of packsIn(store)) {
    const { size } = statSync(pack)
    const synced = Math.min(size, durable.get(basename(pack)) ?? 0)
    if (synced === size) continue
    truncateSync(pack, synced + Math.floor(random() * (size - synced + 1)))
    if (random() < 0.5) {
      const file = await open(pack, 'r+')
      const hole = Buffer.alloc(Math.min(40_000, statSync(pack).size - synced))
      await file.write(hole, 0, hole.length, synced + Math.floor(random() * 3000))
      await file.close()
    }
  }
  if (oldIndex && random() < 0.6)
    for (const name of readdirSync(oldIndex)) cpSync(join(oldIndex, name), join(store, name))
}

interface Run {
  readonly random: () => number
  readonly folder: string
  readonly live: Map<string, ModelDisk>
  generation: number
  durable: Map<string, number>
  stores: OpenDiskStores
}

const rootOf = (run: Run): string => join(run.folder, `generation${run.generation}`)

async function openRun(run: Run): Promise<void> {
  const files = trackingFiles()
  // Packs of earlier lives are never written again: they are as durable as they are.
  run.durable = files.durable
  const store = join(rootOf(run), 'here', 'stamp1', 'standard')
  if (existsSync(store)) for (const pack of packsIn(store)) files.durable.set(basename(pack), Number.MAX_SAFE_INTEGER)
  run.stores = await createDiskStores({ regions: [testRegion(rootOf(run), 'here')], workers: 1, files })
}

async function saveIndex(run: Run): Promise<void> {
  await run.stores[Symbol.asyncDispose]()
  const kept = join(run.folder, 'old-index')
  rmSync(kept, { recursive: true, force: true })
  const store = join(rootOf(run), 'here', 'stamp1', 'standard')
  cpSync(store, kept, { recursive: true, filter: (path) => path === store || basename(path) === 'index.sqlite' })
  await openRun(run)
}

function pickDisk(run: Run): { readonly disk: ModelDisk; readonly parentRoot: string | undefined } {
  const roots = [...run.live.keys()]
  const parentRoot = roots[Math.floor(run.random() * roots.length)]
  const parent = parentRoot === undefined ? undefined : run.live.get(parentRoot)
  if (!parent || run.random() < 0.3)
    return { disk: randomDisk(run.random, 40 + Math.floor(run.random() * 300), 0.4), parentRoot: undefined }
  return { disk: changeDisk(run.random, parent, 15), parentRoot: run.random() < 0.7 ? parentRoot : undefined }
}

async function ingest(run: Run, whileRunning?: () => Promise<void>): Promise<void> {
  const { disk, parentRoot } = pickDisk(run)
  const path = join(run.folder, `image${Math.floor(run.random() * 1e9)}.raw`)
  await writeDisk(path, disk)
  const store = run.stores.store('here', 'Standard_LRS')
  const work = store.ingest({ path }, { parentRoot })
  const beside = whileRunning?.()
  const stored = await work
  await beside
  run.live.set(stored.root, disk)
  stored.pin[Symbol.dispose]()
  rmSync(path)
}

/** Gives one up, and sweeps; the set of live disks is read when the sweep asks for it. */
async function sweep(run: Run): Promise<void> {
  const [first] = run.live.keys()
  if (first !== undefined && run.live.size > 2) run.live.delete(first)
  await run.stores.store('here', 'Standard_LRS').sweep(() => Promise.resolve(new Set(run.live.keys())))
}

async function crash(run: Run): Promise<void> {
  const { disk, parentRoot } = pickDisk(run)
  const path = join(run.folder, 'crash.raw')
  await writeDisk(path, disk)
  const controller = new AbortController()
  let calls = Math.floor(run.random() * 12)
  const to = join(run.folder, `generation${run.generation + 1}`)
  let lost: Promise<void> | undefined
  const lose = (): void => {
    const oldIndex = join(run.folder, 'old-index')
    const kept = existsSync(oldIndex) ? oldIndex : undefined
    lost ??= losePower(rootOf(run), to, new Map(run.durable), kept, run.random)
  }
  const onProgress = (): void => {
    if ((calls -= 1) === 0) {
      lose()
      controller.abort()
    }
  }
  const store = run.stores.store('here', 'Standard_LRS')
  await store.ingest({ path }, { parentRoot, onProgress, signal: controller.signal }).catch(() => {})
  lose()
  await lost
  await run.stores[Symbol.asyncDispose]()
  rmSync(rootOf(run), { recursive: true })
  run.generation += 1
  await openRun(run)
}

async function checkAll(run: Run, what: string): Promise<void> {
  const store = run.stores.store('here', 'Standard_LRS')
  for (const [root, disk] of run.live) {
    await using opened = await store.open(root)
    assert.ok(bytesOf(disk).equals(await readAll(opened)), what)
  }
}

for (const seed of [1, 5])
  test(`random ingests, deletions, sweeps, restarts and power losses keep every disk (seed ${seed})`, async () => {
    using folder = createTestFolder()
    const stores = await createDiskStores({ regions: [], workers: 1 })
    const run: Run = {
      random: seeded(seed),
      folder: folder.path,
      live: new Map(),
      generation: 0,
      durable: new Map(),
      stores,
    }
    await openRun(run)
    await ingest(run)
    const steps: string[] = ['ingest']
    for (let step = 0; step < 20; step += 1) {
      const dice = run.random()
      const [name, action] = (
        dice < 0.4
          ? ['ingest', () => ingest(run)]
          : dice < 0.6
            ? ['ingest beside sweep', () => ingest(run, () => sweep(run))]
            : dice < 0.7
              ? ['sweep', () => sweep(run)]
              : dice < 0.8
                ? ['restart', () => saveIndex(run)]
                : ['power loss', () => crash(run)]
      ) satisfies [string, () => Promise<void>]
      steps.push(name)
      await action()
      if (name !== 'ingest') await checkAll(run, `seed ${seed} after ${steps.join(', ')}`)
    }
    for (const root of run.live.keys())
      assert.deepEqual((await run.stores.store('here', 'Standard_LRS').verify(root)).lost, [])
    await run.stores[Symbol.asyncDispose]()
  })
