import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { armCaller, runGoldleaf, startGoldleaf } from '../support/goldleaf.ts'
import { openWire } from './wire.ts'
import type { Wire } from './wire.ts'

interface EventData {
  readonly caller?: string
  readonly correlationId: string
  readonly operationId: string
  readonly resourceId: string
  readonly level: string
  readonly operationName: { readonly value: string }
  readonly status: { readonly value: string }
  readonly subStatus: { readonly value: string }
  readonly httpRequest: Readonly<Record<string, string>>
  readonly properties: Readonly<Record<string, string>>
}

const secret = 'sig=VerySecretSignature'

suite('the activity log', () => {
  let wire: Wire
  before(async () => {
    wire = await openWire()
  })
  after(() => wire?.[Symbol.asyncDispose]())

  const address = (filter: string, more = ''): string =>
    `${wire.subscription}/providers/Microsoft.Insights/eventtypes/management/values?api-version=2015-04-01` +
    `&$filter=${encodeURIComponent(`eventTimestamp ge '2026-01-01T00:00:00Z'`.replace('2026-01-01', yesterday()) + filter)}${more}`
  const yesterday = (): string => new Date(Date.now() - 86_400_000).toISOString().slice(0, 10)
  const events = async (filter: string, more = ''): Promise<readonly EventData[]> => {
    const { status, body } = await wire.arm.call('GET', address(filter, more))
    assert.equal(status, 200, JSON.stringify(body))
    return body.value as unknown as readonly EventData[]
  }

  test('an asynchronous write: Started, Accepted, Succeeded under one correlation id', async () => {
    const correlation = '11111111-2222-4333-8444-555555555555'
    const headers = { 'x-ms-correlation-request-id': correlation, 'x-ms-client-request-id': 'mine' }
    const put = await wire.arm.call('PUT', wire.at('galleries/told'), { location: 'westeurope' }, headers)
    assert.equal((await wire.arm.settle(put)).status, 'Succeeded')
    const found = await events(` and correlationId eq '${correlation}'`)
    // Those of one millisecond come in no order.
    const told = found.map((event) => `${event.status.value} ${event.subStatus.value}`)
    assert.deepEqual(new Set(told), new Set(['Started ', 'Accepted Created', 'Succeeded ']))
    for (const event of found) {
      assert.equal(event.operationName.value, 'Microsoft.Compute/galleries/write')
      assert.equal(event.operationId, put.headers.get('x-ms-request-id'))
      assert.equal(event.caller, wire.server.env.clientId)
      assert.equal(event.resourceId, wire.id('galleries/told'))
      assert.deepEqual(event.httpRequest, { clientRequestId: 'mine', clientIpAddress: '127.0.0.1', method: 'PUT' })
    }
  })

  test('refusals are told with their code, never with what was secret; reads are not told', async () => {
    const body = {
      location: 'westeurope',
      properties: {
        publishingProfile: { targetRegions: [{ name: 'westeurope' }] },
        storageProfile: {
          osDiskImage: {
            source: { uri: `https://elsewhere.example/a.vhd?${secret}`, storageAccountId: wire.id('x/y') },
          },
        },
      },
    }
    await wire.arm.call('PUT', wire.at('galleries/absent/images/i/versions/1.0.0'), body)
    await wire.arm.call('PUT', `${wire.at('galleries/Bad-Name!')}&${secret}`, { location: 'westeurope' })
    await wire.arm.call('DELETE', wire.at('galleries/stranger'), undefined, {
      authorization: 'Bearer eyJhbGciOi.bad.token',
    })
    await wire.arm.call('GET', wire.at('galleries/nothere'))
    // A question, though it is asked with POST.
    await wire.arm.call('POST', wire.at('galleries/nothere/images/i/resolveLatest'), { location: 'westeurope' })
    const failed = await events(" and resourceGroupName eq 'WIRE' and status eq 'Failed'")
    assert.deepEqual(failed.map((event) => [event.subStatus.value, event.caller ?? '', event.level]).toReversed(), [
      ['NotFound', wire.server.env.clientId, 'Error'],
      ['BadRequest', wire.server.env.clientId, 'Error'],
      ['Unauthorized', '', 'Error'],
    ])
    assert.match(failed[2]?.properties['statusMessage'] ?? '', /ParentResourceNotFound/)
    const everything = JSON.stringify(await events(''))
    assert.doesNotMatch(everything, /VerySecretSignature|eyJ|nothere/)
  })

  test('paging, select, other subscriptions and wrong questions', async () => {
    for (let at = 0; at < 102; at++)
      await wire.arm.call('PATCH', `${wire.group}?api-version=2021-04-01`, { tags: { at: String(at) } })
    const first = await wire.arm.call('GET', address(" and resourceProvider eq 'microsoft.resources'"))
    assert.equal(first.body.value?.length, 200)
    const second = await wire.arm.call('GET', first.body.nextLink ?? '')
    assert.ok((second.body.value?.length ?? 0) >= 6 && second.body.nextLink === undefined)
    const all = [...(first.body.value ?? []), ...(second.body.value ?? [])]
    assert.equal(new Set(all.map((event) => event.id)).size, all.length)
    const selected = await events('', `&$select=${encodeURIComponent('caller , status')}`)
    assert.deepEqual(Object.keys(selected[0] ?? {}), ['caller', 'status'])
    const wrong = await wire.arm.call('GET', address(" and colour eq 'red'"))
    assert.equal(wrong.body.error?.code, 'BadRequest')
    const other = address('').replace(wire.subscription, '/subscriptions/00000000-0000-0000-0000-00000000000f')
    assert.equal((await wire.arm.call('GET', other)).body.error?.code, 'SubscriptionNotFound')
    const version = await wire.arm.call('GET', address('').replace('2015-04-01', '2001-01-01'))
    assert.equal(version.body.error?.code, 'NoRegisteredProviderFound')
  })

  test('sign-ins are told at the level of the tenant, refused ones too, without their secrets', async () => {
    const { httpEndpoint, tenantId, clientId } = wire.server.env
    const form = { grant_type: 'client_credentials', client_id: clientId, client_secret: 'VerySecretAndWrong' }
    const body = new URLSearchParams({ ...form, scope: `${httpEndpoint}/.default` })
    const refused = await fetch(`${httpEndpoint}/${tenantId}/oauth2/v2.0/token`, { method: 'POST', body })
    assert.equal(refused.status, 401)
    const listed = await wire.arm.call('GET', address('').replace(wire.subscription, ''))
    const found = (listed.body.value ?? []) as unknown as readonly EventData[]
    assert.equal(found[0]?.operationName.value, 'Microsoft.aadiam/tenants/signIns/action')
    assert.equal(found[0]?.status.value, 'Failed')
    assert.equal(found[0]?.properties['name'], clientId)
    assert.ok(found.some((event) => event.status.value === 'Succeeded' && event.caller === clientId))
    assert.doesNotMatch(JSON.stringify(found), /VerySecret|eyJ/)
  })

  test('the command line lists it; a graceful end keeps everything', async () => {
    const headers = { 'x-ms-correlation-request-id': 'the-last' }
    await wire.arm.call('PATCH', `${wire.group}?api-version=2021-04-01`, { tags: { last: 'one' } }, headers)
    await wire.server.stop()
    await using again = await startGoldleaf({ data: wire.server.data, earlier: wire.server })
    const list = await runGoldleaf(['activity', 'list', '--data', again.data, '--correlation-id', 'the-last'])
    assert.match(list.stdout, /Succeeded +OK .* Microsoft\.Resources\/subscriptions\/resourceGroups\/write/)
    const categories = `/providers/Microsoft.Insights/eventcategories?api-version=2015-04-01`
    assert.equal((await armCaller(again).call('GET', categories)).body.value?.length, 2)
  })
})
