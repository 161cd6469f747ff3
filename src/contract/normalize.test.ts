import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { JsonObject } from '../base/json.ts'
import { Problem } from '../base/problem.ts'
import { normalizeActionBody, normalizeBody } from './normalize.ts'
import { findAction } from './permissions.ts'
import { typeOf } from './type-of.fixture.ts'
import { azureRegions } from './azure-regions.fixture.ts'

const gallery = typeOf('galleries')
const image = typeOf('Compute/galleries/images')
const version = typeOf('Compute/galleries/images/versions')
const disk = typeOf('disks')
const vm = typeOf('virtualMachines')
const newest = '2025-03-03'

const identifier = { publisher: 'p', offer: 'o', sku: 's' }
const linux = { osType: 'Linux', osState: 'Generalized', identifier }
const westus = { location: 'westus' }
const account = '/subscriptions/s/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/a'

/** The message and target of what `act` throws. */
function complaintOf(act: () => unknown): { code: string; message: string; target: string | undefined } {
  try {
    act()
  } catch (error) {
    assert.ok(error instanceof Problem, String(error))
    assert.equal(error.kind, 'invalid')
    return { code: error.code, message: error.message, target: error.target }
  }
  assert.fail('nothing was refused')
}

suite('what is understood', () => {
  const cases: readonly {
    why: string
    type?: typeof image
    at?: string
    given: JsonObject
    properties: JsonObject
  }[] = [
    {
      why: 'enums in any case get the declared spelling',
      given: { ...linux, osType: 'LINUX', hyperVGeneration: 'v2', architecture: 'X64' },
      properties: { ...linux, hyperVGeneration: 'V2', architecture: 'x64' },
    },
    {
      why: 'numbers may come as text (the quickstart sends them so), empty objects stay',
      given: { ...linux, recommended: { vCPUs: { min: '1', max: 8 }, memory: {} } },
      properties: { ...linux, recommended: { vCPUs: { min: 1, max: 8 }, memory: {} } },
    },
    {
      why: 'flags may come as text',
      given: { ...linux, allowUpdateImage: 'True' },
      properties: { ...linux, allowUpdateImage: true },
    },
    {
      why: 'dates become canonical',
      given: { ...linux, endOfLifeDate: '2030-01-01' },
      properties: { ...linux, endOfLifeDate: '2030-01-01T00:00:00.000Z' },
    },
    {
      why: 'read-only, unknown and null members are dropped; provisioningState is echoed by every client',
      given: { ...linux, provisioningState: 'Succeeded', wibble: 1, description: null, eula: '' },
      properties: { ...linux, eula: '' },
    },
    {
      why: 'members younger than the api-version are dropped',
      at: '2019-07-01',
      given: { ...linux, features: [{ name: 'a', value: 'b' }], architecture: 'Arm64', hyperVGeneration: 'V2' },
      properties: { ...linux, hyperVGeneration: 'V2' },
    },
    {
      why: 'an exact member name wins over one in another case, which is understood alone',
      given: { ...linux, Description: 'other', description: 'this', EULA: 'text' },
      properties: { ...linux, description: 'this', eula: 'text' },
    },
    { why: 'disallowed: {} is dropped', given: { ...linux, disallowed: {} }, properties: linux },
    {
      why: 'an empty list in it is not (Terraform sends it and compares)',
      given: { ...linux, disallowed: { diskTypes: [] } },
      properties: { ...linux, disallowed: { diskTypes: [] } },
    },
    { why: 'an empty enum is none', given: { ...linux, architecture: '' }, properties: linux },
    {
      why: 'regions in any spelling become display names, storage types canonical',
      type: version,
      given: { publishingProfile: { targetRegions: [{ name: 'WestUS', storageAccountType: 'standard_zrs' }] } },
      properties: { publishingProfile: { targetRegions: [{ name: 'West US', storageAccountType: 'Standard_ZRS' }] } },
    },
    {
      why: 'up to 2022-01-03 a storage account stands in id',
      type: version,
      at: '2020-09-30',
      given: { storageProfile: { osDiskImage: { source: { id: account, uri: 'https://a/b.vhd' } } } },
      properties: {
        storageProfile: { osDiskImage: { source: { uri: 'https://a/b.vhd', storageAccountId: account } } },
      },
    },
    {
      why: 'az 2.45 puts it there in 2022-03-03 too',
      type: version,
      at: '2022-03-03',
      given: { storageProfile: { dataDiskImages: [{ lun: '3', source: { id: account, uri: 'https://a/b.vhd' } }] } },
      properties: {
        storageProfile: {
          dataDiskImages: [{ lun: 3, source: { uri: 'https://a/b.vhd', storageAccountId: account } }],
        },
      },
    },
    {
      why: 'an update of a version may say nothing of the source but its caching',
      type: version,
      given: { storageProfile: { osDiskImage: { hostCaching: 'readwrite' } } },
      properties: { storageProfile: { osDiskImage: { hostCaching: 'ReadWrite' } } },
    },
    { why: 'identifier: {} of a gallery', type: gallery, given: { identifier: {} }, properties: { identifier: {} } },
    {
      why: 'a VM keeps what is not declared, at every depth',
      type: vm,
      at: '2024-03-01',
      given: { hardwareProfile: { vmSize: 'Standard_B1s', other: [1] }, wibble: { a: null }, vmId: 'forged' },
      properties: { hardwareProfile: { vmSize: 'Standard_B1s', other: [1] }, wibble: { a: null } },
    },
  ]
  for (const { why, type = image, at = newest, given, properties } of cases)
    test(why, () => {
      const read = normalizeBody(type, at, { ...westus, properties: given }, azureRegions)
      assert.deepEqual(read.properties, properties)
    })

  test('location in any spelling becomes the short name; tags stay as they are', () => {
    const body = { location: 'West Europe', tags: { A: 'x', n: 1 }, properties: linux, name: 'x', id: '/x', etag: 'e' }
    const read = normalizeBody(image, newest, body, azureRegions)
    assert.equal(read.location, 'westeurope')
    assert.deepEqual(read.tags, { A: 'x', n: '1' })
    assert.deepEqual(read.envelope, {})
  })

  test('other top-level members are the envelope; those that the server writes are not taken', () => {
    const body = {
      ...westus,
      name: 'disk',
      id: '/forged',
      managedBy: '/forged',
      sku: { name: 'premium_lrs', tier: 'forged' },
      zones: ['1'],
      properties: { creationData: { createOption: 'empty' }, diskSizeGB: '4' },
    }
    const read = normalizeBody(disk, '2023-04-02', body, azureRegions)
    assert.deepEqual(read.envelope, { sku: { name: 'Premium_LRS' }, zones: ['1'] })
    assert.deepEqual(read.properties, { creationData: { createOption: 'Empty' }, diskSizeGB: 4 })
    const open = normalizeBody(
      vm,
      '2024-03-01',
      { ...westus, name: 'x', etag: 'e', systemData: {}, extra: 1 },
      azureRegions,
    )
    assert.deepEqual(open.envelope, { extra: 1 })
  })

  test('PATCH requires nothing, and keeps null to remove', () => {
    const read = normalizeBody(image, newest, { properties: { description: null } }, azureRegions, { method: 'PATCH' })
    assert.deepEqual(read, { properties: { description: null }, envelope: {} })
  })

  test('a PUT on what exists may leave out what cannot change', () => {
    const read = normalizeBody(image, newest, { properties: { description: 'd' } }, azureRegions, { existing: true })
    assert.deepEqual(read.properties, { description: 'd' })
  })

  test('a member called __proto__ is a name like any other', () => {
    const body: unknown = JSON.parse(
      '{"location":"westus","properties":{"__proto__":{"polluted":true}},"__proto__":{"a":1}}',
    )
    const read = normalizeBody(vm, '2024-03-01', body, azureRegions)
    assert.equal(Object.getPrototypeOf(read.properties), Object.prototype)
    assert.equal(Reflect.get({}, 'polluted'), undefined)
  })
})

