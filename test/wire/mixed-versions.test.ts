import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { galleryApiVersions } from '../../src/contract/api-versions.ts'
import type { ArmProperties } from '../support/goldleaf.ts'
import { fixedVhd, someDisk } from './vhd.ts'
import { assertRefused, definitionBody, openWire, versionBody } from './wire.ts'
import type { Body, Wire } from './wire.ts'

/** One session of az sends four api-versions to one resource (contract.md 1b): all see, and change, the same one. */
suite('one session that mixes api-versions on one resource', () => {
  let wire: Wire
  const version = 'galleries/mix/images/i/versions/2.0.0'
  const from = (): string => wire.id('galleries/mix/images/i/versions/1.0.0')
  before(async () => {
    wire = await openWire()
    const uri = await wire.blob('disk.vhd', fixedVhd(someDisk(2)))
    await wire.arm.must('PUT', wire.at('galleries/mix', '2025-03-03'), { location: 'westeurope' })
    await wire.arm.must('PUT', wire.at('galleries/mix/images/i', '2021-10-01'), definitionBody('i'))
    await wire.arm.must(
      'PUT',
      wire.at('galleries/mix/images/i/versions/1.0.0', '2023-07-03'),
      versionBody(uri, { targetRegions: [{ name: 'westeurope' }, { name: 'eastus' }] }),
    )
  })
  after(() => wire?.[Symbol.asyncDispose]())

  const get = async (path: string, apiVersion: string): Promise<ArmProperties & Body> => {
    const { status, body } = await wire.arm.call('GET', wire.at(path, apiVersion))
    assert.equal(status, 200, JSON.stringify(body))
    return (body.properties ?? {}) as ArmProperties & Body
  }
  const profile = async (apiVersion: string): Promise<Body> =>
    (await get(version, apiVersion))['publishingProfile'] as unknown as Body

  test('2018-06-01 creates: the source in the publishing profile, seen in the storage profile from 2019-07-01', async () => {
    await wire.arm.must('PUT', wire.at(version, '2018-06-01'), {
      location: 'westeurope',
      properties: {
        publishingProfile: { source: { managedImage: { id: from() } }, replicaCount: 2 },
        storageProfile: { osDiskImage: { hostCaching: 'None' } },
      },
    })
    for (const apiVersion of galleryApiVersions) {
      const shown = await get(version, apiVersion)
      const isOld = apiVersion < '2019-07-01'
      const inProfile = (shown.publishingProfile as Body)['source']
      assert.deepEqual(inProfile, isOld ? { managedImage: { id: from() } } : undefined, apiVersion)
      const inStorage = (shown.storageProfile as Body)['source']
      assert.deepEqual(inStorage, isOld ? undefined : { id: from() }, apiVersion)
      assert.equal(shown.storageProfile?.osDiskImage?.sizeInGB, 1, apiVersion)
      assert.equal(shown.storageProfile?.osDiskImage?.hostCaching, 'ReadWrite', 'read-only in 2018-06-01')
    }
  })

  test('PUTs and PATCHes of eight api-versions add up; none takes away what it cannot express', async () => {
    const steps: readonly (readonly [method: string, apiVersion: string, properties: Body])[] = [
      ['PATCH', '2019-12-01', { publishingProfile: { targetRegions: [{ name: 'West Europe' }, { name: 'East US' }] } }],
      ['PATCH', '2022-03-03', { safetyProfile: { allowDeletionOfReplicatedLocations: true } }],
      ['PATCH', '2024-03-03', { safetyProfile: { blockDeletionBeforeEndOfLife: true } }],
      ['PATCH', '2026-03-03', { publishingProfile: { excludeFromLatest: true } }],
      ['PATCH', '2021-07-01', { publishingProfile: { endOfLifeDate: '2044-01-01' } }],
    ]
    for (const [method, apiVersion, properties] of steps)
      await wire.arm.must(method, wire.at(version, apiVersion), { properties })
    for (const apiVersion of ['2018-06-01', '2019-03-01', '2025-12-03']) {
      const { body } = await wire.arm.call('GET', wire.at(version, apiVersion))
      await wire.arm.must('PUT', wire.at(version, apiVersion), { ...body, tags: { by: apiVersion } })
    }
    const shown = await get(version, '2026-03-03')
    assert.deepEqual(shown['safetyProfile'], {
      allowDeletionOfReplicatedLocations: true,
      reportedForPolicyViolation: false,
      blockDeletionBeforeEndOfLife: true,
    })
    assert.equal(shown.publishingProfile?.excludeFromLatest, true)
    assert.equal(shown.publishingProfile?.replicaCount, 2)
    assert.equal(shown.publishingProfile?.endOfLifeDate, '2044-01-01T00:00:00+00:00')
    assert.equal(shown.publishingProfile?.targetRegions?.length, 2)
    assert.equal((await profile('2018-06-01'))['storageAccountType'], undefined)
    assert.equal((await profile('2019-03-01'))['storageAccountType'], 'Standard_LRS')
  })

  test('a changed source is named where the api-version has it', async () => {
    const other = from().replace('1.0.0', '9.9.9')
    const refused = (apiVersion: string, properties: Body, at: string) =>
      assertRefused(wire, {
        why: apiVersion,
        path: wire.at(version, apiVersion),
        body: { location: 'westeurope', properties },
        status: 409,
        code: 'PropertyChangeNotAllowed',
        says: `Changing property 'galleryImageVersion.properties.${at}' is not allowed.`,
        target: `galleryImageVersion.properties.${at}`,
      })
    for (const apiVersion of ['2018-06-01', '2019-03-01'])
      await refused(
        apiVersion,
        { publishingProfile: { source: { managedImage: { id: other } } } },
        'publishingProfile.source.managedImage.id',
      )
    await refused('2019-07-01', { storageProfile: { source: { id: other } } }, 'storageProfile.source.id')
    const shouted = from().toUpperCase()
    await wire.arm.must('PUT', wire.at(version, '2018-06-01'), {
      location: 'westeurope',
      properties: { publishingProfile: { source: { managedImage: { id: shouted } } } },
    })
  })

  test('there is no PATCH before 2019-07-01', async () => {
    for (const apiVersion of ['2018-06-01', '2019-03-01'])
      for (const path of ['galleries/mix', 'galleries/mix/images/i', version])
        await assertRefused(wire, {
          why: apiVersion,
          method: 'PATCH',
          path: wire.at(path, apiVersion),
          body: { tags: {} },
          status: 405,
          code: 'MethodNotAllowed',
          says: /PATCH is not allowed .*Use api-version '2019-07-01' or later/,
        })
  })

  test('a type below galleries that came later is not there in older api-versions', async () => {
    const later: readonly (readonly [path: string, type: string, since: string, last: string])[] = [
      ['applications/a', 'applications', '2019-03-01', '2018-06-01'],
      ['applications/a/versions/1.0.0', 'applications/versions', '2019-03-01', '2018-06-01'],
      ['inVMAccessControlProfiles/p', 'inVMAccessControlProfiles', '2024-03-03', '2023-07-03'],
      ['scripts/s', 'scripts', '2025-03-03', '2024-03-03'],
    ]
    for (const [path, type, since, last] of later) {
      const list = galleryApiVersions.filter((version) => version >= since).join(', ')
      const { status, body } = await wire.arm.call('GET', wire.at(`galleries/mix/${path}`, last))
      assert.equal(status, 400, type)
      assert.equal(body.error?.code, 'NoRegisteredProviderFound')
      assert.ok(body.error?.message.includes(`for type 'galleries/${type}'. The supported api-versions are '${list}'.`))
    }
  })

  test('another api-version: NoRegisteredProviderFound with the list of this type', async () => {
    const list = galleryApiVersions.join(', ')
    for (const [path, type] of [
      ['galleries/mix', 'galleries'],
      ['galleries/mix/images/i', 'galleries/images'],
      [version, 'galleries/images/versions'],
    ] as const)
      for (const apiVersion of ['2020-12-01', '2024-03-03-preview'])
        await assertRefused(wire, {
          why: apiVersion,
          method: 'GET',
          path: wire.at(path, apiVersion),
          status: 400,
          code: 'NoRegisteredProviderFound',
          says:
            `No registered resource provider found for location 'westeurope' and API version '${apiVersion}' for type ` +
            `'${type}'. The supported api-versions are '${list}'. The supported locations are 'westeurope, northeurope, eastus'.`,
        })
  })
})
