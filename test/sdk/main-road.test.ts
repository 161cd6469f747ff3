import assert from 'node:assert/strict'
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { ComputeManagementClient } from '@azure/arm-compute'
import { ClientSecretCredential } from '@azure/identity'
import { AnonymousCredential, PageBlobClient } from '@azure/storage-blob'
import { buildTinyDisk, changeFileOnTinyDisk } from '../../tools/tiny-disk.ts'
import { convertImage, sha256OfFile } from '../support/disks.ts'
import { armCaller, eventually, startGoldleaf } from '../support/goldleaf.ts'
import type { RunningGoldleaf } from '../support/goldleaf.ts'

const group = 'road'
const regions = ['West Europe', 'North Europe', 'East US']

/** The whole road with Azure's newest SDK over HTTPS, as an engineer would write it against Azure itself. */
suite('the main road with @azure/arm-compute', { timeout: 400_000 }, () => {
  let server: RunningGoldleaf
  let client: ComputeManagementClient
  let folder: string
  let definitionId = ''

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'goldleaf-road-'))
    server = await startGoldleaf()
    const { endpoint, tenantId, clientId, clientSecret, subscriptionId } = server.env
    const credential = new ClientSecretCredential(tenantId, clientId, clientSecret, {
      authorityHost: endpoint,
      disableInstanceDiscovery: true,
    })
    client = new ComputeManagementClient(credential, subscriptionId, {
      endpoint,
      credentials: { scopes: [`${endpoint}/.default`] },
    })
    const arm = armCaller(server)
    const groupPath = `/subscriptions/${subscriptionId}/resourceGroups/${group}?api-version=2021-04-01`
    assert.equal((await arm.call('PUT', groupPath, { location: 'westeurope' })).status, 201)
  })
  after(async () => {
    await server?.[Symbol.asyncDispose]()
    await rm(folder, { recursive: true, force: true })
  })

  async function uploadDisk(name: string, raw: string): Promise<string> {
    const vhd = join(folder, `${name}.vhd`)
    await convertImage(raw, vhd, 'vpc', ['-o', 'subformat=fixed,force_size=on'])
    await using file = await open(vhd)
    const { size } = await file.stat()
    const disk = await client.disks.createOrUpdate(group, name, {
      location: 'westeurope',
      osType: 'Linux',
      creationData: { createOption: 'Upload', uploadSizeBytes: size },
      sku: { name: 'Standard_LRS' },
    })
    assert.equal(disk.diskState, 'ReadyToUpload')
    const access = await client.disks.grantAccess(group, name, { access: 'Write', durationInSeconds: 3600 })
    assert.ok(access.accessSAS?.startsWith('https://'))
    const blob = new PageBlobClient(access.accessSAS ?? '', new AnonymousCredential())
    const piece = Buffer.alloc(4 * 1024 * 1024)
    const zeros = Buffer.alloc(piece.length)
    for (let offset = 0; offset < size; offset += piece.length) {
      const { bytesRead } = await file.read(piece, 0, piece.length, offset)
      const page = piece.subarray(0, bytesRead)
      if (!page.equals(zeros.subarray(0, bytesRead))) await blob.uploadPages(page, offset, bytesRead)
    }
    await client.disks.revokeAccess(group, name)
    const ready = await client.disks.get(group, name)
    assert.equal(ready.diskState, 'Unattached')
    return ready.id ?? ''
  }

  test('gallery and definition', async () => {
    const gallery = await client.galleries.createOrUpdate(group, 'golden', { location: 'westeurope' })
    assert.equal(gallery.provisioningState, 'Succeeded')
    assert.equal(gallery.identifier?.uniqueName, `${server.env.subscriptionId}-GOLDEN`)
    const image = await client.galleryImages.createOrUpdate(group, 'golden', 'tiny', {
      location: 'westeurope',
      osType: 'Linux',
      osState: 'Specialized',
      hyperVGeneration: 'V1',
      identifier: { publisher: 'goldleaf', offer: 'tiny', sku: 'bios' },
      features: [{ name: 'SecurityType', value: 'Standard' }],
    })
    assert.equal(image.provisioningState, 'Succeeded')
    assert.equal(image.architecture, 'x64')
    definitionId = image.id ?? ''
  })

  test('a version from an uploaded VHD, replicated to three regions', async () => {
    const raw = join(folder, 'one.raw')
    await buildTinyDisk({ cacheDir: '.cache', out: raw, content: 'hello from one' })
    const source = await uploadDisk('one', raw)
    const version = await client.galleryImageVersions.createOrUpdate(group, 'golden', 'tiny', '1.0.0', {
      location: 'westeurope',
      storageProfile: { osDiskImage: { source: { id: source } } },
      publishingProfile: {
        targetRegions: regions.map((name) => ({ name, regionalReplicaCount: 1, storageAccountType: 'Standard_LRS' })),
      },
    })
    assert.equal(version.provisioningState, 'Succeeded')
    assert.deepEqual(
      version.publishingProfile?.targetRegions?.map((region) => region.name),
      regions,
    )
    const shown = await client.galleryImageVersions.get(group, 'golden', 'tiny', '1.0.0', {
      expand: 'ReplicationStatus',
    })
    assert.equal(shown.replicationStatus?.aggregatedState, 'Completed')
    assert.deepEqual(
      shown.replicationStatus?.summary?.map((line) => [line.region, line.state, line.progress]),
      regions.map((region) => [region, 'Completed', 100]),
    )
  })

  test('a second version costs what changed', async () => {
    const raw = join(folder, 'two.raw')
    await buildTinyDisk({ cacheDir: '.cache', out: raw, content: 'hello from one' })
    await changeFileOnTinyDisk(raw, 'GREETING.TXT', 'hello from two')
    const source = await uploadDisk('two', raw)
    await client.galleryImageVersions.createOrUpdate(group, 'golden', 'tiny', '1.0.1', {
      location: 'westeurope',
      storageProfile: { osDiskImage: { source: { id: source } } },
      publishingProfile: {
        targetRegions: regions.map((name) => ({ name, storageAccountType: 'Standard_LRS' })),
      },
    })
    const names: (string | undefined)[] = []
    for await (const version of client.galleryImageVersions.listByGalleryImage(group, 'golden', 'tiny'))
      names.push(version.name)
    assert.deepEqual(names, ['1.0.0', '1.0.1'])
  })

  test('the bytes of a replica are the bytes that went in', async () => {
    const arm = armCaller(server)
    const path = `${definitionId}/versions/1.0.1/beginGetAccess?api-version=2025-03-03`
    const access = await arm.call('POST', path, { access: 'Read', durationInSeconds: 600, region: 'eastus' })
    assert.equal(access.status, 200, JSON.stringify(access.body))
    const out = join(folder, 'back.raw')
    const whole = await fetch(access.body.accessSAS ?? '')
    assert.equal(whole.status, 200)
    await using file = await open(out, 'w')
    for await (const chunk of whole.body ?? []) await file.write(chunk as Uint8Array)
    assert.equal(await sha256OfFile(out), await sha256OfFile(join(folder, 'two.raw')))
    const part = await fetch(access.body.accessSAS ?? '', { headers: { range: 'bytes=510-511' } })
    assert.equal(part.status, 206)
    assert.deepEqual(Buffer.from(await part.arrayBuffer()), Buffer.from([0x55, 0xaa]))
  })

  test('a VM from the definition id boots the latest version in another region', async () => {
    await client.virtualMachines.createOrUpdate(group, 'vm1', {
      location: 'northeurope',
      hardwareProfile: { vmSize: 'Standard_B1s' },
      storageProfile: { imageReference: { id: definitionId } },
      networkProfile: { networkInterfaces: [] },
    })
    const vm = await client.virtualMachines.get(group, 'vm1')
    assert.equal(vm.storageProfile?.imageReference?.id, definitionId)
    assert.equal(vm.storageProfile?.imageReference?.exactVersion, '1.0.1')
    const view = await client.virtualMachines.instanceView(group, 'vm1')
    assert.ok(view.statuses?.some((status) => status.code === 'PowerState/running'))
    await eventually(async () => {
      const data = await client.virtualMachines.retrieveBootDiagnosticsData(group, 'vm1')
      const log = await (await fetch(data.serialConsoleLogBlobUri ?? '')).text()
      assert.match(log, /goldleaf-guest ready: hello from two/)
    }, 120_000)
  })

  test('everything can be deleted, children first', async () => {
    await assert.rejects(
      client.galleries.delete(group, 'golden').then((done) => done),
      (error: { code?: string }) => error.code === 'CannotDeleteResource',
    )
    await client.virtualMachines.delete(group, 'vm1')
    for (const version of ['1.0.0', '1.0.1']) await client.galleryImageVersions.delete(group, 'golden', 'tiny', version)
    await client.galleryImages.delete(group, 'golden', 'tiny')
    await client.galleries.delete(group, 'golden')
    for (const disk of ['one', 'two']) await client.disks.delete(group, disk)
    await assert.rejects(
      client.galleries.get(group, 'golden'),
      (error: { code?: string }) => error.code === 'ResourceNotFound',
    )
  })
})
