import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { isJsonObject, type Json, type JsonObject } from '../base/json.ts'
import { findArmId } from '../base/arm-id.ts'
import { findCanonicalDate } from './dates.ts'
import { draftOfPut } from './draft.ts'
import { normalizeBody } from './normalize.ts'
import { projectResource } from './project.ts'
import { projectProxy, type ProxyTypeDeclaration } from './proxy-type.ts'
import { findResourceType } from './resource-types.ts'
import type { ResourceTypeDeclaration } from './resource-type.ts'
import { readSchema, type SchemaNode } from './schema.ts'
import { proxyTypes } from './shared-galleries.ts'
import { azureRegions } from './azure-regions.fixture.ts'
import { bodySchema, comparable, errorPath, isMap } from './walk.ts'

/**
 * Replays Azure's own examples: what they send must be understood, what they show must survive being stored and shown
 * again in the same api-version.
 */
const root = new URL(
  '../../../shared/api/spec/azure-rest-api-specs/specification/compute/resource-manager/Microsoft.Compute/',
  import.meta.url,
)
/** The member of `parameters` that holds a request's body, and whose body it is. Actions have other bodies. */
const bodiesByFolder: readonly (readonly [RegExp, Readonly<Record<string, string>>])[] = [
  [
    /galleryExamples|GalleryRP\/.*\/examples\/[^/]*$/,
    {
      gallery: 'galleries',
      galleryImage: 'galleries/images',
      galleryImageVersion: 'galleries/images/versions',
      galleryApplication: 'galleries/applications',
      galleryApplicationVersion: 'galleries/applications/versions',
    },
  ],
  [/imageExamples\//, { parameters: 'images' }],
  [/virtualMachineExamples\/VirtualMachine_(Create|Update)/, { parameters: 'virtualMachines' }],
  [/diskExamples\//, { disk: 'disks' }],
  [/snapshotExamples\//, { snapshot: 'snapshots' }],
]

/** Examples of what this server refuses, by what it says. */
const notServed: readonly (readonly [RegExp, RegExp])[] = [
  [/_FromImportSecure|ElasticSan|PreparedSecure/, /createOption/],
  // A slip of the example: no such policy is published.
  [/Snapshot_GetIncrementalSnapshot/, /'0' of parameter 'snapshot.networkAccessPolicy'/],
]

const textOf = (value: Json | undefined): string => (typeof value === 'string' ? value : '')

interface Example {
  readonly label: string
  readonly apiVersion: string
  readonly type: ResourceTypeDeclaration
  readonly request: JsonObject | undefined
  readonly isUpdate: boolean
  readonly responses: readonly JsonObject[]
  readonly refused: RegExp | undefined
}

function exampleFiles(folder: URL): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.json') && entry.parentPath.includes('examples'))
    .map((entry) => `${entry.parentPath}/${entry.name}`)
}

function readExample(path: string, apiVersion: string): Example | undefined {
  const file: unknown = JSON.parse(readFileSync(path, 'utf8'))
  if (!isJsonObject(file)) return undefined
  const { parameters, responses } = file
  if (!isJsonObject(parameters) || !isJsonObject(responses)) return undefined
  const bodies = bodiesByFolder.find(([folder]) => folder.test(path))?.[1] ?? {}
  const requestName = Object.keys(bodies).find((name) => isJsonObject(parameters[name]))
  const request = requestName === undefined ? undefined : parameters[requestName]
  const responseBodies = Object.values(responses)
    .map((response) => (isJsonObject(response) ? response['body'] : undefined))
    .flatMap((body) => (isJsonObject(body) && Array.isArray(body['value']) ? body['value'] : [body]))
    .filter((body): body is JsonObject => isJsonObject(body))
  const typed = responseBodies.map((body) => typeOf(body)).find((type) => type !== undefined)
  const type = requestName === undefined ? typed : findResourceType(`Microsoft.Compute/${bodies[requestName] ?? ''}`)
  if (type === undefined) return undefined
  return {
    label: `${apiVersion} ${path.slice(path.lastIndexOf('/') + 1)}`,
    apiVersion,
    type,
    request: isJsonObject(request) ? request : undefined,
    isUpdate: path.includes('Update'),
    responses: responseBodies.filter((body) => typeOf(body) === type),
    refused: notServed.find(([name]) => name.test(path))?.[1],
  }
}

function typeOf(body: JsonObject): ResourceTypeDeclaration | undefined {
  const { id } = body
  const parsed = typeof id === 'string' ? findArmId(id) : undefined
  return parsed === undefined ? undefined : findResourceType(parsed.type)
}

/** Slips of the examples that no service would answer: their value, and why it is not held against us. */
const slips = new Map<string, string>([
  ['gallery.properties.sharingProfile.groups', 'shown with $expand=SharingProfile/Groups only'],
  ['galleryImageVersion.properties.securityProfile', 'uefiSettings are shown with $expand=UefiSettings only'],
  ['virtualMachine.properties.osProfile.customData', 'a generated example: it is never shown, says the same swagger'],
  ['disk.properties.LastOwnershipUpdateTime', 'not kept'],
  ['snapshot.properties.creationData.provisionedBandwidthCopySpeed', 'a hint; copies go as fast as they can'],
])

/** Asserts that every member of an example is in ours, unless it is read-only (we do not store those from requests). */
function assertSurvives(schema: SchemaNode, theirs: Json, ours: Json | undefined, at: readonly string[]): void {
  const where = at.join('.')
  const isUnseen = schema.type === undefined && schema.enum === undefined && !isMap(schema)
  if (isUnseen) assert.deepEqual(ours, theirs, where)
  else if (isJsonObject(theirs)) {
    const mine = isJsonObject(ours) ? ours : {}
    for (const [name, member] of Object.entries(theirs)) {
      const known = isMap(schema) ? Object.values(schema.patternProperties ?? {})[0] : schema.properties?.[name]
      if (name === 'provisioningState' || slips.has(`${where}.${name}`)) continue
      if (known === undefined && schema.open === true) {
        assert.deepEqual(mine[name], member, `${where}.${name} is kept as sent`)
        continue
      }
      assert.ok(known, `${where}.${name} is not declared`)
      if (known.readOnly === true || known.transient === true || member === undefined || member === null) continue
      if (known.dropEmpty === true && isJsonObject(member) && Object.keys(member).length === 0) continue
      assertSurvives(known, member, mine[name], [...at, name])
    }
  } else if (Array.isArray(theirs)) {
    assert.ok(Array.isArray(ours), `${where} is lost`)
    theirs.forEach((element: Json, index) => assertSurvives(schema.items ?? {}, element, ours[index], at))
  } else if (typeof theirs === 'string') {
    assert.equal(typeof ours, 'string', `${where} is lost`)
    const form = (value: string): string =>
      schema.date === true ? (findCanonicalDate(value) ?? value) : comparable(schema, value)
    assert.equal(form(textOf(ours)), form(theirs), where)
  } else assert.deepEqual(ours, theirs, where)
}

function replay(example: Example): void {
  const { type, apiVersion } = example
  if (example.request !== undefined) {
    const method = example.isUpdate ? 'PATCH' : 'PUT'
    const read = normalizeBody(type, apiVersion, example.request, azureRegions, { method })
    assert.ok(isJsonObject(read.properties), 'request')
  }
  for (const body of example.responses) {
    const read = normalizeBody(type, apiVersion, body, azureRegions, { method: 'PUT' })
    const resource = {
      id: textOf(body['id']),
      name: textOf(body['name']),
      type: type.type,
      location: read.location ?? '',
      tags: read.tags,
      properties: read.properties,
      envelope: read.envelope,
      provisioningState: 'Succeeded',
    }
    const expand = ['Permissions', 'userData']
    const shown = projectResource(type, apiVersion, resource, resource.properties, { expand })
    const { id: _, name: __, type: ___, ...theirs } = body
    assertSurvives(bodySchema(type), theirs, shown, [errorPath(type, [])])
  }
}

/** az, PowerShell and Terraform GET, change one thing and PUT it all, each in an api-version of its own. */
function replayRoundTrips(example: Example): void {
  const { type } = example
  for (const body of example.responses) {
    const facts = { type, regions: azureRegions }
    const first = draftOfPut({ ...facts, apiVersion: example.apiVersion }, body, undefined)
    const before = { ...first, id: textOf(body['id']), name: textOf(body['name']), type: type.type }
    for (const apiVersion of type.apiVersions) {
      const shown = projectResource(type, apiVersion, { ...before, provisioningState: 'Succeeded' })
      const again = draftOfPut({ ...facts, apiVersion }, shown, before)
      // An example of before 2022-03-03 has no safety profile; the first younger PUT adds it.
      const { safetyProfile: _, ...properties } = again.properties
      const { safetyProfile: __, ...wanted } = first.properties
      assert.deepEqual({ ...again, properties }, { ...first, properties: wanted }, `GET and PUT in ${apiVersion}`)
    }
  }
}

/** What others see of shared galleries has no requests: what an example shows must be shown by ours. */
function replayShared(path: string, apiVersion: string): number {
  const file = JSON.parse(readFileSync(path, 'utf8')) as { responses: Record<string, { body?: Json } | undefined> }
  const { body } = file.responses['200'] ?? {}
  const shown = (isJsonObject(body) && Array.isArray(body['value']) ? body['value'] : [body]).filter(isJsonObject)
  for (const one of shown) {
    const type = proxyOf(one)
    if (type !== undefined) assertSurvives(readSchema(type.body), one, projectProxy(type, apiVersion, one), [type.type])
  }
  return shown.filter((one) => proxyOf(one) !== undefined).length
}

/** `/SharedGalleries/g/Images/i` is a `locations/sharedGalleries/images`. */
function proxyOf({ identifier }: JsonObject): ProxyTypeDeclaration | undefined {
  const id = isJsonObject(identifier) ? textOf(identifier['uniqueId']) : ''
  const names = id.split('/').filter((_, index) => index % 2 === 1)
  const wanted = ['Microsoft.Compute/locations', ...names].join('/').toLowerCase()
  return proxyTypes.find(({ type }) => type.toLowerCase() === wanted)
}

if (!existsSync(root)) {
  const reason = `Azure's example files are not here (${root.pathname}): nothing was replayed`
  console.warn(reason)
  test("Azure's examples are understood", { skip: reason })
} else {
  const folders = ['GalleryRP/stable', 'GalleryRP/preview', 'ComputeRP/stable', 'DiskRP/stable'].flatMap((provider) =>
    readdirSync(new URL(provider, root)).map((version) => `${provider}/${version}`),
  )
  for (const folder of folders) {
    const apiVersion = folder.slice(folder.lastIndexOf('/') + 1)
    const files = exampleFiles(new URL(`${folder}/`, root))
    const examples = files.map((path) => readExample(path, apiVersion)).filter((example) => example !== undefined)
    test(`Azure's ${examples.length} examples of ${folder} are understood`, async (t) => {
      assert.ok(examples.length > 5)
      for (const example of examples)
        if (example.refused !== undefined)
          await t.test(`${example.label} is refused clearly`, () =>
            assert.throws(() => replay(example), { code: 'InvalidParameter', message: example.refused }),
          )
        else {
          await t.test(example.label, () => replay(example))
          await t.test(`${example.label}: what was shown can be sent back`, () => replayRoundTrips(example))
        }
    })
    const shared = files.filter((path) => /(Shared|Community)Galler[^/]*$/.test(path))
    if (existsSync(new URL(`${folder}/sharedGallery.json`, root)))
      test(`what is shared is shown as in Azure's examples of ${folder}`, () => {
        const replayed = shared.map((path) => replayShared(path, apiVersion)).reduce((sum, count) => sum + count, 0)
        assert.ok(replayed > 0, 'examples of shared galleries')
      })
  }
}
