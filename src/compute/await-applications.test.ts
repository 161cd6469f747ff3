import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { silentLogger } from '../base/logger.ts'
import { listReports, putReport } from './application-report.rows.ts'
import type { ApplicationReport } from './application-reports.ts'
import { createWorld, imageOf, fakeProvider, idOf } from './compute.fixture.ts'
import { defaultComputeLimits } from './dependencies.ts'

const id = idOf('Microsoft.Compute/virtualMachines', 'vm')

/** A room whose machines name one application on whose outcome their creation hangs. */
async function openWorld(applicationTimeoutMs: number) {
  const provider = fakeProvider()
  let root = ''
  const world = await createWorld(() => provider, silentLogger, {
    limits: { ...defaultComputeLimits, applicationTimeoutMs },
    resolveApplication: async (versionId) => ({
      versionId,
      supportedOSType: 'Linux',
      packageName: 'tool',
      configurationName: 'tool_config',
      rerun: false,
      install: 'sh ./tool',
      update: undefined,
      remove: undefined,
      package: { region: 'westeurope', storageClass: 'Standard_LRS', root, sizeBytes: 5 },
      configuration: undefined,
    }),
  })
  const path = join(world.folder, 'any.raw')
  await writeFile(path, Buffer.alloc(1_048_576, 1))
  const disk = await world.store(path)
  root = disk.root
  world.images.set('/image', imageOf(disk))
  const vmId = (): Promise<string> => provider.whenStarted.then(({ vmKey }) => vmKey)
  return {
    world,
    provider,
    vmId,
    create: () =>
      world.put(id, {
        properties: {
          storageProfile: { imageReference: { id: '/image' }, osDisk: { createOption: 'FromImage', osType: 'Linux' } },
          applicationProfile: {
            galleryApplications: [
              {
                packageReferenceId: idOf('Microsoft.Compute/galleries/g/applications/tool/versions', '1.0.0'),
                treatFailureAsDeploymentFailure: true,
              },
            ],
          },
        },
      }),
    say: async (outcome: ApplicationReport['outcome']) =>
      putReport(
        world.deps.db,
        await vmId(),
        { name: 'tool', version: '1.0.0', action: 'install', outcome, exitCode: undefined, output: '' },
        world.deps.clock.now(),
      ),
  }
}

suite('a creation that hangs on its applications', () => {
  test('ends when the guest has reported; what was reported goes with the machine', async () => {
    const room = await openWorld(60_000)
    await using world = room.world
    const creation = room.create()
    await room.say('begun')
    await room.say('done')
    assert.equal((await creation).state, 'Succeeded')
    const vmId = await room.vmId()
    assert.equal((await listReports(world.deps.db, vmId)).length, 1)
    await world.remove(id)
    assert.deepEqual(await listReports(world.deps.db, vmId), [])
  })

  test('fails with Azure’s codes when the guest says nothing, takes too long or ends; else the machine runs on', async () => {
    const room = await openWorld(1)
    await using _world = room.world
    const silent = await room.create()
    assert.deepEqual([silent.state, silent.error?.code], ['Failed', 'VMAgentStatusCommunicationError'])
    const vmId = await room.vmId()
    await room.say('begun')
    assert.equal((await room.create()).error?.code, 'VMExtensionProvisioningTimeout')
    assert.ok(room.provider.running.has(vmId))
  })

  test('fails when the machine ends meanwhile, and does not start it again', async () => {
    const room = await openWorld(60_000)
    await using _world = room.world
    const creation = room.create()
    room.provider.end(await room.vmId(), 'guest')
    const { error } = await creation
    assert.match(error?.message ?? '', /ended before its applications were installed/)
    assert.equal(room.provider.running.size, 0)
  })
})
