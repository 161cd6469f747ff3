import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { isJsonObject, type Json, type JsonObject } from '../base/json.ts'
import { Problem } from '../base/problem.ts'
import { azureRegions } from './azure-regions.fixture.ts'
import { galleryApiVersions } from './api-versions.ts'
import { draftOfPatch, draftOfPut } from './draft.ts'
import { findResourceType } from './resource-types.ts'
import { isMemberOf, isReadOnly, type SchemaNode } from './schema.ts'
import { propertiesSchema } from './walk.ts'

/**
 * What may change after creation and what may not (contract.md section 4), member by member, by PUT and by PATCH. A
 * member that is declared and missing here fails the test.
 */
interface Member {
  /** `[]`: the only element of an array. */
  readonly path: string
  readonly was: Json
  readonly is: Json
  readonly may: 'change' | 'stay'
}
const newest = galleryApiVersions.at(-1) ?? ''
const set = '/subscriptions/s/resourceGroups/rg/providers/Microsoft.Compute/diskEncryptionSets'
const image = '/subscriptions/s/resourceGroups/rg/providers/Microsoft.Compute/images'

const definition: readonly Member[] = [
  { path: 'description', was: 'a', is: 'b', may: 'change' },
  { path: 'eula', was: 'a', is: 'b', may: 'stay' },
  { path: 'privacyStatementUri', was: 'https://a', is: 'https://b', may: 'stay' },
  { path: 'releaseNoteUri', was: 'https://a', is: 'https://b', may: 'change' },
  { path: 'osType', was: 'Linux', is: 'Windows', may: 'stay' },
  { path: 'osState', was: 'Generalized', is: 'Specialized', may: 'stay' },
  { path: 'hyperVGeneration', was: 'V2', is: 'V1', may: 'stay' },
  { path: 'architecture', was: 'x64', is: 'Arm64', may: 'stay' },
  { path: 'endOfLifeDate', was: '2040-01-01', is: '2041-01-01', may: 'change' },
  { path: 'identifier.publisher', was: 'p', is: 'q', may: 'stay' },
  { path: 'identifier.offer', was: 'o', is: 'q', may: 'stay' },
  { path: 'identifier.sku', was: 's', is: 'q', may: 'stay' },
  { path: 'recommended.vCPUs.min', was: 1, is: 2, may: 'change' },
  { path: 'recommended.vCPUs.max', was: 8, is: 9, may: 'change' },
  { path: 'recommended.memory.min', was: 1, is: 2, may: 'change' },
  { path: 'recommended.memory.max', was: 8, is: 9, may: 'change' },
  { path: 'disallowed.diskTypes', was: ['Standard_LRS'], is: ['Premium_LRS'], may: 'change' },
  { path: 'purchasePlan.name', was: 'n', is: 'm', may: 'stay' },
  { path: 'purchasePlan.publisher', was: 'n', is: 'm', may: 'stay' },
  { path: 'purchasePlan.product', was: 'n', is: 'm', may: 'stay' },
  { path: 'features[].name', was: 'SecurityType', is: 'DiskControllerTypes', may: 'stay' },
  { path: 'features[].value', was: 'Standard', is: 'TrustedLaunch', may: 'stay' },
  { path: 'features[].startsAtVersion', was: '1.0.0', is: '2.0.0', may: 'stay' },
]

