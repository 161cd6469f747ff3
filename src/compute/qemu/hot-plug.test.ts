import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { buildTinyDisk } from '../../../tools/tiny-disk.ts'
import { silentLogger } from '../../base/logger.ts'
import { createWorld, imageOf, idOf } from '../compute.fixture.ts'
import { defaultComputeLimits } from '../dependencies.ts'
import { findVmFacts } from '../vm-facts.ts'
import { serialShows, testProvider } from './qemu.fixture.ts'

test('data disks come to and leave a machine while its guest runs, and keep what they hold', async () => {
  const makeProvider = (folder: string) => testProvider(join(folder, 'vms'))
  const limits = { ...defaultComputeLimits, maximumMemoryMiB: 128, detachTimeoutMs: 2_000 }
  await using world = await createWorld(makeProvider, silentLogger, { limits })
  const path = join(world.folder, 'tiny.raw')
  await buildTinyDisk({ out: path, content: 'hot' })
  const disk = await world.store(path)
  world.images.set('/image', imageOf(disk))
  const id = idOf('Microsoft.Compute/virtualMachines', 'vm')
  const withDisks = (...dataDisks: readonly object[]) => ({
    properties: {
      storageProfile: { imageReference: { id: '/image' }, osDisk: { createOption: 'FromImage' }, dataDisks },
    } as never,
  })
  assert.equal((await world.put(id, withDisks())).state, 'Succeeded')
  const vmId = findVmFacts((await world.get(id))?.envelope ?? {})?.vmId ?? ''
  const log = join(world.folder, 'vms', vmId, 'serial.log')

  const first = { lun: 1, name: 'first', createOption: 'Empty', diskSizeGB: 1 }
  const second = { lun: 0, name: 'second', createOption: 'Empty', diskSizeGB: 2 }
  const update = async (...disks: readonly object[]) => {
    const before = (await world.get(id))?.properties['storageProfile'] as { dataDisks?: { lun: number }[] } | undefined
    const known = before?.dataDisks ?? []
    const dataDisks = disks.map((one) => ({ ...one, ...known.find(({ lun }) => lun === (one as { lun: number }).lun) }))
    return world.put(id, {
      properties: { ...(await world.get(id))?.properties, storageProfile: { ...before, dataDisks } },
    })
  }
  // Its system is not up yet: a disk can be taken away only from one that is.
  assert.equal((await update(first)).state, 'Succeeded')
  await serialShows(log, 'goldleaf-guest ready: hot')
  assert.match(await serialShows(log, 'vdb=2097152'), /goldleaf-guest disks( now)?: vda=98304 vdb=2097152/)

  const grown = await update(first, second)
  assert.equal(grown.state, 'Succeeded', JSON.stringify(grown.error))
  await serialShows(log, 'goldleaf-guest disks now: vda=98304 vdb=2097152 vdc=4194304')

  const shrunk = await update(second)
  assert.equal(shrunk.state, 'Succeeded', JSON.stringify(shrunk.error))
  await serialShows(log, 'goldleaf-guest disks now: vda=98304 vdc=4194304')
  const left = await world.get(idOf('Microsoft.Compute/disks', 'first'))
  assert.equal(left?.properties['diskState'], 'Unattached')
  assert.equal(left?.envelope['managedBy'], undefined)

  await world.act(id, 'powerOff', {}, { skipshutdown: 'true' })
  await world.act(id, 'start')
  await serialShows(log, 'goldleaf-guest disks: vda=98304 vdb=4194304')
})
