import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { request } from 'node:https'
import { after, before, suite, test } from 'node:test'
import { armCaller } from '../support/goldleaf.ts'
import type { ArmDocument } from '../support/goldleaf.ts'
import { definitionBody, diskVersion, galleryVersion, groupVersion, openWire, vmVersion } from './wire.ts'
import type { Wire } from './wire.ts'

const nowhere = '00000000-0000-0000-0000-00000000dead'

suite('resources on the wire', () => {
  let wire: Wire
  before(async () => {
    wire = await openWire()
  })
  after(() => wire?.[Symbol.asyncDispose]())

  const get = async (path: string): Promise<ArmDocument> => {
    const { status, body } = await wire.arm.call('GET', path)
    assert.equal(status, 200, JSON.stringify(body))
    return body
  }

  test('subscriptions, tenants and locations', async () => {
    const { subscriptionId, tenantId } = wire.server.env
    const list = await get('/subscriptions?api-version=2022-12-01')
    assert.deepEqual(
      list.value?.map(({ id }) => id),
      [`/subscriptions/${subscriptionId}`],
    )
    const own = await get(`${wire.subscription}?api-version=2022-12-01`)
    assert.deepEqual(Object.assign({ state: '' }, own).state, 'Enabled')
    const tenants = await get('/tenants?api-version=2022-12-01')
    assert.deepEqual(
      tenants.value?.map(({ id }) => id),
      [`/tenants/${tenantId}`],
    )
    const locations = await get(`${wire.subscription}/locations?api-version=2022-12-01`)
    assert.deepEqual(
      locations.value?.map(({ name }) => name),
      ['westeurope', 'northeurope', 'eastus'],
    )
  })

  test('providers name every type with its api-versions, newest first', async () => {
    interface Provider {
      readonly namespace: string
      readonly registrationState: string
      readonly resourceTypes: readonly { readonly resourceType: string; readonly apiVersions: readonly string[] }[]
    }
    const compute = (await get(
      `${wire.subscription}/providers/Microsoft.Compute?api-version=${groupVersion}`,
    )) as unknown as Provider
    assert.equal(compute.registrationState, 'Registered')
    const galleries = compute.resourceTypes.find(({ resourceType }) => resourceType === 'galleries')
    assert.equal(galleries?.apiVersions[0], '2026-03-03')
    for (const type of ['galleries/images', 'galleries/images/versions', 'disks', 'snapshots', 'virtualMachines'])
      assert.ok(
        compute.resourceTypes.some(({ resourceType }) => resourceType === type),
        type,
      )
    const all = await get(`${wire.subscription}/providers?api-version=${groupVersion}`)
    const namespaces = (all.value as unknown as readonly Provider[]).map(({ namespace }) => namespace)
    for (const name of ['Microsoft.Compute', 'Microsoft.Resources']) assert.ok(namespaces.includes(name), name)
    const registered = await wire.arm.call(
      'POST',
      `${wire.subscription}/providers/Microsoft.Compute/register?api-version=${groupVersion}`,
    )
    assert.equal(registered.status, 200)
  })

  test('resource groups: PUT 201 then 200, HEAD 204 and 404, PATCH tags, list, DELETE with what is in it', async () => {
    const path = `${wire.subscription}/resourceGroups/second?api-version=${groupVersion}`
    const created = await wire.arm.call('PUT', path, { location: 'North Europe', tags: { a: '1' } })
    assert.equal(created.status, 201)
    assert.equal(created.body.location, 'northeurope')
    assert.equal((await wire.arm.call('PUT', path, { location: 'northeurope' })).status, 200)
    assert.equal((await wire.arm.call('HEAD', path)).status, 204)
    assert.equal((await wire.arm.call('HEAD', path.replace('second', 'absent'))).status, 404)
    assert.deepEqual((await wire.arm.call('PATCH', path, { tags: { b: '2' } })).body.tags, { b: '2' })
    const names = (await get(`${wire.subscription}/resourceGroups?api-version=${groupVersion}`)).value
    assert.deepEqual(
      names?.map(({ name }) => name),
      ['second', 'wire'],
    )
    const gallery = `${wire.subscription}/resourceGroups/second/providers/Microsoft.Compute/galleries/in_second?api-version=${galleryVersion}`
    await wire.arm.must('PUT', gallery, { location: 'northeurope' })
    const deleted = await wire.arm.call('DELETE', path)
    assert.equal(deleted.status, 202)
    const monitor = deleted.headers.get('location') ?? ''
    for (let status = 202; status === 202;) ({ status } = await wire.arm.call('GET', monitor))
    assert.equal((await wire.arm.call('GET', path)).status, 404)
    assert.equal((await wire.arm.call('GET', gallery)).body.error?.code, 'ResourceGroupNotFound')
  })

  test('a gallery has its unique name from the first answer; the region is stored short, ids keep their spelling', async () => {
    const created = await wire.arm.must('PUT', wire.at('galleries/Golden_1.x'), {
      location: 'West Europe',
      properties: { description: 'the best', identifier: {} },
      tags: {},
    })
    assert.equal(created.body.location, 'westeurope')
    assert.equal(created.body.id, wire.id('galleries/Golden_1.x'))
    assert.equal(created.body.type, 'Microsoft.Compute/galleries')
    assert.equal(created.body.properties?.identifier?.uniqueName, `${wire.server.env.subscriptionId}-GOLDEN_1.X`)
    assert.deepEqual(created.body.tags, {}, 'tags: {} comes back as such')
    const shouted = wire.at('GALLERIES/GOLDEN_1.X').replace('/resourceGroups/wire', '/RESOURCEGROUPS/WIRE')
    const read = await get(shouted)
    assert.equal(read.id, wire.id('galleries/Golden_1.x'), 'addresses are not case-sensitive')
    assert.equal(read.properties?.description, 'the best')
    const put = await wire.arm.must('PUT', wire.at('galleries/golden_1.x'), { location: 'westeurope' })
    assert.equal(put.status, 200)
    const after = await get(wire.at('galleries/Golden_1.x'))
    assert.equal(after.tags, undefined, 'a PUT without tags has none')
    assert.equal(after.properties?.description, undefined, 'a PUT replaces')
    await wire.arm.must('PATCH', wire.at('galleries/Golden_1.x'), { properties: { description: 'again' } })
    assert.equal((await get(wire.at('galleries/Golden_1.x'))).properties?.description, 'again')
  })

  test('a definition: generation, architecture and the defaults that Azure adds', async () => {
    await wire.gallery('defs')
    const created = await wire.arm.must('PUT', wire.at('galleries/defs/images/plain'), {
      location: 'westeurope',
      properties: {
        ...(definitionBody('plain')['properties'] as object),
        hyperVGeneration: undefined,
        disallowed: {},
        osType: 'linux',
        endOfLifeDate: '2040-01-01',
        recommended: { vCPUs: { min: 1, max: 4 }, memory: { min: 1, max: 8 } },
      },
    })
    const shown = created.body.properties ?? {}
    assert.deepEqual(
      { ...shown, provisioningState: undefined },
      {
        osType: 'Linux',
        osState: 'Specialized',
        hyperVGeneration: 'V1',
        architecture: 'x64',
        identifier: { publisher: 'goldleaf', offer: 'wire', sku: 'plain' },
        endOfLifeDate: '2040-01-01T00:00:00+00:00',
        recommended: { vCPUs: { min: 1, max: 4 }, memory: { min: 1, max: 8 } },
        provisioningState: undefined,
      },
    )
    await wire.arm.must('PATCH', wire.at('galleries/defs/images/plain'), {
      properties: { description: 'changed', releaseNoteUri: 'https://notes' },
    })
    assert.equal((await get(wire.at('galleries/defs/images/plain'))).properties?.description, 'changed')
  })

  test('lists: upper-case group in ids, ascending by number, pages with nextLink', async () => {
    await wire.gallery('paged')
    const names = Array.from({ length: 53 }, (_, at) => `d${at}`)
    await Promise.all(names.map((name) => wire.definition(`paged/${name}`)))
    const first = await get(wire.at('galleries/paged/images'))
    assert.equal(first.value?.length, 50)
    assert.equal(new URL(first.nextLink ?? '').origin, wire.server.env.httpEndpoint)
    const second = await get(first.nextLink ?? '')
    assert.equal(second.nextLink, undefined, 'the last page has no link')
    const seen = [...(first.value ?? []), ...(second.value ?? [])]
    assert.deepEqual(
      seen.map(({ name }) => name),
      names,
      'd9 before d10',
    )
    assert.match(seen[0]?.id ?? '', /\/resourceGroups\/WIRE\/providers\//)
    const galleries = await get(wire.at('galleries'))
    const everywhere = await get(
      `${wire.subscription}/providers/Microsoft.Compute/galleries?api-version=${galleryVersion}`,
    )
    assert.deepEqual(
      galleries.value?.map(({ id }) => id),
      everywhere.value?.map(({ id }) => id),
    )
    const bad = await wire.arm.call('GET', wire.at('galleries/paged/images', galleryVersion, '&$skiptoken=nonsense'))
    assert.equal(bad.status, 400)
  })

  test('etags: If-Match of an old etag and If-None-Match: * are refused with 412, the current etag passes', async () => {
    const path = wire.at('galleries/tagged')
    const created = await wire.arm.must('PUT', path, { location: 'westeurope' })
    const old = created.headers.get('etag') ?? ''
    assert.match(old, /^"[0-9a-f-]{36}"$/)
    await wire.arm.must('PATCH', path, { tags: { n: '1' } })
    const current = (await wire.arm.call('GET', path)).headers.get('etag') ?? ''
    assert.notEqual(current, old)
    const cases = [
      { method: 'PATCH', headers: { 'if-match': old }, status: 412 },
      { method: 'DELETE', headers: { 'if-match': old }, status: 412 },
      { method: 'PUT', headers: { 'if-none-match': '*' }, status: 412 },
      { method: 'PATCH', headers: { 'if-match': current }, status: 200 },
    ]
    for (const { method, headers, status } of cases) {
      const body = method === 'DELETE' ? undefined : { location: 'westeurope', tags: { n: '2' } }
      const answer = await wire.arm.call(method, path, body, headers)
      assert.equal(answer.status, status, `${method} ${JSON.stringify(headers)} ${JSON.stringify(answer.body)}`)
      if (status === 412) assert.equal(answer.body.error?.code, 'PreconditionFailed')
      else await wire.arm.settle(answer)
    }
  })

  test('every ARM address is refused without a token, and with a wrong one, before anything else is said', async () => {
    const version = `api-version=${galleryVersion}`
    const paths = [
      `/subscriptions?${version}`,
      `/subscriptions/${nowhere}?${version}`,
      `/tenants?${version}`,
      `/providers?${version}`,
      `${wire.subscription}/locations?${version}`,
      `${wire.subscription}/providers/Microsoft.Compute?${version}`,
      `${wire.subscription}/resources?${version}`,
      `${wire.group}?api-version=${groupVersion}`,
      wire.at('galleries'),
      wire.at('galleries/g'),
      wire.at('galleries/g/images/i'),
      wire.at('galleries/g/images/i/versions/1.0.0'),
      wire.at('disks/d', diskVersion),
      wire.at('virtualMachines/v', vmVersion),
      `${wire.subscription}/providers/Microsoft.Compute/locations/westeurope/capsOperations/${nowhere}?${version}`,
      `${wire.subscription}/providers/Microsoft.Nothing/at/all`,
      '/goldleaf/v1/pushes/00000000-0000-0000-0000-000000000000',
    ]
    for (const path of paths)
      for (const method of path.includes('/pushes/') ? ['GET', 'DELETE'] : ['GET', 'PUT', 'PATCH', 'POST', 'DELETE']) {
        const bare = await fetch(wire.server.env.httpEndpoint + path, { method })
        if (bare.status === 404) {
          // An address without any route: nothing is there to be told.
          const body = (await bare.json()) as ArmDocument
          assert.equal(body.error?.code, 'NotFound', path)
          assert.ok(/^\/(?:subscriptions|tenants|providers)\?/.test(path), `${method} ${path} asks who calls`)
          continue
        }
        assert.equal(bare.status, 401, `${method} ${path}`)
        const body = (await bare.json()) as ArmDocument
        assert.equal(body.error?.code, 'AuthenticationFailed')
        assert.equal(body.error?.message, "Authentication failed. The 'Authorization' header is missing.")
        if (!path.startsWith('/goldleaf/'))
          assert.match(bare.headers.get('www-authenticate') ?? '', /^Bearer authorization_uri="/)
      }
    const wrong = [
      { token: 'nonsense', code: 'InvalidAuthenticationToken' },
      { token: `${wire.server.token.slice(0, -8)}AAAAAAAA`, code: 'InvalidAuthenticationToken' },
    ]
    for (const { token, code } of wrong) {
      const { status, body } = await armCaller({ env: wire.server.env, token }).call('GET', wire.at('galleries'))
      assert.equal(status, 401)
      assert.equal(body.error?.code, code)
      assert.match(body.error?.message ?? '', /^The access token is invalid\./)
    }
  })

  test('HTTPS with the own certificate authority: trusted by it alone, absolute addresses follow the scheme', async () => {
    const { endpoint, caFile } = wire.server.env
    const ask = (ca: string | undefined): Promise<{ status: number; text: string }> =>
      new Promise((resolve, reject) => {
        const options = { headers: { authorization: `Bearer ${wire.server.token}` }, ca: ca ?? [] }
        const call = request(`${endpoint}${wire.at('galleries/paged/images')}`, options, (answer) => {
          let text = ''
          answer.on('data', (chunk: Buffer) => (text += chunk.toString()))
          answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }))
        })
        call.on('error', reject)
        call.end()
      })
    const { status, text } = await ask(await readFile(caFile, 'utf8'))
    assert.equal(status, 200)
    assert.equal(new URL((JSON.parse(text) as ArmDocument).nextLink ?? '').origin, endpoint)
    await assert.rejects(ask(undefined), (error: { code?: string }) => /CERT|ISSUER|SIGNATURE/.test(error.code ?? ''))
  })
})