const profile = 'publishingProfile'
const region = `${profile}.targetRegions[]`
const edge = `${profile}.targetExtendedLocations[]`
const storage = 'storageProfile'
const uefi = 'securityProfile.uefiSettings'
const confidential = ['EncryptedWithPmk', 'EncryptedWithCmk'] as const
const encryptionOf = (place: string, may: Member['may']): readonly Member[] => [
  { path: `${place}.encryption.osDiskImage.diskEncryptionSetId`, was: `${set}/a`, is: `${set}/b`, may },
  {
    path: `${place}.encryption.osDiskImage.securityProfile.confidentialVMEncryptionType`,
    was: confidential[0],
    is: confidential[1],
    may,
  },
  {
    path: `${place}.encryption.osDiskImage.securityProfile.secureVMDiskEncryptionSetId`,
    was: `${set}/a`,
    is: `${set}/b`,
    may,
  },
  { path: `${place}.encryption.dataDiskImages[].diskEncryptionSetId`, was: `${set}/a`, is: `${set}/b`, may },
]
const version: readonly Member[] = [
  { path: `${region}.regionalReplicaCount`, was: 1, is: 2, may: 'change' },
  // In an existing region it may not; the gallery room says so in Azure's own words.
  { path: `${region}.storageAccountType`, was: 'Standard_LRS', is: 'Premium_LRS', may: 'change' },
  { path: `${region}.excludeFromLatest`, was: false, is: true, may: 'change' },
  {
    path: `${region}.additionalReplicaSets[].storageAccountType`,
    was: 'Premium_LRS',
    is: 'Standard_LRS',
    may: 'change',
  },
  { path: `${region}.additionalReplicaSets[].regionalReplicaCount`, was: 1, is: 2, may: 'change' },
  ...encryptionOf(region, 'stay'),
  { path: `${profile}.replicaCount`, was: 1, is: 2, may: 'change' },
  { path: `${profile}.excludeFromLatest`, was: false, is: true, may: 'change' },
  { path: `${profile}.endOfLifeDate`, was: '2040-01-01', is: '2041-01-01', may: 'change' },
  { path: `${profile}.storageAccountType`, was: 'Standard_LRS', is: 'Premium_LRS', may: 'change' },
  { path: `${profile}.storageAccountStrategy`, was: 'PreferStandard_ZRS', is: 'DefaultStandard_LRS', may: 'change' },
  { path: `${profile}.replicationMode`, was: 'Full', is: 'Shallow', may: 'stay' },
  // Zones come and go as a whole; that keys of customers are refused is the gallery room's.
  ...encryptionOf(edge, 'change'),
  { path: `${edge}.extendedLocation.type`, was: 'EdgeZone', is: 'EdgeZone', may: 'change' },
  { path: `${edge}.extendedLocationReplicaCount`, was: 1, is: 2, may: 'change' },
  { path: `${edge}.storageAccountType`, was: 'Standard_LRS', is: 'Premium_LRS', may: 'change' },
  { path: `${storage}.source.id`, was: `${image}/a`, is: `${image}/b`, may: 'stay' },
  { path: `${storage}.source.communityGalleryImageId`, was: '/CommunityGalleries/a', is: '/b', may: 'stay' },
  { path: `${storage}.source.virtualMachineId`, was: `${image}/a`, is: `${image}/b`, may: 'stay' },
  ...['osDiskImage', 'dataDiskImages[]'].flatMap((disk): readonly Member[] => [
    { path: `${storage}.${disk}.hostCaching`, was: 'None', is: 'ReadOnly', may: 'change' },
    { path: `${storage}.${disk}.source.id`, was: `${image}/a`, is: `${image}/b`, may: 'stay' },
    { path: `${storage}.${disk}.source.uri`, was: 'https://a', is: 'https://b', may: 'stay' },
    { path: `${storage}.${disk}.source.storageAccountId`, was: `${image}/a`, is: `${image}/b`, may: 'stay' },
  ]),
  { path: 'safetyProfile.allowDeletionOfReplicatedLocations', was: false, is: true, may: 'change' },
  { path: 'safetyProfile.blockDeletionBeforeEndOfLife', was: false, is: true, may: 'change' },
  {
    path: `${uefi}.signatureTemplateNames`,
    was: ['NoSignatureTemplate'],
    is: ['MicrosoftWindowsTemplate'],
    may: 'stay',
  },
  ...['pk', 'kek[]', 'db[]', 'dbx[]'].flatMap((key): readonly Member[] => [
    { path: `${uefi}.additionalSignatures.${key}.type`, was: 'x509', is: 'sha256', may: 'stay' },
    { path: `${uefi}.additionalSignatures.${key}.value`, was: ['a'], is: ['b'], may: 'stay' },
  ]),
]