test('the two kinds of an identity are one value, however they are spaced', () => {
  for (const type of ['SystemAssigned,UserAssigned', 'systemassigned, userassigned'])
    assert.deepEqual(normalizeBody(gallery, newest, { ...westus, identity: { type } }, azureRegions).envelope, {
      identity: { type: 'SystemAssigned, UserAssigned' },
    })
})

suite('what is refused', () => {
  const region = 'galleryImageVersion.properties.publishingProfile.targetRegions'
  const publish = (targets: readonly JsonObject[]): JsonObject => ({ publishingProfile: { targetRegions: targets } })
  const cases: readonly {
    why: string
    type?: typeof image
    at?: string
    given: JsonObject
    message: string
    target: string
  }[] = [
    {
      why: 'a required member is missing',
      given: { osState: 'Generalized', identifier },
      message: "Required parameter 'galleryImage.properties.osType' is missing (null).",
      target: 'galleryImage.properties.osType',
    },
    {
      why: 'a required member is null',
      given: { ...linux, identifier: { ...identifier, sku: null } },
      message: "Required parameter 'galleryImage.properties.identifier.sku' is missing (null).",
      target: 'galleryImage.properties.identifier.sku',
    },
    {
      why: 'an enum has another value',
      given: { ...linux, osType: 'Plan9' },
      message:
        "The value 'Plan9' of parameter 'galleryImage.properties.osType' is not one of the allowed values 'Windows, Linux'.",
      target: 'galleryImage.properties.osType',
    },
    {
      why: 'a date is none',
      given: { ...linux, endOfLifeDate: 'soon' },
      message: "Could not convert string to DateTimeOffset: soon. Path 'properties.endOfLifeDate'",
      target: 'galleryImage.properties.endOfLifeDate',
    },
    {
      why: 'a number is none',
      given: { ...linux, recommended: { vCPUs: { min: 'many' } } },
      message: "Could not convert string to integer: many. Path 'properties.recommended.vCPUs.min'",
      target: 'galleryImage.properties.recommended.vCPUs.min',
    },
    ...[
      { name: 'publisher', value: 'ends.', limit: 128 },
      { name: 'offer', value: '', limit: 64 },
      { name: 'sku', value: 'a b', limit: 64 },
      { name: 'sku', value: 'x'.repeat(65), limit: 64 },
    ].map(({ name, value, limit }) => ({
      why: `${name} is ${JSON.stringify(value.slice(0, 9))}`,
      given: { ...linux, identifier: { ...identifier, [name]: value } },
      message: `Asset name galleryImage.properties.identifier.${name} is not valid. It cannot be empty. Allowed characters are uppercase or lowercase letters, digits, hyphen(-), period (.), underscore (_). Names are not allowed to end with period(.). The length of the name cannot exceed ${limit} characters.`,
      target: `galleryImage.properties.identifier.${name}`,
    })),
    {
      why: 'an object is a text',
      given: { ...linux, identifier: 'x' },
      message: "Could not convert a string to an object. Path 'properties.identifier'",
      target: 'galleryImage.properties.identifier',
    },
    {
      why: 'an array is an object',
      given: { ...linux, features: {} },
      message: "Could not convert an object to an array. Path 'properties.features'",
      target: 'galleryImage.properties.features',
    },
    {
      why: 'a text is an array',
      given: { ...linux, description: ['x'] },
      message: "Could not convert an array to a string. Path 'properties.description'",
      target: 'galleryImage.properties.description',
    },
    {
      why: 'no replicas',
      type: version,
      given: publish([{ name: 'westus', regionalReplicaCount: 0 }]),
      message: `The value 0 of parameter ${region}.regionalReplicaCount is out of range. The value must be between 1 and 100, inclusive.`,
      target: `${region}.regionalReplicaCount`,
    },
    {
      why: 'too many replicas, as text',
      type: version,
      given: { publishingProfile: { replicaCount: '101' } },
      message:
        'The value 101 of parameter galleryImageVersion.properties.publishingProfile.replicaCount is out of range. The value must be between 1 and 100, inclusive.',
      target: 'galleryImageVersion.properties.publishingProfile.replicaCount',
    },
    {
      why: 'a fraction of a replica',
      type: version,
      given: { publishingProfile: { replicaCount: 1.5 } },
      message: "Could not convert string to integer: 1.5. Path 'properties.publishingProfile.replicaCount'",
      target: 'galleryImageVersion.properties.publishingProfile.replicaCount',
    },
    {
      why: 'a region twice, in two spellings',
      type: version,
      given: publish([{ name: 'East US' }, { name: 'eastus' }]),
      message: 'Duplicate regions are not allowed in target publishing regions.',
      target: region,
    },
    {
      why: 'a region without a name',
      type: version,
      given: publish([{ regionalReplicaCount: 1 }]),
      message: `Required parameter '${region}.name' is missing (null).`,
      target: `${region}.name`,
    },
    {
      why: 'a flag is a word',
      type: version,
      given: publish([{ name: 'eastus', excludeFromLatest: 'maybe' }]),
      message:
        "Could not convert string to boolean: maybe. Path 'properties.publishingProfile.targetRegions[0].excludeFromLatest'",
      target: `${region}.excludeFromLatest`,
    },
    {
      why: 'a storage type that the api-version does not know',
      type: version,
      at: '2019-07-01',
      given: publish([{ name: 'eastus', storageAccountType: 'Premium_LRS' }]),
      message: `The value 'Premium_LRS' of parameter '${region}.storageAccountType' is not one of the allowed values 'Standard_LRS, Standard_ZRS'.`,
      target: `${region}.storageAccountType`,
    },
    {
      why: 'a LUN twice',
      type: version,
      given: { storageProfile: { dataDiskImages: [{ lun: 1 }, { lun: '1' }] } },
      message:
        'Duplicated lun numbers have been detected in the input data disks. Lun number must be unique for each data disk.',
      target: 'galleryImageVersion.properties.storageProfile.dataDiskImages',
    },
    {
      why: 'a disk without creationData; DiskRP leaves `properties` out of its paths',
      type: disk,
      at: '2023-04-02',
      given: {},
      message: "Required parameter 'disk.creationData' is missing (null).",
      target: 'disk.creationData',
    },
    {
      why: "ComputeRP's short paths",
      type: vm,
      at: '2024-03-01',
      given: { storageProfile: { osDisk: { caching: 'Sometimes' } } },
      message:
        "The value 'Sometimes' of parameter 'osDisk.caching' is not one of the allowed values 'None, ReadOnly, ReadWrite'.",
      target: 'osDisk.caching',
    },
  ]
  for (const { why, type = image, at = newest, given, message, target } of cases)
    test(why, () => {
      const found = complaintOf(() => normalizeBody(type, at, { ...westus, properties: given }, azureRegions))
      assert.deepEqual(found, { code: 'InvalidParameter', message, target })
    })

  test('a target region that this server does not have', () => {
    const found = complaintOf(() =>
      normalizeBody(version, newest, { ...westus, properties: publish([{ name: 'Atlantis' }]) }, azureRegions),
    )
    assert.match(found.message, /^The value 'Atlantis' of parameter '.*targetRegions\.name' is not one of the allowed/)
  })

  for (const [kind, body] of Object.entries({ null: null, 'an array': [], 'a string': 'x', nothing: undefined }))
    test(`a body that is ${kind}`, () => {
      const found = complaintOf(() => normalizeBody(gallery, newest, body, azureRegions))
      assert.equal(found.code, 'InvalidRequestContent')
      assert.match(found.message, new RegExp(`found ${kind}`))
    })

  test('tags that are no object of texts', () => {
    for (const tags of [[], 'x', { a: {} }])
      assert.equal(
        complaintOf(() => normalizeBody(gallery, newest, { ...westus, tags }, azureRegions)).code,
        'InvalidRequestContent',
      )
  })

  test('a location that is missing, and one that is nowhere', () => {
    assert.equal(complaintOf(() => normalizeBody(gallery, newest, {}, azureRegions)).code, 'LocationRequired')
    const nowhere = complaintOf(() => normalizeBody(gallery, newest, { location: 'atlantis' }, azureRegions))
    assert.equal(nowhere.code, 'LocationNotAvailableForResourceType')
    assert.match(
      nowhere.message,
      /^The provided location 'atlantis' is not available for resource type 'Microsoft\.Compute\/galleries'\. List of available regions for the resource type is 'eastus,eastus2,/,
    )
    const group = typeOf('Resources/resourceGroups')
    const wrong = complaintOf(() => normalizeBody(group, '2021-04-01', { location: 'atlantis' }, azureRegions))
    assert.equal(wrong.code, 'LocationNotAvailableForResourceGroup')
  })
})

