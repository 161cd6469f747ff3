import assert from 'node:assert/strict'
import { appendFileSync, existsSync, readdirSync, renameSync, rmSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { Problem } from '../base/problem.ts'
import { frameSizeBytes, type DiskStore, type LeafPage } from './disk-store.ts'
import { createDiskStores, type OpenDiskStores } from './disk-stores.ts'
import { nodeFileSystem, type FileSystem } from './durable-file.ts'
import { FrameCorrupt, FrameMissing, ManifestCorrupt } from './errors.ts'
import {
  bytesOf,
  changeDisk,
  createTestFolder,
  findTestKey,
  flipBit,
  manifestIn,
  oneStampPlaces,
  packsIn,
  randomDisk,
  readAll,
  recordingLogger,
  seeded,
  testRegion,
  writeDisk,
  type ModelDisk,
} from './store.fixture.ts'

interface Scene extends AsyncDisposable {
  readonly folder: string
  readonly random: () => number
  readonly log: ReturnType<typeof recordingLogger>
  stores: OpenDiskStores
  /** Closes and opens again, as a restart does. */
  restart(between?: () => void | Promise<void>): Promise<void>
  image(disk: ModelDisk): Promise<string>
}

/** A server's stores over one region, with a place to put images. */
async function createScene(seed: number, files?: FileSystem): Promise<Scene> {
  const folder = createTestFolder()
  const log = recordingLogger()
  const open = (): Promise<OpenDiskStores> =>
    createDiskStores({
      regions: [testRegion(folder.path, 'here')],
      workers: 1,
      logger: log,
      findVaultKey: findTestKey,
      ...(files ? { files } : {}),
    })
  let images = 0
  const scene: Scene = {
    folder: folder.path,
    random: seeded(seed),
    log,
    stores: await open(),
    async restart(between) {
      await scene.stores[Symbol.asyncDispose]()
      await between?.()
      scene.stores = await open()
    },
    async image(disk) {
      const path = join(folder.path, `image${(images += 1)}.raw`)
      await writeDisk(path, disk)
      return path
    },
    async [Symbol.asyncDispose]() {
      await scene.stores[Symbol.asyncDispose]()
      folder[Symbol.dispose]()
    },
  }
  return scene
}

const folderOf = (scene: Scene, part: string): string => join(scene.folder, 'here', part)
const standard = (scene: Scene): string => folderOf(scene, 'stamp1/standard')
const isProblem = (code: string) => (error: unknown) => error instanceof Problem && error.code === code

async function assertReads(store: DiskStore, root: string, disk: ModelDisk): Promise<void> {
  await using opened = await store.open(root)
  assert.ok(bytesOf(disk).equals(await readAll(opened)))
}

/** Reads frame by frame: each is right or refused, never wrong. Answers how many were refused. */
async function countRefused(store: DiskStore, root: string, disk: ModelDisk): Promise<number> {
  await using opened = await store.open(root)
  const want = bytesOf(disk)
  let refused = 0
  for (const frame of disk.frames.keys()) {
    const offset = frame * frameSizeBytes
    const length = Math.min(frameSizeBytes, disk.sizeBytes - offset)
    try {
      assert.ok(want.subarray(offset, offset + length).equals(await opened.read(offset, length)), 'wrong bytes served')
    } catch (error) {
      assert.ok(error instanceof FrameCorrupt || error instanceof FrameMissing, String(error))
      refused += 1
    }
  }
  return refused
}

suite('damage at rest', () => {
  for (const { storageClass, part } of oneStampPlaces)
    test(`${storageClass}: flipped bits in packs are never served, are reported, and heal by a new ingest`, async () => {
      await using scene = await createScene(1)
      const store = scene.stores.store('here', storageClass)
      const disk = randomDisk(scene.random, 120, 0.5)
      const path = await scene.image(disk)
      const { root } = await store.ingest({ path })
      const [pack = ''] = packsIn(folderOf(scene, part))
      const { size } = statSync(pack)
      for (let flip = 0; flip < 12; flip += 1) await flipBit(pack, 8192 + Math.floor(scene.random() * (size - 8192)))
      const refused = await countRefused(store, root, disk)
      assert.ok(refused > 0)
      const verified = await store.verify(root)
      assert.equal(verified.lost.length, refused)
      await assert.rejects(async () => {
        await using opened = await store.open(root)
        await readAll(opened)
      })
      assert.ok(scene.log.messages.includes('stored frame is bad'))
      const again = await store.ingest({ path }, { parentRoot: root })
      assert.equal(again.root, root)
      assert.equal(again.progress.bytesNew, refused * frameSizeBytes)
      await assertReads(store, root, disk)
      assert.deepEqual((await store.verify(root)).lost, [])
    })

  test('Standard_ZRS: flipped bits in two zones are repaired from the third', async () => {
    await using scene = await createScene(2)
    const store = scene.stores.store('here', 'Standard_ZRS')
    const disk = randomDisk(scene.random, 120, 0.5)
    const { root } = await store.ingest({ path: await scene.image(disk) })
    for (const zone of ['zone1', 'zone3'])
      for (const pack of packsIn(folderOf(scene, `${zone}/standard`)))
        for (let offset = 4096; offset < statSync(pack).size; offset += 9000) await flipBit(pack, offset)
    await assertReads(store, root, disk)
    const verified = await store.verify(root)
    assert.deepEqual(verified.lost, [])
    assert.ok(verified.repaired > 0)
    const clean = await store.verify(root)
    assert.deepEqual(clean, {
      framesChecked: 3 * disk.frames.size,
      bytesChecked: 3 * disk.frames.size * frameSizeBytes,
      repaired: 0,
      unrepaired: 0,
      lost: [],
    })
    assert.ok(scene.log.messages.includes('frames were repaired from another copy'))
    // Each zone can do without the others now.
    const away = (zone: string): string => `${folderOf(scene, zone)}-away`
    for (const zone of ['zone1', 'zone2', 'zone3']) {
      const others = ['zone1', 'zone2', 'zone3'].filter((one) => one !== zone)
      await scene.restart(() => {
        for (const other of others) renameSync(folderOf(scene, other), away(other))
      })
      await assertReads(scene.stores.store('here', 'Standard_ZRS'), root, disk)
      await scene.restart(() => {
        for (const other of others) {
          rmSync(folderOf(scene, other), { recursive: true })
          renameSync(away(other), folderOf(scene, other))
        }
      })
    }
  })

  test('a flipped bit anywhere in a manifest is noticed; ZRS repairs it, LRS refuses the disk', async () => {
    await using scene = await createScene(3)
    const disk = randomDisk(scene.random, 300, 0.3)
    const path = await scene.image(disk)
    const zrs = scene.stores.store('here', 'Standard_ZRS')
    const { root } = await zrs.ingest({ path })
    const lrs = scene.stores.store('here', 'Standard_LRS')
    await lrs.ingest({ path })
    const own = manifestIn(standard(scene), root)
    const { size } = statSync(own)
    for (let round = 0; round < 8; round += 1) {
      const offset = Math.floor(scene.random() * size)
      await flipBit(own, offset)
      await assert.rejects(async () => {
        await using opened = await lrs.open(root)
        await readAll(opened)
      }, ManifestCorrupt)
      await assert.rejects(lrs.sweep(new Set([root])), ManifestCorrupt, 'what a damaged disk needs is unknown')
      await flipBit(own, offset)
      await assertReads(lrs, root, disk)

      await flipBit(manifestIn(folderOf(scene, 'zone1/standard'), root), offset)
      const { repaired, lost } = await zrs.verify(root)
      assert.deepEqual({ repaired, lost }, { repaired: 1, lost: [] })
      await assertReads(zrs, root, disk)
    }
    truncateSync(manifestIn(folderOf(scene, 'zone1/standard'), root), 100)
    await assertReads(zrs, root, disk)
    assert.equal((await zrs.verify(root)).repaired, 0, 'opening it repaired it')
  })

  test('Standard_ZRS: a lost zone costs nothing and is made whole by verify', async () => {
    await using scene = await createScene(4)
    const disk = randomDisk(scene.random, 200, 0.4)
    const next = changeDisk(scene.random, disk, 4)
    const { root } = await scene.stores.store('here', 'Standard_ZRS').ingest({ path: await scene.image(disk) })
    await scene.restart(() => rmSync(folderOf(scene, 'zone1'), { recursive: true }))
    const store = scene.stores.store('here', 'Standard_ZRS')
    await assertReads(store, root, disk)
    const child = await store.ingest({ path: await scene.image(next) }, { parentRoot: root })
    await assertReads(store, child.root, next)
    for (const one of [root, child.root]) assert.deepEqual((await store.verify(one)).lost, [])
    await scene.restart(() => {
      for (const zone of ['zone2', 'zone3']) rmSync(folderOf(scene, zone), { recursive: true })
    })
    const rest = scene.stores.store('here', 'Standard_ZRS')
    await assertReads(rest, root, disk)
    await assertReads(rest, child.root, next)
  })

  test('Standard_ZRS: with a zone out of order the others serve and keep; two are needed', async () => {
    await using scene = await createScene(5)
    const disk = randomDisk(scene.random, 100, 0.4)
    const path = await scene.image(disk)
    const { root } = await scene.stores.store('here', 'Standard_ZRS').ingest({ path })
    const block = async (zone: string): Promise<void> => {
      renameSync(folderOf(scene, zone), folderOf(scene, `${zone}-away`))
      await writeDisk(folderOf(scene, zone), { sizeBytes: 1, frames: new Map() })
    }
    await scene.restart(() => block('zone2'))
    const store = scene.stores.store('here', 'Standard_ZRS')
    await assertReads(store, root, disk)
    await store.ingest({ path }, { parentRoot: root })
    await scene.stores[Symbol.asyncDispose]()
    await block('zone3')
    await assert.rejects(
      createDiskStores({ regions: [testRegion(scene.folder, 'here')], workers: 1 }),
      isProblem('StorageFailed'),
    )
  })

  test('a pack that vanished is noticed at the start, and its frames are taken again', async () => {
    await using scene = await createScene(6)
    const disk = randomDisk(scene.random, 150, 0.4)
    const path = await scene.image(disk)
    const { root } = await scene.stores.store('here', 'Standard_LRS').ingest({ path })
    await scene.restart(() => rmSync(packsIn(standard(scene))[0] ?? ''))
    const store = scene.stores.store('here', 'Standard_LRS')
    assert.equal((await store.verify(root)).lost.length, disk.frames.size)
    assert.equal(await countRefused(store, root, disk), disk.frames.size)
    const again = await store.ingest({ path }, { parentRoot: root })
    assert.equal(again.progress.bytesNew, disk.frames.size * frameSizeBytes)
    await scene.restart()
    await assertReads(scene.stores.store('here', 'Standard_LRS'), root, disk)
  })

  test('a bad frame at the source is never received', async () => {
    await using scene = await createScene(7)
    const disk = randomDisk(scene.random, 100, 0.5)
    const path = await scene.image(disk)
    const from = scene.stores.store('here', 'Standard_LRS')
    const to = scene.stores.store('here', 'Premium_LRS')
    const { root } = await from.ingest({ path })
    const [pack = ''] = packsIn(standard(scene))
    await flipBit(pack, Math.floor(statSync(pack).size / 2))
    await assert.rejects(to.receive(from, root), FrameCorrupt)
    assert.equal(await to.has(root), false)
    await from.ingest({ path })
    await to.receive(from, root)
    await assertReads(to, root, disk)
  })
})

suite('lost and torn files', () => {
  test('the index is made again from the packs', async () => {
    await using scene = await createScene(11)
    const disk = randomDisk(scene.random, 300, 0.4)
    const path = await scene.image(disk)
    const { root } = await scene.stores.store('here', 'Standard_LRS').ingest({ path })
    const dropIndex = (): void => {
      for (const name of readdirSync(standard(scene)))
        if (name.startsWith('index.sqlite')) rmSync(join(standard(scene), name))
    }
    await scene.restart(dropIndex)
    await assertReads(scene.stores.store('here', 'Standard_LRS'), root, disk)
    assert.equal((await scene.stores.store('here', 'Standard_LRS').ingest({ path })).progress.bytesNew, 0)
    await scene.restart(async () => {
      dropIndex()
      // Without its seal too: group by group.
      for (const pack of packsIn(standard(scene))) await flipBit(pack, statSync(pack).size - 10)
    })
    await assertReads(scene.stores.store('here', 'Standard_LRS'), root, disk)
    await scene.restart(() => writeDisk(join(standard(scene), 'index.sqlite'), randomDisk(scene.random, 2, 1)))
    await assertReads(scene.stores.store('here', 'Standard_LRS'), root, disk)
  })

  test('a torn tail behind what was acknowledged is cut off', async () => {
    await using scene = await createScene(12)
    const disk = randomDisk(scene.random, 200, 0.4)
    const { root } = await scene.stores.store('here', 'Standard_LRS').ingest({ path: await scene.image(disk) })
    await scene.restart(async () => {
      const [pack = ''] = packsIn(standard(scene))
      const { size } = statSync(pack)
      // As after a power loss: no seal, no index, half a group of another disk and junk behind it.
      for (const name of readdirSync(standard(scene)))
        if (name.startsWith('index.sqlite')) rmSync(join(standard(scene), name))
      truncateSync(pack, size - 64)
      appendFileSync(pack, Buffer.from('GLDG and nothing that follows from it'.repeat(100)))
      appendFileSync(pack, Buffer.alloc(70_000))
    })
    await assertReads(scene.stores.store('here', 'Standard_LRS'), root, disk)
    assert.deepEqual((await scene.stores.store('here', 'Standard_LRS').verify(root)).lost, [])
  })

  test('left-over temporary files go at the next start', async () => {
    await using scene = await createScene(13)
    await scene.stores.store('here', 'Standard_LRS').usage()
    const left = join(standard(scene), 'tmp', 'left-over')
    await scene.restart(() => writeDisk(left, { sizeBytes: 10, frames: new Map() }))
    assert.equal(existsSync(left), false)
  })
})

/** A file system that runs out of room after so many bytes, or whose fsync fails. */
function faultyFiles(where = ''): FileSystem & { roomBytes: number; freeBytes: number; failSyncs: number } {
  const files = {
    roomBytes: Number.POSITIVE_INFINITY,
    freeBytes: Number.MAX_SAFE_INTEGER,
    failSyncs: 0,
    async create(path: string) {
      const file = await nodeFileSystem.create(path)
      if (!path.includes(where)) return file
      return {
        ...file,
        async write(chunks: readonly Uint8Array[], position: number) {
          const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
          if (bytes > files.roomBytes) {
            const [first = new Uint8Array()] = chunks
            await file.write([first.subarray(0, Math.min(first.length, 100))], position)
            throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
          }
          files.roomBytes -= bytes
          await file.write(chunks, position)
        },
        async sync() {
          if (files.failSyncs > 0) {
            files.failSyncs -= 1
            throw Object.assign(new Error('input/output error'), { code: 'EIO' })
          }
          await file.sync()
        },
      }
    },
    syncFolder: (path: string) => nodeFileSystem.syncFolder(path),
    room: () => Promise.resolve({ freeBytes: files.freeBytes, totalBytes: Number.MAX_SAFE_INTEGER }),
  }
  return files
}

suite('a disk that fails', () => {
  test('a full disk is named, changes nothing, and the transfer succeeds once there is room', async () => {
    const files = faultyFiles()
    await using scene = await createScene(21, files)
    const store = scene.stores.store('here', 'Standard_LRS')
    const kept = randomDisk(scene.random, 100, 0.5)
    const { root } = await store.ingest({ path: await scene.image(kept) })
    const disk = randomDisk(scene.random, 250, 0.8)
    const path = await scene.image(disk)
    for (const roomBytes of [0, 10_000, 1_000_000, 4_000_000]) {
      files.roomBytes = roomBytes
      await assert.rejects(
        store.ingest({ path }),
        (error) => error instanceof Problem && error.kind === 'storageFull' && error.message.includes('region here'),
      )
      files.roomBytes = Number.POSITIVE_INFINITY
      await assertReads(store, root, kept)
    }
    const stored = await store.ingest({ path })
    await assertReads(store, stored.root, disk)
    await scene.restart()
    await assertReads(scene.stores.store('here', 'Standard_LRS'), stored.root, disk)
    await assertReads(scene.stores.store('here', 'Standard_LRS'), root, kept)
  })

  test('a zone that cannot take back what it lost is reported, not passed over', async () => {
    const files = faultyFiles('zone2')
    await using scene = await createScene(31, files)
    const store = scene.stores.store('here', 'Standard_ZRS')
    const disk = randomDisk(scene.random, 100, 0.5)
    const { root } = await store.ingest({ path: await scene.image(disk) })
    for (const pack of packsIn(folderOf(scene, 'zone2/standard')))
      for (let offset = 4096; offset < statSync(pack).size; offset += 9000) await flipBit(pack, offset)
    files.roomBytes = 0
    const found = await store.verify(root)
    assert.deepEqual({ lost: found.lost, repaired: found.repaired }, { lost: [], repaired: 0 })
    assert.ok(found.unrepaired > 0)
    files.roomBytes = Number.POSITIVE_INFINITY
    const again = await store.verify(root)
    assert.deepEqual(
      { repaired: again.repaired, unrepaired: again.unrepaired },
      { repaired: found.unrepaired, unrepaired: 0 },
    )
    await assertReads(store, root, disk)
  })

  test('the last room is kept for the sweep, which frees what a failed transfer left', async () => {
    const files = faultyFiles()
    await using scene = await createScene(26, files)
    const store = scene.stores.store('here', 'Premium_LRS')
    const kept = randomDisk(scene.random, 50, 0.4)
    const gone = await store.ingest({ path: await scene.image(randomDisk(scene.random, 100, 0.6)) })
    const { root, pin } = await store.ingest({ path: await scene.image(kept) })
    pin[Symbol.dispose]()
    gone.pin[Symbol.dispose]()
    files.freeBytes = 100 * 1024 * 1024
    const path = await scene.image(randomDisk(scene.random, 60, 0.5))
    await assert.rejects(store.ingest({ path }), isProblem('StorageFull'))
    const { bytesFreed } = await store.sweep(() => Promise.resolve(new Set([root])))
    assert.ok(bytesFreed > 30 * frameSizeBytes)
    await assertReads(store, root, kept)
    files.freeBytes = Number.MAX_SAFE_INTEGER
    await store.ingest({ path })
  })

  test('a failed fsync acknowledges nothing and poisons its pack', async () => {
    const files = faultyFiles()
    await using scene = await createScene(22, files)
    const store = scene.stores.store('here', 'Standard_LRS')
    const kept = randomDisk(scene.random, 100, 0.5)
    const { root } = await store.ingest({ path: await scene.image(kept) })
    const before = packsIn(standard(scene)).map((pack) => statSync(pack).size)
    const disk = randomDisk(scene.random, 100, 0.5)
    const path = await scene.image(disk)
    files.failSyncs = 1
    await assert.rejects(store.ingest({ path }), isProblem('StorageFailed'))
    assert.deepEqual(
      packsIn(standard(scene)).map((pack) => statSync(pack).size),
      before,
      'cut back to what was durable',
    )
    const stored = await store.ingest({ path })
    assert.equal(stored.progress.bytesNew, disk.frames.size * frameSizeBytes, 'nothing of the failed write is believed')
    assert.equal(packsIn(standard(scene)).length, 2)
    await scene.restart()
    await assertReads(scene.stores.store('here', 'Standard_LRS'), root, kept)
    await assertReads(scene.stores.store('here', 'Standard_LRS'), stored.root, disk)
  })

  test('a pin that lived through a failure can go on', async () => {
    const files = faultyFiles()
    await using scene = await createScene(24, files)
    const from = scene.stores.store('here', 'Premium_LRS')
    const disk = randomDisk(scene.random, 40, 0.5)
    const { root } = await from.ingest({ path: await scene.image(disk) })
    const store = scene.stores.store('here', 'Standard_LRS')
    const pages: LeafPage[] = []
    for await (const page of from.leafPages(root)) pages.push(page)
    const names = Buffer.concat(pages.map((page) => page.leaves))
    using pin = store.pinFrames()
    const missing = await store.missing(names, pin)
    const frames = await from.readFrames(missing.map((index) => names.subarray(index * 32, (index + 1) * 32)))
    files.roomBytes = 0
    await assert.rejects(store.putFrames(frames, pin), isProblem('StorageFull'))
    files.roomBytes = Number.POSITIVE_INFINITY
    assert.deepEqual(await store.missing(names, pin), missing)
    await store.putFrames(frames, pin)
    const sendPages = async function* () {
      yield* pages
    }
    assert.equal((await store.assemble(disk.sizeBytes, sendPages(), pin)).root, root)
    await assertReads(store, root, disk)
  })

  test('Standard_ZRS: a zone that fills up on the way does not stop the other two, and is made whole later', async () => {
    const files = faultyFiles('zone2')
    await using scene = await createScene(25, files)
    const store = scene.stores.store('here', 'Standard_ZRS')
    const disk = randomDisk(scene.random, 150, 0.5)
    files.roomBytes = 1_000_000
    const { root } = await store.ingest({ path: await scene.image(disk) })
    assert.ok(scene.log.messages.includes('a zone failed: the disk is kept by the others'))
    await assertReads(store, root, disk)
    files.roomBytes = Number.POSITIVE_INFINITY
    const verified = await store.verify(root)
    assert.ok(verified.repaired > 0)
    assert.deepEqual(verified.lost, [])
    await scene.restart(() => {
      for (const zone of ['zone1', 'zone3']) rmSync(folderOf(scene, zone), { recursive: true })
    })
    await assertReads(scene.stores.store('here', 'Standard_ZRS'), root, disk)
  })

  test('a transfer beside one that fails does not believe what the failure took', async () => {
    const files = faultyFiles()
    await using scene = await createScene(23, files)
    const store = scene.stores.store('here', 'Standard_LRS')
    const base = randomDisk(scene.random, 200, 0.6)
    const paths = await Promise.all([base, changeDisk(scene.random, base, 20)].map((disk) => scene.image(disk)))
    files.failSyncs = 1
    const results = await Promise.allSettled(paths.map((path) => store.ingest({ path })))
    assert.ok(results.some((result) => result.status === 'rejected'))
    for (const result of results)
      if (result.status === 'fulfilled') assert.deepEqual((await store.verify(result.value.root)).lost, [])
  })
})
