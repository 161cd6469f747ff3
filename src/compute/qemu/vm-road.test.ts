import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { buildTinyDisk } from '../../../tools/tiny-disk.ts'
import { silentLogger } from '../../base/logger.ts'
import { createWorld, imageOf, idOf } from '../compute.fixture.ts'
import { findVmFacts } from '../vm-facts.ts'
import { serialShows, testProvider } from './qemu.fixture.ts'

test('a machine boots from a stored disk, survives the deletion of its version and keeps what it wrote', async () => {
  const complaints: unknown[] = []
  const keep = (fields: object, message: string): void => void complaints.push(message, fields)
  const logger = { ...silentLogger, warn: keep, error: keep }
  const makeProvider = (folder: string) => testProvider(join(folder, 'vms'), { logger })
  await using world = await createWorld(makeProvider, logger)
  const path = join(world.folder, 'tiny.raw')
  await buildTinyDisk({ out: path, content: 'from the store' })
  const disk = await world.store(path)
  const imageId = '/image'
  world.images.set(imageId, imageOf(disk))
  const id = idOf('Microsoft.Compute/virtualMachines', 'vm')
  const storageProfile = {
    imageReference: { id: imageId },
    osDisk: { createOption: 'FromImage', deleteOption: 'Delete' },
    dataDisks: [{ lun: 0, createOption: 'Empty', diskSizeGB: 1 }],
  }
  const made = await world.put(id, { properties: { storageProfile } })
  assert.equal(made.state, 'Succeeded', JSON.stringify(made.error))

  // The version is gone: only the machine keeps the bytes. Its guest reads most of them after this.
  world.images.clear()
  const store = world.deps.stores.store('westeurope', 'Standard_LRS')
  await store.sweep(async () => new Set((await world.compute.liveRoots()).map((live) => live.root)))
  const vmId = findVmFacts((await world.get(id))?.envelope ?? {})?.vmId ?? ''
  const log = join(world.folder, 'vms', vmId, 'serial.log')
  await serialShows(log, 'goldleaf-guest ready: from the store').catch((error: unknown) => {
    throw new Error(`complaints: ${inspect(complaints)}`, { cause: error })
  })
  await serialShows(log, 'goldleaf-guest disks: vda=98304 vdb=2097152')
  assert.equal(await world.compute.findSerialLog(vmId), log)

  await world.act(id, 'deallocate')
  await world.act(id, 'start')
  await serialShows(log, 'goldleaf-guest boot 2')
  assert.deepEqual((await store.verify(disk.root)).lost, [])
  assert.equal((await world.remove(id)).state, 'Succeeded')
  assert.equal(await world.compute.findSerialLog(vmId), undefined)
  await store.sweep(async () => new Set((await world.compute.liveRoots()).map((live) => live.root)))
  assert.equal(await store.has(disk.root), false)
  assert.deepEqual(complaints, [])
})
