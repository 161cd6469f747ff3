import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { galleryApiVersions, galleryPatchSince } from '../../src/contract/api-versions.ts'
import { openWire } from '../wire/wire.ts'
import type { Body, Wire } from '../wire/wire.ts'
import { acceptedDeviations } from './accepted-deviations.ts'
import { checkTraffic } from './check-traffic.ts'
import { makeAll, newest, regions } from './every-member.fixture.ts'
import { isNode } from './json-schema.ts'
import type { PublishedOperation } from './json-schema.ts'
import { hasMember, membersOf, publishedMembers } from './member-paths.ts'
import { readExamples, readPublishedModels } from './published-models.ts'

/**
 * Galleries and all below them, with every member that can be set, seen through every api-version: each shows what its
 * published model has, and nothing else; what it does not have cannot be changed through it.
 */
const models = readPublishedModels() ?? []
const operations = models.flatMap((model) => model.operations).filter(({ method }) => method === 'GET')
const skip = models.length === 0 ? '../shared/api/spec is absent: Azure’s published schemas cannot be compared' : false
if (skip !== false) console.warn(skip)

/** Members that are younger than the models on disk. */
const younger: readonly { readonly member: RegExp; readonly since: string; readonly why: string }[] = [
  {
    member: /softDeletePolicy\.(retention|grace)PeriodInDays$/,
    since: '2026-03-03',
    why: 'recorded (behaviour.md I); its model is not on disk',
  },
  {
    member: /features\[\]\.startsAtVersion$/,
    since: '2024-03-03',
    why: 'of every feature; no model of shared images after 2023-07-03 is on disk',
  },
]

/** Where we answer other than the models say, beside `acceptedDeviations`. */
const accepted = [
  { text: /must NOT have additional properties '((retention|grace)PeriodInDays|imageState)'/, why: 'younger' },
  { text: /(Shared|Community)GalleryImages_Get .*additional properties 'startsAtVersion'/, why: 'younger' },
]

/** Published, but not shown by what has it in other api-versions. */
const hidden: readonly { readonly line: RegExp; readonly why: string }[] = [
  {
    line: /^2020-09-30 .*sharingProfile|^2021-03-01 .*sharingProfile/,
    why: 'there only with $select=Permissions (recorded)',
  },
  {
    line: /DiskImages?(\[\])?\.source\.id$/,
    why: "a VHD's storage account stands there from 2020-09-30 to 2022-01-03 only",
  },
  {
    line: /^20(19|20|21|22-01).*versions\/3\.0\.0: .*DiskImages?(\[\])?\.source$/,
    why: 'disks of a whole image have an empty source from 2022-03-03 (recorded in 2024-03-03)',
  },
]

/** Published, but shown by nothing here. */
const unseen: readonly { readonly line: RegExp; readonly why: string }[] = [
  { line: /: apiVersion$/, why: "Bicep's own" },
  { line: /allowUpdateImage$|\.restore$/, why: 'said of one request, never shown' },
  { line: /summary\[\]\.details$|policyViolations/, why: 'of failures and violations' },
  { line: /source\.uri$/, why: 'declared by an allOf of three api-versions; nothing whole comes from a VHD' },
  { line: /source\.(communityGalleryImageId|virtualMachineId)$/, why: 'test/wire has them' },
  { line: /osDiskImage\.securityProfile/, why: 'no confidential machines here: refused' },
  { line: /targetExtendedLocations\[\]\.encryption/, why: 'refused: keys are kept for regions' },
  { line: /(applications|scripts|Profiles)\/versions: .*\.encryption/, why: 'refused, in Azure too (D-VMAPP)' },
  { line: /platformAttributes/, why: 'of marketplace images' },
  { line: /artifactTags|disclaimer\.disclaimer|communityMetadata\.privacyStatementUri/, why: 'nothing sets them' },
  { line: /communityGalleries.*purchasePlan/, why: 'a public gallery holds no marketplace images' },
]

