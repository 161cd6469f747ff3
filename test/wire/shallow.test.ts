import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { assertRefused, diskVersion, openWire, versionBody } from './wire.ts'
import type { Body, Wire } from './wire.ts'
import { fixedVhd, someDisk } from './vhd.ts'

interface Line {
  readonly state: string
  readonly transfers?: readonly {
    readonly bytesNew: number
    readonly bytesRead: number
    readonly storageClass: string
  }[]
}

suite('versions with replicationMode Shallow', () => {
  let wire: Wire
  let uri = ''
  let folder = ''
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'goldleaf-shallow-'))
    const config = join(folder, 'goldleaf.json')
    await writeFile(config, JSON.stringify({ limits: { fullDiskSizeGiB: 1 } }))
    wire = await openWire({ args: ['--config', config] })
    uri = await wire.blob('one.vhd', fixedVhd(someDisk(4)))
    await wire.gallery('g')
    await wire.definition('g/d')
    await wire.publish('g/d/1.0.0', uri, { targetRegions: [{ name: 'westeurope', storageAccountType: 'Premium_LRS' }] })
  })
  after(async () => {
    await wire?.[Symbol.asyncDispose]()
    await rm(folder, { recursive: true, force: true })
  })

  const at = (version: string, query = ''): string =>
    wire.at(`galleries/g/images/d/versions/${version}`, '2024-03-03', query)
  const shallow = (profile: Body = {}, location = 'westeurope'): Body => ({
    location,
    properties: {
      storageProfile: { source: { id: wire.id('galleries/g/images/d/versions/1.0.0') } },
      publishingProfile: { replicationMode: 'Shallow', ...profile },
    },
  })

  test('nothing is copied: it reads what the source keeps, in the class where that lies', async () => {
    const made = await wire.arm.must('PUT', at('2.0.0'), shallow())
    assert.deepEqual(
      made.body.properties?.publishingProfile?.targetRegions?.map(({ name }) => name),
      ['West Europe'],
      'without target regions it is where it lives',
    )
    const { body } = await wire.arm.call('GET', at('2.0.0', '&$expand=ReplicationStatus,Transfers'))
    const [line] = (body.properties?.replicationStatus?.summary ?? []) as readonly Line[]
    assert.equal(line?.state, 'Completed')
    assert.deepEqual(
      line?.transfers?.map(({ bytesNew, bytesRead, storageClass }) => ({ bytesNew, bytesRead, storageClass })),
      [{ bytesNew: 0, bytesRead: 0, storageClass: 'Premium_LRS' }],
    )
  })

  test('it stays whole when its source is deleted', async () => {
    await wire.arm.must('DELETE', at('1.0.0'))
    const verified = await wire.arm.call('POST', at('2.0.0').replace('?', '/verify?'))
    assert.equal(verified.status, 202, JSON.stringify(verified.body))
    assert.equal((await wire.arm.settle(verified)).status, 'Succeeded')
    const latest = await wire.arm.call('POST', wire.at('galleries/g/images/d/resolveLatest'), {
      location: 'westeurope',
    })
    assert.equal(latest.body.latestVersionName, '2.0.0')
    await wire.arm.must('PUT', at('2.1.0'), {
      location: 'westeurope',
      properties: {
        storageProfile: { source: { id: wire.id('galleries/g/images/d/versions/2.0.0') } },
        publishingProfile: { targetRegions: [{ name: 'westeurope' }, { name: 'eastus' }] },
      },
    })
  })

  test('a VHD is in no store: it is taken in once, at home', async () => {
    await wire.arm.must('PUT', at('3.0.0'), versionBody(uri, { replicationMode: 'Shallow' }))
    const { body } = await wire.arm.call('GET', at('3.0.0', '&$expand=ReplicationStatus'))
    assert.equal(body.properties?.replicationStatus?.aggregatedState, 'Completed')
  })

  const one = /replicationMode 'Shallow' has one replica, in its own region 'westeurope'.*or use replicationMode 'Full'/
  for (const [why, profile] of [
    ['two regions', { targetRegions: [{ name: 'westeurope' }, { name: 'eastus' }] }],
    ['two replicas of the region', { targetRegions: [{ name: 'westeurope', regionalReplicaCount: 2 }] }],
    ['two replicas', { replicaCount: 2 }],
  ] as const)
    test(`refused: ${why}, at creation and later`, async () => {
      const refusal = { why, status: 400, code: 'InvalidParameter', says: one }
      await assertRefused(wire, { ...refusal, path: at('4.0.0'), body: shallow(profile) })
      const body = { properties: { publishingProfile: profile } }
      await assertRefused(wire, { ...refusal, method: 'PATCH', path: at('2.0.0'), body })
    })

  test('disks larger than Full allows are for Shallow alone', async () => {
    const disk = wire.at('disks/large', diskVersion)
    const creationData = { createOption: 'Empty' }
    await wire.arm.must('PUT', disk, { location: 'westeurope', properties: { creationData, diskSizeGB: 2 } })
    const body = (replicationMode: string): Body => ({
      location: 'westeurope',
      properties: {
        storageProfile: { osDiskImage: { source: { id: wire.id('disks/large') } } },
        publishingProfile: { replicationMode },
      },
    })
    const refusal = { why: 'Full', status: 400, code: 'GallerySourceResourceExceedsMaxSize' }
    const says = /resource size 2 exceeds the max size 1 supported/
    await assertRefused(wire, { ...refusal, path: at('5.0.0'), body: body('Full'), says })
    await wire.arm.must('PUT', at('5.0.0'), body('Shallow'))
    const copy: Body = {
      location: 'westeurope',
      properties: { storageProfile: { source: { id: wire.id('galleries/g/images/d/versions/5.0.0') } } },
    }
    await assertRefused(wire, { ...refusal, path: at('5.0.1'), body: copy, says })
  })

  test('refused: a source in another region', () =>
    assertRefused(wire, {
      why: 'another region',
      path: at('4.0.0'),
      body: shallow({}, 'northeurope'),
      status: 400,
      code: 'InvalidParameter',
      says: /^Source .*versions\/1\.0\.0 is not found\. Please check source exists, and is in the same region/,
    }))
})
