import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import type { JsonObject } from '../base/json.ts'
import { createWorld, fakeProvider, idOf } from './compute.fixture.ts'
import { findVmFacts } from './vm-facts.ts'

const id = idOf('Microsoft.Compute/virtualMachines', 'vm')

test('a disk that the guest does not let go of fails the detachment; the same request ends it later', async () => {
  const provider = fakeProvider()
  await using world = await createWorld(() => provider)
  const path = join(world.folder, 'any.raw')
  await writeFile(path, Buffer.alloc(1_048_576, 1))
  world.images.set('/image', {
    versionId: '/image/versions/1.0.0',
    osState: 'Specialized',
    osType: 'Linux',
    hyperVGeneration: 'V1',
    disks: [await world.store(path)],
  })
  const properties = (...dataDisks: readonly JsonObject[]): { readonly properties: JsonObject } => ({
    properties: {
      storageProfile: { imageReference: { id: '/image' }, osDisk: { createOption: 'FromImage' }, dataDisks },
    },
  })
  const data = { lun: 1, name: 'data', createOption: 'Empty', diskSizeGB: 1 }
  await world.put(id, properties())
  assert.equal((await world.put(id, properties(data))).state, 'Succeeded')
  assert.deepEqual(provider.plugged, [1])

  provider.busy.add(1)
  const { state, error } = await world.put(id, properties())
  assert.equal(state, 'Failed')
  assert.match(error?.message ?? '', /did not let go of the disk at LUN 1 .*Power the virtual machine off/)
  assert.equal(provider.running.size, 1)
  const row = await world.get(idOf('Microsoft.Compute/disks', 'data'))
  assert.equal(row?.envelope['managedBy'], id)

  // Its guest was stopped, as the message says: it stays so.
  await world.act(id, 'powerOff')
  assert.equal((await world.put(id, properties())).state, 'Succeeded')
  assert.equal(provider.running.size, 0)
  assert.equal((await world.get(idOf('Microsoft.Compute/disks', 'data')))?.properties['diskState'], 'Unattached')
  assert.deepEqual(findVmFacts((await world.get(id))?.envelope ?? {})?.leaving, undefined)
  await world.act(id, 'start')
  assert.deepEqual(
    provider.started.at(-1)?.disks.map(({ lun }) => lun),
    ['os'],
  )
})
