import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { findArmId } from '../base/arm-id.ts'
import { systemClock } from '../base/clock.ts'
import { isJsonObject, type JsonObject } from '../base/json.ts'
import { Problem } from '../base/problem.ts'
import { GiB, MiB } from '../base/units.ts'
import type { ResolvedImage } from '../gallery/resolve-image.ts'
import { contextOf, createWorld, imageOf, fakeProvider, idOf, type World } from './compute.fixture.ts'
import { computeProblems } from './problems.ts'
import { prepareVm } from './vm-draft.ts'
import { findVmFacts } from './vm-facts.ts'

const vmType = 'Microsoft.Compute/virtualMachines'
const vmId = idOf(vmType, 'web')
const imageId = idOf('Microsoft.Compute/galleries/g/images', 'i')

async function withImage(world: World, facts: Partial<ResolvedImage> = {}): Promise<ResolvedImage> {
  const path = join(world.folder, 'image.raw')
  await writeFile(path, Buffer.alloc(MiB, 'image'))
  const image = { ...imageOf(await world.store(path)), versionId: `${imageId}/versions/1.2.3`, ...facts }
  world.images.set(imageId, image)
  return image
}

const body = (storage: JsonObject = {}, rest: JsonObject = {}): { readonly properties: JsonObject } => ({
  properties: {
    hardwareProfile: { vmSize: 'Standard_B1s' },
    networkProfile: { networkInterfaces: [{ id: '/nic' }] },
    storageProfile: { imageReference: { id: imageId }, ...storage },
    ...rest,
  },
})

async function powerOf(world: World): Promise<string> {
  const view = await world.act(vmId, 'instanceView')
  assert.ok('statuses' in view && Array.isArray(view.statuses))
  const codes = view.statuses.map((status: unknown) => (isJsonObject(status) ? status['code'] : undefined))
  assert.equal(codes[0], 'ProvisioningState/succeeded')
  const power = codes.at(-1)
  assert.ok(typeof power === 'string')
  return power
}

test('a machine is created from the latest of a definition, keeps the reference as written and shows what was chosen', async () => {
  const provider = fakeProvider()
  await using world = await createWorld(() => provider)
  const image = await withImage(world)
  const operation = await world.put(vmId, body({ dataDisks: [{ lun: 3, createOption: 'Empty', diskSizeGB: 2 }] }))
  assert.equal(operation.state, 'Succeeded', JSON.stringify(operation.error))
  const { storageProfile, networkProfile } = await world.show(vmId)
  assert.ok(isJsonObject(storageProfile) && isJsonObject(storageProfile['osDisk']))
  assert.deepEqual(storageProfile['imageReference'], { id: imageId, exactVersion: '1.2.3' })
  assert.equal(storageProfile['osDisk']['osType'], 'Linux')
  assert.deepEqual(networkProfile, { networkInterfaces: [{ id: '/nic' }] })
  const [spec] = provider.started
  assert.equal(spec?.cpus, 1)
  assert.equal(spec?.memoryMiB, 128)
  assert.deepEqual(
    spec?.disks.map(({ lun, base }) => [lun, base !== undefined]),
    [
      ['os', true],
      [3, false],
    ],
  )
  for (const { overlayPath } of spec?.disks ?? []) assert.ok(existsSync(overlayPath))
  assert.equal(await powerOf(world), 'PowerState/running')
  assert.deepEqual(
    (await world.compute.liveRoots()).map((live) => live.root),
    [image.disks[0]?.root, image.disks[0]?.root],
    'the machine and its disk',
  )
})

test('power off, start, deallocate and restart are shown with codes of Azure; delete removes the overlay and lets go of the image', async () => {
  const provider = fakeProvider()
  await using world = await createWorld(() => provider)
  await withImage(world)
  await world.put(vmId, body({ osDisk: { createOption: 'FromImage', deleteOption: 'Delete' } }))
  await world.act(vmId, 'powerOff', {}, { skipshutdown: 'true' })
  assert.equal(await powerOf(world), 'PowerState/stopped')
  await assert.rejects(world.act(vmId, 'restart'), (e) => e instanceof Problem && e.code === 'OperationNotAllowed')
  await world.act(vmId, 'start')
  assert.equal(await powerOf(world), 'PowerState/running')
  await world.act(vmId, 'restart')
  assert.equal(provider.started.length, 3)
  await world.act(vmId, 'deallocate')
  assert.equal(await powerOf(world), 'PowerState/deallocated')
  const view = await world.show(vmId, { $expand: 'instanceView' })
  assert.ok(isJsonObject(view['instanceView']))
  const log = await world.act(vmId, 'retrieveBootDiagnosticsData')
  assert.ok('serialConsoleLogBlobUri' in log)
  assert.equal((await world.remove(vmId)).state, 'Succeeded')
  assert.equal(await world.get(vmId), undefined)
  assert.deepEqual(await world.compute.liveRoots(), [])
  assert.deepEqual(await readdir(join(world.folder, 'vms')), [])
})

