import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createGroup, groupPath, inGroup, startArm, subscriptionId, type TestArm } from './arm.fixture.ts'

let arm: TestArm
before(async () => {
  arm = await startArm({ pageSize: 3 })
  await createGroup(arm, 'Rg1')
})
after(() => arm[Symbol.asyncDispose]())

const image = {
  location: 'westeurope',
  properties: {
    osType: 'Linux',
    osState: 'Generalized',
    identifier: { publisher: 'p', offer: 'o', sku: 's' },
  },
}
const version = {
  location: 'westeurope',
  properties: {
    publishingProfile: { targetRegions: [{ name: 'West Europe' }] },
    storageProfile: { source: { id: `${groupPath('Rg1')}/providers/Microsoft.Compute/images/x` } },
  },
}

test('a gallery is created with 201 and an operation, updated with 200, read, deleted with 202, then gone', async () => {
  const created = await arm.send('PUT', inGroup('Rg1', 'galleries/Gal'), { location: 'West Europe', tags: { a: 'b' } })
  assert.equal(created.status, 201)
  assert.equal(created.body.properties.provisioningState, 'Creating')
  assert.equal(created.headers.get('location'), null)
  assert.equal(created.headers.get('retry-after'), '1')
  const operationId = created.headers.get('x-ms-request-id')
  assert.equal(
    created.headers.get('azure-asyncoperation'),
    `${arm.url}/subscriptions/${subscriptionId}/providers/Microsoft.Compute/locations/westeurope/capsOperations/${operationId}?api-version=2024-03-03`,
  )
  const done = await arm.finish(created)
  assert.deepEqual(Object.keys(done.body), ['startTime', 'endTime', 'status', 'name'])
  assert.equal(done.body.status, 'Succeeded')
  assert.equal(done.body.name, operationId)
  assert.match(done.body.startTime, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}\+00:00$/)

  const read = await arm.send('GET', inGroup('rg1', 'GALLERIES/gal'))
  assert.equal(read.status, 200)
  assert.equal(read.body.properties.provisioningState, 'Succeeded')
  assert.equal(read.body.location, 'westeurope')
  assert.deepEqual(read.body.tags, { a: 'b' })
  assert.equal(read.body.systemData.createdBy, 'oid')
  const older = await arm.send('GET', inGroup('rg1', 'galleries/gal', '2021-10-01'))
  assert.equal(older.body.systemData, undefined)
  assert.equal(read.body.id, `${groupPath('Rg1')}/providers/Microsoft.Compute/galleries/Gal`)
  assert.equal(read.headers.get('etag'), created.headers.get('etag'))
  assert.equal((await arm.send('HEAD', inGroup('rg1', 'galleries/gal'))).status, 204)

  const updated = await arm.send('PATCH', inGroup('Rg1', 'galleries/Gal'), { properties: { description: 'new' } })
  assert.equal(updated.status, 200)
  assert.equal(updated.body.properties.provisioningState, 'Updating')
  assert.equal(updated.headers.get('location'), null)
  await arm.finish(updated)
  assert.deepEqual((await arm.send('GET', inGroup('Rg1', 'galleries/Gal'))).body.tags, { a: 'b' })

  const removed = await arm.send('DELETE', inGroup('Rg1', 'galleries/Gal'))
  assert.equal(removed.status, 202)
  assert.equal(removed.text, '')
  const location = removed.headers.get('location') ?? ''
  assert.match(location, /\/capsOperations\/[^/]+\?monitor=true&api-version=2024-03-03$/)
  await arm.finish(removed)
  const final = await arm.send('GET', location)
  assert.deepEqual([final.status, final.text], [200, ''])
  const gone = await arm.send('GET', inGroup('Rg1', 'galleries/Gal'))
  assert.equal(gone.status, 404)
  assert.equal(gone.body.error.code, 'ResourceNotFound')
  assert.equal(
    gone.body.error.message,
    "The Resource 'Microsoft.Compute/galleries/Gal' under resource group 'Rg1' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix",
  )
  assert.equal((await arm.send('DELETE', inGroup('Rg1', 'galleries/Gal'))).status, 204)
})

