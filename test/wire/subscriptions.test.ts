import assert from 'node:assert/strict'
import { after, suite, test } from 'node:test'
import { startGoldleaf } from '../support/goldleaf.ts'

const server = await startGoldleaf()
after(() => server[Symbol.asyncDispose]())

interface Document {
  readonly [member: string]: unknown
  readonly tenantId: string
  readonly value: readonly Document[]
  readonly properties: Readonly<Record<string, string>>
  readonly error: { readonly code: string; readonly message: string }
}

async function call(method: string, path: string, body?: unknown) {
  const response = await fetch(server.env.httpEndpoint + path, {
    method,
    headers: { authorization: `Bearer ${server.token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, body: (text === '' ? {} : JSON.parse(text)) as Document }
}

const aliases = '/providers/Microsoft.Subscription/aliases'
const version = '?api-version=2021-10-01'
const list = async () => (await call('GET', '/subscriptions?api-version=2022-12-01')).body.value

suite('subscriptions', () => {
  const put = (alias: string, properties: object) => call('PUT', `${aliases}/${alias}${version}`, { properties })

  test('are asked for by an alias, once, and belong to who asked', async () => {
    const made = await put('Team-A', { displayName: 'Team A', workload: 'DevTest', billingScope: '/billing' })
    assert.equal(made.status, 201, JSON.stringify(made.body))
    const { subscriptionId } = made.body.properties
    assert.equal(made.body.properties['provisioningState'], 'Succeeded')
    const again = await put('team-a', { displayName: 'Another' })
    assert.equal(again.status, 200)
    assert.deepEqual(again.body, made.body)
    const shown = (await list()).find((one) => one['subscriptionId'] === subscriptionId)
    assert.equal(shown?.['displayName'], 'Team A')
    assert.equal(shown.tenantId, server.env.tenantId)
    const group = `/subscriptions/${subscriptionId}/resourceGroups/r?api-version=2021-04-01`
    assert.equal((await call('PUT', group, { location: 'westeurope' })).status, 201)
    assert.equal((await call('GET', `${aliases}/TEAM-A${version}`)).status, 200)
    assert.equal((await call('GET', aliases + version)).body.value.length, 1)
    assert.equal((await call('DELETE', `${aliases}/team-a${version}`)).status, 200)
    assert.equal((await call('DELETE', `${aliases}/team-a${version}`)).status, 204)
    assert.equal((await call('GET', `${aliases}/team-a${version}`)).body.error.code, 'SubscriptionAliasNotFound')
  })

  test('are renamed, cancelled (then read-only) and enabled again', async () => {
    const { subscriptionId } = (await put('team-b', { displayName: 'B' })).body.properties
    const actions = `/subscriptions/${subscriptionId}/providers/Microsoft.Subscription`
    const group = `/subscriptions/${subscriptionId}/resourceGroups/r?api-version=2021-04-01`
    assert.equal((await call('POST', `${actions}/rename${version}`, { subscriptionName: 'Bee' })).status, 200)
    assert.deepEqual((await call('POST', `${actions}/cancel${version}`)).body, { subscriptionId })
    const shown = (await list()).find((one) => one['subscriptionId'] === subscriptionId)
    assert.equal(shown?.['state'], 'Disabled')
    assert.equal(shown['displayName'], 'Bee')
    const refused = await call('PUT', group, { location: 'westeurope' })
    assert.equal(refused.status, 409)
    assert.equal(refused.body.error.code, 'ReadOnlyDisabledSubscription')
    assert.equal((await call('GET', group)).status, 404)
    assert.equal((await call('POST', `${actions}/enable${version}`)).status, 200)
    assert.equal((await call('PUT', group, { location: 'westeurope' })).status, 201)
  })

  const wrong: readonly (readonly [why: string, alias: string, properties: object])[] = [
    ['a bad alias', 'a%20b', {}],
    ['an unknown workload', 'c', { workload: 'Fun' }],
    ['another tenant', 'c', { additionalProperties: { subscriptionTenantId: 'ffffffff-0000-4000-8000-000000000000' } }],
    ['an owner who is not there', 'c', { additionalProperties: { subscriptionOwnerId: server.env.clientId } }],
    ['a subscription that is not there', 'c', { subscriptionId: server.env.clientId }],
  ]
  for (const [why, alias, properties] of wrong)
    test(`refused: ${why}`, async () => {
      const answer = await put(alias, properties)
      assert.equal(answer.status, 400)
      assert.equal(answer.body.error.code, 'SubscriptionRequestInvalid')
      assert.equal((await call('GET', `${aliases}/c${version}`)).status, 404)
    })
})

suite('tenants', () => {
  const home = '/goldleaf/v1/tenants'

  test('are made, renamed and deleted by the operator', async () => {
    const { status, body } = await call('POST', home, { displayName: 'Contoso' })
    assert.equal(status, 201)
    assert.equal(body['defaultDomain'], 'contoso.goldleaf.local')
    assert.equal((await call('POST', home, { displayName: 'Contoso' })).body.error.code, 'TenantExists')
    assert.equal((await call('PATCH', `${home}/${body.tenantId}`, { displayName: 'C' })).body['displayName'], 'C')
    const seen = await call('GET', '/tenants?api-version=2022-12-01')
    assert.deepEqual(
      seen.body.value.map((one) => [one['defaultDomain'], one['tenantCategory']]),
      [
        ['goldleaf.local', 'Home'],
        ['contoso.goldleaf.local', 'ProjectedBy'],
      ],
    )
    assert.equal((await call('DELETE', `${home}/contoso.goldleaf.local`)).status, 204)
    assert.equal((await call('GET', `${home}/${body.tenantId}`)).body.error.code, 'TenantNotFound')
    assert.equal((await call('DELETE', `${home}/goldleaf.local`)).status, 403)
    assert.equal((await call('POST', home, { displayName: 'x', defaultDomain: 'no-dot' })).status, 400)
  })
})
