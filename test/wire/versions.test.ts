import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { ArmDocument, ArmProperties } from '../support/goldleaf.ts'
import { dynamicVhd, fixedVhd, someDisk } from './vhd.ts'
import { openWire, storageAccount, versionBody } from './wire.ts'
import type { Body, Json, Wire } from './wire.ts'

interface Transfer {
  readonly lun: number
  readonly bytesRead?: number
  readonly bytesNew?: number
  readonly bytesSent?: number
}
interface RegionLine {
  readonly region: string
  readonly state: string
  readonly progress: number
  readonly transfers?: readonly Transfer[]
}

const three = ['West Europe', 'North Europe', 'East US']
const targets = (...names: readonly string[]): Json => names.map((name) => ({ name }))

suite('image versions on the wire', () => {
  let wire: Wire
  let uri = ''
  const disk = someDisk(4)
  before(async () => {
    wire = await openWire()
    uri = await wire.blob('one.vhd', fixedVhd(disk))
    await wire.gallery('g')
    await wire.definition('g/d')
    await wire.definition('g/copies')
  })
  after(() => wire?.[Symbol.asyncDispose]())

  const at = (path: string, query = ''): string => wire.at(`galleries/g/images/${path}`, '2024-03-03', query)
  const get = async (path: string): Promise<ArmProperties> => {
    const { status, body } = await wire.arm.call('GET', at(path, '&$expand=ReplicationStatus'))
    assert.equal(status, 200, JSON.stringify(body))
    return body.properties ?? {}
  }
  const transfers = async (path: string): Promise<readonly RegionLine[]> => {
    const { body } = await wire.arm.call('GET', at(path, '&$expand=ReplicationStatus,Transfers'))
    return body.properties?.replicationStatus?.summary ?? []
  }
  const latest = async (location: string): Promise<ArmDocument> => {
    const { body } = await wire.arm.call('POST', at('d/resolveLatest'), { location })
    return body
  }
  const regionsOf = (properties: ArmProperties): readonly string[] =>
    (properties.publishingProfile?.targetRegions ?? []).map(({ name }) => name)

  test('three regions in any spelling: stored as display names, each with count and class, complete at the end', async () => {
    const profile = {
      replicaCount: 2,
      storageAccountType: 'Premium_LRS',
      targetRegions: [
        { name: 'westeurope' },
        { name: 'NORTH EUROPE', regionalReplicaCount: 5, storageAccountType: 'Standard_ZRS' },
        { name: 'EastUS', storageAccountType: 'standard_lrs' },
      ],
      endOfLifeDate: '2041-02-03T04:05:06+02:00',
    }
    const created = await wire.arm.must('PUT', at('d/versions/1.0.0'), versionBody(uri, profile))
    assert.deepEqual(created.body.properties?.publishingProfile?.targetRegions, [
      { name: 'West Europe', regionalReplicaCount: 2, storageAccountType: 'Premium_LRS' },
      { name: 'North Europe', regionalReplicaCount: 5, storageAccountType: 'Standard_ZRS' },
      { name: 'East US', regionalReplicaCount: 2, storageAccountType: 'Standard_LRS' },
    ])
    const shown = await get('d/versions/1.0.0')
    assert.equal(shown.publishingProfile?.endOfLifeDate, '2041-02-03T02:05:06+00:00')
    assert.match(shown.publishingProfile?.publishedDate ?? '', /^\d{4}-.*\.\d{7}\+00:00$/)
    assert.deepEqual(shown.replicationStatus, {
      aggregatedState: 'Completed',
      summary: three.map((region) => ({ region, state: 'Completed', progress: 100 })),
    })
    assert.equal(shown.storageProfile?.osDiskImage?.sizeInGB, 1, 'filled in after completion')
    assert.equal(shown.storageProfile?.osDiskImage?.hostCaching, 'ReadWrite')
    const plain = await wire.arm.call('GET', at('d/versions/1.0.0'))
    assert.equal(plain.body.properties?.replicationStatus, undefined, 'only on demand')
    const { body: list } = await wire.arm.call('GET', at('d/versions', '&$expand=ReplicationStatus'))
    assert.equal(list.value?.[0]?.properties?.replicationStatus, undefined, 'lists have none')
  })

  test('a change without work is done at once: tags change twice in a row, each answer with its own ended operation', async () => {
    for (const tag of ['one', 'two']) {
      const answer = await wire.arm.call('PATCH', at('d/versions/1.0.0'), { tags: { tag } })
      assert.deepEqual([answer.status, answer.body.properties?.provisioningState], [200, 'Updating'])
      const { body } = await wire.arm.call('GET', answer.headers.get('azure-asyncoperation') ?? '')
      assert.deepEqual([body.name, body.status], [answer.headers.get('x-ms-request-id'), 'Succeeded'])
      assert.equal((await get('d/versions/1.0.0')).provisioningState, 'Succeeded')
    }
    assert.deepEqual((await wire.arm.call('GET', at('d/versions/1.0.0'))).body.tags, { tag: 'two' })
  })

  test('progress is true while it works: never back, 100 only where it is complete', async () => {
    const big = await wire.blob('big.vhd', fixedVhd(someDisk(128)))
    const created = await wire.arm.call(
      'PUT',
      at('copies/versions/9.0.0'),
      versionBody(big, { targetRegions: targets(...three) }),
    )
    assert.equal(created.status, 201)
    const last = new Map<string, number>()
    const states = new Set<string>()
    for (let state = 'Creating'; state === 'Creating';) {
      const properties = await get('copies/versions/9.0.0')
      state = properties.provisioningState ?? ''
      const { aggregatedState = '', summary = [] } = properties.replicationStatus ?? {}
      states.add(aggregatedState)
      assert.deepEqual(
        summary.map(({ region }) => region),
        three,
      )
      for (const line of summary) {
        assert.equal(line.progress === 100, line.state === 'Completed', JSON.stringify(summary))
        assert.ok(line.progress >= (last.get(line.region) ?? 0), JSON.stringify([...last, summary]))
        last.set(line.region, line.progress)
      }
      if (aggregatedState === 'Completed') assert.ok(summary.every((line) => line.state === 'Completed'))
    }
    assert.ok(states.has('InProgress'), [...states].join())
    assert.equal((await wire.arm.settle(created)).status, 'Succeeded')
    assert.equal((await get('copies/versions/9.0.0')).replicationStatus?.aggregatedState, 'Completed')
  })

  test('the publishing date stays with every PUT and PATCH', async () => {
    const before = (await get('d/versions/1.0.0')).publishingProfile
    await wire.arm.must('PATCH', at('d/versions/1.0.0'), {
      properties: { publishingProfile: { endOfLifeDate: '2042-01-01' } },
    })
    const after = (await get('d/versions/1.0.0')).publishingProfile
    assert.equal(after?.endOfLifeDate, '2042-01-01T00:00:00+00:00')
    assert.equal(after?.publishedDate, before?.publishedDate)
    assert.deepEqual(after?.targetRegions, before?.targetRegions)
  })

  test('a PATCH adds a region, with count and class; nothing is read from the source again', async () => {
    await wire.publish('g/d/1.1.0', uri, { targetRegions: targets('westeurope'), replicaCount: 3 })
    await wire.arm.must('PATCH', at('d/versions/1.1.0'), {
      properties: { publishingProfile: { targetRegions: targets('westeurope', 'eastus') } },
    })
    const shown = await get('d/versions/1.1.0')
    assert.deepEqual(shown.publishingProfile?.targetRegions, [
      { name: 'West Europe', regionalReplicaCount: 3, storageAccountType: 'Standard_LRS' },
      { name: 'East US', regionalReplicaCount: 3, storageAccountType: 'Standard_LRS' },
    ])
    assert.equal(shown.replicationStatus?.aggregatedState, 'Completed')
  })

  test('a region goes by PUT and by PATCH only where the safety profile lets it', async () => {
    const path = at('d/versions/1.1.0')
    const fewer = { publishingProfile: { targetRegions: targets('westeurope') } }
    for (const [method, body] of [
      ['PATCH', { properties: fewer }],
      ['PUT', { location: 'westeurope', properties: fewer }],
    ] as const) {
      const refused = await wire.arm.call(method, path, body)
      assert.equal(refused.status, 409, JSON.stringify(refused.body))
      assert.equal(refused.body.error?.code, 'OperationNotAllowed')
      assert.match(
        refused.body.error?.message ?? '',
        /'East US'.*allowDeletionOfReplicatedLocations is false\. Set it to true/,
      )
      assert.deepEqual(regionsOf(await get('d/versions/1.1.0')), ['West Europe', 'East US'])
    }
    const allow = { safetyProfile: { allowDeletionOfReplicatedLocations: true } }
    await wire.arm.must('PATCH', path, { properties: { ...fewer, ...allow } })
    assert.deepEqual(regionsOf(await get('d/versions/1.1.0')), ['West Europe'])
    await wire.arm.must('PUT', path, {
      location: 'westeurope',
      properties: { publishingProfile: { targetRegions: targets(...three) }, ...allow },
    })
    const shown = await get('d/versions/1.1.0')
    assert.deepEqual(regionsOf(shown), three, 'an update may leave the source out')
    assert.equal(shown.replicationStatus?.aggregatedState, 'Completed')
    await wire.arm.must('PUT', path, {
      location: 'westeurope',
      properties: { publishingProfile: { targetRegions: targets('westeurope', 'northeurope') }, ...allow },
    })
    assert.deepEqual(regionsOf(await get('d/versions/1.1.0')), ['West Europe', 'North Europe'])
    const gone = await wire.arm.call('POST', at('d/versions/1.1.0/beginGetAccess'), {
      access: 'Read',
      durationInSeconds: 60,
      region: 'eastus',
    })
    assert.equal(gone.status, 404, 'a region that was taken away serves no more')
    assert.equal(gone.body.error?.code, 'GalleryImageNotFound')
  })

  test('replica counts change by PATCH, for all and for one region', async () => {
    await wire.arm.must('PATCH', at('d/versions/1.1.0'), {
      properties: {
        publishingProfile: {
          replicaCount: 4,
          targetRegions: [{ name: 'westeurope', regionalReplicaCount: 100 }, { name: 'northeurope' }],
        },
      },
    })
    const { targetRegions = [] } = (await get('d/versions/1.1.0')).publishingProfile ?? {}
    assert.equal(targetRegions[0]?.regionalReplicaCount, 100)
    assert.equal(targetRegions[1]?.regionalReplicaCount, 4, 'its own count, or else the global one')
  })

  test('latest is the highest number per region; exclusion works globally and per region, which comes first', async () => {
    assert.equal((await latest('northeurope')).latestVersionName, '1.1.0')
    assert.equal((await latest('East US')).latestVersionName, '1.0.0', '1.1.0 is not in East US')
    await wire.publish('g/d/1.0.12', uri)
    await wire.publish('g/d/1.0.9', uri)
    await wire.publish('g/d/10.0.0', uri, { excludeFromLatest: true })
    const here = await latest('westeurope')
    assert.equal(here.latestVersionName, '1.1.0')
    assert.deepEqual(
      here.passedOver?.map(({ name, reason }) => `${name} ${reason}`),
      ['10.0.0 excludedFromLatest'],
    )
    const steps: readonly { why: string; version: string; profile: Body; latest: string }[] = [
      { why: 'excluded globally', version: '1.1.0', profile: { excludeFromLatest: true }, latest: '1.0.12' },
      {
        why: 'the region takes precedence over the global flag',
        version: '1.1.0',
        profile: { targetRegions: [{ name: 'westeurope', excludeFromLatest: false }, { name: 'northeurope' }] },
        latest: '1.1.0',
      },
      {
        why: 'excluded in the region only',
        version: '1.1.0',
        profile: {
          excludeFromLatest: false,
          targetRegions: [{ name: 'westeurope', excludeFromLatest: true }, { name: 'northeurope' }],
        },
        latest: '1.0.12',
      },
      { why: 'included again', version: '10.0.0', profile: { excludeFromLatest: false }, latest: '10.0.0' },
    ]
    for (const { why, version, profile, latest: wanted } of steps) {
      await wire.arm.must('PATCH', at(`d/versions/${version}`), { properties: { publishingProfile: profile } })
      assert.equal((await latest('westeurope')).latestVersionName, wanted, why)
    }
    assert.equal((await latest('northeurope')).latestVersionName, '1.1.0')
    const names = (await wire.arm.call('GET', at('d/versions'))).body.value?.map(({ name }) => name)
    assert.deepEqual(names, ['1.0.0', '1.0.9', '1.0.12', '1.1.0', '10.0.0'], 'ascending: the last is the highest')
  })

  test('no version in a region: 404 GalleryImageNotFound with the id of the definition', async () => {
    await wire.definition('g/none')
    const { status, body } = await wire.arm.call('POST', at('none/resolveLatest'), { location: 'eastus' })
    assert.equal(status, 404)
    assert.equal(body.error?.code, 'GalleryImageNotFound')
    assert.equal(
      body.error?.message,
      `"The gallery image ${wire.id('galleries/g/images/none')} is not available in eastus region. ` +
        'Please contact image owner to replicate to this region, or change your requested region."',
    )
  })

  test('another version as the source: no byte is read, none is new, the content is the same', async () => {
    const source = { id: wire.id('galleries/g/images/d/versions/1.0.9') }
    await wire.arm.must('PUT', at('copies/versions/1.0.0'), {
      location: 'westeurope',
      properties: { storageProfile: { source }, publishingProfile: { targetRegions: targets('westeurope') } },
    })
    const [line] = await transfers('copies/versions/1.0.0')
    assert.deepEqual(
      line?.transfers?.map(({ bytesRead, bytesNew }) => ({ bytesRead, bytesNew })),
      [{ bytesRead: 0, bytesNew: 0 }],
    )
    const access = { access: 'Read', durationInSeconds: 60 }
    const copy = await wire.arm.call('POST', at('copies/versions/1.0.0/beginGetAccess'), access)
    const origin = await wire.arm.call('POST', at('d/versions/1.0.9/beginGetAccess'), access)
    assert.equal(copy.body.root, origin.body.root)
    const bytes = Buffer.from(await (await fetch(copy.body.accessSAS ?? '')).arrayBuffer())
    assert.ok(bytes.equals(disk))
    await wire.arm.must('DELETE', at('d/versions/1.0.9'))
    const still = Buffer.from(await (await fetch(copy.body.accessSAS ?? '')).arrayBuffer())
    assert.ok(still.equals(disk), 'it stands when its source is gone')
  })

  test('a dynamic VHD, data disks with LUNs, and every replica checked byte by byte', async () => {
    const second = someDisk(3)
    const dynamic = await wire.blob('dynamic.vhd', dynamicVhd(disk))
    const data = await wire.blob('data.vhd', fixedVhd(second))
    await wire.arm.must('PUT', at('copies/versions/2.0.0'), {
      location: 'westeurope',
      properties: {
        storageProfile: {
          osDiskImage: { source: { uri: dynamic, storageAccountId: storageAccount } },
          dataDiskImages: [{ lun: 7, source: { uri: data, storageAccountId: storageAccount } }],
        },
        publishingProfile: { targetRegions: targets('westeurope', 'eastus') },
      },
    })
    const shown = await get('copies/versions/2.0.0')
    assert.equal(shown.storageProfile?.dataDiskImages?.[0]?.hostCaching, 'ReadOnly', 'as recorded')
    await wire.arm.must('PUT', at('copies/versions/2.0.1'), {
      location: 'westeurope',
      properties: { storageProfile: { source: { id: wire.id('galleries/g/images/copies/versions/2.0.0') } } },
    })
    const whole = (await get('copies/versions/2.0.1')).storageProfile
    assert.deepEqual(whole?.dataDiskImages, [{ lun: 7, hostCaching: 'None', sizeInGB: 1 }])
    assert.equal(shown.storageProfile?.dataDiskImages?.[0]?.lun, 7)
    assert.equal(shown.storageProfile?.dataDiskImages?.[0]?.sizeInGB, 1)
    for (const [lun, wanted] of [
      [undefined, disk],
      [7, second],
    ] as const) {
      const { body } = await wire.arm.call('POST', at('copies/versions/2.0.0/beginGetAccess'), {
        access: 'Read',
        durationInSeconds: 60,
        region: 'eastus',
        ...(lun === undefined ? {} : { lun }),
      })
      const bytes = Buffer.from(await (await fetch(body.accessSAS ?? '')).arrayBuffer())
      assert.ok(bytes.equals(wanted), `LUN ${lun}`)
    }
    const started = await wire.arm.call('POST', at('copies/versions/2.0.0/verify'))
    assert.equal(started.status, 202)
    assert.equal((await wire.arm.settle(started)).status, 'Succeeded')
    const { body: result } = await wire.arm.call('GET', started.headers.get('location') ?? '')
    assert.deepEqual(
      result.replicas?.map(({ region, lun, lost, repaired }) => ({ region, lun, lost, repaired })).length,
      4,
    )
    for (const replica of result.replicas ?? []) {
      assert.deepEqual(replica.lost, [])
      assert.ok(replica.bytesChecked > 0)
    }
  })

  test('the end of life: a version past none blocks its deletion only where it was asked to', async () => {
    const path = at('d/versions/5.0.0')
    const safety = { safetyProfile: { blockDeletionBeforeEndOfLife: true } }
    await wire.arm.must('PUT', path, versionBody(uri, { endOfLifeDate: '2040-01-01' }, safety))
    const refused = await wire.arm.call('DELETE', path)
    assert.equal(refused.status, 409)
    assert.deepEqual(refused.body.error, {
      code: 'DeleteGalleryImageVersionBlockedBeforeEndOfLife',
      message:
        'Deletion of Gallery image version is not allowed because the image is enabled for blockDeletionBeforeEndOfLife and its endOfLifeDate has not reached yet',
    })
    await wire.arm.must('PATCH', path, { properties: { safetyProfile: { blockDeletionBeforeEndOfLife: false } } })
    await wire.arm.must('DELETE', path)
  })
})
