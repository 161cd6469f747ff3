import assert from 'node:assert/strict'
import { globSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Problem } from '../base/problem.ts'
import { frameSizeBytes, isStorageClass } from './disk-store.ts'
import { createDiskStores } from './disk-stores.ts'
import { nameOf } from './frame-name.ts'
import { openFrame, sealBytes, sealFrame } from './frame-seal.ts'
import {
  bytesOf,
  createTestFolder,
  findTestKey,
  flipBit,
  manifestIn,
  packsIn,
  randomDisk,
  readAll,
  seeded,
  testRegion,
  testVault,
  writeDisk,
} from './store.fixture.ts'
import { inVault, isPlaceClass, plainClassOf, vaultOf } from './vault.ts'

const otherVault = 'f'.repeat(32)
const isLocked = (error: unknown): boolean => error instanceof Problem && error.code === 'KeyNotAvailable'

test('a class names its vault', () => {
  const place = inVault('Premium_LRS', testVault)
  assert.equal(place, `Premium_LRS.${testVault}`)
  assert.deepEqual([plainClassOf(place), vaultOf(place)], ['Premium_LRS', testVault])
  assert.equal(vaultOf('Standard_ZRS'), undefined)
  for (const [text, isPlace] of [
    ['Standard_LRS', true],
    [place, true],
    ['Standard_LRS.', false],
    ['Standard_LRS.../x', false],
    [`Standard_LRS.${testVault}.${testVault}`, false],
    [`Cool_LRS.${testVault}`, false],
  ] as const)
    assert.equal(isPlaceClass(text), isPlace, text)
  assert.equal(isStorageClass(place), false, 'clients cannot name one')
})

test('a sealed frame opens with its key and under its name only', () => {
  const key = Buffer.alloc(32, 1)
  const name = Buffer.alloc(32, 2)
  const sealed = Buffer.alloc(1000 + sealBytes, 7)
  assert.equal(sealFrame(key, name, sealed, 1000), sealed.length)
  assert.ok(!sealed.subarray(0, 1000).equals(Buffer.alloc(1000, 7)))
  assert.deepEqual(openFrame(key, name, sealed), Buffer.alloc(1000, 7))
  assert.equal(openFrame(Buffer.alloc(32, 3), name, sealed), undefined)
  assert.equal(openFrame(key, Buffer.alloc(32, 3), sealed), undefined)
  for (const at of [0, 999, 1000, sealed.length - 1]) {
    const bad = Buffer.from(sealed)
    bad.writeUInt8(bad.readUInt8(at) ^ 1, at)
    assert.equal(openFrame(key, name, bad), undefined, `bit of byte ${at}`)
  }
  assert.equal(openFrame(key, name, sealed.subarray(0, sealBytes - 1)), undefined)
  const again = Buffer.alloc(1000 + sealBytes, 7)
  sealFrame(key, name, again, 1000)
  assert.ok(!again.equals(sealed), 'the same frame is never sealed twice alike')
})

test('nothing at rest tells content or its names; vaults share nothing; plain stores are as before', async () => {
  using folder = createTestFolder()
  await using stores = await createDiskStores({
    regions: [testRegion(folder.path, 'here')],
    workers: 1,
    findVaultKey: findTestKey,
  })
  const disk = randomDisk(seeded(3), 60, 0.6)
  const image = join(folder.path, 'a.raw')
  await writeDisk(image, disk)
  const plain = await stores.store('here', 'Standard_LRS').ingest({ path: image })
  const mine = await stores
    .store('here', inVault('Standard_LRS', testVault))
    .receive(stores.store('here', 'Standard_LRS'), plain.root)
  const other = await stores.store('here', inVault('Standard_LRS', otherVault)).ingest({ path: image })
  assert.deepEqual([mine.root, other.root], [plain.root, plain.root], 'the root depends on the bytes alone')
  assert.equal(mine.progress.bytesNew, disk.frames.size * frameSizeBytes, 'nothing is shared with a plain store')
  assert.equal(other.progress.bytesNew, disk.frames.size * frameSizeBytes, 'nor with another vault')
  const again = await stores.store('here', inVault('Standard_LRS', testVault)).ingest({ path: image })
  assert.equal(again.progress.bytesNew, 0, 'within a vault frames are kept once')
  const padded = [...disk.frames.values()].map((frame) => Buffer.concat([frame], frameSizeBytes))
  const names = padded.map((frame) => nameOf(frame))
  const filesIn = (part: string): Buffer[] =>
    globSync(join(folder.path, 'here', part, '**', '*'))
      .filter((path) => statSync(path).isFile())
      .map((path) => readFileSync(path))
  const finds = (part: string, needle: Uint8Array): boolean => filesIn(part).some((bytes) => bytes.includes(needle))
  assert.ok(
    names.every((name) => finds('stamp1/standard', name)),
    'the search finds what is there',
  )
  assert.ok(!names.some((name) => finds('stamp1/encrypted', name)))
  assert.ok(!padded.some((frame) => finds('stamp1/encrypted', frame.subarray(0, 64))))
})