test('versions are listed by number in pages, with the group in upper case and links to the asked host', async () => {
  await arm.put(inGroup('Rg1', 'galleries/paged'), { location: 'westeurope' })
  await arm.put(inGroup('Rg1', 'galleries/paged/images/img'), image)
  const names = ['1.0.10', '1.0.9', '0.12.0', '2.0.0', '1.0.0', '10.0.0', '1.0.100']
  for (const name of names) {
    const put = await arm.put(inGroup('Rg1', `galleries/paged/images/img/versions/${name}`), version)
    assert.equal(put.status, 201, put.text)
  }
  const seen: string[] = []
  let next: string | undefined = inGroup('Rg1', 'galleries/paged/images/img/versions')
  let pages = 0
  while (next !== undefined) {
    const page = await arm.send('GET', next)
    assert.equal(page.status, 200, page.text)
    pages++
    for (const one of page.body.value) {
      seen.push(one.name)
      assert.match(one.id, /\/resourceGroups\/RG1\/providers\//)
    }
    next = page.body.nextLink
    if (next !== undefined) assert.ok(next.startsWith(`${arm.url}/subscriptions/`), next)
  }
  assert.deepEqual(seen, ['0.12.0', '1.0.0', '1.0.9', '1.0.10', '1.0.100', '2.0.0', '10.0.0'])
  assert.equal(pages, 3)
  const list = inGroup('Rg1', 'galleries/paged/images/img/versions')
  for (const token of ['x', Buffer.from('{"v":1,"after":"/subscriptions/other/a"}').toString('base64url')]) {
    const bad = await arm.send('GET', `${list}&$skiptoken=${token}`)
    assert.deepEqual([bad.status, bad.body.error.code], [400, 'InvalidParameter'])
  }
})

test('what has children cannot be deleted: at most five are named', async () => {
  const path = inGroup('Rg1', 'galleries/full')
  await arm.put(path, { location: 'westeurope' })
  for (const n of [1, 2, 3, 4, 5, 6]) {
    const sku = { identifier: { publisher: 'p', offer: 'o', sku: `s${n}` } }
    await arm.put(inGroup('Rg1', `galleries/full/images/i${n}`), {
      ...image,
      properties: { ...image.properties, ...sku },
    })
  }
  const refused = await arm.send('DELETE', path)
  assert.equal(refused.status, 409)
  assert.equal(refused.body.error.code, 'CannotDeleteResource')
  const ids = [1, 2, 3, 4, 5].map((n) => `Microsoft.Compute/galleries/full/images/i${n}`).join(', ')
  assert.equal(
    refused.body.error.message,
    `Cannot delete resource while nested resources exist. Some existing nested resource IDs include: '${ids}'. Please delete all nested resources before deleting this resource.`,
  )
  assert.equal((await arm.send('GET', path)).body.properties.provisioningState, 'Succeeded')
})

test('galleries are listed in their group and in the subscription, pages follow keys', async () => {
  await createGroup(arm, 'lists')
  for (const name of ['a', 'b', 'c', 'd'])
    await arm.put(inGroup('lists', `galleries/list_${name}1`), { location: 'eastus' })
  const first = await arm.send('GET', inGroup('lists', 'galleries'))
  assert.equal(first.body.value.length, 3)
  const second = await arm.send('GET', first.body.nextLink)
  assert.deepEqual(
    [...first.body.value, ...second.body.value].map(({ name }: { name: string }) => name),
    ['list_a1', 'list_b1', 'list_c1', 'list_d1'],
  )
  assert.equal(second.body.nextLink, undefined)
  let count = 0
  let next = `/subscriptions/${subscriptionId}/providers/microsoft.compute/galleries?api-version=2021-10-01`
  while (next !== undefined) {
    const page = await arm.send('GET', next)
    count += page.body.value.length
    next = page.body.nextLink
  }
  assert.ok(count >= 4)
})

const refusals: {
  why: string
  method: string
  path: string
  body?: unknown
  status: number
  code: string
  text?: RegExp
}[] = [
  {
    why: 'no api-version',
    method: 'GET',
    path: `${groupPath('Rg1')}/providers/Microsoft.Compute/galleries/g`,
    status: 400,
    code: 'MissingApiVersionParameter',
    text: /^The api-version query parameter \(\?api-version=\) is required for all requests\.$/,
  },
  {
    why: 'an api-version of another provider',
    method: 'GET',
    path: inGroup('Rg1', 'galleries/g', '2022-08-01'),
    status: 400,
    code: 'NoRegisteredProviderFound',
    text: /^No registered resource provider found for location 'westeurope' and API version '2022-08-01' for type 'galleries'\. The supported api-versions are '2018-06-01, .*'\. The supported locations are 'westeurope, eastus'\.$/,
  },
  {
    why: 'an api-version of a child list',
    method: 'GET',
    path: inGroup('Rg1', 'galleries/g/images', '2011-01-01'),
    status: 400,
    code: 'NoRegisteredProviderFound',
    text: /for type 'galleries\/images'/,
  },
  {
    why: 'an api-version that ARM does not have',
    method: 'GET',
    path: '/subscriptions?api-version=2018-12-01',
    status: 400,
    code: 'InvalidApiVersionParameter',
    text: /^The api-version '2018-12-01' is invalid\. The supported versions are '\d{4}-/,
  },
  {
    why: 'a missing group',
    method: 'PUT',
    path: inGroup('nope', 'galleries/g'),
    body: { location: 'eastus' },
    status: 404,
    code: 'ResourceGroupNotFound',
    text: /^Resource group 'nope' could not be found\.$/,
  },
  {
    why: 'a missing parent',
    method: 'PUT',
    path: inGroup('Rg1', 'galleries/nope/images/i'),
    body: image,
    status: 404,
    code: 'ParentResourceNotFound',
    text: /^Can not perform requested operation on nested resource\. Parent resource 'nope' not found\.$/,
  },
  {
    why: 'a missing grandparent',
    method: 'PUT',
    path: inGroup('Rg1', 'galleries/nope/images/i/versions/1.0.0'),
    body: version,
    status: 404,
    code: 'ParentResourceNotFound',
    text: /'nope\/i' not found/,
  },
  {
    why: 'another subscription',
    method: 'GET',
    path: '/subscriptions/00000000-0000-0000-0000-000000000000/resourcegroups?api-version=2021-04-01',
    status: 404,
    code: 'SubscriptionNotFound',
  },
  {
    why: 'an unknown provider',
    method: 'GET',
    path: `${groupPath('Rg1')}/providers/Contoso.Stuff/things/t?api-version=2020-01-01`,
    status: 404,
    code: 'InvalidResourceNamespace',
  },
  { why: 'an unknown type', method: 'GET', path: inGroup('Rg1', 'things/t'), status: 404, code: 'InvalidResourceType' },
  {
    why: 'a method that is not allowed',
    method: 'POST',
    path: inGroup('Rg1', 'galleries/g'),
    body: {},
    status: 405,
    code: 'MethodNotAllowed',
  },
  {
    why: 'a bad name',
    method: 'PUT',
    path: inGroup('Rg1', 'galleries/has-dash'),
    body: { location: 'eastus' },
    status: 400,
    code: 'InvalidParameter',
    text: /^Gallery name is invalid/,
  },
  {
    why: 'a name with a slash',
    method: 'PUT',
    path: inGroup('Rg1', 'galleries/a%2Fimages%2Fb'),
    body: { location: 'eastus' },
    status: 400,
    code: 'InvalidResourceName',
  },
  {
    why: 'an unknown region',
    method: 'PUT',
    path: inGroup('Rg1', 'galleries/g'),
    body: { location: 'mars' },
    status: 400,
    code: 'LocationNotAvailableForResourceType',
  },
  {
    why: 'no JSON',
    method: 'PUT',
    path: inGroup('Rg1', 'galleries/g'),
    body: '{"location":',
    status: 400,
    code: 'InvalidRequestContent',
  },
  {
    why: 'an array',
    method: 'PUT',
    path: inGroup('Rg1', 'galleries/g'),
    body: [],
    status: 400,
    code: 'InvalidRequestContent',
  },
  { why: 'no body', method: 'PUT', path: inGroup('Rg1', 'galleries/g'), status: 400, code: 'InvalidRequestContent' },
  {
    why: 'a body over the limit',
    method: 'PUT',
    path: inGroup('Rg1', 'galleries/g'),
    body: { location: 'eastus', tags: { x: 'y'.repeat(5_000_000) } },
    status: 413,
    code: 'RequestContentTooLarge',
  },
  {
    why: 'an unknown expansion',
    method: 'GET',
    path: inGroup('Rg1', 'galleries/here', '2024-03-03', '&$expand=Nonsense'),
    status: 400,
    code: 'InvalidParameter',
  },
  {
    why: 'a list under a missing gallery',
    method: 'GET',
    path: inGroup('Rg1', 'galleries/nope/images'),
    status: 404,
    code: 'ResourceNotFound',
  },
  {
    why: 'a list in a missing group',
    method: 'GET',
    path: inGroup('nope', 'galleries'),
    status: 404,
    code: 'ResourceGroupNotFound',
  },
  {
    why: 'PATCH of what is not there',
    method: 'PATCH',
    path: inGroup('Rg1', 'galleries/nope'),
    body: {},
    status: 404,
    code: 'ResourceNotFound',
  },
  {
    why: 'an operation that is not there',
    method: 'GET',
    path: `/subscriptions/${subscriptionId}/providers/Microsoft.Compute/locations/eastus/capsOperations/nope?api-version=2024-03-03`,
    status: 404,
    code: 'NotFound',
  },
]
for (const { why, method, path, body, status, code, text } of refusals)
  test(`refused: ${why}`, async () => {
    const answer = await arm.send(method, path, body)
    assert.deepEqual([answer.status, answer.body.error.code], [status, code], answer.text)
    assert.ok(answer.body.error.message.length > 10)
    if (text) assert.match(answer.body.error.message, text)
    assert.equal(answer.headers.has('x-ms-request-id'), true)
  })

test('without a token 401 says where to get one; with a bad one too', async () => {
  const path = inGroup('Rg1', 'galleries/g')
  for (const [authorization, code] of [
    [undefined, 'AuthenticationFailed'],
    ['Bearer bad', 'InvalidAuthenticationToken'],
  ] as const) {
    const answer = await fetch(`${arm.url}${path}`, { headers: authorization === undefined ? {} : { authorization } })
    assert.equal(answer.status, 401)
    assert.match(
      answer.headers.get('www-authenticate') ?? '',
      new RegExp(`^Bearer authorization_uri="${arm.url}/9999[^"]+", error="invalid_token"`),
    )
    assert.equal((await answer.json()).error.code, code)
  }
  // Nothing is told before that: not even which addresses there are.
  const unknown = await fetch(`${arm.url}/subscriptions/x/what/ever?api-version=1`)
  assert.equal(unknown.status, 401)
})

test('a wrong content type is 415', async () => {
  const answer = await arm.send('PUT', inGroup('Rg1', 'galleries/g'), 'location: eastus', {
    'content-type': 'text/yaml',
  })
  assert.deepEqual([answer.status, answer.body.error.code], [415, 'UnsupportedMediaType'])
})

test('the location and what is immutable cannot be changed; nothing is changed by a refused request', async () => {
  const gallery = inGroup('Rg1', 'galleries/fixed')
  await arm.put(gallery, { location: 'westeurope' })
  const moved = await arm.send('PUT', gallery, { location: 'eastus' })
  assert.deepEqual([moved.status, moved.body.error.code], [409, 'InvalidResourceLocation'])
  assert.match(
    moved.body.error.message,
    /^The resource 'fixed' already exists in location 'westeurope' in resource group 'Rg1'\./,
  )
  const path = inGroup('Rg1', 'galleries/fixed/images/i')
  await arm.put(path, image)
  const changed = await arm.send('PUT', path, { ...image, properties: { ...image.properties, osType: 'Windows' } })
  assert.deepEqual([changed.status, changed.body.error.code], [409, 'PropertyChangeNotAllowed'])
  assert.equal(changed.body.error.target, 'galleryImage.properties.osType')
  assert.equal((await arm.send('GET', path)).body.properties.osType, 'Linux')
})

test('If-Match and If-None-Match guard writes', async () => {
  const path = inGroup('Rg1', 'galleries/tagged')
  const created = await arm.put(path, { location: 'eastus' })
  const etag = created.headers.get('etag') ?? ''
  const again = await arm.send('PUT', path, { location: 'eastus' }, { 'if-none-match': '*' })
  assert.deepEqual([again.status, again.body.error.code], [412, 'PreconditionFailed'])
  const stale = await arm.send('PUT', path, { location: 'eastus' }, { 'if-match': '"other"' })
  assert.equal(stale.status, 412)
  const fresh = await arm.send('PATCH', path, { tags: { a: '1' } }, { 'if-match': etag })
  assert.equal(fresh.status, 200)
  await arm.finish(fresh)
  assert.equal((await arm.send('DELETE', path, undefined, { 'if-match': etag })).status, 412)
  const absent = await arm.send('PUT', inGroup('Rg1', 'galleries/absent'), { location: 'eastus' }, { 'if-match': '*' })
  assert.equal(absent.status, 412)
})

test('many PUTs of one gallery at once: one creates, the others update or are told that it is busy', async () => {
  const path = inGroup('Rg1', 'galleries/race')
  const answers = await Promise.all(Array.from({ length: 12 }, () => arm.send('PUT', path, { location: 'eastus' })))
  assert.equal(answers.filter(({ status }) => status === 201).length, 1)
  for (const { status, text } of answers) assert.ok([200, 201, 409].includes(status), text)
  for (const answer of answers) if (answer.status < 300) await arm.finish(answer)
  assert.equal((await arm.send('GET', path)).body.properties.provisioningState, 'Succeeded')
})
