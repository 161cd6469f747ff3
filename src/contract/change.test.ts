import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { JsonObject } from '../base/json.ts'
import { Problem } from '../base/problem.ts'
import { draftOfPatch, draftOfPut } from './draft.ts'
import { projectResource } from './project.ts'
import { typeOf } from './type-of.fixture.ts'
import type { DraftShape, ResourceShape } from './resource-type.ts'
import { azureRegions } from './azure-regions.fixture.ts'

const gallery = typeOf('galleries')
const image = typeOf('Compute/galleries/images')
const version = typeOf('Compute/galleries/images/versions')
const disk = typeOf('disks')
const snapshot = typeOf('snapshots')
const vm = typeOf('virtualMachines')
const group = typeOf('Resources/resourceGroups')
type Kind = typeof image

const linux = { osType: 'Linux', osState: 'Generalized', identifier: { publisher: 'p', offer: 'o', sku: 's' } }

const put = (type: Kind, apiVersion: string, body: JsonObject, before?: ResourceShape): DraftShape =>
  draftOfPut({ type, apiVersion, regions: azureRegions }, { location: 'westus', ...body }, before)
const patch = (type: Kind, apiVersion: string, body: JsonObject, before: ResourceShape): DraftShape =>
  draftOfPatch({ type, apiVersion, regions: azureRegions }, body, before)

/** As the row would be after that draft. */
const stored = (draft: DraftShape, more: JsonObject = {}): ResourceShape => ({
  ...draft,
  id: '/subscriptions/s/resourceGroups/rg/providers/Microsoft.Compute/galleries/g/images/i',
  name: 'i',
  properties: { ...draft.properties, ...more },
})

suite('defaults of a definition depend on the api-version', () => {
  const trusted = { name: 'SecurityType', value: 'TrustedLaunchSupported' }
  const standard = { name: 'securitytype', value: 'Standard' }
  const nvme = { name: 'DiskControllerTypes', value: 'SCSI, NVMe' }
  const cases: readonly { why: string; at: string; given: JsonObject; generation: string; features: unknown }[] = [
    { why: 'V1 up to 2024-03-03', at: '2024-03-03', given: {}, generation: 'V1', features: undefined },
    {
      why: 'V2 and trusted launch from 2025-03-03',
      at: '2025-03-03',
      given: {},
      generation: 'V2',
      features: [trusted],
    },
    { why: 'and later', at: '2025-12-03', given: {}, generation: 'V2', features: [trusted] },
    {
      why: 'a security type of its own opts out, in any case',
      at: '2025-03-03',
      given: { features: [standard] },
      generation: 'V2',
      features: [standard],
    },
    {
      why: 'other features stay beside it',
      at: '2025-03-03',
      given: { features: [nvme] },
      generation: 'V2',
      features: [nvme, trusted],
    },
    {
      why: 'V1 cannot have it',
      at: '2025-03-03',
      given: { hyperVGeneration: 'V1' },
      generation: 'V1',
      features: undefined,
    },
  ]
  for (const { why, at, given, generation, features } of cases)
    test(why, () => {
      const { properties } = put(image, at, { properties: { ...linux, ...given } })
      assert.equal(properties['hyperVGeneration'], generation)
      assert.deepEqual(properties['features'], features)
      assert.equal(properties['architecture'], 'x64')
    })

  test('an old definition is not turned by a newer PUT', () => {
    const before = stored(put(image, '2021-10-01', { properties: { ...linux, hyperVGeneration: 'V2' } }))
    const { properties } = put(image, '2025-03-03', { properties: linux }, before)
    assert.equal(properties['hyperVGeneration'], 'V2')
    assert.equal(properties['features'], undefined)
  })
})

