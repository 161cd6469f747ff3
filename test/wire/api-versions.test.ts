import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { galleryApiVersions } from '../../src/contract/api-versions.ts'
import type { ArmDocument } from '../support/goldleaf.ts'
import { fixedVhd, someDisk } from './vhd.ts'
import { definitionBody, openWire, storageAccount, versionBody } from './wire.ts'
import type { Body, Wire } from './wire.ts'

/** Members by the api-version that has them first (contract.md sections 7, 7b); `until`: the last that has them. */
const members: readonly {
  readonly at: string
  readonly path: string
  readonly since: string
  readonly until?: string
}[] = [
  { at: 'galleries/v', path: 'properties.description', since: '2018-06-01' },
  { at: 'galleries/v', path: 'properties.identifier.uniqueName', since: '2018-06-01' },
  { at: 'galleries/v', path: 'properties.sharingProfile.permissions', since: '2021-07-01' },
  { at: 'galleries/v', path: 'properties.softDeletePolicy', since: '2021-07-01' },
  { at: 'galleries/v', path: 'systemData.createdAt', since: '2024-03-03' },
  { at: 'galleries/v/images/i', path: 'properties.hyperVGeneration', since: '2019-07-01' },
  { at: 'galleries/v/images/i', path: 'properties.features', since: '2020-09-30' },
  { at: 'galleries/v/images/i', path: 'properties.features.0.startsAtVersion', since: '2024-03-03' },
  { at: 'galleries/v/images/i', path: 'properties.architecture', since: '2021-10-01' },
  { at: 'galleries/v/images/i', path: 'properties.allowUpdateImage', since: 'never' },
  {
    at: 'galleries/v/images/i/versions/1.0.0',
    path: 'properties.publishingProfile.publishedDate',
    since: '2018-06-01',
  },
  {
    at: 'galleries/v/images/i/versions/1.0.0',
    path: 'properties.publishingProfile.targetRegions.0.storageAccountType',
    since: '2019-03-01',
  },
  {
    at: 'galleries/v/images/i/versions/1.0.0',
    path: 'properties.storageProfile.osDiskImage.sizeInGB',
    since: '2018-06-01',
  },
  {
    at: 'galleries/v/images/i/versions/1.0.0',
    path: 'properties.publishingProfile.replicationMode',
    since: '2021-07-01',
  },
  {
    at: 'galleries/v/images/i/versions/1.0.0',
    path: 'properties.publishingProfile.targetRegions.0.excludeFromLatest',
    since: '2022-03-03',
  },
  {
    at: 'galleries/v/images/i/versions/1.0.0',
    path: 'properties.storageProfile.osDiskImage.source.uri',
    since: '2020-09-30',
  },
  {
    at: 'galleries/v/images/i/versions/1.0.0',
    path: 'properties.storageProfile.osDiskImage.source.id',
    since: '2020-09-30',
    until: '2022-01-03',
  },
  {
    at: 'galleries/v/images/i/versions/1.0.0',
    path: 'properties.storageProfile.osDiskImage.source.storageAccountId',
    since: '2022-03-03',
  },
  {
    at: 'galleries/v/images/i/versions/1.0.0',
    path: 'properties.safetyProfile.allowDeletionOfReplicatedLocations',
    since: '2022-03-03',
  },
  {
    at: 'galleries/v/images/i/versions/1.0.0',
    path: 'properties.safetyProfile.reportedForPolicyViolation',
    since: '2022-03-03',
  },
  {
    at: 'galleries/v/images/i/versions/1.0.0',
    path: 'properties.safetyProfile.blockDeletionBeforeEndOfLife',
    since: '2024-03-03',
  },
]

const resources = [...new Set(members.map(({ at }) => at))]

function memberOf(document: unknown, path: string): unknown {
  let value = document
  for (const step of path.split('.')) value = (value as Record<string, unknown> | undefined)?.[step]
  return value
}