suite('bodies of actions', () => {
  test('are read like any other, with their defaults', () => {
    const action = findAction(version, 'BEGINGETACCESS')
    assert.ok(action)
    const read = normalizeActionBody(
      action,
      newest,
      { access: 'read', durationInSeconds: '60', region: 'East US' },
      azureRegions,
    )
    assert.deepEqual(read, { access: 'Read', durationInSeconds: 60, region: 'eastus', format: 'raw' })
  })
  test('complain like any other', () => {
    const action = findAction(disk, 'beginGetAccess')
    assert.ok(action)
    const read = (body: unknown) => complaintOf(() => normalizeActionBody(action, '2023-04-02', body, azureRegions))
    assert.equal(read({ access: 'Read' }).message, "Required parameter 'durationInSeconds' is missing (null).")
    assert.match(read({ access: 'Own', durationInSeconds: 1 }).message, /^The value 'Own' of parameter 'access'/)
    assert.match(read({ access: 'Read', durationInSeconds: 0 }).message, /out of range/)
    assert.equal(read('x').code, 'InvalidRequestContent')
  })
  test('may be absent where none is declared', () => {
    const action = findAction(vm, 'start')
    assert.ok(action)
    assert.deepEqual(normalizeActionBody(action, '2024-03-01', undefined, azureRegions), {})
  })
})