test('a generalized image needs an osProfile and a specialized one refuses it, in the words of Azure; secrets go to the guest and nowhere else', async () => {
  const provider = fakeProvider()
  await using world = await createWorld(() => provider)
  const osProfile = { computerName: 'web', adminUsername: 'me', adminPassword: 'secret', customData: 'c2VjcmV0' }
  await withImage(world, { osState: 'Generalized' })
  const cases = [
    { draft: body(), message: "Required parameter 'osProfile' is missing (null)." },
    { state: 'Specialized' as const, draft: body({}, { osProfile }), message: "Parameter 'osProfile' is not allowed." },
  ]
  for (const { draft, message, state } of cases) {
    if (state) await withImage(world, { osState: state })
    await assert.rejects(world.put(vmId, draft), (error) => {
      assert.ok(error instanceof Problem)
      assert.deepEqual([error.code, error.message, error.target], ['InvalidParameter', message, 'osProfile'])
      return true
    })
    assert.equal(await world.get(vmId), undefined)
  }
  await withImage(world, { osState: 'Generalized' })
  const vaults = body({}, { osProfile: { ...osProfile, secrets: [{ sourceVault: { id: 'v' } }] } })
  await assert.rejects(world.put(vmId, vaults), { code: 'BadRequest', target: 'osProfile.secrets' })
  await world.put(vmId, body({}, { osProfile }))
  assert.ok(!JSON.stringify(await world.get(vmId)).match(/secret|c2VjcmV0/))
  const seed = provider.started[0]?.seedIsoPath
  const disc = await readFile(seed ?? '', 'latin1')
  assert.match(disc, /cidata/)
  assert.match(disc, /"local-hostname":"web"/)
  assert.match(disc, /"name":"me".*"plain_text_passwd":"secret"/)
  assert.match(disc, /\0secret\0/, 'custom data, decoded')
  await world.act(vmId, 'restart')
  assert.equal(provider.started[1]?.seedIsoPath, seed)
})

test('facts in a request are never believed: neither on creation nor on update', async () => {
  await using world = await createWorld(() => fakeProvider())
  const image = await withImage(world)
  const forged = {
    'x-goldleaf': { vmId: '../../etc', power: 'running', disks: [{ lun: 'os', base: { root: 'other' } }] },
  }
  await world.put(vmId, { ...body(), envelope: forged })
  const facts = findVmFacts((await world.get(vmId))?.envelope ?? {})
  assert.equal(facts?.disks[0]?.base?.root, image.disks[0]?.root)
  const before = await world.get(vmId)
  const id = findArmId(vmId)
  assert.ok(before && id)
  const after = { location: 'westeurope', tags: undefined, properties: before.properties, envelope: forged }
  const draft = await prepareVm({ kind: 'update', method: 'PATCH', id, before, after }, contextOf(), world.deps)
  assert.deepEqual(findVmFacts(draft.envelope), facts)
})

test('disks that do not fit are refused: too small, a LUN of the image as empty, a LUN it has not, attaching', async () => {
  await using world = await createWorld(() => fakeProvider())
  const image = await withImage(world)
  const [os] = image.disks
  assert.ok(os)
  world.images.set(imageId, {
    ...image,
    disks: [
      { ...os, virtualSizeBytes: 5 * GiB },
      { ...os, lun: 1 },
    ],
  })
  const cases = [
    { storage: { osDisk: { createOption: 'FromImage', diskSizeGB: 4 } }, says: /smaller than the size/ },
    { storage: { dataDisks: [{ lun: 1, createOption: 'Empty', diskSizeGB: 1 }] }, says: /has a data disk at LUN 1/ },
    { storage: { dataDisks: [{ lun: 2, createOption: 'FromImage' }] }, says: /no data disk at LUN 2/ },
    { storage: { dataDisks: [{ lun: 2, createOption: 'Empty' }] }, says: /diskSizeGB' is missing/ },
    { storage: { dataDisks: [{ lun: 2, createOption: 'Attach' }] }, says: /managedDisk\.id' is missing/ },
    { storage: { dataDisks: [{ lun: 2, createOption: 'Copy' }] }, says: /not supported/ },
    { storage: { osDisk: { createOption: 'Attach' } }, says: /Parameter 'imageReference' is not allowed/ },
    { storage: { imageReference: { publisher: 'Canonical' } }, says: /not supported/ },
    { storage: { imageReference: {} }, says: /'imageReference' is missing/ },
  ]
  for (const { storage, says } of cases)
    await assert.rejects(world.put(vmId, body(storage)), (e) => e instanceof Problem && says.test(e.message))
})

test('an image that was deleted in between fails the creation with the code of Azure, and the same PUT tries again', async () => {
  const provider = fakeProvider()
  await using world = await createWorld(() => provider)
  const image = await withImage(world)
  const [os] = image.disks
  assert.ok(os)
  world.images.set(imageId, { ...image, disks: [{ ...os, root: 'f'.repeat(64) }] })
  const gone = await world.put(vmId, body())
  assert.equal(gone.state, 'Failed')
  assert.equal(gone.error?.code, 'GalleryImageNotFound')
  await world.remove(vmId)

  await withImage(world)
  provider.failNextStart(computeProblems.HypervisorMissing({ program: 'qemu' }))
  assert.equal((await world.put(vmId, body())).error?.code, 'HypervisorNotInstalled')
  assert.equal((await world.put(vmId, {})).state, 'Succeeded')
  assert.equal(await powerOf(world), 'PowerState/running')
})

test('what should run is started again after a restart of the server, what was stopped or powered itself off is not', async () => {
  const provider = fakeProvider()
  await using world = await createWorld(() => provider)
  await withImage(world)
  const ids = ['runs', 'stopped', 'off'].map((name) => idOf(vmType, name))
  for (const id of ids) await world.put(id, body())
  const [runs = '', stopped = '', off = ''] = ids
  const keyOf = async (id: string) => findVmFacts((await world.get(id))?.envelope ?? {})?.vmId ?? ''
  await world.act(stopped, 'powerOff')
  provider.end(await keyOf(off), 'guest')
  for (let round = 0; round < 200; round++) {
    if (findVmFacts((await world.get(off))?.envelope ?? {})?.power === 'stopped') break
    await systemClock.sleep(10)
  }
  const next = fakeProvider()
  const compute = await world.reopen(next)
  await compute.startMachines()
  assert.deepEqual([...next.running], [await keyOf(runs)])
})