function withoutUndefined(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value))
}

suite('api-versions on the wire', () => {
  let wire: Wire
  let uri = ''
  before(async () => {
    wire = await openWire()
    uri = await wire.blob('disk.vhd', fixedVhd(someDisk(2)))
    await wire.arm.must('PUT', wire.at('galleries/v', '2025-03-03'), {
      location: 'westeurope',
      properties: {
        description: 'every member',
        sharingProfile: { permissions: 'Private' },
        softDeletePolicy: { isSoftDeleteEnabled: false },
      },
    })
    await wire.arm.must(
      'PUT',
      wire.at('galleries/v/images/i', '2024-03-03'),
      definitionBody('i', {
        features: [{ name: 'DiskControllerTypes', value: 'SCSI', startsAtVersion: '1.0.0' }],
        allowUpdateImage: true,
      }),
    )
    await wire.arm.must(
      'PUT',
      wire.at('galleries/v/images/i/versions/1.0.0', '2024-03-03'),
      versionBody(
        uri,
        { targetRegions: [{ name: 'westeurope', excludeFromLatest: false }] },
        { safetyProfile: { allowDeletionOfReplicatedLocations: true, blockDeletionBeforeEndOfLife: false } },
      ),
    )
  })
  after(() => wire?.[Symbol.asyncDispose]())

  const get = async (path: string, apiVersion: string): Promise<ArmDocument> => {
    const { status, body } = await wire.arm.call('GET', wire.at(path, apiVersion))
    assert.equal(status, 200, JSON.stringify(body))
    return body
  }

  for (const apiVersion of galleryApiVersions) {
    test(`${apiVersion}: shows the members that it has, and no others`, async () => {
      for (const at of resources) {
        const shown = await get(at, apiVersion)
        assert.equal(shown.properties?.provisioningState, 'Succeeded')
        for (const { path, since, until = '9' } of members.filter((member) => member.at === at)) {
          const isShown = memberOf(shown, path) !== undefined
          assert.equal(isShown, apiVersion >= since && apiVersion <= until, `${path}: ${JSON.stringify(shown)}`)
        }
        const list = at.slice(0, at.lastIndexOf('/'))
        const [listed] = (await get(list, apiVersion)).value ?? []
        assert.deepEqual({ ...listed, id: '' }, { ...shown, id: '' }, 'the list shows the same shape')
      }
    })

    test(`${apiVersion}: sending back what was shown changes nothing that any version shows`, async () => {
      for (const at of resources) {
        const before = await get(at, '2026-03-03')
        const shown = await get(at, apiVersion)
        await wire.arm.must('PUT', wire.at(at, apiVersion), shown)
        const after = await get(at, '2026-03-03')
        const stable = (document: ArmDocument): unknown => withoutUndefined({ ...document, systemData: undefined })
        assert.deepEqual(stable(after), stable(before))
      }
    })
  }

  test('a resource made with the oldest version has its defaults in the newest', async () => {
    await wire.arm.must('PUT', wire.at('galleries/v/images/old', '2018-06-01'), {
      ...definitionBody('old'),
      properties: { ...(definitionBody('old')['properties'] as Body), hyperVGeneration: undefined },
    })
    const { properties } = await get('galleries/v/images/old', '2025-03-03')
    assert.equal(properties?.hyperVGeneration, 'V1')
    assert.equal(properties?.architecture, 'x64')
    assert.equal(memberOf(properties, 'features'), undefined)
  })

  const trusted = [{ name: 'SecurityType', value: 'TrustedLaunchSupported' }]
  const definitions: readonly {
    why: string
    apiVersion: string
    given: Body
    generation: string
    features: unknown
  }[] = [
    {
      why: 'up to 2024-03-03 V1 and no feature',
      apiVersion: '2024-03-03',
      given: {},
      generation: 'V1',
      features: undefined,
    },
    {
      why: 'from 2025-03-03 V2 with TrustedLaunchSupported',
      apiVersion: '2025-03-03',
      given: {},
      generation: 'V2',
      features: trusted,
    },
    { why: '2026-03-03 likewise', apiVersion: '2026-03-03', given: {}, generation: 'V2', features: trusted },
    {
      why: 'SecurityType=Standard opts out',
      apiVersion: '2025-03-03',
      given: { features: [{ name: 'SecurityType', value: 'Standard' }] },
      generation: 'V2',
      features: [{ name: 'SecurityType', value: 'Standard' }],
    },
    {
      why: 'an explicit V1 stays',
      apiVersion: '2025-03-03',
      given: { hyperVGeneration: 'V1' },
      generation: 'V1',
      features: undefined,
    },
  ]
  for (const [index, { why, apiVersion, given, generation, features }] of definitions.entries())
    test(`default generation: ${why}`, async () => {
      const path = `galleries/v/images/gen${index}`
      const body = definitionBody(`gen${index}`, { hyperVGeneration: undefined, ...given })
      await wire.arm.must('PUT', wire.at(path, apiVersion), body)
      const { properties } = await get(path, '2025-03-03')
      assert.equal(properties?.hyperVGeneration, generation)
      assert.deepEqual(memberOf(properties, 'features'), features)
    })

  const classes: readonly { why: string; apiVersion: string; given: Body; shown: string }[] = [
    { why: 'Standard_LRS up to 2024-03-03', apiVersion: '2024-03-03', given: {}, shown: 'Standard_LRS' },
    {
      why: 'Standard_ZRS from 2025-03-03 where there are zones',
      apiVersion: '2025-03-03',
      given: {},
      shown: 'Standard_ZRS',
    },
    {
      why: 'DefaultStandard_LRS restores the old rule',
      apiVersion: '2025-03-03',
      given: { storageAccountStrategy: 'DefaultStandard_LRS' },
      shown: 'Standard_LRS',
    },
    {
      why: 'a type that is named wins',
      apiVersion: '2025-12-03',
      given: { storageAccountType: 'Premium_LRS' },
      shown: 'Premium_LRS',
    },
  ]
  for (const [index, { why, apiVersion, given, shown }] of classes.entries())
    test(`default storage class: ${why}`, async () => {
      const path = `galleries/v/images/i/versions/2.0.${index}`
      await wire.arm.must('PUT', wire.at(path, apiVersion), versionBody(uri, { replicaCount: 2, ...given }))
      const { properties } = await get(path, '2025-03-03')
      const profile = properties?.publishingProfile
      assert.deepEqual(profile?.targetRegions, [
        { name: 'West Europe', regionalReplicaCount: 2, storageAccountType: shown },
      ])
      assert.equal(profile?.replicaCount, 2)
      assert.equal(profile?.excludeFromLatest, false)
      assert.equal(memberOf(profile, 'replicationMode'), 'Full')
    })

  test('a VHD is named with the storage account in `id` up to 2022-01-03', async () => {
    const path = 'galleries/v/images/i/versions/3.0.0'
    await wire.arm.must('PUT', wire.at(path, '2020-09-30'), {
      location: 'westeurope',
      properties: {
        storageProfile: { osDiskImage: { source: { uri, id: storageAccount } } },
        publishingProfile: {},
      },
    })
    const newer = await get(path, '2023-07-03')
    assert.deepEqual(memberOf(newer, 'properties.storageProfile.osDiskImage.source'), {
      uri,
      storageAccountId: storageAccount,
    })
    const older = await get(path, '2020-09-30')
    assert.deepEqual(memberOf(older, 'properties.storageProfile.osDiskImage.source'), { uri, id: storageAccount })
    assert.deepEqual(
      newer.properties?.publishingProfile?.targetRegions?.map(({ name }) => name),
      ['West Europe'],
      'without target regions it is published where it lives',
    )
  })
})
