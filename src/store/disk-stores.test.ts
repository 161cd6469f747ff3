import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { Problem } from '../base/problem.ts'
import { diskStoreConformance } from './disk-store.conformance.ts'
import type { StorageClass } from './disk-store.ts'
import { createDiskStores } from './disk-stores.ts'
import {
  bytesOf,
  changeDisk,
  createTestFolder,
  findTestKey,
  randomDisk,
  readAll,
  seeded,
  testRegion,
  testVault,
  writeDisk,
} from './store.fixture.ts'

const runs: readonly { label: string; storageClass: StorageClass; peerClass: StorageClass; stamps: number }[] = [
  { label: 'Standard_LRS', storageClass: 'Standard_LRS', peerClass: 'Premium_LRS', stamps: 1 },
  { label: 'Standard_LRS on three stamps', storageClass: 'Standard_LRS', peerClass: 'Standard_LRS', stamps: 3 },
  { label: 'Standard_ZRS', storageClass: 'Standard_ZRS', peerClass: 'Standard_LRS', stamps: 1 },
  { label: 'Premium_LRS', storageClass: 'Premium_LRS', peerClass: 'Standard_ZRS', stamps: 1 },
  { label: 'Standard_LRS, encrypted', storageClass: `Standard_LRS.${testVault}`, peerClass: 'Standard_LRS', stamps: 1 },
  {
    label: 'Standard_ZRS, encrypted',
    storageClass: `Standard_ZRS.${testVault}`,
    peerClass: `Standard_LRS.${testVault}`,
    stamps: 1,
  },
  { label: 'Premium_LRS, encrypted', storageClass: `Premium_LRS.${testVault}`, peerClass: 'Premium_LRS', stamps: 1 },
]
for (const { label, storageClass, peerClass, stamps } of runs)
  diskStoreConformance(label, async (folder) => {
    const stores = await createDiskStores({
      regions: [testRegion(folder, 'here', stamps), testRegion(folder, 'there')],
      workers: 2,
      findVaultKey: findTestKey,
    })
    return {
      store: stores.store('here', storageClass),
      peer: stores.store('there', peerClass),
      [Symbol.asyncDispose]: () => stores[Symbol.asyncDispose](),
    }
  })

test('an unknown region, and ZRS without zones, are refused by name', async () => {
  using folder = createTestFolder()
  const region = { ...testRegion(folder.path, 'flatland'), zones: [], zoneFolders: [] }
  await using stores = await createDiskStores({ regions: [region] })
  const isProblem = (code: string) => (error: unknown) => error instanceof Problem && error.code === code
  assert.throws(() => stores.store('nowhere', 'Standard_LRS'), isProblem('RegionUnknown'))
  assert.throws(() => stores.store('flatland', 'Standard_ZRS'), isProblem('ZonesMissing'))
  assert.equal(stores.store('Flat Land', 'Standard_LRS').region, 'flatland')
  assert.equal(stores.all().length, 2)
})

test('a second server on the same folders fails at its start', async () => {
  using folder = createTestFolder()
  const regions = [testRegion(folder.path, 'here')]
  const random = seeded(5)
  const image = join(folder.path, 'a.raw')
  await writeDisk(image, randomDisk(random, 20, 0.5))
  {
    await using stores = await createDiskStores({ regions, workers: 1 })
    await stores.store('here', 'Standard_LRS').ingest({ path: image })
    await assert.rejects(
      createDiskStores({ regions, workers: 1 }),
      (error) => error instanceof Problem && error.code === 'StorageInUse' && error.message.includes('region here'),
    )
  }
  await using again = await createDiskStores({ regions, workers: 1 })
  assert.equal((await again.store('here', 'Standard_LRS').usage()).disks, 1)
})

test('copies go to distinct stamps, each readable alone; versions stay with their parent', async () => {
  using folder = createTestFolder()
  const region = testRegion(folder.path, 'here', 3)
  const random = seeded(11)
  const disk = randomDisk(random, 100, 0.4)
  const next = changeDisk(random, disk, 5)
  const image = join(folder.path, 'a.raw')
  const nextImage = join(folder.path, 'b.raw')
  await writeDisk(image, disk)
  await writeDisk(nextImage, next)
  let root = ''
  {
    await using stores = await createDiskStores({ regions: [region], workers: 1 })
    const store = stores.store('here', 'Standard_LRS')
    const first = await store.ingest({ path: image }, { copies: 2 })
    root = first.root
    const second = await store.ingest({ path: nextImage }, { parentRoot: root, copies: 2 })
    assert.ok(second.progress.bytesNew <= 5 * 65_536)
    assert.equal((await store.verify(root)).framesChecked, 2 * disk.frames.size)
  }
  let readable = 0
  for (const stamp of region.stampFolders) {
    await using stores = await createDiskStores({ regions: [{ ...region, stampFolders: [stamp] }], workers: 1 })
    const store = stores.store('here', 'Standard_LRS')
    if (!(await store.has(root))) continue
    readable += 1
    await using opened = await store.open(root)
    assert.ok(bytesOf(disk).equals(await readAll(opened)))
  }
  assert.equal(readable, 2)
})
