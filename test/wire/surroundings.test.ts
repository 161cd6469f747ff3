import assert from 'node:assert/strict'
import { writeFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { armCaller, eventually } from '../support/goldleaf.ts'
import { galleryVersion, groupVersion, openWire } from './wire.ts'
import type { Wire } from './wire.ts'

/** ARM's surroundings of galleries: providers, features, usages, SKUs, rate limits, headers. */
suite('the surroundings of galleries', () => {
  let wire: Wire
  let folder = ''
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'goldleaf-surroundings-'))
    const config = {
      providers: { registered: 'none' },
      limits: { cores: 3, galleries: 7 },
      cloud: {
        name: 'AzureChinaCloud',
        storageSuffix: 'core.example.cn',
        hosts: { resourceManager: 'management.example.cn', login: 'login.example.cn', graph: 'graph.example.cn' },
      },
      rateLimits: { enforced: true, subscriptionDeletes: 2 },
    }
    await writeFile(join(folder, 'goldleaf.json'), JSON.stringify(config))
    wire = await openWire({ args: ['--config', join(folder, 'goldleaf.json')] })
  })
  after(async () => {
    await wire?.[Symbol.asyncDispose]()
    await rm(folder, { recursive: true, force: true })
  })

  type Anything = Readonly<Record<string, unknown>>
  const call = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
    const answer = await wire.arm.call(method, `${wire.subscription}${path}`, body, headers)
    return { ...answer, body: answer.body as unknown as Anything }
  }
  const states = `api-version=${groupVersion}`

  test('a provider that is not registered takes no writes; registering and giving back really change that', async () => {
    const gallery = wire.at('galleries/early')
    const refused = await wire.arm.call('PUT', gallery, { location: 'westeurope' })
    assert.equal(refused.status, 409)
    assert.equal(refused.body.error?.code, 'MissingSubscriptionRegistration')
    assert.match(
      refused.body.error?.message ?? '',
      /^The subscription is not registered to use namespace 'Microsoft.Compute'\. See https:\/\/aka\.ms\/rps-not-found/,
    )
    const state = async (): Promise<unknown> =>
      (await call('GET', `/providers/Microsoft.Compute?${states}`)).body['registrationState']
    assert.equal(await state(), 'NotRegistered')
    const registering = await call('POST', `/providers/microsoft.compute/register?${states}`)
    assert.equal(registering.body['registrationState'], 'Registering')
    await eventually(async () => assert.equal(await state(), 'Registered'))
    await wire.arm.must('PUT', gallery, { location: 'westeurope' })
    const held = await call('POST', `/providers/Microsoft.Compute/unregister?${states}`)
    assert.equal(held.status, 409)
    await wire.arm.must('DELETE', gallery)
    assert.equal(
      (await call('POST', `/providers/Microsoft.Compute/unregister?${states}`)).body['registrationState'],
      'Unregistering',
    )
    await eventually(async () => assert.equal(await state(), 'Unregistered'))
    assert.equal((await wire.arm.call('PUT', gallery, { location: 'westeurope' })).status, 409)
    await call('POST', `/providers/Microsoft.Compute/register?${states}`)
    const all = (await call('GET', `/providers?${states}`)).body['value'] as readonly Anything[]
    assert.ok(all.some((one) => one['namespace'] === 'Microsoft.Features' && one['registrationState'] === 'Registered'))
    assert.equal((await call('POST', `/providers/Microsoft.Resources/unregister?${states}`)).status, 409)
    assert.equal((await call('POST', `/providers/Microsoft.Nothing/register?${states}`)).status, 404)
  })

  test('preview features are registered and given back', async () => {
    const feature = '/providers/Microsoft.Features/providers/Microsoft.Compute/features/GalleryPreview'
    const version = 'api-version=2021-07-01'
    const state = async (): Promise<unknown> =>
      ((await call('GET', `${feature}?${version}`)).body['properties'] as Anything)['state']
    assert.equal(await state(), 'NotRegistered')
    const registration = feature.replace(
      '/providers/Microsoft.Compute/features/',
      '/featureProviders/Microsoft.Compute/subscriptionFeatureRegistrations/',
    )
    assert.equal((await call('GET', `${registration}?${version}`)).status, 404)
    const answer = await call('POST', `${feature}/register?api-version=2015-12-01`)
    assert.deepEqual(answer.body, {
      properties: { state: 'Registering' },
      id: `${wire.subscription}${feature}`,
      type: 'Microsoft.Features/providers/features',
      name: 'Microsoft.Compute/GalleryPreview',
    })
    await eventually(async () => assert.equal(await state(), 'Registered'))
    assert.equal((await call('GET', `${registration}?${version}`)).status, 200)
    const listed = (await call('GET', `/providers/Microsoft.Features/subscriptionFeatureRegistrations?${version}`))
      .body['value']
    assert.equal((listed as readonly Anything[]).length, 1)
    const features = (await call('GET', `/providers/Microsoft.Features/features?${version}`)).body[
      'value'
    ] as readonly Anything[]
    assert.ok(features.length > 3)
    assert.equal((await call('POST', `${feature}/unregister?${version}`)).status, 200)
    await eventually(async () => assert.equal(await state(), 'Unregistered'))
    assert.equal(
      (await call('GET', `${feature.replace('Gallery', 'No')}?${version}`)).body['error'] !== undefined,
      true,
    )
  })

  test('usages count what there is, and quotas hold', async () => {
    await wire.arm.must('PUT', wire.at('galleries/counted'), { location: 'westeurope' })
    const usages = (
      await call('GET', '/providers/Microsoft.Compute/locations/West%20Europe/usages?api-version=2024-03-01')
    ).body['value']
    const gallery = (usages as readonly Anything[]).find((one) => (one['name'] as Anything)['value'] === 'Gallery')
    assert.deepEqual(gallery, {
      limit: 7,
      unit: 'Count',
      currentValue: 1,
      name: { value: 'Gallery', localizedValue: 'Gallery' },
    })
    const other = (await call('GET', '/providers/Microsoft.Compute/locations/eastus/usages?api-version=2024-03-01'))
      .body['value']
    assert.ok((other as readonly Anything[]).every((one) => one['currentValue'] === 0))
    assert.equal(
      (await call('GET', '/providers/Microsoft.Compute/locations/mars/usages?api-version=2024-03-01')).status,
      400,
    )
  })

  test('clients find this cloud under the name that is configured', async () => {
    const read = async (version: string): Promise<unknown> =>
      (await fetch(`${wire.server.env.httpEndpoint}/metadata/endpoints?api-version=${version}`)).json()
    const entry = (await read('2022-09-01')) as Anything
    assert.equal(entry['name'], 'AzureChinaCloud')
    assert.equal((entry['suffixes'] as Anything)['storage'], 'core.example.cn')
    const { port } = new URL(wire.server.env.httpEndpoint)
    const [management, login, graph] = ['management', 'login', 'graph'].map((one) => `http://${one}.example.cn:${port}`)
    assert.deepEqual([entry['resourceManager'], entry['graph']], [management, graph])
    assert.equal(entry['microsoftGraphResourceId'], `${graph}/`)
    const told = entry['authentication'] as { readonly audiences: readonly string[]; readonly loginEndpoint: string }
    assert.equal(told.loginEndpoint, login)
    assert.equal(told.audiences[0], `${management}/`)
    assert.ok(told.audiences.includes('https://management.chinacloudapi.cn/'))
    for (const version of ['2019-05-01', '2020-06-01'])
      assert.equal(((await read(version)) as readonly Anything[])[0]?.['name'], 'AzureChinaCloud')
    const old = (await read('2018-01-01')) as { readonly cloudEndpoint: Anything }
    assert.deepEqual(Object.keys(old.cloudEndpoint), ['chinaCloud'])
    const { tenantId, clientId, clientSecret } = wire.server.env
    const form = { grant_type: 'client_credentials', client_id: clientId, client_secret: clientSecret }
    const tokenFor = async (resource: string): Promise<string> => {
      const signIn = await fetch(`${wire.server.env.httpEndpoint}/${tenantId}/oauth2/v2.0/token`, {
        method: 'POST',
        body: new URLSearchParams({ ...form, scope: `${resource}/.default` }),
      })
      return ((await signIn.json()) as { readonly access_token: string }).access_token
    }
    for (const resource of ['https://management.chinacloudapi.cn', management ?? '']) {
      const caller = armCaller({ env: wire.server.env, token: await tokenFor(resource) })
      const list = await caller.call('GET', '/subscriptions?api-version=2022-12-01')
      assert.equal(list.status, 200, JSON.stringify(list.body))
    }
    const caller = armCaller({ env: wire.server.env, token: await tokenFor(graph ?? '') })
    assert.equal((await caller.call('GET', '/v1.0/organization')).status, 200)
  })

  test('sizes and SKUs', async () => {
    const sizes = (await call('GET', '/providers/Microsoft.Compute/locations/eastus/vmSizes?api-version=2024-03-01'))
      .body['value']
    assert.ok(
      (sizes as readonly Anything[]).some((one) => one['name'] === 'Standard_B1s' && one['memoryInMB'] === 1024),
    )
    const skus = async (filter: string): Promise<readonly Anything[]> =>
      (await call('GET', `/providers/Microsoft.Compute/skus?api-version=2021-07-01${filter}`)).body[
        'value'
      ] as readonly Anything[]
    const here = await skus(`&$filter=${encodeURIComponent("location eq 'eastus'")}`)
    assert.ok(here.every((one) => (one['locations'] as readonly string[]).join() === 'eastus'))
    assert.deepEqual([...new Set(here.map((one) => one['resourceType']))], ['virtualMachines', 'disks', 'snapshots'])
    assert.equal((await skus('')).length, 3 * here.length)
    assert.deepEqual(await skus(`&$filter=${encodeURIComponent("location eq 'mars'")}`), [])
    assert.equal(
      (await call('GET', '/providers/Microsoft.Compute/skus?api-version=2021-07-01&$filter=size')).status,
      400,
    )
  })

  test("every answer has ARM's headers", async () => {
    const { headers } = await wire.arm.call('GET', wire.at('galleries'), undefined, {
      'x-ms-client-request-id': 'mine',
      'x-ms-return-client-request-id': 'true',
    })
    assert.equal(headers.get('x-ms-client-request-id'), 'mine')
    assert.match(headers.get('x-ms-ratelimit-remaining-subscription-reads') ?? '', /^119\d\d$/)
    assert.match(
      headers.get('x-ms-ratelimit-remaining-resource') ?? '',
      /^Microsoft\.Compute\/ListGalleryInResourceGroup3Min;99,Microsoft\.Compute\/ListGalleryInResourceGroup30Min;999$/,
    )
    const write = await wire.arm.call('PUT', wire.at('galleries/counted', galleryVersion), { location: 'westeurope' })
    assert.equal(write.headers.get('azure-asyncnotification'), 'Enabled')
    assert.match(write.headers.get('x-ms-ratelimit-remaining-subscription-writes') ?? '', /^11\d\d$/)
    await wire.arm.settle(write)
  })

  test('limits are enforced where that is switched on', async () => {
    // One DELETE was made above.
    await wire.arm.must('DELETE', wire.at('galleries/counted'))
    const third = await wire.arm.call('DELETE', wire.at('galleries/counted'))
    assert.equal(third.status, 429)
    assert.equal(third.body.error?.code, 'SubscriptionRequestsThrottled')
    assert.ok(Number(third.headers.get('retry-after')) > 3_000)
    assert.equal(third.headers.get('x-ms-ratelimit-remaining-subscription-deletes'), '0')
  })
})