suite('defaults of a version', () => {
  const profileOf = (draft: DraftShape): JsonObject => draft.properties['publishingProfile'] as JsonObject
  test('without target regions it is published where it lives; everything is echoed', () => {
    const draft = put(version, '2023-07-03', { properties: {} })
    assert.deepEqual(profileOf(draft), {
      targetRegions: [{ name: 'West US', regionalReplicaCount: 1, storageAccountType: 'Standard_LRS' }],
      replicaCount: 1,
      excludeFromLatest: false,
      replicationMode: 'Full',
      storageAccountType: 'Standard_LRS',
    })
    assert.deepEqual(draft.properties['safetyProfile'], {
      allowDeletionOfReplicatedLocations: false,
      reportedForPolicyViolation: false,
    })
  })
  test('clients that cannot lift the safety guard do not get it', () =>
    assert.equal(put(version, '2021-10-01', { properties: {} }).properties['safetyProfile'], undefined))
  test('regions take the global count and storage type unless they name their own', () => {
    const targets = [{ name: 'westus' }, { name: 'eastus', regionalReplicaCount: 2, storageAccountType: 'Premium_LRS' }]
    const profile = { targetRegions: targets, replicaCount: 3, storageAccountType: 'standard_zrs' }
    assert.deepEqual(profileOf(put(version, '2022-03-03', { properties: { publishingProfile: profile } })), {
      targetRegions: [
        { name: 'West US', regionalReplicaCount: 3, storageAccountType: 'Standard_ZRS' },
        { name: 'East US', regionalReplicaCount: 2, storageAccountType: 'Premium_LRS' },
      ],
      replicaCount: 3,
      storageAccountType: 'Standard_ZRS',
      excludeFromLatest: false,
      replicationMode: 'Full',
    })
  })
  const types = (apiVersion: string, more: JsonObject): unknown[] => {
    const profile = { targetRegions: [{ name: 'westus' }, { name: 'eastus' }], ...more }
    const { targetRegions } = profileOf(put(version, apiVersion, { properties: { publishingProfile: profile } }))
    return (targetRegions as JsonObject[]).map((region) => region['storageAccountType'])
  }
  test('from 2025-03-03 zones are preferred where a region has them (West US has none)', () => {
    assert.deepEqual(types('2024-03-03', {}), ['Standard_LRS', 'Standard_LRS'])
    assert.deepEqual(types('2025-03-03', {}), ['Standard_LRS', 'Standard_ZRS'])
    assert.deepEqual(types('2025-03-03', { storageAccountStrategy: 'DefaultStandard_LRS' }), [
      'Standard_LRS',
      'Standard_LRS',
    ])
    assert.deepEqual(types('2025-03-03', { storageAccountType: 'Premium_LRS' }), ['Premium_LRS', 'Premium_LRS'])
  })
})

