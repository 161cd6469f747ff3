import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { Problem } from '../base/problem.ts'
import { GiB, MiB } from '../base/units.ts'
import { imageData } from './disks.fixture.ts'
import { createWorld, imageOf, fakeProvider, idOf, type World } from './compute.fixture.ts'
import { findDiskFacts } from './disk-facts.ts'

const diskId = idOf('Microsoft.Compute/disks', 'd')
const snapshotId = idOf('Microsoft.Compute/snapshots', 's')
const creating = (creationData: Record<string, unknown>, rest = {}) => ({
  properties: { creationData: JSON.parse(JSON.stringify(creationData)), ...rest },
})

async function uploadKeyOf(world: World, id: string): Promise<string> {
  const disk = await world.get(id)
  return (disk && findDiskFacts(disk).uploadKey) ?? ''
}
const stateOf = async (world: World, id: string) => (await world.show(id))['diskState']

test('an uploaded VHD becomes a stored disk when access ends; a bad one is refused and can be sent again', async () => {
  await using world = await createWorld(() => fakeProvider())
  const vhd = join(world.folder, 'good.vhd')
  const content = await imageData(vhd, 4 * MiB)
  await world.put(diskId, creating({ createOption: 'Upload', uploadSizeBytes: 4 * MiB + 512 }))
  assert.equal(await stateOf(world, diskId), 'ReadyToUpload')
  await assert.rejects(world.compute.findDisk(diskId), (e) => e instanceof Problem && /ReadyToUpload/.test(e.message))
  await assert.rejects(
    world.act(diskId, 'beginGetAccess', { access: 'Read', durationInSeconds: 60 }),
    (e) => e instanceof Problem && e.code === 'OperationNotAllowed',
  )
  const granted = await world.act(diskId, 'beginGetAccess', { access: 'Write', durationInSeconds: 60 })
  assert.ok('result' in granted)
  assert.match(JSON.stringify(granted.result), /"accessSAS":"https:\/\/here\/upload\//)
  assert.equal(await stateOf(world, diskId), 'ActiveUpload')

  const key = await uploadKeyOf(world, diskId)
  const bad = join(world.folder, 'bad.vhd')
  await writeFile(bad, Buffer.concat([Buffer.alloc(MiB), Buffer.from('conectix'), Buffer.alloc(504)]))
  await world.uploads.upload(key, bad)
  const refused = await world.act(diskId, 'endGetAccess')
  assert.ok('state' in refused && refused.state === 'Failed')
  assert.equal(await stateOf(world, diskId), 'ActiveUpload')

  await world.uploads.upload(key, vhd)
  const ended = await world.act(diskId, 'endGetAccess')
  assert.ok('state' in ended && ended.state === 'Succeeded', JSON.stringify(ended))
  assert.equal(await stateOf(world, diskId), 'Unattached')
  assert.equal(world.uploads.uploads.size, 0)
  assert.equal((await world.compute.findDisk(diskId))?.virtualSizeBytes, 4 * MiB)
  using found = await world.compute.holdDisk(diskId, new AbortController().signal)
  assert.ok(found?.place.kind === 'stored')
  assert.equal(found.virtualSizeBytes, 4 * MiB)
  await using disk = await world.deps.stores.store(found.place.region, found.place.storageClass).open(found.place.root)
  assert.ok(Buffer.from(await disk.read(0, 4 * MiB)).equals(content))
})

test('a snapshot of a disk shares its bytes and outlives it; addresses for reading are taken back', async () => {
  await using world = await createWorld(() => fakeProvider())
  const path = join(world.folder, 'i.raw')
  await writeFile(path, Buffer.alloc(2 * MiB, 'x'))
  const stored = await world.store(path)
  const imageId = '/image'
  world.images.set(imageId, imageOf(stored))
  await world.put(diskId, creating({ createOption: 'FromImage', galleryImageReference: { id: imageId } }))
  await assert.rejects(
    world.put(`${diskId}2`, creating({ createOption: 'FromImage', galleryImageReference: { id: imageId, lun: 7 } })),
    (e) => e instanceof Problem && e.message.startsWith('The value of parameter imageReference is invalid.'),
  )
  await world.put(snapshotId, creating({ createOption: 'Copy', sourceResourceId: diskId }))
  assert.equal((await world.compute.liveRoots()).length, 2)

  await world.act(snapshotId, 'beginGetAccess', { access: 'Read', durationInSeconds: 600 })
  assert.equal(await stateOf(world, snapshotId), 'ActiveSAS')
  await assert.rejects(world.remove(snapshotId), (e) => e instanceof Problem && /endGetAccess/.test(e.message))
  await world.act(snapshotId, 'endGetAccess')
  assert.equal(world.uploads.revoked.length, 1)
  assert.equal(await stateOf(world, snapshotId), 'Unattached')

  await world.remove(diskId)
  assert.equal(await world.compute.findDisk(diskId), undefined)
  const left = await world.compute.findDisk(snapshotId)
  assert.equal(left?.osType, 'Linux')
  using kept = await world.compute.holdDisk(snapshotId, new AbortController().signal)
  assert.ok(kept?.place.kind === 'stored' && kept.place.root === stored.root)
  await assert.rejects(
    world.put(`${snapshotId}2`, creating({ createOption: 'Copy', sourceUri: diskId })),
    (e) => e instanceof Problem && /was not found/.test(e.message),
  )
})

test('an empty disk is stored at its size, and costs nothing', async () => {
  await using world = await createWorld(() => fakeProvider())
  await assert.rejects(world.put(diskId, creating({ createOption: 'Empty' })), /diskSizeGB' is missing/)
  const made = await world.put(diskId, creating({ createOption: 'Empty' }, { diskSizeGB: 32 }))
  assert.equal(made.state, 'Succeeded', JSON.stringify(made.error))
  const found = await world.compute.findDisk(diskId)
  assert.equal(found?.virtualSizeBytes, 32 * GiB)
  assert.ok((await world.deps.stores.store('westeurope', 'Standard_LRS').usage()).bytesStored < MiB)
})

test('an upload needs a size of whole sectors, and deleting the disk drops what was sent', async () => {
  await using world = await createWorld(() => fakeProvider())
  await assert.rejects(world.put(diskId, creating({ createOption: 'Upload' })), /uploadSizeBytes' is missing/)
  await assert.rejects(world.put(diskId, creating({ createOption: 'Upload', uploadSizeBytes: 1000 })), Problem)
  await world.put(diskId, creating({ createOption: 'Upload', uploadSizeBytes: MiB + 512 }))
  assert.equal(world.uploads.uploads.size, 1)
  await world.remove(diskId)
  assert.equal(world.uploads.uploads.size, 0)
})
