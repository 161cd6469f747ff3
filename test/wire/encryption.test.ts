import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { globSync, readFileSync } from 'node:fs'
import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import type { ComputeManagementClient, GalleryImageVersion, TargetRegion } from '@azure/arm-compute'
import { computeClient } from '../support/compute-client.ts'
import { eventually } from '../support/goldleaf.ts'
import { openPrincipals } from '../support/principals.ts'
import { addSubscription } from '../support/subscriptions.ts'
import { fixedVhd, someDisk } from './vhd.ts'
import { definitionBody, diskVersion, galleryVersion, openWire, vmVersion } from './wire.ts'
import type { Wire } from './wire.ts'

const marker = 'THE-SECRET-OF-THE-GOLDEN-IMAGE-7261'
const contributor = 'b24988ac-6180-42a0-ab88-20f7382dd24c'
const reader = 'acdd72a7-3385-48ef-bd42-f606fba81ae7'
const sealed = { securityEncryptionType: 'DiskWithVMGuestState' }
const roleDefinition = (id: string): string => `/providers/Microsoft.Authorization/roleDefinitions/${id}`
const keyUrl = (name: string): string => `https://keys.goldleaf/keys/${name}/1`

/** Bytes that zstd leaves readable, so that a search of a plain store finds them. */
function markedDisk(seed: number): Buffer {
  const disk = Buffer.from(someDisk(seed))
  disk.write(marker, 3 * 65_536 + 100)
  return disk
}

