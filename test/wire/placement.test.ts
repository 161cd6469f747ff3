import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { assertRefused, diskVersion, openWire, versionBody } from './wire.ts'
import type { Body, Json, Wire } from './wire.ts'
import { fixedVhd, someDisk } from './vhd.ts'

interface Line {
  readonly region: string
  readonly state: string
  readonly transfers: readonly {
    readonly storageClass: string
    readonly bytesSent: number
    readonly bytesNew: number
  }[]
}

/** Additional replica sets, and edge zones: further places and classes of one version. */
suite('where the replicas of a version stand', () => {
  let wire: Wire
  let uri = ''
  let folder = ''
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'goldleaf-edge-'))
    const config = join(folder, 'goldleaf.json')
    const regions = [
      { name: 'westeurope', displayName: 'West Europe', zones: 3, extendedLocations: [{ name: 'Cork' }] },
      { name: 'eastus', displayName: 'East US' },
    ]
    await writeFile(config, JSON.stringify({ regions }))
    wire = await openWire({ args: ['--config', config] })
    uri = await wire.blob('one.vhd', fixedVhd(someDisk(4)))
    await wire.gallery('g')
    await wire.definition('g/d')
  })
  after(async () => {
    await wire?.[Symbol.asyncDispose]()
    await rm(folder, { recursive: true, force: true })
  })

  const at = (version: string, query = ''): string =>
    wire.at(`galleries/g/images/d/versions/${version}`, '2024-03-03', query)
  const lines = async (version: string): Promise<readonly Line[]> => {
    const { body } = await wire.arm.call('GET', at(version, '&$expand=ReplicationStatus,Transfers'))
    return (body.properties?.replicationStatus?.summary ?? []) as unknown as readonly Line[]
  }
  const classes = (line: Line | undefined): readonly string[] => (line?.transfers ?? []).map((one) => one.storageClass)
  const sets = (additionalReplicaSets: Json, more: Body = {}): Body => ({
    targetRegions: [{ name: 'westeurope', additionalReplicaSets, ...more }],
  })
  const edge = (more: Body = {}, name = 'cork'): Body => ({
    targetExtendedLocations: [{ name: 'westeurope', extendedLocation: { name, type: 'EdgeZone' }, ...more }],
  })
  const refused = (body: Body, says: string | RegExp, target: string, version = '9.0.0') =>
    assertRefused(wire, {
      path: at(version),
      body: versionBody(uri, body),
      status: 400,
      code: 'InvalidParameter',
      says,
      target: `galleryImageVersion.properties.publishingProfile.${target}`,
    })

  test('additional replica sets stand in the store of their class, made inside the region', async () => {
    await wire.publish('g/d/1.0.0', uri, sets([{ regionalReplicaCount: 2 }, { storageAccountType: 'Standard_ZRS' }]))
    const { body } = await wire.arm.call('GET', at('1.0.0'))
    assert.deepEqual(body.properties?.publishingProfile?.targetRegions?.[0], {
      name: 'West Europe',
      regionalReplicaCount: 1,
      storageAccountType: 'Standard_LRS',
      additionalReplicaSets: [
        { storageAccountType: 'PremiumV2_LRS', regionalReplicaCount: 2 },
        { storageAccountType: 'Standard_ZRS', regionalReplicaCount: 1 },
      ],
    })
    const [line] = await lines('1.0.0')
    assert.equal(line?.state, 'Completed')
    assert.deepEqual(classes(line), ['Premium_LRS', 'Standard_LRS', 'Standard_ZRS'])
    await wire.arm.must('PATCH', at('1.0.0'), { properties: { publishingProfile: sets([]) } })
    assert.deepEqual(classes((await lines('1.0.0'))[0]), ['Standard_LRS'])
  })

  test('replicas of all sets count together', () =>
    refused(
      sets([{ regionalReplicaCount: 60 }], { regionalReplicaCount: 41 }),
      /^The value 101 of parameter .*additionalReplicaSets\.regionalReplicaCount is out of range.*between 1 and 100/,
      'targetRegions.additionalReplicaSets.regionalReplicaCount',
    ))
  test('a class twice is refused', () =>
    refused(
      sets([{ storageAccountType: 'Premium_LRS' }, { storageAccountType: 'premium_lrs' }]),
      /^Duplicate storage account types are not allowed/,
      'targetRegions.additionalReplicaSets',
    ))
  test('PremiumV2_LRS is no class of a region itself', () =>
    refused(
      { targetRegions: [{ name: 'westeurope', storageAccountType: 'PremiumV2_LRS' }] },
      /'PremiumV2_LRS' is not one for the replicas of a target region.*is for additionalReplicaSets/,
      'targetRegions.storageAccountType',
    ))

  test('an edge zone keeps a replica of its own, from which machines there are made', async () => {
    await wire.publish('g/d/2.0.0', uri, { targetRegions: [{ name: 'westeurope' }], ...edge() })
    const { body } = await wire.arm.call('GET', at('2.0.0'))
    const profile = (body.properties?.publishingProfile ?? {}) as Body
    assert.deepEqual(profile['targetExtendedLocations'], [
      {
        name: 'West Europe',
        extendedLocation: { name: 'cork', type: 'EdgeZone' },
        extendedLocationReplicaCount: 1,
        storageAccountType: 'Standard_LRS',
      },
    ])
    const status = await lines('2.0.0')
    assert.deepEqual(
      status.map(({ region, state }) => [region, state]),
      [
        ['West Europe', 'Completed'],
        ['West Europe (Cork)', 'Completed'],
      ],
    )
    assert.ok((status[1]?.transfers[0]?.bytesSent ?? 0) > 0, 'its bytes crossed')
    const definition = await wire.arm.call('GET', wire.at('galleries/g/images/d', '2024-03-03', '&$expand=Latest'))
    const { latest } = (definition.body.properties ?? {}) as { latest?: readonly Body[] }
    assert.deepEqual(
      latest?.map(({ location, latestVersionName }) => [location, latestVersionName]),
      [
        ['westeurope', '2.0.0'],
        ['westeurope/cork', '2.0.0'],
      ],
    )
    const disk = (name: string, version: string): Body => ({
      location: 'westeurope',
      extendedLocation: { name: 'Cork', type: 'EdgeZone' },
      properties: {
        creationData: {
          createOption: 'FromImage',
          galleryImageReference: { id: wire.id(`galleries/g/images/d${version}`) },
        },
      },
    })
    await wire.arm.must('PUT', wire.at('disks/there', diskVersion), disk('there', ''))
    await assertRefused(wire, {
      why: 'not at the edge',
      path: wire.at('disks/not-there', diskVersion),
      body: disk('not-there', '/versions/1.0.0'),
      status: 404,
      code: 'GalleryImageNotFound',
      says: /versions\/1\.0\.0 is not available in westeurope\/cork region/,
    })
  })

  test('an edge zone goes only where the safety profile lets it', async () => {
    const none = { publishingProfile: { targetExtendedLocations: [] } }
    await assertRefused(wire, {
      why: 'guarded',
      method: 'PATCH',
      path: at('2.0.0'),
      body: { properties: none },
      status: 409,
      code: 'OperationNotAllowed',
      says: /Removing the replicated region\(s\) 'cork' is not allowed/,
    })
    const allow = { safetyProfile: { allowDeletionOfReplicatedLocations: true } }
    await wire.arm.must('PATCH', at('2.0.0'), { properties: { ...none, ...allow } })
    assert.equal((await lines('2.0.0')).length, 1)
  })

  test('an edge zone that is not configured is refused with those that are', () =>
    refused(
      edge({}, 'losangeles'),
      /'losangeles' is not available in region 'West Europe'\. Those of this server are: Cork \(westeurope\)\..*configuration/,
      'targetExtendedLocations',
    ))
  test('an edge zone has no zones', () =>
    refused(
      edge({ storageAccountType: 'Standard_ZRS' }),
      /^ZRS storage account type is not supported in the extended location 'cork'/,
      'targetExtendedLocations.storageAccountType',
    ))
  test('an edge zone twice is refused', () => {
    const [one] = edge()['targetExtendedLocations'] as Json[]
    return refused(
      { targetExtendedLocations: [one ?? null, { ...(edge({}, 'CORK')['targetExtendedLocations'] as Body[])[0] }] },
      'Duplicate extended locations are not allowed in target publishing regions.',
      'targetExtendedLocations',
    )
  })
  test('Shallow has neither', async () => {
    const one = /replicationMode 'Shallow' has one replica, in its own region/
    await refused({ replicationMode: 'Shallow', ...edge() }, one, 'targetExtendedLocations')
    await refused({ replicationMode: 'Shallow', ...sets([{}]) }, one, 'targetRegions')
  })
})
