import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { findFeature } from './features.ts'
import { allPermissions, permissionOf } from './permissions.ts'
import { findResourceType, resourceTypes } from './resource-types.ts'
import type { SchemaNode } from './schema.ts'
import { bodySchema } from './walk.ts'

const typeOf = (name: string) => {
  const type = findResourceType(name)
  assert.ok(type)
  return type
}

suite('the table of resource types', () => {
  test('is found in any spelling', () =>
    assert.equal(findResourceType('MICROSOFT.compute/Galleries/images')?.type, 'Microsoft.Compute/galleries/images'))
  test('knows what is below what', () => {
    const below = (type: string): string[] =>
      resourceTypes.map((child) => child.type).filter((child) => child.slice(0, child.lastIndexOf('/')) === type)
    assert.deepEqual(
      below('Microsoft.Compute/galleries'),
      ['images', 'applications', 'scripts', 'inVMAccessControlProfiles'].map(
        (name) => `Microsoft.Compute/galleries/${name}`,
      ),
    )
    assert.deepEqual(below('Microsoft.Compute/galleries/images'), ['Microsoft.Compute/galleries/images/versions'])
    assert.deepEqual(below('Microsoft.Compute/disks'), [])
  })
  for (const type of resourceTypes)
    test(`${type.type}: versions ascend, every window is a version, required members are no read-only ones`, () => {
      assert.deepEqual([...type.apiVersions].sort(), [...new Set(type.apiVersions)])
      const visit = (schema: SchemaNode, at: string): void => {
        for (const [name, member] of Object.entries(schema.properties ?? {})) {
          const where = `${at}.${name}`
          for (const date of [member.since, member.until, ...Object.values(member.valuesSince ?? {})])
            if (date !== undefined) assert.match(date, /^20\d\d-[01]\d-[0-3]\d$/, where)
          if (member.readOnly === true) assert.equal(schema.required?.includes(name) ?? false, false, where)
          if (member.key !== undefined) assert.ok(member.items?.properties?.[member.key], where)
          if (member.changeableWith !== undefined) assert.ok(schema.properties?.[member.changeableWith], where)
          visit(member, where)
          if (member.items !== undefined) visit(member.items, where)
        }
      }
      visit(bodySchema(type), type.errorName)
    })
  test('clients get the api-versions that they send', () => {
    const sent: readonly [type: string, versions: readonly string[]][] = [
      [
        'galleries',
        [
          '2019-07-01',
          '2021-03-01',
          '2021-10-01',
          '2022-03-03',
          '2023-07-03',
          '2024-03-03',
          '2025-03-03',
          '2025-12-03',
        ],
      ],
      ['disks', ['2021-12-01', '2022-03-02', '2022-07-02', '2023-04-02', '2024-03-02', '2026-03-02']],
      ['virtualMachines', ['2018-04-01', '2023-03-01', '2024-03-01', '2026-04-01']],
    ]
    for (const [name, versions] of sent)
      for (const version of versions)
        assert.ok(typeOf(`Microsoft.Compute/${name}`).apiVersions.includes(version), `${name} ${version}`)
  })
  test('a PUT of a disk or snapshot never answers 201', () => {
    for (const name of ['disks', 'snapshots']) assert.notEqual(typeOf(`Microsoft.Compute/${name}`).createStatus, 201)
  })
})

suite('permissions', () => {
  const version = typeOf('Microsoft.Compute/galleries/images/versions')
  test('have the names of Azure', () => {
    assert.equal(permissionOf(version, 'write'), 'Microsoft.Compute/galleries/images/versions/write')
    assert.equal(
      permissionOf(typeOf('Microsoft.Resources/resourceGroups'), 'read'),
      'Microsoft.Resources/subscriptions/resourceGroups/read',
    )
    const vm = typeOf('Microsoft.Compute/virtualMachines')
    assert.equal(permissionOf(vm, { action: 'POWEROFF' }), 'Microsoft.Compute/virtualMachines/powerOff/action')
    assert.equal(permissionOf(vm, { action: 'instanceView' }), 'Microsoft.Compute/virtualMachines/instanceView/read')
    assert.equal(permissionOf(vm, { action: 'capture' }), 'Microsoft.Compute/virtualMachines/capture/action')
  })
  test('are listed once each, the polling of operations among them', () => {
    const all = allPermissions()
    assert.equal(new Set(all).size, all.length)
    assert.ok(all.includes('Microsoft.Compute/locations/capsOperations/read'))
    assert.ok(all.includes('Microsoft.Compute/disks/beginGetAccess/action'))
  })
})

suite('features', () => {
  test('features are found in any case', () =>
    assert.equal(findFeature([{ name: 'securityTYPE', value: 'TrustedLaunch' }], 'SecurityType'), 'TrustedLaunch'))
})
