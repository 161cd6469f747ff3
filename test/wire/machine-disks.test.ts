import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { Answer, ArmDocument } from '../support/goldleaf.ts'
import { fixedVhd } from './vhd.ts'
import { assertRefused, definitionBody, diskVersion, openWire, vmVersion } from './wire.ts'
import type { Body, Wire } from './wire.ts'

const MiB = 1024 * 1024
const imagesVersion = '2022-03-01'

/** Writes 0xa5 over sectors 128-129 (byte 65536) of its disk by BIOS, says so on COM1 and halts. */
function writingBootSector(): Buffer<ArrayBuffer> {
  const code = Buffer.from(
    [
      '31c0 8ed8 8ec0 bc007c', // ax, ds, es = 0; sp = 0x7c00
      'bf0080 b000 b0a5 b90004 f3aa', // 0x8000: 1024 bytes of 0xa5
      'be407c b443 b000 b280 cd13', // int 13h, ah=43h: extended write by the packet at 0x7c40
      'be607c baf803', // the text, COM1
      'ac 84c0 7403 ee ebf8', // print it
      'faf4 ebfd', // halt
    ]
      .join('')
      .replaceAll(' ', ''),
    'hex',
  )
  const disk = Buffer.alloc(4 * MiB)
  for (let at = 0; at < disk.length; at += 4096) disk.fill(1 + ((at / 4096) % 250), at, at + 4096)
  disk.fill(0, 0, 512)
  disk.set(code, 0)
  // Packet: 16 bytes, 2 sectors, from 0000:8000, to sector 128.
  disk.set(Buffer.from('10000200008000008000000000000000', 'hex'), 0x40)
  disk.set(Buffer.from('goldleaf wrote\r\n\0', 'latin1'), 0x60)
  disk.set([0x55, 0xaa], 510)
  return disk
}

