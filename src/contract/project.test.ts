import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { JsonObject } from '../base/json.ts'
import { draftOfPut } from './draft.ts'
import { projectResource } from './project.ts'
import { typeOf } from './type-of.fixture.ts'
import { azureRegions } from './azure-regions.fixture.ts'

const account = '/subscriptions/s/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/a'

function show(
  name: string,
  made: string,
  seen: string,
  body: JsonObject,
  more: JsonObject = {},
  expand: string[] = [],
) {
  const type = typeOf(name)
  const draft = draftOfPut(
    { type, apiVersion: made, regions: azureRegions },
    { location: 'westus', ...body },
    undefined,
  )
  const resource = {
    ...draft,
    id: '/subscriptions/s/x',
    name: 'x',
    type: type.type,
    provisioningState: 'Succeeded',
    etag: 'e',
    systemData: { createdBy: 'me' },
  }
  const shown = projectResource(type, seen, resource, { ...draft.properties, ...more }, { expand })
  return { shown, properties: shown['properties'] as JsonObject }
}

const linux = { osType: 'Linux', osState: 'Generalized', identifier: { publisher: 'p', offer: 'o', sku: 's' } }
const images = 'Compute/galleries/images'
const versions = 'Compute/galleries/images/versions'

suite('a resource seen through an api-version', () => {
  test('has the shape of any ARM resource', () => {
    const { shown } = show(images, '2021-10-01', '2021-10-01', { tags: {}, properties: linux })
    assert.deepEqual(shown, {
      name: 'x',
      id: '/subscriptions/s/x',
      type: 'Microsoft.Compute/galleries/images',
      location: 'westus',
      tags: {},
      properties: { ...linux, hyperVGeneration: 'V1', architecture: 'x64', provisioningState: 'Succeeded' },
    })
  })
  test('has tags only if they were sent', () => {
    assert.equal('tags' in show(images, '2021-10-01', '2021-10-01', { properties: linux }).shown, false)
  })
  test('hides what that version does not have', () => {
    const body = { properties: { ...linux, features: [{ name: 'a', value: 'b', startsAtVersion: '1.0.0' }] } }
    const at = (seen: string): JsonObject => show(images, '2024-03-03', seen, body).properties
    assert.equal(at('2019-12-01')['features'], undefined)
    assert.deepEqual(at('2020-09-30')['features'], [{ name: 'a', value: 'b' }])
    assert.deepEqual(at('2024-03-03')['features'], [{ name: 'a', value: 'b', startsAtVersion: '1.0.0' }])
    assert.equal(at('2021-07-01')['architecture'], undefined)
  })
  test('has systemData from 2024-03-03, and no etag in a gallery', () => {
    assert.deepEqual(show(images, '2024-03-03', '2024-03-03', { properties: linux }).shown['systemData'], {
      createdBy: 'me',
    })
    const old = show(images, '2024-03-03', '2023-07-03', { properties: linux }).shown
    assert.equal(old['systemData'], undefined)
    assert.equal(old['etag'], undefined)
  })
  test('shows dates in the offset form', () => {
    const { properties } = show(images, '2021-10-01', '2021-10-01', {
      properties: { ...linux, endOfLifeDate: '2030-01-01' },
    })
    assert.equal(properties['endOfLifeDate'], '2030-01-01T00:00:00+00:00')
  })
  test('drops allowUpdateImage, and shows younger defaults in younger versions', () => {
    const { properties } = show(images, '2019-07-01', '2024-03-03', {
      properties: { ...linux, allowUpdateImage: true },
    })
    assert.equal(properties['allowUpdateImage'], undefined)
    assert.equal(properties['architecture'], 'x64')
  })
  test('has a VHD where that version has it', () => {
    const source = { uri: 'https://a/b.vhd', storageAccountId: account }
    const body = { properties: { storageProfile: { osDiskImage: { source }, dataDiskImages: [{ lun: 1, source }] } } }
    const at = (seen: string): unknown => show(versions, '2023-07-03', seen, body).properties['storageProfile']
    const old = { uri: source.uri, id: account }
    assert.deepEqual(at('2022-03-03'), { osDiskImage: { source }, dataDiskImages: [{ lun: 1, source }] })
    assert.deepEqual(at('2022-01-03'), { osDiskImage: { source: old }, dataDiskImages: [{ lun: 1, source: old }] })
  })
  test('shows on demand what is on demand, and what the hook added', () => {
    const uefiSettings = { signatureTemplateNames: ['NoSignatureTemplate'] }
    const body = { properties: { securityProfile: { uefiSettings } } }
    const status = {
      aggregatedState: 'Completed',
      summary: [{ region: 'West US', state: 'Completed', progress: 100, bytesSent: 7 }],
    }
    const plain = show(versions, '2023-07-03', '2023-07-03', body).properties
    const asked = show(versions, '2023-07-03', '2023-07-03', body, { replicationStatus: status, secret: 1 }, [
      'uefisettings',
    ])
    assert.equal(plain['securityProfile'], undefined)
    assert.equal(plain['replicationStatus'], undefined)
    assert.deepEqual(asked.properties['securityProfile'], { uefiSettings })
    assert.deepEqual(asked.properties['replicationStatus'], status)
    assert.equal(asked.properties['secret'], undefined)
  })
  test('never shows a password, nor capabilities that are all off', () => {
    const properties = {
      osProfile: { adminUsername: 'a', adminPassword: 'hush', customData: 'hush' },
      additionalCapabilities: { hibernationEnabled: false, ultraSSDEnabled: false },
      extra: { kept: true },
    }
    const { shown } = show('Compute/virtualMachines', '2024-03-01', '2024-03-01', { properties })
    assert.deepEqual(shown['properties'], {
      osProfile: { adminUsername: 'a' },
      extra: { kept: true },
      provisioningState: 'Succeeded',
    })
    assert.equal(JSON.stringify(shown).includes('hush'), false)
    assert.equal(shown['etag'], 'e')
  })
})