/** Identify an element, or are about one request only: other tests' business. */
const notHere = new Set([
  `${region}.name`,
  `${region}.encryption.dataDiskImages[].lun`,
  `${edge}.encryption.dataDiskImages[].lun`,
  `${edge}.name`,
  `${edge}.extendedLocation.name`,
  `${storage}.dataDiskImages[].lun`,
  'restore',
  'allowUpdateImage',
])
const identities: readonly (readonly [path: string, value: Json])[] = [
  [`${region}.name`, 'West US'],
  [`${region}.encryption.dataDiskImages[].lun`, 1],
  [`${edge}.name`, 'West US'],
  [`${edge}.extendedLocation.name`, 'losangeles'],
  [`${edge}.encryption.dataDiskImages[].lun`, 1],
  [`${storage}.dataDiskImages[].lun`, 1],
]

function leavesOf(schema: SchemaNode, at: string): readonly string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, member]) => {
    if (isReadOnly(member, newest) || !isMemberOf(member, newest)) return []
    const path = at === '' ? name : `${at}.${name}`
    if (member.properties !== undefined) return leavesOf(member, path)
    return member.items?.properties === undefined ? [path] : leavesOf(member.items, `${path}[]`)
  })
}

function place(into: Json | undefined, [step = '', ...rest]: readonly string[], value: Json): Json {
  const isElement = step.endsWith('[]')
  const name = isElement ? step.slice(0, -2) : step
  const object = isJsonObject(into) ? into : {}
  if (rest.length === 0) return { ...object, [name]: value }
  const inner = object[name]
  const next = place(isElement && Array.isArray(inner) ? inner[0] : inner, rest, value)
  return { ...object, [name]: isElement ? [next] : next }
}

function bodyOf(members: readonly (readonly [path: string, value: Json])[]): JsonObject {
  let body: Json = {}
  for (const [path, value] of members) body = place(body, path.split('.'), value)
  return isJsonObject(body) ? body : {}
}

for (const [path, table] of [
  ['galleries/images', definition],
  ['galleries/images/versions', version],
] as const) {
  const type = findResourceType(`Microsoft.Compute/${path}`)
  assert.ok(type)
  const facts = { type, apiVersion: newest, regions: azureRegions }
  const given = table.map(({ path: at, was }): readonly [string, Json] => [at, was])
  const own = path.endsWith('versions') ? identities : []
  const make = (changed: readonly (readonly [string, Json])[] = []): JsonObject => ({
    location: 'westus',
    properties: bodyOf([...own, ...given, ...changed]),
  })
  const before = { ...draftOfPut(facts, make(), undefined), id: '/subscriptions/s/x', name: 'x' }

  suite(`what may change of ${path}`, () => {
    test('every member is in the table', () => {
      const leaves = leavesOf(propertiesSchema(type), '').filter((leaf) => !notHere.has(leaf))
      assert.deepEqual(leaves.toSorted(), table.map(({ path: at }) => at).toSorted())
    })
    test('everything sent again changes nothing', () => {
      assert.deepEqual(draftOfPut(facts, make(), before).properties, before.properties)
    })
    for (const { path: at, is, may } of table)
      test(`${at} may ${may}`, () => {
        const body = make([[at, is]])
        for (const draft of [
          () => draftOfPut(facts, body, before),
          () => draftOfPatch(facts, { properties: body['properties'] ?? {} }, before),
        ])
          if (may === 'change') draft()
          else assert.throws(draft, (error) => error instanceof Problem && error.code === 'PropertyChangeNotAllowed')
      })
  })
}
