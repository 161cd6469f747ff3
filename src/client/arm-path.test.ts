import assert from 'node:assert/strict'
import { test } from 'node:test'
import { subscriptionsApiVersions } from '../contract/api-versions.ts'
import { galleries } from '../contract/galleries.ts'
import { galleryImageVersions } from '../contract/gallery-image-versions.ts'
import { resourceGroups } from '../contract/resource-groups.ts'
import { virtualMachines } from '../contract/virtual-machines.ts'
import { apiVersionOf, resourceGroupPath, resourcePath } from './arm-path.ts'

const at = { subscriptionId: 's', resourceGroup: 'r g' }

test('paths have one name for each level, encoded; one name less is the collection', () => {
  const group = '/subscriptions/s/resourceGroups/r%20g'
  assert.equal(
    resourcePath(galleryImageVersions, at, ['g', 'd', '1.0.0']),
    `${group}/providers/Microsoft.Compute/galleries/g/images/d/versions/1.0.0`,
  )
  assert.equal(
    resourcePath(galleryImageVersions, at, ['g', 'd']),
    `${group}/providers/Microsoft.Compute/galleries/g/images/d/versions`,
  )
  assert.ok(resourcePath(galleries, at, ['../x']).endsWith('/galleries/..%2Fx'))
  assert.throws(() => resourcePath(galleryImageVersions, at, ['g']), RangeError)
})

test('the newest api-version comes from the contract: of a resource, a collection, an action, a list of all', () => {
  const newest = (type: { apiVersions: readonly string[] }) => type.apiVersions.at(-1)
  const version = resourcePath(galleryImageVersions, at, ['g', 'd', '1.0.0'])
  for (const path of [version, version.toLowerCase(), `${version}/verify`, `${version}?x=1`])
    assert.equal(apiVersionOf(path), newest(galleryImageVersions), path)
  assert.equal(apiVersionOf(resourcePath(galleries, at, [])), newest(galleries))
  assert.equal(apiVersionOf('/subscriptions/s/providers/Microsoft.Compute/virtualMachines'), newest(virtualMachines))
  assert.equal(apiVersionOf(resourceGroupPath('s', 'g')), newest(resourceGroups))
  assert.equal(apiVersionOf('/subscriptions'), subscriptionsApiVersions.at(-1))
})