/** A machine's disks are resources; what its guest wrote is what every kind of capture gives. */
suite('disks of machines, managed images and machines as sources', { timeout: 180_000 }, () => {
  let wire: Wire
  const original = writingBootSector()
  const written = Buffer.from(original)
  written.fill(0xa5, 128 * 512, 130 * 512)
  const data = Buffer.alloc(2 * MiB, 0x42)

  before(async () => {
    wire = await openWire()
    await wire.gallery('g')
    await wire.definition('g/d')
    await wire.arm.must(
      'PUT',
      wire.at('galleries/g/images/general'),
      definitionBody('general', { osState: 'Generalized' }),
    )
    await wire.publish('g/d/1.0.0', await wire.blob('os.vhd', fixedVhd(original)))
  })
  after(() => wire?.[Symbol.asyncDispose]())

  const vm = (name: string, query = ''): string => wire.at(`virtualMachines/${name}`, vmVersion, query)
  const disk = (name: string): string => wire.at(`disks/${name}`, diskVersion)
  const snapshot = (name: string): string => wire.at(`snapshots/${name}`, diskVersion)
  const image = (name: string): string => wire.at(`images/${name}`, imagesVersion)
  const vmBody = (storageProfile: Body): Body => ({
    location: 'westeurope',
    properties: {
      hardwareProfile: { vmSize: 'Standard_B1s' },
      storageProfile: { imageReference: { id: wire.id('galleries/g/images/d') }, ...storageProfile },
      networkProfile: { networkInterfaces: [] },
    },
  })
  const made = async (path: string, body: Body): Promise<ArmDocument> => {
    await wire.arm.must('PUT', path, body)
    const { status, body: shown } = await wire.arm.call('GET', path)
    assert.equal(status, 200)
    assert.equal(shown.properties?.provisioningState, 'Succeeded')
    return shown
  }
  const gone = async (path: string): Promise<void> => {
    const answer = await wire.arm.call('DELETE', path)
    assert.equal(answer.status, 202, JSON.stringify(answer.body))
    assert.equal((await wire.arm.settle(answer)).status, 'Succeeded')
  }
  const wrote = async (name: string): Promise<void> => {
    for (let round = 0; round < 600; round += 1) {
      const { body } = await wire.arm.call('POST', vm(`${name}/retrieveBootDiagnosticsData`))
      const log = await fetch(body.serialConsoleLogBlobUri ?? '')
      if ((await log.text()).includes('goldleaf wrote')) return
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    throw new Error('the guest did not write')
  }
  /** What a version's disk holds. */
  const bytesOf = async (version: string, lun = -1): Promise<Buffer> => (await open(version, lun)).bytes
  const open = async (version: string, lun: number, range?: string): Promise<{ bytes: Buffer; size: number }> => {
    const { body } = await wire.arm.call('POST', wire.at(`galleries/g/images/${version}/beginGetAccess`), {
      access: 'Read',
      durationInSeconds: 600,
      lun,
    })
    const address = (body.accessSAS ?? '').replace(wire.server.env.endpoint, wire.server.env.httpEndpoint)
    const answer = await fetch(address, range === undefined ? {} : { headers: { range } })
    assert.ok(answer.ok)
    const size = Number(answer.headers.get('content-range')?.split('/')[1] ?? answer.headers.get('content-length'))
    return { bytes: Buffer.from(await answer.arrayBuffer()), size }
  }
  const publish = (path: string, storageProfile: Body): Promise<Answer> =>
    wire.arm.must('PUT', wire.at(`galleries/g/images/${path}`), {
      location: 'westeurope',
      properties: { storageProfile, publishingProfile: { targetRegions: [{ name: 'westeurope' }] } },
    })
  const readOf = async (path: string): Promise<number | undefined> => {
    const { body } = await wire.arm.call(
      'GET',
      wire.at(`galleries/g/images/${path}`, '2024-03-03', '&$expand=ReplicationStatus,Transfers'),
    )
    const text = JSON.stringify(body.properties?.replicationStatus)
    return Number(/"bytesRead":(\d+)/.exec(text)?.[1])
  }

  test('every disk of a machine is a resource with an id, an owner and a state', async () => {
    const shown = await made(
      vm('one'),
      vmBody({ dataDisks: [{ lun: 2, createOption: 'Empty', diskSizeGB: 1, name: 'data2' }] }),
    )
    const profile = shown.properties?.storageProfile as unknown as {
      osDisk: { name: string; deleteOption: string; managedDisk: { id: string } }
      dataDisks: [{ managedDisk: { id: string } }]
    }
    assert.equal(profile.osDisk.managedDisk.id, wire.id(`disks/${profile.osDisk.name}`))
    assert.equal(profile.osDisk.deleteOption, 'Detach')
    assert.equal(profile.dataDisks[0].managedDisk.id, wire.id('disks/data2'))
    const { body } = await wire.arm.call('GET', disk(profile.osDisk.name))
    assert.equal(body.managedBy, wire.id('virtualMachines/one'))
    assert.equal(body.properties?.diskState, 'Attached')
    await assertRefused(wire, {
      why: 'attached',
      method: 'DELETE',
      path: disk('data2'),
      status: 409,
      code: 'OperationNotAllowed',
      says: /Disk data2 is attached to VM .*\/virtualMachines\/one/,
    })
    await assertRefused(wire, {
      why: 'its name is taken',
      path: vm('two'),
      body: vmBody({ dataDisks: [{ lun: 0, createOption: 'Empty', diskSizeGB: 1, name: 'DATA2' }] }),
      status: 409,
      code: 'ConflictingUserInput',
      says: /Disk DATA2 already exists in resource group wire\. Only CreateOption\.Attach is supported\./,
    })
    await assertRefused(wire, {
      why: 'it has an owner',
      path: vm('two'),
      body: vmBody({ dataDisks: [{ lun: 0, createOption: 'Attach', managedDisk: { id: wire.id('disks/data2') } }] }),
      status: 409,
      code: 'ConflictingUserInput',
      says: /cannot be attached as the disk is already owned by VM .*\/virtualMachines\/one/,
    })
  })

  test('a running machine is a source: what its guest changed is read, and nothing else', async () => {
    await wrote('one')
    await publish('d/versions/2.0.0', { source: { virtualMachineId: wire.id('virtualMachines/one') } })
    assert.ok((await bytesOf('d/versions/2.0.0')).equals(written), 'byte for byte')
    assert.equal((await open('d/versions/2.0.0', 2, 'bytes=0-511')).size, 1024 * MiB, 'its data disk too')
    const read = await readOf('d/versions/2.0.0')
    assert.ok(read !== undefined && read > 0 && read <= 2 * 65_536, `${read} bytes were read`)
    await assertRefused(wire, {
      why: 'it is not generalized',
      path: wire.at('galleries/g/images/general/versions/1.0.0'),
      body: {
        location: 'westeurope',
        properties: { storageProfile: { source: { id: wire.id('virtualMachines/one') } } },
      },
      status: 400,
      code: 'InvalidParameter',
      says: /OS State in the parent gallery image \('Generalized'\) is not 'Specialized'/,
    })
    const { body } = await wire.arm.call('GET', vm('one/instanceView'))
    assert.match(JSON.stringify(body), /PowerState\/running/, 'it goes on')
  })

  test('a snapshot of an attached disk is what a power cut would leave', async () => {
    const { body } = await wire.arm.call('GET', vm('one'))
    const profile = body.properties?.storageProfile as unknown as { osDisk: { managedDisk: { id: string } } }
    const sourceResourceId = profile.osDisk.managedDisk.id
    await made(snapshot('crash'), {
      location: 'westeurope',
      properties: { creationData: { createOption: 'Copy', sourceResourceId }, incremental: true },
    })
    await publish('d/versions/2.1.0', { osDiskImage: { source: { id: wire.id('snapshots/crash') } } })
    assert.ok((await bytesOf('d/versions/2.1.0')).equals(written))
    await publish('d/versions/2.2.0', { osDiskImage: { source: { id: sourceResourceId } } })
    assert.ok((await bytesOf('d/versions/2.2.0')).equals(written), 'the disk itself is a source while it is attached')
  })

  test('data disks come to a machine that stands still and go with what was written; they outlive it', async () => {
    await wire.arm.must('POST', vm('one/powerOff', '&skipShutdown=true'))
    await wire.arm.must('POST', vm('one/deallocate'))
    assert.equal((await wire.arm.call('GET', disk('data2'))).body.properties?.diskState, 'Reserved')
    await wire.arm.must('PATCH', vm('one'), { properties: { storageProfile: { dataDisks: [] } } })
    const left = (await wire.arm.call('GET', disk('data2'))).body
    assert.equal(left.properties?.diskState, 'Unattached')
    assert.equal(left.managedBy, undefined)
    const dataDisks = [{ lun: 5, createOption: 'Attach', managedDisk: { id: wire.id('disks/data2') } }]
    await wire.arm.must('PATCH', vm('one'), { properties: { storageProfile: { dataDisks } } })
    assert.equal((await wire.arm.call('GET', disk('data2'))).body.managedBy, wire.id('virtualMachines/one'))
    await wire.arm.must('POST', vm('one/start'))
    await wire.arm.must('POST', vm('one/powerOff', '&skipShutdown=true'))
    await wire.arm.must('POST', vm('one/deallocate'))
  })

  test('a generalized machine cannot start; a managed image of it is 0 bytes, boots, and is a source', async () => {
    await assertRefused(wire, {
      why: 'not generalized',
      path: image('golden'),
      body: { location: 'westeurope', properties: { sourceVirtualMachine: { id: wire.id('virtualMachines/one') } } },
      status: 409,
      code: 'OperationNotAllowed',
      says: /because it is not generalized/,
    })
    assert.equal((await wire.arm.call('POST', vm('one/generalize'))).status, 200)
    assert.equal((await wire.arm.call('POST', vm('one/start'))).status, 409)
    const made1 = await made(image('golden'), {
      location: 'westeurope',
      properties: { sourceVirtualMachine: { id: wire.id('virtualMachines/one') } },
    })
    const profile = made1.properties?.storageProfile as unknown as {
      osDisk: { osState: string; diskSizeGB: number }
      dataDisks: { lun: number }[]
    }
    assert.equal(profile.osDisk.osState, 'Generalized')
    assert.deepEqual(
      profile.dataDisks.map(({ lun }) => lun),
      [5],
    )
    await publish('general/versions/1.0.0', { source: { id: wire.id('images/golden') } })
    assert.ok((await bytesOf('general/versions/1.0.0')).equals(written))
    assert.equal(await readOf('general/versions/1.0.0'), 0, 'nothing is read: the store has it')
    await publish('general/versions/1.1.0', { source: { virtualMachineId: wire.id('virtualMachines/one') } })
    const body = vmBody({ imageReference: { id: wire.id('images/golden') } })
    await assertRefused(wire, {
      why: 'an osProfile is needed',
      path: vm('three'),
      body,
      status: 400,
      code: 'InvalidParameter',
      says: "Required parameter 'osProfile' is missing (null).",
    })
    const osProfile = {
      computerName: 'three',
      adminUsername: 'me',
      linuxConfiguration: { disablePasswordAuthentication: true },
    }
    await made(vm('three'), { ...body, properties: { ...(body['properties'] as Body), osProfile } })
    await wrote('three')
    await gone(vm('three'))
  })

  test('a machine that goes leaves its disks, with what was written; they are sources, and boot again', async () => {
    const { body } = await wire.arm.call('GET', vm('one'))
    const profile = body.properties?.storageProfile as unknown as { osDisk: { name: string } }
    const { name } = profile.osDisk
    await gone(vm('one'))
    const left = (await wire.arm.call('GET', disk(name))).body
    assert.equal(left.properties?.diskState, 'Unattached')
    await publish('d/versions/3.0.0', { osDiskImage: { source: { id: wire.id(`disks/${name}`) } } })
    assert.ok((await bytesOf('d/versions/3.0.0')).equals(written))
    const again = await made(vm('again'), {
      location: 'westeurope',
      properties: {
        hardwareProfile: { vmSize: 'Standard_B1s' },
        storageProfile: {
          osDisk: {
            createOption: 'Attach',
            osType: 'Linux',
            deleteOption: 'Delete',
            managedDisk: { id: wire.id(`disks/${name}`) },
          },
        },
      },
    })
    assert.ok(again)
    await wrote('again')
    await gone(vm('again'))
    assert.equal((await wire.arm.call('GET', disk(name))).status, 404, 'deleteOption Delete')
  })

  test('managed images of disks, snapshots and blobs; sources of versions mix', async () => {
    const blobUri = await wire.blob('data.vhd', fixedVhd(data))
    await made(image('mixed'), {
      location: 'westeurope',
      properties: {
        storageProfile: {
          osDisk: { osType: 'Linux', osState: 'Generalized', snapshot: { id: wire.id('snapshots/crash') } },
          dataDisks: [{ lun: 7, blobUri, diskSizeGB: 1 }],
        },
      },
    })
    await gone(snapshot('crash'))
    await publish('general/versions/2.0.0', { source: { id: wire.id('images/mixed') } })
    assert.ok((await bytesOf('general/versions/2.0.0')).equals(written))
    const { bytes, size } = await open('general/versions/2.0.0', 7, `bytes=0-${3 * MiB - 1}`)
    assert.equal(size, 1024 * MiB, 'a disk of the size asked for')
    assert.ok(bytes.equals(Buffer.concat([data, Buffer.alloc(MiB)])))
    await publish('d/versions/4.0.0', {
      osDiskImage: { source: { uri: await wire.blob('os2.vhd', fixedVhd(original)) } },
      dataDiskImages: [
        { lun: 1, source: { id: wire.id('disks/data2') } },
        { lun: 9, source: { uri: blobUri } },
      ],
    })
    assert.ok((await bytesOf('d/versions/4.0.0', 9)).equals(data))
    await assertRefused(wire, {
      why: 'of another region',
      path: image('elsewhere'),
      body: {
        location: 'eastus',
        properties: {
          storageProfile: {
            osDisk: { osType: 'Linux', osState: 'Generalized', managedDisk: { id: wire.id('disks/data2') } },
          },
        },
      },
      status: 404,
      code: 'NotFound',
      says: /was not found in location 'eastus'/,
    })
    const { body } = await wire.arm.call(
      'GET',
      `${wire.subscription}/providers/Microsoft.Compute/images?api-version=${imagesVersion}`,
    )
    assert.deepEqual(body.value?.map(({ name }: { name?: string }) => name).toSorted(), ['golden', 'mixed'])
    await gone(image('mixed'))
  })

  test('an ultra disk is no source; a machine of an image with a plan names it', async () => {
    await made(disk('ultra'), {
      location: 'westeurope',
      sku: { name: 'UltraSSD_LRS' },
      properties: { creationData: { createOption: 'Empty' }, diskSizeGB: 4 },
    })
    const storageProfile = { osDiskImage: { source: { id: wire.id('disks/ultra') } } }
    await assertRefused(wire, {
      why: 'no source',
      path: wire.at('galleries/g/images/d/versions/9.0.0'),
      body: { location: 'westeurope', properties: { storageProfile, publishingProfile: {} } },
      status: 400,
      code: 'InvalidParameter',
      says: /^Source disk .* UltraSSD account type/,
    })
    const plan = { name: 'gold', publisher: 'contoso', product: 'linux' }
    await wire.definition('g/sold', { purchasePlan: plan })
    await wire.publish('g/sold/1.0.0', await wire.blob('sold.vhd', fixedVhd(data)))
    const body = vmBody({ imageReference: { id: wire.id('galleries/g/images/sold') } })
    const code = 'VMMarketplaceInvalidInput'
    const path = vm('sold')
    const says = `Creating a virtual machine from Marketplace image or a custom image sourced from a Marketplace image requires Plan information in the request. VM: '${wire.id('virtualMachines/sold')}'.`
    await assertRefused(wire, { why: 'no plan', path, body, status: 400, code, says })
    const other = { ...body, plan: { ...plan, name: 'silver' } }
    await assertRefused(wire, { why: 'another', path, body: other, status: 400, code, says: /'silver contoso linux'/ })
    const sold = await made(path, { ...body, plan: { ...plan, publisher: 'Contoso' } })
    const profile = sold.properties?.storageProfile as unknown as { osDisk: { name: string } }
    const { properties } = (await wire.arm.call('GET', disk(profile.osDisk.name))).body
    assert.deepEqual((properties as { purchasePlan?: unknown }).purchasePlan, { ...plan, publisher: 'Contoso' })
    await gone(vm('sold'))
  })
})
