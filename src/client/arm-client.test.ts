import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { Clock } from '../base/clock.ts'
import { createArmClient } from './arm-client.ts'
import type { CallOptions } from './arm-client.ts'

const endpoint = 'https://gallery.test:8081'
const path = '/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/galleries/a'
const operation = `${endpoint}/subscriptions/s/providers/Microsoft.Compute/locations/x/capsOperations/1?api-version=2025-03-03`

interface Reply {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
  readonly fails?: string
}

/** A server that answers what it was told, in order, and a clock that only notes how long it was asked to wait. */
function scripted(replies: readonly Reply[]) {
  const seen: { method: string; url: string; body: string | undefined; authorization: string | undefined }[] = []
  const waits: number[] = []
  const clock: Clock = {
    now: () => 0,
    sleep: async (ms) => {
      waits.push(ms)
    },
  }
  const client = createArmClient({
    endpoint,
    clock,
    token: async () => 'secret',
    async transport(url, { method, headers, body }) {
      seen.push({ method, url, body, authorization: headers['authorization'] })
      const reply = replies[seen.length - 1]
      if (reply === undefined) throw new Error(`no answer was scripted for ${method} ${url}`)
      if (reply.fails !== undefined) throw new Error(reply.fails)
      return {
        status: reply.status ?? 200,
        headers: { get: (name) => reply.headers?.[name.toLowerCase()] ?? null },
        text: async () =>
          reply.body === undefined ? '' : typeof reply.body === 'string' ? reply.body : JSON.stringify(reply.body),
      }
    },
  })
  return { client, seen, waits }
}

const resource = (provisioningState: string) => ({ id: path, name: 'a', properties: { provisioningState } })
const running = { body: { status: 'InProgress' }, headers: { 'retry-after': '3' } }