suite('PUT replaces, but', () => {
  const source = { id: '/subscriptions/s/resourceGroups/rg/providers/Microsoft.Compute/disks/d' }
  const born = stored(
    put(version, '2024-03-03', {
      tags: { a: '1' },
      properties: {
        publishingProfile: {
          targetRegions: [{ name: 'westus', excludeFromLatest: true }, { name: 'eastus' }],
          endOfLifeDate: '2030-01-01',
        },
        storageProfile: { osDiskImage: { source, hostCaching: 'ReadOnly' }, dataDiskImages: [{ lun: 1, source }] },
        safetyProfile: { blockDeletionBeforeEndOfLife: true },
      },
    }),
  )
  const profile = born.properties['publishingProfile'] as JsonObject
  const before = { ...born, properties: { ...born.properties, publishingProfile: { ...profile, publishedDate: 'P' } } }

  test('a missing source is unchanged, as az sends it', () => {
    const storageProfile = { osDiskImage: { hostCaching: 'None' } }
    const after = put(version, '2024-03-03', { properties: { storageProfile } }, before)
    assert.deepEqual(after.properties['storageProfile'], {
      osDiskImage: { source, hostCaching: 'None' },
      dataDiskImages: [{ lun: 1, source }],
    })
  })
  test('what the server wrote stays; what may change and is left out goes, tags too', () => {
    const after = put(version, '2024-03-03', { properties: { publishingProfile: { replicaCount: 2 } } }, before)
    const published = after.properties['publishingProfile'] as JsonObject
    assert.equal(published['publishedDate'], 'P')
    assert.equal(published['endOfLifeDate'], undefined)
    assert.equal(published['replicaCount'], 2)
    assert.equal(after.tags, undefined)
    assert.deepEqual(after.properties['safetyProfile'], {
      allowDeletionOfReplicatedLocations: false,
      reportedForPolicyViolation: false,
    })
  })
  test('the storage class stays: with the same PUT again, and where the regions are left empty', () => {
    for (const made of ['2024-03-03', '2025-03-03']) {
      const old = stored(put(version, made, { properties: {} }))
      assert.deepEqual(put(version, made, { properties: {} }, old).properties, old.properties)
      const empty = { properties: { publishingProfile: { targetRegions: [] } } }
      assert.deepEqual(put(version, '2026-03-03', empty, old).properties, old.properties)
    }
  })
  test('an api-version cannot erase what it cannot say', () => {
    const targetRegions = [{ name: 'East US' }, { name: 'WESTUS', regionalReplicaCount: 5 }]
    const after = put(version, '2021-07-01', { properties: { publishingProfile: { targetRegions } } }, before)
    assert.deepEqual((after.properties['publishingProfile'] as JsonObject)['targetRegions'], [
      { name: 'East US', regionalReplicaCount: 1, storageAccountType: 'Standard_LRS' },
      { name: 'West US', regionalReplicaCount: 5, storageAccountType: 'Standard_LRS', excludeFromLatest: true },
    ])
    assert.equal((after.properties['safetyProfile'] as JsonObject)['blockDeletionBeforeEndOfLife'], true)
  })
  test('identifier: {} of a gallery leaves the unique name', () => {
    const identifier = { uniqueName: 's-G' }
    const old = stored(put(gallery, '2021-10-01', {}), { identifier })
    const after = put(gallery, '2021-10-01', { properties: { identifier: {}, description: 'd' } }, old)
    assert.deepEqual(after.properties, { identifier, description: 'd' })
  })
  test('what cannot change keeps the spelling and the order in which it was made', () => {
    const features = [
      { name: 'SecurityType', value: 'Standard' },
      { name: 'DiskControllerTypes', value: 'SCSI' },
    ]
    const old = stored(put(image, '2021-10-01', { properties: { ...linux, features } }))
    const said = {
      ...linux,
      identifier: { publisher: 'P', offer: 'O', sku: 'S' },
      features: features.map(({ name, value }) => ({ name: name.toUpperCase(), value })).toReversed(),
    }
    const { identifier, features: after } = put(image, '2021-10-01', { properties: said }, old).properties
    assert.deepEqual({ identifier, after }, { identifier: linux.identifier, after: features })
    assert.deepEqual(patch(image, '2021-10-01', { properties: said }, old).properties, old.properties)
  })
  test('a flag about one request is not remembered', () => {
    const old = stored(put(image, '2024-03-03', { properties: { ...linux, allowUpdateImage: true } }))
    assert.equal(put(image, '2024-03-03', { properties: linux }, old).properties['allowUpdateImage'], undefined)
    assert.equal(patch(image, '2024-03-03', {}, old).properties['allowUpdateImage'], undefined)
  })
  test('a disk keeps its sku, its state and how it was made', () => {
    const made = { creationData: { createOption: 'Upload', uploadSizeBytes: 1024 } }
    const first = put(disk, '2023-04-02', { properties: made, sku: { name: 'Premium_LRS' } })
    const old = stored(first, { diskState: 'ReadyToUpload' })
    const after = put(disk, '2023-04-02', { properties: {} }, old)
    assert.deepEqual(after.envelope, { sku: { name: 'Premium_LRS' } })
    assert.deepEqual(after.properties, { ...made, diskState: 'ReadyToUpload' })
    assert.deepEqual(put(snapshot, '2022-03-02', { properties: made }).envelope, { sku: { name: 'Standard_LRS' } })
  })
})

