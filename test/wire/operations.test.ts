import assert from 'node:assert/strict'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { eventually } from '../support/goldleaf.ts'
import type { Answer } from '../support/goldleaf.ts'
import { fixedVhd, someDisk } from './vhd.ts'
import { definitionBody, diskVersion, galleryVersion, openWire, versionBody } from './wire.ts'
import type { Wire } from './wire.ts'

/** Long-running operations as contract.md section 3 recorded them from Azure. */
suite('operations on the wire', () => {
  let wire: Wire
  let uri = ''
  before(async () => {
    wire = await openWire()
    uri = await wire.blob('disk.vhd', fixedVhd(someDisk(4)))
  })
  after(() => wire?.[Symbol.asyncDispose]())

  function assertAsyncHeader(answer: Answer, apiVersion: string): void {
    const { headers } = answer
    const url = new URL(headers.get('azure-asyncoperation') ?? '')
    const requestId = headers.get('x-ms-request-id') ?? ''
    assert.equal(url.origin, wire.server.env.httpEndpoint)
    assert.equal(
      url.pathname,
      `${wire.subscription}/providers/Microsoft.Compute/locations/westeurope/capsOperations/${requestId}`,
    )
    assert.equal(url.searchParams.get('api-version'), apiVersion)
    assert.match(headers.get('retry-after') ?? '', /^\d+$/)
  }

  const kinds = [
    { what: 'a gallery', path: 'galleries/ops', body: () => ({ location: 'westeurope' }) },
    { what: 'a definition', path: 'galleries/ops/images/d', body: () => definitionBody('d') },
    { what: 'a version', path: 'galleries/ops/images/d/versions/1.0.0', body: () => versionBody(uri) },
  ] as const

  for (const { what, path, body } of kinds) {
    test(`PUT of ${what}: 201 Creating with Azure-AsyncOperation and no Location, then Succeeded`, async () => {
      const created = await wire.arm.call('PUT', wire.at(path), body())
      assert.equal(created.status, 201, JSON.stringify(created.body))
      assert.equal(created.body.properties?.provisioningState, 'Creating')
      assert.equal(created.headers.get('location'), null)
      assertAsyncHeader(created, galleryVersion)
      const done = await wire.arm.settle(created)
      assert.deepEqual(Object.keys(done).slice(0, 3), ['startTime', 'endTime', 'status'])
      assert.equal(done.status, 'Succeeded', JSON.stringify(done))
      assert.equal(done.name, created.headers.get('x-ms-request-id'))
      for (const time of [done.startTime, done.endTime])
        assert.match(time ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}\+00:00$/)
      const read = await wire.arm.call('GET', wire.at(path))
      assert.equal(read.body.properties?.provisioningState, 'Succeeded')
      assert.equal(read.headers.get('etag'), created.headers.get('etag'), 'the etag of the write holds after its end')
    })

    test(`the same PUT of ${what} again: 200 Updating, the same header, then Succeeded`, async () => {
      const updated = await wire.arm.call('PUT', wire.at(path), body())
      assert.equal(updated.status, 200, JSON.stringify(updated.body))
      assert.equal(updated.body.properties?.provisioningState, 'Updating')
      assert.equal(updated.headers.get('location'), null)
      assertAsyncHeader(updated, galleryVersion)
      assert.equal((await wire.arm.settle(updated)).status, 'Succeeded')
    })

    test(`PATCH of ${what}: 200 with the header; tags are replaced as a whole`, async () => {
      const patched = await wire.arm.call('PATCH', wire.at(path, '2023-07-03'), { tags: { owner: 'wire' } })
      assert.equal(patched.status, 200, JSON.stringify(patched.body))
      assertAsyncHeader(patched, '2023-07-03')
      assert.deepEqual(patched.body.tags, { owner: 'wire' })
      await wire.arm.settle(patched)
      const { body: shown } = await wire.arm.call('GET', wire.at(path))
      assert.deepEqual(shown.tags, { owner: 'wire' })
    })
  }

  test('a running operation says InProgress with startTime, status, name; PUT and PATCH wait outside', async () => {
    const big = await wire.blob('big.vhd', fixedVhd(someDisk(96, 600_000)))
    const path = wire.at('galleries/ops/images/d/versions/2.0.0')
    const created = await wire.arm.call('PUT', path, versionBody(big))
    assert.equal(created.status, 201)
    const running = await wire.arm.call('GET', created.headers.get('azure-asyncoperation') ?? '')
    assert.equal(running.status, 200)
    assert.equal(running.body.status, 'InProgress', 'so much noise takes longer than one request')
    assert.equal(running.body.endTime, undefined)
    assert.match(running.headers.get('retry-after') ?? '', /^\d+$/)
    for (const method of ['PUT', 'PATCH']) {
      const refused = await wire.arm.call(method, path, method === 'PUT' ? versionBody(big) : { tags: {} })
      assert.equal(refused.status, 409, JSON.stringify(refused.body))
      assert.equal(refused.body.error?.code, 'OperationNotAllowed')
      assert.match(refused.body.error?.message ?? '', /'ops\/d\/2\.0\.0'.*still at work.*Wait for that operation/s)
    }
    const { body: during } = await wire.arm.call('GET', path)
    assert.equal(during.properties?.provisioningState, 'Creating')
    assert.equal((await wire.arm.settle(created)).status, 'Succeeded')
  })

  test('DELETE while creating cancels the creation and removes all of it', async () => {
    const big = await wire.blob('big2.vhd', fixedVhd(someDisk(96, 600_000)))
    const path = wire.at('galleries/ops/images/d/versions/3.0.0')
    const created = await wire.arm.call('PUT', path, versionBody(big))
    assert.equal(created.status, 201)
    const deleted = await wire.arm.call('DELETE', path)
    assert.equal(deleted.status, 202, JSON.stringify(deleted.body))
    assert.equal((await wire.arm.settle(created)).status, 'Canceled')
    assert.equal((await wire.arm.settle(deleted)).status, 'Succeeded')
    assert.equal((await wire.arm.call('GET', path)).status, 404)
    const again = await wire.arm.must('PUT', path, versionBody(uri))
    assert.equal(again.status, 201, 'the name is free again')
  })

  test('DELETE: 202 without body, Azure-AsyncOperation and Location; 404 after the end, 204 for what is not there', async () => {
    for (const version of ['1.0.0', '2.0.0', '3.0.0']) {
      const path = wire.at(`galleries/ops/images/d/versions/${version}`)
      const deleted = await wire.arm.call('DELETE', path)
      assert.equal(deleted.status, 202)
      assert.deepEqual(deleted.body, {})
      assertAsyncHeader(deleted, galleryVersion)
      const monitor = new URL(deleted.headers.get('location') ?? '')
      const status = new URL(deleted.headers.get('azure-asyncoperation') ?? '')
      assert.equal(monitor.pathname, status.pathname)
      assert.equal(monitor.searchParams.get('monitor'), 'true')
      const end = await eventually(async () => {
        const answer = await wire.arm.call('GET', monitor.href)
        assert.notEqual(answer.status, 202)
        return answer
      })
      assert.equal(end.status, 200)
      assert.deepEqual(end.body, {})
      assert.equal((await wire.arm.call('GET', path)).status, 404)
      assert.equal((await wire.arm.call('DELETE', path)).status, 204)
    }
    for (const path of ['galleries/ops/images/d', 'galleries/ops']) {
      await wire.arm.must('DELETE', wire.at(path))
      assert.equal((await wire.arm.call('GET', wire.at(path))).status, 404, 'no lag before the parent can go')
      assert.equal((await wire.arm.call('DELETE', wire.at(path))).status, 204)
    }
    assert.equal((await wire.arm.call('DELETE', wire.at('galleries/no/images/no/versions/1.0.0'))).status, 204)
  })

  test('a failed operation: Failed with the replication error; the same PUT again makes it good', async () => {
    await wire.gallery('failing')
    await wire.definition('failing/d')
    const path = wire.at('galleries/failing/images/d/versions/1.0.0')
    const body = versionBody(uri, { targetRegions: [{ name: 'West Europe' }, { name: 'East US' }] })
    // Nothing can be written where the region's store should be.
    const region = join(wire.server.data, 'regions/eastus')
    await rm(region, { recursive: true, force: true })
    await writeFile(region, 'not a folder')
    const started = await wire.arm.call('PUT', path, body)
    assert.equal(started.status, 201)
    const done = await wire.arm.settle(started)
    assert.equal(done.status, 'Failed', JSON.stringify(done))
    assert.ok(done.endTime)
    assert.match(
      done.error?.message ?? '',
      /^Gallery replication jobs failed in one or more regions\. The failing regions' details are as follows: '\{region:eastus, detail:.+\}'\. If retry does not work, then please do an update by removing the failed regions and update again by adding them back\.$/,
    )
    const failed = await wire.arm.call('GET', `${path}&$expand=ReplicationStatus`)
    assert.equal(failed.body.properties?.provisioningState, 'Failed')
    const { aggregatedState, summary = [] } = failed.body.properties?.replicationStatus ?? {}
    assert.equal(aggregatedState, 'Failed')
    assert.deepEqual(
      summary.map(({ region, state }) => [region, state]),
      [
        ['West Europe', 'Completed'],
        ['East US', 'Failed'],
      ],
    )
    assert.equal(summary[0]?.progress, 100)
    assert.ok(summary[1]?.details, 'the region says why')
    const latest = wire.at('galleries/failing/images/d/resolveLatest')
    const nowhere = await wire.arm.call('POST', latest, { location: 'eastus' })
    assert.equal(nowhere.body.error?.code, 'GalleryImageNotFound')
    await rm(region)
    const again = await wire.arm.must('PUT', path, body)
    assert.equal(again.status, 200)
    const mended = await wire.arm.call('GET', `${path}&$expand=ReplicationStatus`)
    assert.equal(mended.body.properties?.provisioningState, 'Succeeded')
    assert.equal(mended.body.properties?.replicationStatus?.aggregatedState, 'Completed')
    assert.equal((await wire.arm.call('POST', latest, { location: 'eastus' })).body.latestVersionName, '1.0.0')
  })

  test('a disk answers 202 with both headers and its own kind of operation address', async () => {
    const created = await wire.arm.call('PUT', wire.at('disks/empty', diskVersion), {
      location: 'westeurope',
      properties: { creationData: { createOption: 'Empty' }, diskSizeGB: 1 },
    })
    assert.equal(created.status, 202, JSON.stringify(created.body))
    const status = created.headers.get('azure-asyncoperation') ?? ''
    assert.match(status, /\/locations\/westeurope\/DiskOperations\//)
    assert.match(created.headers.get('location') ?? '', /monitor=true/)
    assert.equal((await wire.arm.settle(created)).status, 'Succeeded')
    const end = await wire.arm.call('GET', created.headers.get('location') ?? '')
    assert.equal(end.status, 200)
    assert.equal(end.body.name, 'empty', 'Location leads to the resource at the end')
  })

  test('an operation that is not there: 404', async () => {
    const path = `${wire.subscription}/providers/Microsoft.Compute/locations/westeurope/capsOperations/00000000-0000-0000-0000-000000000000?api-version=${galleryVersion}`
    const { status, body } = await wire.arm.call('GET', path)
    assert.equal(status, 404)
    assert.equal(body.error?.code, 'NotFound')
  })
})