suite('ARM client', () => {
  test('a GET carries the token and the newest api-version of its type', async () => {
    const { client, seen } = scripted([{ body: resource('Succeeded') }])
    await client.get(path, { query: { $expand: 'x' } })
    const url = new URL(seen[0]?.url ?? '')
    assert.match(url.searchParams.get('api-version') ?? '', /^20\d\d-\d\d-\d\d$/)
    assert.equal(url.searchParams.get('$expand'), 'x')
    assert.equal(seen[0]?.authorization, 'Bearer secret')
  })

  test('a PUT follows Azure-AsyncOperation as slowly as it is told, then reads the resource', async () => {
    const { client, seen, waits } = scripted([
      { status: 201, body: resource('Creating'), headers: { 'azure-asyncoperation': operation, 'retry-after': '2' } },
      running,
      { body: { status: 'Succeeded' } },
      { body: resource('Succeeded') },
    ])
    const states: unknown[] = []
    const onProgress: CallOptions['onProgress'] = ({ status }) => states.push(status)
    const made = await client.put(path, { location: 'x' }, { onProgress })
    assert.deepEqual(made['properties'], { provisioningState: 'Succeeded' })
    assert.deepEqual(waits, [2_000, 3_000])
    assert.deepEqual(states, ['InProgress', 'Succeeded'])
    assert.deepEqual(
      seen.map(({ method }) => method),
      ['PUT', 'GET', 'GET', 'GET'],
    )
    assert.equal(seen[0]?.body, '{"location":"x"}')
  })

  test('a PUT without an operation is followed by the state of the resource', async () => {
    const { client } = scripted([
      { status: 201, body: resource('Creating') },
      { body: resource('Updating') },
      { body: resource('Succeeded') },
    ])
    assert.deepEqual((await client.put(path, {}))['properties'], { provisioningState: 'Succeeded' })
  })

  test('a PUT without an operation whose resource ends as failed is a failure', async () => {
    const { client } = scripted([{ status: 201, body: resource('Creating') }, { body: resource('Failed') }])
    await assert.rejects(client.put(path, {}), { code: 'ProvisioningFailed', message: `${path} ended as failed.` })
  })

  test('a PUT that is true at once needs one request', async () => {
    const { client, seen } = scripted([{ body: resource('Succeeded') }])
    await client.put(path, {})
    assert.equal(seen.length, 1)
  })

  test('a failed operation throws its own error', async () => {
    const { client } = scripted([
      { status: 201, body: resource('Creating'), headers: { 'azure-asyncoperation': operation } },
      { body: { status: 'Failed', error: { code: 'ReplicationFailed', message: 'why', details: [{ code: 'D' }] } } },
    ])
    await assert.rejects(client.put(path, {}), { code: 'ReplicationFailed', message: 'why', kind: 'conflict' })
  })

  test('a DELETE by Location is followed until it is no longer 202; absent already is fine', async () => {
    const { client, seen } = scripted([
      { status: 202, headers: { location: `${operation}&monitor=true` } },
      { status: 202, headers: { location: operation } },
      { status: 204 },
    ])
    await client.delete(path)
    assert.equal(seen.length, 3)
    await scripted([{ status: 404, body: { error: { code: 'ResourceNotFound', message: 'no' } } }]).client.delete(path)
    await scripted([{ status: 204 }]).client.delete(path)
  })

  test('an action answers what Location holds in the end', async () => {
    const { client } = scripted([
      { status: 202, headers: { 'azure-asyncoperation': operation, location: `${operation}&monitor=true` } },
      { body: { status: 'Succeeded' } },
      { body: { replicas: [] } },
    ])
    assert.deepEqual(await client.post(`${path}/verify`), { replicas: [] })
  })

  test('lists go from page to page', async () => {
    const { client } = scripted([
      { body: { value: [{ n: 1 }, { n: 2 }], nextLink: `${endpoint}/next?api-version=1` } },
      { body: { value: [{ n: 3 }] } },
    ])
    assert.deepEqual(await Array.fromAsync(client.list(path), ({ n }) => n), [1, 2, 3])
  })

  test('the token never goes to another host, wherever the server leads', async () => {
    for (const elsewhere of ['https://evil.test/next', 'http://gallery.test:8081/next', 'https://gallery.test/next']) {
      const { client, seen } = scripted([{ body: { value: [], nextLink: elsewhere } }])
      await assert.rejects(Array.fromAsync(client.list(path)), { code: 'ForeignAddress' })
      assert.equal(seen.length, 1)
    }
  })

  test('a read survives broken connections and overload, a write is not repeated on its own', async () => {
    const good = { body: resource('Succeeded') }
    const lost = { fails: 'socket hang up' }
    await scripted([lost, { status: 503, headers: { 'retry-after': '1' } }, lost, good]).client.get(path)
    await assert.rejects(scripted([lost, lost, lost, lost, lost]).client.get(path), {
      code: 'ServerUnreachable',
      message: /socket hang up/,
    })
    const { client, seen } = scripted([lost])
    await assert.rejects(client.put(path, {}), { code: 'ServerUnreachable' })
    assert.equal(seen.length, 1)
    // Throttled: not carried out.
    await scripted([{ status: 429, headers: { 'retry-after': '7' } }, good]).client.put(path, {})
  })

  const answers: readonly (readonly [why: string, reply: Reply, expected: object])[] = [
    [
      'envelope',
      { status: 409, body: { error: { code: 'C', message: 'M', target: 't' } } },
      { code: 'C', message: 'M', target: 't', kind: 'conflict' },
    ],
    [
      '401',
      { status: 401, body: { error: { code: 'InvalidAuthenticationToken', message: 'x' } } },
      { kind: 'unauthenticated' },
    ],
    ['a page of a proxy', { status: 403, body: '<html>' }, { code: 'UnexpectedAnswer', kind: 'forbidden' }],
    ['success that is not JSON', { status: 200, body: '<html>' }, { code: 'UnexpectedAnswer' }],
    [
      'an OAuth error',
      { status: 400, body: { error: 'invalid_grant', error_description: 'D' } },
      { code: 'invalid_grant', message: 'D' },
    ],
  ]
  for (const [why, reply, expected] of answers)
    test(`what goes wrong becomes a Problem: ${why}`, () =>
      assert.rejects(scripted([reply]).client.get(path), { name: 'Problem', ...expected }))

  test('find answers undefined for what is absent, and nothing else', async () => {
    assert.equal(await scripted([{ status: 404, body: { error: { code: 'x' } } }]).client.find(path), undefined)
    await assert.rejects(scripted([{ status: 403, body: { error: { code: 'x' } } }]).client.find(path), {
      kind: 'forbidden',
    })
  })
})
