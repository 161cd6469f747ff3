import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { promisify } from 'node:util'
import { computeClient } from '../support/compute-client.ts'
import { seededBytes } from '../support/disks.ts'
import { cli } from '../support/publishing.ts'
import { armCaller, eventually, startGoldleaf } from '../support/goldleaf.ts'
import type { Answer } from '../support/goldleaf.ts'
import { fixedVhd } from './vhd.ts'
import { assertRefused, definitionBody, diskVersion, openWire, versionBody } from './wire.ts'
import type { Wire } from './wire.ts'

const version = 'galleries/soft/images/d/versions'
const bin = 'galleries/soft/softDeletedArtifactTypes/Images/artifacts/d/versions'

/** Soft delete (behaviour.md I): what is deleted can be brought back with its bytes, until its time is over. */
suite('the recycle bin of a gallery', { timeout: 120_000 }, () => {
  let wire: Wire
  let uri = ''
  let published: Answer
  const softGallery = (isSoftDeleteEnabled: boolean): object => ({
    location: 'westeurope',
    properties: { softDeletePolicy: { isSoftDeleteEnabled } },
  })
  before(async () => {
    wire = await openWire()
    await wire.arm.must('PUT', wire.at('galleries/soft'), softGallery(true))
    await wire.definition('soft/d')
    uri = await wire.blob('soft.vhd', fixedVhd(seededBytes(8)(2 * 1024 * 1024)))
    await wire.publish('soft/d/1.0.0', uri, { replicaCount: 2, endOfLifeDate: '2040-01-01' })
    await wire.publish('soft/d/1.0.1', uri, { targetRegions: [{ name: 'westeurope' }, { name: 'eastus' }] })
    published = await wire.arm.call('GET', wire.at(`${version}/1.0.1`))
  })
  after(() => wire?.[Symbol.asyncDispose]())

  const listed = async (): Promise<string[]> => {
    const { status, body } = await wire.arm.call('GET', wire.at(bin))
    assert.equal(status, 200, JSON.stringify(body))
    return (body.value ?? []).map(({ name }) => name ?? '')
  }
  const latest = async (): Promise<string | undefined> => {
    const asked = { location: 'westeurope' }
    return (await wire.arm.call('POST', wire.at('galleries/soft/images/d/resolveLatest'), asked)).body.latestVersionName
  }

  test('a deleted version is out of sight: no GET, no list, not latest, and its name is not free', async () => {
    assert.equal(await latest(), '1.0.1')
    await wire.arm.must('DELETE', wire.at(`${version}/1.0.1`))
    assert.equal((await wire.arm.call('GET', wire.at(`${version}/1.0.1`))).status, 404)
    const { body } = await wire.arm.call('GET', wire.at(version))
    assert.deepEqual(
      body.value?.map(({ name }) => name),
      ['1.0.0'],
    )
    assert.equal(await latest(), '1.0.0')
    assert.equal(
      (await wire.arm.call('DELETE', wire.at(`${version}/1.0.1`))).status,
      204,
      'a repeated DELETE is harmless',
    )
    assert.deepEqual(await listed(), ['1.0.1'])
    await assertRefused(wire, {
      why: 'the name is taken',
      path: wire.at(`${version}/1.0.1`),
      body: versionBody(uri),
      status: 409,
      code: 'Conflict',
      says: /is in the recycle bin of its gallery.*restore: true.*softDeletedArtifactTypes\/Images\/artifacts\/d\/versions\/1\.0\.1/,
    })
  })

  test('who names it makes disks of it until its consumption ends; it is no source of another version', async () => {
    const make = (name: string, id: string) =>
      wire.arm.must('PUT', wire.at(`disks/${name}`, diskVersion), {
        location: 'westeurope',
        properties: { creationData: { createOption: 'FromImage', galleryImageReference: { id: wire.id(id) } } },
      })
    await make('named', `${version}/1.0.1`)
    await make('latest', 'galleries/soft/images/d')
    const source = { storageProfile: { source: { id: wire.id(`${version}/1.0.1`) } } }
    await assertRefused(wire, {
      why: 'consumption is by machines and disks',
      path: wire.at(`${version}/5.0.0`),
      body: { location: 'westeurope', properties: { ...source, publishingProfile: {} } },
      status: 400,
      code: 'InvalidParameter',
      says: /^Source .* is not found/,
    })
  })

  test('it is for galleries whose definitions are where they are', async () => {
    const policy = { properties: { softDeletePolicy: { isSoftDeleteEnabled: true } } }
    const says = /^'abroad' in 'eastus' cannot be in a gallery with soft delete.*own region 'westeurope'/
    const refusal = { status: 400, code: 'OperationNotAllowed', says }
    await wire.gallery('apart')
    const body = { ...definitionBody('abroad'), location: 'eastus' }
    await wire.arm.must('PUT', wire.at('galleries/apart/images/abroad'), body)
    const path = wire.at('galleries/apart')
    await assertRefused(wire, { why: 'turned on', method: 'PATCH', path, body: policy, ...refusal })
    await assertRefused(wire, { why: 'created', path: wire.at('galleries/soft/images/abroad'), body, ...refusal })
  })

  test('the SDK lists it, with its times in the newest api-version', async () => {
    const client = computeClient(wire.server)
    const items = await Array.fromAsync(client.softDeletedResource.listByArtifactName('wire', 'soft', 'Images', 'd'))
    assert.equal(items.length, 1)
    assert.equal(items[0]?.resourceArmId, wire.id(`${version}/1.0.1`))
    assert.equal(items[0]?.softDeletedArtifactType, 'Images')
    assert.ok(Date.parse(items[0]?.softDeletedTime ?? '') > Date.now() - 120_000)
  })

  test('what holds deleted versions cannot be deleted', async () => {
    await wire.arm.must('DELETE', wire.at(`${version}/1.0.0`))
    await assertRefused(wire, {
      why: 'the definition',
      method: 'DELETE',
      path: wire.at('galleries/soft/images/d'),
      status: 409,
      code: 'CannotDeleteResource',
      says: /nested resources exist.*galleries\/soft\/softDeletedArtifactTypes\/Images\/artifacts\/d\/versions\/1\.0\.0/,
    })
    assert.deepEqual(await listed(), ['1.0.0', '1.0.1'])
  })

  test('it comes back as it was, by the location alone as az sends it', async () => {
    const restored = await wire.arm.must('PUT', wire.at(`${version}/1.0.1`), { location: 'westeurope', tags: {} })
    assert.equal(restored.status, 200)
    assert.equal(restored.body.properties?.provisioningState, 'Updating')
    const { status, body } = await wire.arm.call(
      'GET',
      wire.at(`${version}/1.0.1`, undefined, '&$expand=ReplicationStatus'),
    )
    assert.equal(status, 200)
    const { replicationStatus, ...properties } = body.properties ?? {}
    assert.equal(replicationStatus?.aggregatedState, 'Completed')
    assert.deepEqual(properties, published.body.properties)
    assert.equal(await latest(), '1.0.1')
    assert.deepEqual(await listed(), ['1.0.0'])
    const verified = await wire.arm.call('POST', wire.at(`${version}/1.0.1/verify`))
    assert.equal((await wire.arm.settle(verified)).status, 'Succeeded')
  })

  test('properties.restore says it too; there must be something to restore', async () => {
    const restore = { location: 'westeurope', properties: { restore: true } }
    const place = ['--gallery', 'soft', '--definition', 'd']
    const list = await cli(wire.server, 'gallery', 'recycle-bin', 'list', ...place)
    assert.match(list.out, /^1\.0\.0 +westeurope +20\d\d-.* +20\d\d-/m, list.err)
    const done = await cli(wire.server, 'gallery', 'recycle-bin', 'restore', ...place, '--version', '1.0.0')
    assert.equal(done.code, 0, done.err)
    assert.deepEqual(await listed(), [])
    const { body } = await wire.arm.call('GET', wire.at(`${version}/1.0.0`))
    assert.equal(body.properties?.publishingProfile?.replicaCount, 2)
    assert.match(body.properties?.publishingProfile?.endOfLifeDate ?? '', /^2040-01-01/)
    await assertRefused(wire, {
      why: 'never there',
      path: wire.at(`${version}/9.9.9`),
      body: restore,
      status: 404,
      code: 'ResourceNotFound',
      says: /no deleted version .*9\.9\.9' to restore/,
    })
    await assertRefused(wire, {
      why: 'another artifact type',
      method: 'GET',
      path: wire.at(bin.replace('Images', 'Applications')),
      status: 400,
      code: 'InvalidParameter',
      says: /'Applications' of parameter artifactType/,
    })
  })

  test('bypassSoftDelete removes at once; what is purged gives its bytes back, what is kept does not', async () => {
    const stored = async (): Promise<number> => {
      const { stdout } = await promisify(execFile)('du', ['-sb', join(wire.server.data, 'regions', 'westeurope')])
      return Number.parseInt(stdout, 10)
    }
    const other = await wire.blob('other.vhd', fixedVhd(seededBytes(9)(4 * 1024 * 1024)))
    await wire.publish('soft/d/2.0.0', other)
    await wire.publish('soft/d/2.0.1', other)
    const full = await stored()
    const remove = `${version}/2.0.1?api-version=2026-03-03&bypassSoftDelete=`
    await assertRefused(wire, {
      why: 'neither true nor false',
      method: 'DELETE',
      path: wire.id(`${remove}maybe`),
      status: 400,
      code: 'InvalidParameter',
      says: "The value 'maybe' of parameter bypassSoftDelete is invalid. Use true or false.",
    })
    await wire.arm.must('DELETE', wire.id(`${remove}true`))
    assert.deepEqual(await listed(), [])
    const old = `${version}/2.0.0?api-version=2025-12-03&bypassSoftDelete=true`
    await wire.arm.must('DELETE', wire.id(old))
    assert.deepEqual(await listed(), ['2.0.0'], 'older api-versions do not know the word')
    await wire.arm.must('DELETE', wire.at(`${bin}/2.0.0`))
    await eventually(async () => assert.ok((await stored()) < full - 3 * 1024 * 1024))
  })

  test('kill -9 right after the DELETE and right after the PUT: it is in one place, whole', async () => {
    const { server } = wire
    await wire.arm.call('DELETE', wire.at(`${version}/1.0.1`))
    await server.kill()
    const second = await startGoldleaf({ data: server.data, earlier: server })
    const after = armCaller(second)
    await eventually(async () => {
      const { body } = await after.call('GET', wire.at(bin))
      assert.deepEqual(
        body.value?.map(({ name }) => name),
        ['1.0.1'],
      )
    })
    assert.equal((await after.call('GET', wire.at(`${version}/1.0.1`))).status, 404)
    const put = await after.call('PUT', wire.at(`${version}/1.0.1`), { location: 'westeurope' })
    assert.equal(put.status, 200)
    await second.kill()
    await using third = await startGoldleaf({ data: server.data, earlier: server })
    const last = armCaller(third)
    await eventually(async () => {
      const { body } = await last.call('GET', wire.at(`${version}/1.0.1`))
      assert.equal(body.properties?.provisioningState, 'Succeeded')
    })
    assert.deepEqual((await last.call('GET', wire.at(bin))).body.value, [])
    const verified = await last.settle(await last.call('POST', wire.at(`${version}/1.0.1/verify`)))
    assert.equal(verified.status, 'Succeeded')

    // Purged: the second DELETE of the life of a version, by the address of what is in the bin.
    await last.must('DELETE', wire.at(`${version}/1.0.1`))
    const purged = await last.must('DELETE', wire.at(`${bin}/1.0.1`))
    assert.equal(purged.status, 202)
    assert.ok(purged.headers.get('location'))
    assert.equal((await last.call('DELETE', wire.at(`${bin}/1.0.1`))).status, 204)
    const again = versionBody(uri.replace(server.env.httpEndpoint, third.env.httpEndpoint))
    assert.equal((await last.must('PUT', wire.at(`${version}/1.0.1`), again)).status, 201, 'the name is free')

    // With the policy off, what is still in the bin goes with its definition.
    await last.must('DELETE', wire.at(`${version}/1.0.0`))
    await last.must('PUT', wire.at('galleries/soft'), softGallery(false))
    await last.must('DELETE', wire.at(`${version}/1.0.1`))
    await last.must('DELETE', wire.at('galleries/soft/images/d'))
    await last.must('DELETE', wire.at('galleries/soft'))
  })
})