suite('encryption with disk encryption sets', { timeout: 180_000 }, () => {
  let wire: Wire
  let client: ComputeManagementClient
  const disk = markedDisk(9)
  let uri = ''
  const sets = new Map<string, string>()
  before(async () => {
    wire = await openWire()
    client = computeClient(wire.server)
    uri = await wire.blob('secret.vhd', fixedVhd(disk))
    await wire.gallery('g')
    await wire.definition('g/d')
  })
  after(() => wire?.[Symbol.asyncDispose]())

  const makeSet = async (name: string, location: string, key = name): Promise<string> => {
    const made = await client.diskEncryptionSets.createOrUpdate('wire', name, {
      location,
      identity: { type: 'SystemAssigned' },
      activeKey: { keyUrl: keyUrl(key) },
    })
    assert.equal(made.provisioningState, 'Succeeded')
    sets.set(name, made.id ?? '')
    return made.id ?? ''
  }
  const encrypted = (name: string, set: string): TargetRegion => ({
    name,
    encryption: { osDiskImage: { diskEncryptionSetId: sets.get(set) ?? set } },
  })
  const versionOf = (targetRegions: TargetRegion[], location = 'westeurope'): GalleryImageVersion => ({
    location,
    storageProfile: { osDiskImage: { source: { uri, storageAccountId: storageAccountId() } } },
    publishingProfile: { targetRegions },
    safetyProfile: { allowDeletionOfReplicatedLocations: true },
  })
  const storageAccountId = (): string => `${wire.group}/providers/Microsoft.Storage/storageAccounts/wire`
  const publish = (name: string, body: GalleryImageVersion): Promise<GalleryImageVersion> =>
    client.galleryImageVersions.createOrUpdate('wire', 'g', 'd', name, body)
  const read = async (version: string, region: string): Promise<Response> => {
    const path = wire.at(`galleries/g/images/d/versions/${version}/beginGetAccess`)
    const { body } = await wire.arm.must('POST', path, {
      access: 'Read',
      durationInSeconds: 600,
      region,
      format: 'raw',
    })
    return fetch(body.accessSAS ?? '')
  }
  const versions: Readonly<Record<string, string>> = {
    galleries: galleryVersion,
    virtualMachines: vmVersion,
    images: vmVersion,
  }
  const at = (path: string): string => wire.at(path, versions[path.split('/')[0] ?? ''] ?? diskVersion)
  const put = async (path: string, properties: object, location = 'westeurope'): Promise<Record<string, unknown>> => {
    await wire.arm.must('PUT', at(path), { location, properties })
    return (await wire.arm.call('GET', at(path))).body.properties as Record<string, unknown>
  }
  const gone = async (...paths: readonly string[]): Promise<void> => {
    for (const path of paths) await wire.arm.must('DELETE', at(path))
  }
  const exported = async (name: string, length: number): Promise<Buffer> => {
    const asked = { access: 'Read', durationInSeconds: 600 }
    const started = await wire.arm.call('POST', at(`disks/${name}`).replace('?', '/beginGetAccess?'), asked)
    const { properties } = (await wire.arm.settle(started)) as { properties?: { output?: { accessSAS?: string } } }
    const bytes = Buffer.from(await (await fetch(properties?.output?.accessSAS ?? '')).arrayBuffer())
    await wire.arm.must('POST', at(`disks/${name}`).replace('?', '/endGetAccess?'))
    return bytes.subarray(0, length)
  }
  const holdsMarker = (region: string): boolean =>
    globSync(join(wire.server.data, 'regions', region, '**', '*'), { withFileTypes: true })
      .filter((entry) => entry.isFile())
      .some((entry) => readFileSync(join(entry.parentPath, entry.name)).includes(marker))
  const refused = (work: Promise<unknown>, says: RegExp): Promise<void> =>
    assert.rejects(work, (error: Error) => {
      assert.match(error.message, says)
      return true
    })

  test('a set is made, shown, listed and its key rotated; what it promises without keeping it is refused', async () => {
    const id = await makeSet('west', 'westeurope')
    await makeSet('north', 'northeurope')
    const shown = await client.diskEncryptionSets.get('wire', 'west')
    assert.equal(shown.encryptionType, 'EncryptionAtRestWithCustomerKey')
    assert.equal(shown.activeKey?.keyUrl, keyUrl('west'))
    assert.deepEqual(shown.previousKeys, [])
    assert.match(shown.identity?.principalId ?? '', /^[0-9a-f-]{36}$/)
    const ids: (string | undefined)[] = []
    for await (const one of client.diskEncryptionSets.list()) ids.push(one.id)
    for await (const one of client.diskEncryptionSets.listByResourceGroup('wire')) ids.push(one.id)
    assert.deepEqual(
      ids.flatMap((one) => (one?.toLowerCase() === id.toLowerCase() ? [one.toLowerCase()] : [])),
      [id.toLowerCase(), id.toLowerCase()],
      String(ids),
    )
    const keys = globSync(join(wire.server.data, 'keys', '*'))
    assert.deepEqual(
      keys.map((path) => path.split('/').at(-1) ?? '').toSorted((a, b) => (a < b ? -1 : 1)),
      ['north.1.key', 'west.1.key'],
    )
    const set = { location: 'westeurope', activeKey: { keyUrl: keyUrl('x') } }
    const put = (more: object) => client.diskEncryptionSets.createOrUpdate('wire', 'bad', { ...set, ...more })
    await refused(put({ activeKey: { keyUrl: 'https://v.vault.azure.net/keys/k/1' } }), /cannot ask.*keyVaults/)
    await refused(put({ activeKey: { keyUrl: 'https://keys.goldleaf/secrets/k' } }), /keyUrl is invalid/)
    await refused(
      put({ encryptionType: 'EncryptionAtRestWithPlatformAndCustomerKeys' }),
      /not supported by this server/,
    )
    await refused(put({ rotationToLatestKeyVersionEnabled: true }), /nothing would rotate by itself/)
  })

  test('rules: set, subscription, region and all regions or none', async () => {
    const other = (sets.get('west') ?? '').replace(
      /subscriptions\/[^/]+/,
      'subscriptions/00000000-0000-0000-0000-00000000000f',
    )
    const rows: readonly (readonly [TargetRegion[], RegExp])[] = [
      [[encrypted('West Europe', '/bad')], /osDiskImage\.diskEncryptionSetId is invalid/],
      [[encrypted('West Europe', `${sets.get('west')}x`)], /The disk encryption set .*westx was not found/],
      [[encrypted('West Europe', other)], /must be in the same subscription/],
      [[encrypted('West Europe', 'north')], /is in region 'northeurope', but must be in the region 'westeurope'/],
      [
        [encrypted('West Europe', 'west'), { name: 'North Europe' }],
        /A disk encryption set is required for disk '.*osDiskImage.*' in target region 'North Europe' since/,
      ],
      [
        [
          {
            name: 'West Europe',
            encryption: { dataDiskImages: [{ lun: 3, diskEncryptionSetId: sets.get('west') ?? '' }] },
          },
        ],
        /An invalid lun \[3\] was specified in encryption\.dataDiskImages/,
      ],
      [
        [
          {
            name: 'West Europe',
            encryption: { dataDiskImages: [0, 0].map((lun) => ({ lun, diskEncryptionSetId: sets.get('west') ?? '' })) },
          },
        ],
        /Duplicate luns '0' were specified in target region 'West Europe' encryption\.dataDiskImages/,
      ],
    ]
    for (const [targets, says] of rows) await refused(publish('9.9.9', versionOf(targets)), says)
  })

  test('two regions, each with its key: the same bytes come back, and no store shows what they are', async () => {
    await publish('1.0.0', versionOf([encrypted('West Europe', 'west'), encrypted('North Europe', 'north')]))
    await publish('2.0.0', versionOf([{ name: 'East US' }], 'eastus'))
    for (const [version, region] of [
      ['1.0.0', 'westeurope'],
      ['1.0.0', 'northeurope'],
      ['2.0.0', 'eastus'],
    ] as const) {
      const answer = await read(version, region)
      assert.equal(answer.status, 200)
      assert.ok(disk.equals(Buffer.from(await answer.arrayBuffer()).subarray(0, disk.length)), `${version} ${region}`)
    }
    assert.equal(holdsMarker('eastus'), true, 'the search finds what is not encrypted')
    assert.equal(holdsMarker('westeurope'), false)
    assert.equal(holdsMarker('northeurope'), false)
    const { body } = await wire.arm.must('POST', wire.at('galleries/g/images/d/versions/1.0.0/verify'))
    assert.doesNotMatch(JSON.stringify(body), /Failed|Unavailable/)
  })

  test('encryption cannot be changed or shared, and its set cannot go while it is used', async () => {
    const west = encrypted('West Europe', 'west')
    await refused(publish('1.0.0', versionOf([west, encrypted('North Europe', 'west')])), /diskEncryptionSetId/)
    await refused(publish('2.0.0', versionOf([{ name: 'East US' }, west], 'eastus')), /is required for disk/)
    const added = {
      ...west,
      encryption: { ...west.encryption, dataDiskImages: [{ lun: 3, diskEncryptionSetId: sets.get('west') ?? '' }] },
    }
    await refused(
      publish('1.0.0', versionOf([added, encrypted('North Europe', 'north')])),
      /^Cannot specify new data disk image encryption lun \[3\] with a disk encryption set in region \[West Europe\]/,
    )
    await refused(client.diskEncryptionSets.delete('wire', 'west'), /cannot be deleted: it encrypts the image version/)
    const source = { source: { id: wire.id('galleries/g/images/d/versions/1.0.0') } }
    await refused(
      publish('3.0.0', { ...versionOf([{ name: 'West Europe' }]), storageProfile: source }),
      /cannot be the source of another/,
    )
  })

  test('a disk made of it reads the same; with the key rotated too', async () => {
    const id = wire.id('galleries/g/images/d/versions/1.0.0')
    await client.disks.createOrUpdate('wire', 'copy', {
      location: 'westeurope',
      creationData: { createOption: 'FromImage', galleryImageReference: { id } },
    })
    await client.diskEncryptionSets.update('wire', 'west', { activeKey: { keyUrl: keyUrl('west-next') } })
    assert.ok(disk.equals(await exported('copy', disk.length)))
  })

  test('who names a set needs the right to read it; who is in another subscription cannot use what it encrypts', async () => {
    await using principals = await openPrincipals(wire.server)
    const user = await principals.user('publisher')
    const grant = (scope: string, roleId: string): Promise<unknown> =>
      wire.arm.must(
        'PUT',
        `${scope}/providers/Microsoft.Authorization/roleAssignments/${randomUUID()}?api-version=2022-04-01`,
        { properties: { roleDefinitionId: roleDefinition(roleId), principalId: user.objectId, principalType: 'User' } },
      )
    for (const path of ['galleries/g', 'disks/copy']) await grant(wire.id(path), contributor)
    const body = {
      location: 'westeurope',
      properties: {
        storageProfile: { osDiskImage: { source: { id: wire.id('disks/copy') } } },
        publishingProfile: { targetRegions: [encrypted('West Europe', 'west')] },
      },
    }
    const at = wire.at('galleries/g/images/d/versions/5.0.0')
    const refusal = await user.arm.call('PUT', at, body)
    assert.equal(refusal.status, 403, JSON.stringify(refusal.body))
    assert.equal(refusal.body.error?.code, 'LinkedAuthorizationFailed')
    assert.match(refusal.body.error?.message ?? '', /Microsoft\.Compute\/diskEncryptionSets\/read/)
    await grant(sets.get('west') ?? '', reader)
    await user.arm.must('PUT', at, body)

    const tenantId = wire.server.env.tenantId
    const other = `/subscriptions/${await addSubscription(wire.server, { tenantId, ownerId: user.objectId })}`
    await wire.arm.must('PUT', `${other}/resourceGroups/rg?api-version=2021-04-01`, { location: 'westeurope' })
    const disks = `${other}/resourceGroups/rg/providers/Microsoft.Compute/disks/d?api-version=2024-03-02`
    const id = wire.id('galleries/g/images/d/versions/5.0.0')
    const abroad = await wire.arm.call('PUT', disks, {
      location: 'westeurope',
      properties: { creationData: { createOption: 'FromImage', galleryImageReference: { id } } },
    })
    assert.equal(abroad.status, 400, JSON.stringify(abroad.body))
    assert.match(abroad.body.error?.message ?? '', /belongs to subscription .* and cannot be used with resource/)

    const elsewhere = `${other}/resourceGroups/rg/providers/Microsoft.Compute/galleries/elsewhere`
    const version = 'api-version=2024-03-03'
    await user.arm.must('PUT', `${elsewhere}?${version}`, { location: 'westeurope' })
    await user.arm.must('PUT', `${elsewhere}/images/d?${version}`, definitionBody('d'))
    const taken = await user.arm.call('PUT', `${elsewhere}/images/d/versions/1.0.0?${version}`, {
      ...body,
      properties: { ...body.properties, publishingProfile: {} },
    })
    assert.equal(taken.status, 400, JSON.stringify(taken.body))
    assert.match(
      taken.body.error?.message ?? '',
      /^Encrypted source: '.*disks\/copy' is in a different subscription ID/,
    )
  })

  test('an encrypted data disk: published, read back, and under a disk and a machine', async () => {
    const data = markedDisk(11)
    const dataUri = await wire.blob('data.vhd', fixedVhd(data))
    const both = encrypted('West Europe', 'west')
    const dataDiskImages = [{ lun: 5, diskEncryptionSetId: sets.get('west') ?? '' }]
    const account = { storageAccountId: storageAccountId() }
    await put('galleries/g/images/d/versions/6.0.0', {
      storageProfile: {
        osDiskImage: { source: { uri, ...account } },
        dataDiskImages: [{ lun: 5, source: { uri: dataUri, ...account } }],
      },
      publishingProfile: { targetRegions: [{ ...both, encryption: { ...both.encryption, dataDiskImages } }] },
    })
    const path = wire.at('galleries/g/images/d/versions/6.0.0/beginGetAccess')
    const asked = { access: 'Read', durationInSeconds: 600, region: 'westeurope', format: 'raw', lun: 5 }
    const { body } = await wire.arm.must('POST', path, asked)
    const got = Buffer.from(await (await fetch(body.accessSAS ?? '')).arrayBuffer())
    assert.ok(data.equals(got.subarray(0, data.length)))
    const image = { id: wire.id('galleries/g/images/d/versions/6.0.0') }
    const galleryImageReference = { ...image, lun: 5 }
    await put('disks/lun5', { creationData: { createOption: 'FromImage', galleryImageReference } })
    assert.ok(data.equals(await exported('lun5', data.length)))
    const hardwareProfile = { vmSize: 'Standard_B1s' }
    const vm = await put('virtualMachines/two', { hardwareProfile, storageProfile: { imageReference: image } })
    for (const verb of ['powerOff', 'deallocate'])
      await wire.arm.must('POST', wire.at(`virtualMachines/two/${verb}`, vmVersion, '&skipShutdown=true'))
    const { dataDisks, osDisk } = vm['storageProfile'] as {
      dataDisks: { name: string }[]
      osDisk: { name: string }
    }
    const names = [dataDisks[0]?.name ?? '', osDisk.name]
    assert.ok(data.equals(await exported(names[0] ?? '', data.length)))
    assert.equal(holdsMarker('westeurope'), false)
    await gone('virtualMachines/two', ...[...names, 'lun5'].map((name) => `disks/${name}`))
    await gone('galleries/g/images/d/versions/6.0.0')
  })

  test('disks that a machine brings rest in the vault of the set that it names for them', async () => {
    const diskEncryptionSet = { id: await makeSet('east', 'eastus') }
    const imageReference = { id: wire.id('galleries/g/images/d/versions/2.0.0') }
    const managedDisk = { diskEncryptionSet }
    const body = {
      hardwareProfile: { vmSize: 'Standard_B1s' },
      storageProfile: {
        imageReference,
        osDisk: { createOption: 'FromImage', name: 'sealed-os', managedDisk },
        dataDisks: [{ lun: 1, createOption: 'Empty', name: 'sealed-data', diskSizeGB: 1, managedDisk }],
      },
    }
    const foreign = { diskEncryptionSet: { id: sets.get('west') } }
    for (const [more, says] of [
      [{ osDisk: { createOption: 'FromImage', managedDisk: foreign } }, /must be in the region 'eastus'/],
      [
        { osDisk: { createOption: 'FromImage', managedDisk: { securityProfile: sealed } } },
        /of a confidential machine/,
      ],
    ] as const)
      await refused(
        put('virtualMachines/sealed', { ...body, storageProfile: { imageReference, ...more } }, 'eastus'),
        says,
      )
    for (const securityProfile of [{ encryptionAtHost: true }, { securityType: 'ConfidentialVM' }])
      await refused(
        put('virtualMachines/sealed', { ...body, securityProfile }, 'eastus'),
        /not supported by this server/,
      )
    await put('virtualMachines/sealed', body, 'eastus')
    for (const verb of ['powerOff', 'deallocate'])
      await wire.arm.must('POST', wire.at(`virtualMachines/sealed/${verb}`, vmVersion, '&skipShutdown=true'))
    await gone('galleries/g/images/d/versions/2.0.0')
    await eventually(async () => assert.equal(holdsMarker('eastus'), false, 'only the plain version was readable'))
    await gone('virtualMachines/sealed')
    for (const name of ['sealed-os', 'sealed-data']) {
      const { encryption } = (await client.disks.get('wire', name)) ?? {}
      assert.deepEqual(encryption, {
        type: 'EncryptionAtRestWithCustomerKey',
        diskEncryptionSetId: diskEncryptionSet.id,
      })
    }
    assert.ok(disk.equals(await exported('sealed-os', disk.length)))
    await gone('disks/sealed-os')
    await refused(client.diskEncryptionSets.delete('wire', 'east'), /it encrypts the disk '.*sealed-data'/)
    await gone('disks/sealed-data', 'diskEncryptionSets/east')
  })

  test('disks, snapshots and images rest in the vault of the set that they name, from the first byte on', async () => {
    const id = await makeSet('disks-west', 'westeurope')
    const creationData = { createOption: 'Import', sourceUri: uri, storageAccountId: storageAccountId() }
    const made = await put('disks/own', { creationData, encryption: { diskEncryptionSetId: id } })
    const encryption = { type: 'EncryptionAtRestWithCustomerKey', diskEncryptionSetId: id }
    assert.deepEqual(made['encryption'], encryption)
    const copy = { createOption: 'Copy', sourceResourceId: wire.id('disks/own') }
    const snapshot = await put('snapshots/shot', { creationData: copy })
    assert.deepEqual(snapshot['encryption'], encryption, 'a copy is encrypted as its source is')
    const osDisk = { osType: 'Linux', osState: 'Generalized', diskEncryptionSet: { id }, blobUri: uri }
    await put('images/blob', { storageProfile: { osDisk } })
    assert.equal(holdsMarker('westeurope'), false)
    await refused(client.diskEncryptionSets.delete('wire', 'disks-west'), /it encrypts the disk '.*\/disks\/own'/)
    const creation = { createOption: 'FromImage', imageReference: { id: wire.id('images/blob') } }
    await put('disks/three', { creationData: creation })
    for (const name of ['own', 'three']) assert.ok(disk.equals(await exported(name, disk.length)), name)
    const abroad = { createOption: 'CopyStart', sourceResourceId: wire.id('snapshots/shot') }
    await refused(
      put('snapshots/abroad', { creationData: abroad, incremental: true }, 'northeurope'),
      /is in region 'westeurope', but must be in the region 'northeurope'.*Name a set of that region/,
    )
  })

  test('a disk is encrypted later, gets another set, and never goes back', async () => {
    const id = await makeSet('disks-north', 'northeurope')
    const later = await makeSet('disks-later', 'northeurope')
    const creationData = { createOption: 'Import', sourceUri: uri, storageAccountId: storageAccountId() }
    const write = (more: object = {}) => put('disks/late', { creationData, ...more }, 'northeurope')
    await write()
    assert.equal(holdsMarker('northeurope'), true)
    await write({ encryption: { diskEncryptionSetId: id } })
    await eventually(async () => assert.equal(holdsMarker('northeurope'), false, 'the clear bytes are swept'))
    await write({ encryption: { diskEncryptionSetId: later } })
    await gone('diskEncryptionSets/disks-north')
    assert.ok(disk.equals(await exported('late', disk.length)))
    const set = { diskEncryptionSetId: later }
    const securityProfile = { securityType: 'ConfidentialVM_DiskEncryptedWithPlatformKey' }
    for (const [encryption, says, more] of [
      [{ type: 'EncryptionAtRestWithPlatformKey' }, /Taking the disk encryption set .* not supported/],
      [{ type: 'EncryptionAtRestWithCustomerKey' }, /Required parameter .*diskEncryptionSetId/],
      [{ ...set, type: 'EncryptionAtRestWithPlatformKey' }, /goes with 'EncryptionAtRestWithCustomerKey'/],
      [{ ...set, type: 'EncryptionAtRestWithPlatformAndCustomerKeys' }, /would not be encrypted so/],
      [{ diskEncryptionSetId: sets.get('disks-west') }, /but must be in the region 'northeurope'/],
      [set, /A disk of a confidential machine is not supported/, { securityProfile }],
    ] as const)
      await refused(write({ encryption, ...more }), says)
    await gone('disks/own', 'disks/three', 'disks/late', 'snapshots/shot', 'images/blob')
    await gone('diskEncryptionSets/disks-west', 'diskEncryptionSets/disks-later')
  })

  test('galleries that are open for sharing take no encrypted versions', async () => {
    await client.galleries.createOrUpdate('wire', 'open', {
      location: 'westeurope',
      sharingProfile: { permissions: 'Groups' },
    })
    await wire.definition('open/d')
    await refused(
      client.galleryImageVersions.createOrUpdate(
        'wire',
        'open',
        'd',
        '1.0.0',
        versionOf([encrypted('West Europe', 'west')]),
      ),
      /is encrypted with a disk encryption set, which galleries with sharing permissions 'Groups' cannot hold/,
    )
  })

  test('without its key a replica says so and never gives wrong bytes; with it put back all is well', async () => {
    const key = join(wire.server.data, 'keys', 'west-next.1.key')
    await rename(key, `${key}.away`)
    const answer = await read('1.0.0', 'westeurope')
    assert.equal(answer.status, 409)
    assert.match(await answer.text(), /DiskEncryptionKeyUnavailable/)
    assert.equal((await read('1.0.0', 'northeurope')).status, 200)
    await refused(
      publish('4.0.0', versionOf([encrypted('West Europe', 'west')])),
      /key 'west-next\.1' of the disk encryption set is not available/,
    )
    await rename(`${key}.away`, key)
    const again = await read('1.0.0', 'westeurope')
    assert.ok(disk.equals(Buffer.from(await again.arrayBuffer()).subarray(0, disk.length)))
  })

  test('a set that encrypts nothing any more can be deleted', async () => {
    await client.disks.delete('wire', 'copy')
    for (const name of ['1.0.0', '4.0.0', '5.0.0']) await client.galleryImageVersions.delete('wire', 'g', 'd', name)
    await client.diskEncryptionSets.delete('wire', 'west')
    const answer = await wire.arm.call('GET', wire.at('diskEncryptionSets/west', '2024-03-02'))
    assert.equal(answer.status, 404)
  })
})