/** Query words that show what is shown on demand; a word that an api-version does not know is left out there. */
const expands: Readonly<Record<string, string>> = {
  galleries: '$expand=SharingProfile/Groups',
  'galleries/images/versions': '$expand=ReplicationStatus,UefiSettings',
  'galleries/applications/versions': '$expand=ReplicationStatus',
  'galleries/scripts/versions': '$expand=ReplicationStatus',
}

suite('every member through every api-version', { skip, timeout: 180_000 }, () => {
  let wire: Wire
  let folder = ''
  const shown = new Map<string, ReadonlyMap<string, Body>>()
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'goldleaf-members-'))
    const config = join(folder, 'goldleaf.json')
    await writeFile(config, JSON.stringify({ regions }))
    wire = await openWire({ args: ['--config', config] })
    for (const path of await makeAll(wire)) shown.set(path, await showEverywhere(path))
  })
  after(async () => {
    await wire?.[Symbol.asyncDispose]()
    await rm(folder, { recursive: true, force: true })
  })

  const addressOf = (path: string, apiVersion: string): string => {
    const expand = expands[typeOf(path)]
    const query = expand === undefined ? '' : `&${expand}`
    return path.startsWith('/') ? `${path}?api-version=${apiVersion}${query}` : wire.at(path, apiVersion, query)
  }
  const showEverywhere = async (path: string): Promise<ReadonlyMap<string, Body>> => {
    const answers = new Map<string, Body>()
    for (const apiVersion of galleryApiVersions) {
      const { status, body } = await wire.arm.call('GET', addressOf(path, apiVersion))
      if (body.error?.code === 'NoRegisteredProviderFound') continue
      assert.equal(status, 200, `${path} ${apiVersion}: ${JSON.stringify(body)}`)
      answers.set(apiVersion, body as unknown as Body)
    }
    return answers
  }
  /** Where an api-version's model is not on disk, the newest before it stands in (contract.md section 1). */
  const findModel = (path: string, apiVersion: string): PublishedOperation => {
    const { pathname } = new URL(addressOf(path, apiVersion), 'http://host')
    const found = operations
      .filter((one) => one.apiVersion <= apiVersion && one.path.test(pathname))
      .toSorted((a, b) => (a.apiVersion < b.apiVersion ? 1 : -1))[0]
    assert.ok(found, `${path} is published in ${apiVersion}`)
    return found
  }
  const schemaOf = (path: string, apiVersion: string) => findModel(path, apiVersion).responses.get(200) ?? {}

  test('every answer fits the published model of its api-version', () => {
    const exchanges = [...shown].flatMap(([path, answers]) =>
      [...answers].map(([apiVersion, answer]) => ({
        method: 'GET',
        url: addressOf(path, findModel(path, apiVersion).apiVersion),
        status: 200,
        request: '',
        response: JSON.stringify(answer),
      })),
    )
    const verdict = checkTraffic(exchanges, models, { deviations: [...acceptedDeviations, ...accepted] })
    assert.deepEqual([...verdict.uncovered], [])
    assert.deepEqual([...verdict.findings], [])
  })

  test('an api-version shows every member that it has', () => {
    const lost: string[] = []
    for (const [path, answers] of shown) {
      const anywhere = new Set([...answers.values()].flatMap((answer) => [...membersOf(answer)]))
      for (const [apiVersion, answer] of answers) {
        const has = membersOf(answer)
        const schema = schemaOf(path, apiVersion)
        const missing = [...anywhere].filter((member) => !has.has(member) && hasMember(schema, member, models))
        lost.push(...missing.map((member) => `${apiVersion} ${path}: ${member}`))
      }
    }
    assert.deepEqual(
      lost.filter((line) => !hidden.some((one) => one.line.test(line))),
      [],
    )
  })

  test('what an api-version does not have cannot be changed through it', async () => {
    const own = [...shown.keys()].filter((path) => !path.startsWith('/'))
    const get = async (path: string): Promise<Body> => {
      const { body } = await wire.arm.call('GET', addressOf(path, newest))
      return { ...(body as unknown as Body), systemData: undefined }
    }
    const send = async (path: string, apiVersion: string): Promise<void> => {
      const before = await get(path)
      const schema = schemaOf(path, apiVersion)
      const isKnown = (member: string) => hasMember(schema, member, models) || isYounger(member, apiVersion)
      for (const method of apiVersion < galleryPatchSince ? ['PUT'] : ['PUT', 'PATCH']) {
        await wire.arm.must(method, wire.at(path, apiVersion), changeUnknown(before, isKnown))
        assert.deepEqual(await get(path), before, `${method} ${path} ${apiVersion}`)
      }
    }
    for (const apiVersion of galleryApiVersions)
      await Promise.all(own.filter((path) => shown.get(path)?.has(apiVersion)).map((path) => send(path, apiVersion)))
  })

  test("Azure's examples of SKUs: what they ask is answered, and what they show is shown", async () => {
    const examples = readExamples('Skus')
    assert.ok(examples.size >= 3)
    for (const [name, { parameters, responses }] of examples) {
      const { subscriptionId: _, $filter, ...query } = parameters
      const filter = $filter === undefined ? {} : { $filter: $filter.replace('westus', 'West Europe') }
      const url = `${wire.subscription}/providers/Microsoft.Compute/skus?${new URLSearchParams({ ...query, ...filter })}`
      const { status, body } = await wire.arm.call('GET', url)
      const exchange = { method: 'GET', url, status, request: '', response: JSON.stringify(body) }
      const { checked, findings } = checkTraffic([exchange], models, { deviations: [] })
      assert.deepEqual([checked, ...findings], [1], name)
      const ours = membersOf(body)
      const theirs = [...membersOf(responses['200']?.body)].filter((member) => !ours.has(member))
      // One page; no zone has what another one has not.
      const wanted = theirs.filter((member) => member !== 'nextLink' && !member.includes('.zoneDetails[].'))
      assert.deepEqual(wanted, [], name)
      const capabilities = (document: unknown): ReadonlySet<string> =>
        new Set([...JSON.stringify(document).matchAll(/\{"name":"(\w+)","value"/g)].map(([, word = '']) => word))
      const missing = capabilities(responses['200']?.body).difference(capabilities(body))
      // A machine's speed is the host's; there are no such disks.
      assert.deepEqual([...missing].toSorted(), ['ACUs', 'UltraSSDAvailable'], name)
    }
  })

  test('what is published is shown by something here', () => {
    const all = new Map<string, Set<string>>()
    const published = new Map<string, Set<string>>()
    for (const [path, answers] of shown)
      for (const [apiVersion, answer] of answers) {
        const type = typeOf(path)
        for (const member of membersOf(answer)) addTo(all, type, member)
        for (const member of publishedMembers(schemaOf(path, apiVersion), models)) addTo(published, type, member)
      }
    const never = [...published].flatMap(([type, members]) =>
      [...members].filter((member) => all.get(type)?.has(member) !== true).map((member) => `${type}: ${member}`),
    )
    assert.deepEqual(
      never.filter((line) => !unseen.some((one) => one.line.test(line))),
      [],
    )
  })
})

const isYounger = (member: string, apiVersion: string): boolean =>
  younger.some((one) => one.member.test(member) && apiVersion >= one.since)

/** A document in which every member that the schema does not have says something else. */
function changeUnknown(value: unknown, isKnown: (member: string) => boolean, at = ''): unknown {
  if (Array.isArray(value)) return value.map((element: unknown) => changeUnknown(element, isKnown, `${at}[]`))
  if (isNode(value))
    return Object.fromEntries(
      Object.entries(value).map(([name, member]) => [
        name,
        changeUnknown(member, isKnown, at === '' ? name : `${at}.${name}`),
      ]),
    )
  if (isKnown(at)) return value
  if (typeof value === 'boolean') return !value
  return typeof value === 'number' ? value + 1 : 'something else'
}

/** `galleries/images`, `locations/sharedGalleries`. */
function typeOf(path: string): string {
  const names = path.replace(/^.*\/providers\/Microsoft.Compute\//, '').split('/')
  return names.filter((_, index) => index % 2 === 0).join('/')
}

function addTo(map: Map<string, Set<string>>, key: string, value: string): void {
  const set = map.get(key) ?? new Set()
  map.set(key, set.add(value))
}