test('without its key a store reads, writes and verifies nothing, keeps what is needed and gives it back', async () => {
  using folder = createTestFolder()
  let hasKey = true
  const regions = [testRegion(folder.path, 'here')]
  const findVaultKey = (vault: string): Promise<Uint8Array> =>
    hasKey ? findTestKey(vault) : Promise.reject(new Problem('conflict', 'KeyNotAvailable', 'gone'))
  const place = inVault('Standard_LRS', testVault)
  const disk = randomDisk(seeded(4), 40, 0.5)
  const image = join(folder.path, 'a.raw')
  await writeDisk(image, disk)
  let root = ''
  {
    await using stores = await createDiskStores({ regions, workers: 1, findVaultKey })
    const stored = await stores.store('here', place).ingest({ path: image })
    root = stored.root
    stored.pin[Symbol.dispose]()
  }
  hasKey = false
  await using stores = await createDiskStores({ regions, workers: 1, findVaultKey })
  const store = stores.all().find((one) => one.storageClass === place)
  assert.ok(store, 'a server finds the vaults of its folders')
  assert.equal(await store.has(root), true)
  await assert.rejects(store.open(root), isLocked)
  await assert.rejects(store.verify(root), isLocked)
  await assert.rejects(store.ingest({ path: image }), isLocked)
  await assert.rejects(stores.store('here', 'Standard_LRS').receive(store, root), isLocked)
  assert.deepEqual(await store.sweep(new Set([root])), { bytesFreed: 0 })
  hasKey = true
  {
    await using opened = await store.open(root)
    assert.ok(bytesOf(disk).equals(await readAll(opened)))
  }
  hasKey = false
  assert.ok((await store.sweep(new Set())).bytesFreed > 0, 'what nobody needs goes without the key too')
  assert.equal(await store.has(root), false)
  assert.equal((await store.usage()).frames, 0)
})

test('a damaged manifest of a vault is refused, and repaired from another zone', async () => {
  using folder = createTestFolder()
  const regions = [testRegion(folder.path, 'here')]
  await using stores = await createDiskStores({ regions, workers: 1, findVaultKey: findTestKey })
  const store = stores.store('here', inVault('Standard_ZRS', testVault))
  const disk = randomDisk(seeded(5), 80, 0.5)
  const image = join(folder.path, 'a.raw')
  await writeDisk(image, disk)
  const { root } = await store.ingest({ path: image })
  const zones = [1, 2, 3].map((zone) => join(folder.path, 'here', `zone${zone}`, 'encrypted', testVault, 'standard'))
  for (const [zone, offset] of [
    [0, 20],
    [1, 200],
  ] as const)
    await flipBit(manifestIn(zones[zone] ?? '', root), offset)
  for (const pack of packsIn(zones[2] ?? '')) await flipBit(pack, statSync(pack).size - 40_000)
  const { lost, repaired } = await store.verify(root)
  assert.deepEqual(lost, [])
  assert.ok(repaired >= 2)
  assert.equal((await store.verify(root)).repaired, 0)
  await using opened = await store.open(root)
  assert.ok(bytesOf(disk).equals(await readAll(opened)))
})