for (const made of version.apiVersions)
  test(`what a version made in ${made} shows can be sent back in any api-version`, () => {
    const profile = { targetRegions: [{ name: 'westus' }, { name: 'eastus' }] }
    const storageProfile = { osDiskImage: { source: { id: '/subscriptions/s/resourceGroups/rg/d' } } }
    const before = stored(put(version, made, { properties: { publishingProfile: profile, storageProfile } }))
    const resource = { ...before, type: version.type, provisioningState: 'Succeeded' }
    for (const apiVersion of version.apiVersions) {
      const again = put(version, apiVersion, projectResource(version, apiVersion, resource), before)
      const { safetyProfile: _, ...properties } = again.properties
      const { safetyProfile: __, ...wanted } = before.properties
      assert.deepEqual(properties, wanted, apiVersion)
    }
  })

suite('PATCH', () => {
  const before = stored(
    put(image, '2024-03-03', {
      tags: { a: '1', b: '2' },
      properties: {
        ...linux,
        description: 'd',
        features: [{ name: 'a', value: 'b' }],
        recommended: { vCPUs: { min: 1, max: 2 } },
      },
    }),
  )
  test('merges at any depth, replaces tags as a whole, null removes', () => {
    const body = { tags: { c: '3' }, properties: { description: null, recommended: { vCPUs: { max: 4 } } } }
    const after = patch(image, '2024-03-03', body, before)
    assert.deepEqual(after.tags, { c: '3' })
    const { description: _, ...rest } = before.properties
    assert.deepEqual(after.properties, { ...rest, recommended: { vCPUs: { min: 1, max: 4 } } })
  })
  test('of nothing changes nothing', () => {
    const after = patch(image, '2024-03-03', {}, before)
    assert.deepEqual(after.properties, before.properties)
    assert.deepEqual(after.tags, before.tags)
  })
  test('of one end of a range is held against the other', () =>
    assert.throws(() => patch(image, '2024-03-03', { properties: { recommended: { vCPUs: { max: 0 } } } }, before), {
      message:
        'The minimum value of galleryImage.properties.recommended.vCPUs must not be greater than the maximum value of galleryImage.properties.recommended.vCPUs.',
    }))
  test('cannot remove what is only given at creation', () =>
    assert.throws(() => patch(image, '2024-03-03', { properties: { features: null } }, before), {
      code: 'PropertyChangeNotAllowed',
    }))
})

