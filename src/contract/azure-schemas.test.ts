import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { suite, test } from 'node:test'
import { isJsonObject, type Json, type JsonObject } from '../base/json.ts'
import { galleryApiVersions } from './api-versions.ts'
import { findResourceType, resourceTypes } from './resource-types.ts'
import { isMemberOf, isReadOnly, type SchemaNode } from './schema.ts'
import { bodySchema, isMap, mapValueSchema } from './walk.ts'

/**
 * Compares what a client may write, member by member and value by value, with the JSON schemas that Azure publishes for
 * templates of each api-version. They hold no read-only members, so nothing is said of those here.
 */
const root = new URL('../../../shared/api/spec/azure-resource-manager-schemas/schemas/', import.meta.url)
const types = resourceTypes
  .map(({ type }) => type.slice('Microsoft.Compute/'.length))
  .filter((path) => path === 'galleries' || path.startsWith('galleries/'))
  .concat(
    ['applications', 'scripts', 'inVMAccessControlProfiles'].flatMap((name) => [
      `galleries/${name}`,
      `galleries/${name}/versions`,
    ]),
  )
/** Members of any resource, and of templates only. */
const notCompared = new Set(['apiVersion', 'location', 'name', 'tags', 'type', 'resources', 'systemData'])

/** Where the schemas are wrong: version, place and value, and why we do not follow. */
const slips = new Map<string, string>([
  ['2021-10-01 sharingProfile.permissions Community', 'recorded with it (behaviour.md G4), published from 2022-01-03'],
  ...['2021-10-01', '2022-01-03'].flatMap((version): [string, string][] =>
    ['targetRegions[]', 'publishingProfile'].map((place) => [
      `${version} ${place}.storageAccountType StandardSSD_LRS`,
      'a class of edge zones, published for regions in these two versions only',
    ]),
  ),
])

interface Published {
  readonly definitions: JsonObject
  readonly resourceDefinitions: JsonObject
}

function readPublished(apiVersion: string): Published | undefined {
  const file = new URL(`${apiVersion}/Microsoft.Compute.json`, root)
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Published) : undefined
}

/** Follows references and leaves out the alternative of a template's expression. */
function resolve(published: Published, node: Json | undefined): JsonObject {
  if (!isJsonObject(node)) return {}
  if (Array.isArray(node['oneOf'])) return resolve(published, node['oneOf'][0])
  const reference = node['$ref']
  if (typeof reference !== 'string') return node
  return resolve(published, published.definitions[reference.slice(reference.lastIndexOf('/') + 1)])
}

function compare(
  published: Published,
  apiVersion: string,
  node: SchemaNode,
  at: string,
  found: Json | undefined,
): void {
  const shape = resolve(published, found)
  const { properties, items, additionalProperties } = shape
  if (isJsonObject(properties) && Object.keys(properties).length > 0) {
    const writable = Object.entries(node.properties ?? {}).filter(
      ([name, member]) => isMemberOf(member, apiVersion) && !isReadOnly(member, apiVersion) && !notCompared.has(name),
    )
    const names = Object.keys(properties).filter((name) => !notCompared.has(name))
    assert.deepEqual(writable.map(([name]) => name).toSorted(), names.toSorted(), `members of ${at}`)
    for (const [name, member] of writable) compare(published, apiVersion, member, `${at}.${name}`, properties[name])
  } else if (items !== undefined) compare(published, apiVersion, node.items ?? {}, `${at}[]`, items)
  else if (isMap(node) && isJsonObject(additionalProperties))
    compare(published, apiVersion, mapValueSchema(node), `${at}{}`, additionalProperties)
  const values = shape['enum']
  if (!Array.isArray(values)) return
  const isRight = (value: string): boolean =>
    ![...slips.keys()].some(
      (slip) => `${apiVersion} ${at} ${value}`.endsWith(slip.slice(11)) && slip.startsWith(apiVersion),
    )
  const known = (node.enum ?? []).filter((value) => (node.valuesSince?.[value] ?? '') <= apiVersion)
  assert.deepEqual(known.filter(isRight).toSorted(), values.map(String).filter(isRight).toSorted(), `values of ${at}`)
}

suite("what a client may write, beside Azure's own schemas", () => {
  for (const apiVersion of galleryApiVersions) {
    const published = readPublished(apiVersion)
    if (published === undefined) {
      const reason = `Azure's schema of ${apiVersion} is not here (${root.pathname}): nothing was compared`
      console.warn(reason)
      test(apiVersion, { skip: reason })
      continue
    }
    for (const path of types)
      test(`${apiVersion}: ${path}`, () => {
        const type = findResourceType(`Microsoft.Compute/${path}`)
        assert.ok(type)
        if (!type.apiVersions.includes(apiVersion)) return
        const shape = published.resourceDefinitions[path.replaceAll('/', '_')]
        compare(published, apiVersion, bodySchema(type), path, shape)
      })
  }
})