suite('what was given at creation', () => {
  const sourceId = '/subscriptions/S/resourceGroups/RG/providers/Microsoft.Compute/disks/d'
  const definition = {
    ...linux,
    eula: 'E',
    purchasePlan: { name: 'n' },
    features: [
      { name: 'a', value: 'True' },
      { name: 'b', value: 'x' },
    ],
  }
  const versionBody = {
    publishingProfile: { targetRegions: [{ name: 'westus' }] },
    storageProfile: {
      osDiskImage: { source: { id: sourceId } },
      dataDiskImages: [{ lun: 1, source: { id: sourceId } }],
    },
  }
  const allowed: readonly { why: string; type: Kind; made: JsonObject; given: JsonObject; at?: string }[] = [
    {
      why: 'unchanged in another case',
      type: image,
      made: definition,
      given: { ...definition, osType: 'linux', identifier: { publisher: 'P', offer: 'O', sku: 'S' } },
    },
    {
      why: 'features in another order and case',
      type: image,
      made: definition,
      given: {
        ...definition,
        features: [
          { name: 'B', value: 'X' },
          { name: 'A', value: 'true' },
        ],
      },
    },
    { why: 'nothing and then an empty list', type: image, made: linux, given: { ...linux, features: [], eula: '' } },
    {
      why: 'features with the flag',
      type: image,
      made: definition,
      given: { ...definition, allowUpdateImage: true, features: [{ name: 'a', value: 'False' }] },
    },
    {
      why: 'an id in another case',
      type: version,
      made: versionBody,
      given: { storageProfile: { osDiskImage: { source: { id: sourceId.toLowerCase() } } } },
    },
    {
      why: 'regions may come and go',
      type: version,
      made: versionBody,
      given: { publishingProfile: { targetRegions: [{ name: 'eastus' }, { name: 'westus' }] } },
    },
  ]
  for (const { why, type, made, given, at = '2024-03-03' } of allowed)
    test(`may be given again: ${why}`, () => {
      const before = stored(put(type, at, { properties: made }))
      put(type, at, { properties: given }, before)
    })

  const source = 'galleryImageVersion.properties.storageProfile.osDiskImage.source.id'
  const refused: readonly { type: Kind; made: JsonObject; given: JsonObject; path: string; at?: string }[] = [
    { type: image, made: definition, given: { ...definition, eula: 'other' }, path: 'galleryImage.properties.eula' },
    {
      type: image,
      made: definition,
      given: { ...definition, osState: 'Specialized' },
      path: 'galleryImage.properties.osState',
    },
    {
      type: image,
      made: definition,
      given: { ...definition, identifier: { ...linux.identifier, sku: 'x' } },
      path: 'galleryImage.properties.identifier.sku',
    },
    {
      type: image,
      made: definition,
      given: { ...definition, purchasePlan: { name: 'm' } },
      path: 'galleryImage.properties.purchasePlan.name',
    },
    {
      type: image,
      made: definition,
      given: { ...definition, architecture: 'Arm64' },
      path: 'galleryImage.properties.architecture',
    },
    {
      type: image,
      made: definition,
      given: { ...definition, features: [{ name: 'a', value: 'False' }] },
      path: 'galleryImage.properties.features',
    },
    {
      type: image,
      made: definition,
      given: { ...definition, hyperVGeneration: 'V2' },
      path: 'galleryImage.properties.hyperVGeneration',
    },
    {
      type: version,
      made: versionBody,
      given: { storageProfile: { osDiskImage: { source: { id: `${sourceId}2` } } } },
      path: source,
    },
    {
      type: version,
      made: versionBody,
      given: { publishingProfile: { replicationMode: 'Shallow' } },
      path: 'galleryImageVersion.properties.publishingProfile.replicationMode',
    },
    {
      type: version,
      made: versionBody,
      given: { storageProfile: { dataDiskImages: [{ lun: 1, source: { id: `${sourceId}2` } }] } },
      path: 'galleryImageVersion.properties.storageProfile.dataDiskImages.source.id',
    },
    {
      type: disk,
      at: '2023-04-02',
      made: { creationData: { createOption: 'Empty' } },
      given: { creationData: { createOption: 'Upload' } },
      path: 'disk.creationData.createOption',
    },
    {
      type: vm,
      made: { osProfile: { adminUsername: 'a' } },
      given: { osProfile: { adminUsername: 'b' } },
      path: 'osProfile.adminUsername',
    },
  ]
  for (const { type, made, given, path, at = '2024-03-03' } of refused)
    test(`may not change: ${path}`, () => {
      const before = stored(put(type, at, { properties: made }))
      assert.throws(
        () => put(type, at, { properties: given }, before),
        (error) => {
          assert.ok(error instanceof Problem)
          const { code, message, target, kind } = error
          assert.deepEqual(
            { code, message, target, kind },
            {
              code: 'PropertyChangeNotAllowed',
              message: `Changing property '${path}' is not allowed.`,
              target: path,
              kind: 'conflict',
            },
          )
          return true
        },
      )
    })

  for (const dataDiskImages of [[{ lun: 2 }], [], [{ lun: 1 }, { lun: 2 }]])
    test(`data disks may neither come nor go: ${JSON.stringify(dataDiskImages)}`, () => {
      const before = stored(put(version, '2024-03-03', { properties: versionBody }))
      assert.throws(() => put(version, '2024-03-03', { properties: { storageProfile: { dataDiskImages } } }, before), {
        message: 'Adding new Data Disks or changing the LUN of a Data Disk in an existing Image is not allowed.',
      })
    })

  test('a resource stays where it is', () => {
    const before = stored(put(image, '2024-03-03', { properties: linux }))
    assert.throws(() => put(image, '2024-03-03', { location: 'East US', properties: linux }, before), {
      code: 'InvalidResourceLocation',
      message:
        "The resource 'g/i' already exists in location 'westus' in resource group 'rg'. A resource with the same name cannot be created in location 'eastus'. Please select a new resource name.",
    })
    const rg = stored(put(group, '2021-04-01', {}))
    assert.throws(() => put(group, '2021-04-01', { location: 'eastus' }, rg), { code: 'InvalidResourceGroupLocation' })
  })
})
