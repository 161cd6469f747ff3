import assert from 'node:assert/strict'
import { request } from 'node:https'
import { connect } from 'node:net'
import { test } from 'node:test'
import { buffer } from 'node:stream/consumers'
import type { Readable } from 'node:stream'
import { systemClock } from '../base/clock.ts'
import { silentLogger } from '../base/logger.ts'
import { Problem } from '../base/problem.ts'
import { parseJsonBody, useRawBodies } from './json-body.ts'
import { baseUrlOf, queryOf } from './request-facts.ts'
import { createHttpServer, type HttpServerOptions } from './server.ts'

/** Of nobody, for these tests only; valid for a hundred years. */
const selfSigned = {
  cert: `-----BEGIN CERTIFICATE-----
MIIBfjCCASWgAwIBAgIUQPBl1qUih5HR/CPl8FEWeZRtoB8wCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMTExMzYwOFoYDzIxMjYxMDI4
MTEzNjA4WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAQXBzVJ8kqM/iKJndCLFeLmWxgzZQ42qa21iK279QgKCAyBHKvkv1Ae
iCMiy1CR3cxUdIW0wdaiC9vhH1HoxX5Zo1MwUTAdBgNVHQ4EFgQU3ZPvLAlO67Nu
gBcIPIZC6vShsx4wHwYDVR0jBBgwFoAU3ZPvLAlO67NugBcIPIZC6vShsx4wDwYD
VR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNHADBEAiBZOade2bpFTblRxMJn7wEL
5ipjsT6Ln38AcZ9a4/o7WAIgI/+B3q5FNJVRbzkQ+sQ/jGMtElzO3FN4YD5/7eKl
Gis=
-----END CERTIFICATE-----
`,
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgLSqLHQCGeGBAZoET
9QZxb9sKFenubHUoK7fn5pMm+SKhRANCAAQXBzVJ8kqM/iKJndCLFeLmWxgzZQ42
qa21iK279QgKCAyBHKvkv1AeiCMiy1CR3cxUdIW0wdaiC9vhH1HoxX5Z
-----END PRIVATE KEY-----
`,
}

const anyPort = { host: '127.0.0.1', port: 0 }

/** Told when a request has reached the slow route. */
let slowBegan: (() => void) | undefined

async function start(options: Partial<HttpServerOptions> = {}) {
  const logged: object[] = []
  const logger = { ...silentLogger, error: (fields: object) => logged.push(fields) }
  const server = createHttpServer({ logger, closeTimeoutMs: 1000, ...options })
  const { app } = server
  app.get('/Facts/:name', async (request) => ({
    base: baseUrlOf(request),
    query: queryOf(request),
    params: request.params,
  }))
  app.post('/echo', async (request) => ({ got: request.body ?? 'nothing' }))
  app.get('/bug', async () => {
    throw new Error('secret /etc/path')
  })
  app.get('/refuse', async () => {
    throw new Problem('storageFull', 'StorageFull', 'Full.', {
      target: 't',
      details: [{ code: 'A', message: 'b', kind: 'internal' }],
    })
  })
  app.get('/slow', async () => {
    slowBegan?.()
    await systemClock.sleep(150)
    return { done: true }
  })
  await app.register(async (scope) => {
    useRawBodies(scope)
    scope.put('/raw', async (request, reply) => {
      const bytes = await buffer(request.body as Readable)
      reply.hijack()
      reply.raw.writeHead(201, { 'x-size': String(bytes.length) }).end()
    })
  })
  const addresses = await server.listen({ http: anyPort, ...(options.tls ? { https: anyPort } : {}) })
  return { ...server, ...addresses, logged, [Symbol.asyncDispose]: () => server.close() }
}

test('paths match in any case, with doubled and closing slashes; names keep their case; the query is decoded', async () => {
  await using server = await start()
  const answer = await fetch(`${server.http}//facts/MixedCase/?%24Expand=A&api-version=1`, {
    headers: {
      'x-ms-client-request-id': 'mine',
      'x-ms-return-client-request-id': 'true',
      'x-ms-correlation-request-id': 'corr',
    },
  })
  assert.deepEqual(await answer.json(), {
    base: server.http,
    query: { $expand: 'A', 'api-version': '1' },
    params: { name: 'MixedCase' },
  })
  assert.match(answer.headers.get('x-ms-request-id') ?? '', /^[0-9a-f-]{36}$/)
  assert.equal(answer.headers.get('x-ms-client-request-id'), 'mine')
  assert.equal(answer.headers.get('x-ms-correlation-request-id'), 'corr')
  assert.match(answer.headers.get('x-ms-routing-request-id') ?? '', /^GOLDLEAF:\d{8}T\d{6}Z:corr$/)
  assert.equal(answer.headers.get('cache-control'), 'no-cache')
  assert.equal(answer.headers.get('x-content-type-options'), 'nosniff')
})

test('HTTPS is served beside HTTP by the same routes and names itself https', async () => {
  const { cert, key } = selfSigned
  await using server = await start({ tls: { cert, key } })
  const text = await new Promise<string>((resolve, reject) => {
    const sent = request(`${server.https}/facts/x`, { rejectUnauthorized: false, agent: false }, (answer) => {
      buffer(answer).then((bytes) => resolve(bytes.toString()), reject)
    })
    sent.on('error', reject).end()
  })
  assert.equal(JSON.parse(text).base, server.https)
  assert.equal((await (await fetch(`${server.http}/facts/x`)).json()).base, server.http)
})

const refusals: { why: string; path: string; init?: RequestInit; status: number; code: string }[] = [
  { why: 'nothing there', path: '/none', status: 404, code: 'NotFound' },
  { why: 'bad encoding', path: '/facts/%E0%A4%A', status: 400, code: 'InvalidRequestUri' },
  { why: 'too long a name', path: `/facts/${'x'.repeat(600)}`, status: 400, code: 'InvalidRequestUri' },
  {
    why: 'not JSON',
    path: '/echo',
    init: { method: 'POST', body: '{', headers: { 'content-type': 'application/json' } },
    status: 400,
    code: 'InvalidRequestContent',
  },
  {
    why: 'no content type',
    path: '/echo',
    init: { method: 'POST', body: new Uint8Array([1]) },
    status: 415,
    code: 'UnsupportedMediaType',
  },
  {
    why: 'a form',
    path: '/echo',
    init: { method: 'POST', body: 'a=b', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
    status: 415,
    code: 'UnsupportedMediaType',
  },
  {
    why: 'too large',
    path: '/echo',
    init: { method: 'POST', body: `"${'x'.repeat(2000)}"`, headers: { 'content-type': 'application/json' } },
    status: 413,
    code: 'RequestContentTooLarge',
  },
]
for (const { why, path, init, status, code } of refusals)
  test(`refused: ${why}`, async () => {
    await using server = await start({ bodyLimitBytes: 1000 })
    const answer = await fetch(`${server.http}${path}`, init)
    const body = await answer.json()
    assert.deepEqual([answer.status, body.error.code], [status, code], JSON.stringify(body))
  })

test('a bug answers 500 without its text, which is in the log with the request id; a problem keeps its parts', async () => {
  await using server = await start()
  const bug = await fetch(`${server.http}/bug?sig=secret`)
  const text = await bug.text()
  assert.equal(bug.status, 500)
  assert.equal(text.includes('etc'), false)
  const [entry] = server.logged
  assert.equal((entry as { requestId: string }).requestId, bug.headers.get('x-ms-request-id'))
  assert.equal((entry as { path: string }).path, '/bug')
  const refused = await fetch(`${server.http}/refuse`)
  assert.equal(refused.status, 507)
  assert.deepEqual(await refused.json(), {
    error: { code: 'StorageFull', message: 'Full.', target: 't', details: [{ code: 'A', message: 'b' }] },
  })
})

test('a raw scope takes a body of any size and type and may answer by itself', async () => {
  await using server = await start({ bodyLimitBytes: 10 })
  for (const type of ['application/octet-stream', 'application/json']) {
    const answer = await fetch(`${server.http}/raw`, {
      method: 'PUT',
      body: new Uint8Array(300_000),
      headers: { 'content-type': type },
    })
    assert.deepEqual([answer.status, answer.headers.get('x-size')], [201, '300000'])
  }
})

test('slow clients are cut off: headers, dripping bodies, idle connections', async () => {
  await using server = await start({ bodyTimeoutMs: 100, idleTimeoutMs: 250 })
  const { port } = new URL(server.http)
  const talk = async (lines: string): Promise<string> => {
    const socket = connect(Number(port), '127.0.0.1')
    socket.write(lines)
    const answer = (await buffer(socket)).toString()
    socket.destroy()
    return answer
  }
  const head = 'POST /echo HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{'
  await Promise.all([talk(head), talk('GET / HTTP/1.1\r\nhost')])
})

test('what is no request is refused in the envelope of all errors', async () => {
  await using server = await start()
  const talk = async (lines: string): Promise<string> => {
    const socket = connect(Number(new URL(server.http).port), '127.0.0.1')
    socket.write(lines)
    return (await buffer(socket)).toString()
  }
  for (const [lines, status] of [
    ['FROB / HTTP/1.1\r\nhost: a\r\n\r\n', 400],
    [`GET / HTTP/1.1\r\nhost: a\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
  ] as const) {
    const [head = '', body = ''] = (await talk(lines)).split('\r\n\r\n')
    assert.match(head, new RegExp(`^HTTP/1\\.1 ${status} .*x-ms-request-id: [0-9a-f-]{36}`, 's'))
    assert.equal(JSON.parse(body).error.code, 'BadRequest')
  }
})

test('a Host header that is no host is not reflected', async () => {
  await using server = await start()
  const socket = connect(Number(new URL(server.http).port), '127.0.0.1')
  socket.write('GET /facts/x HTTP/1.1\r\nhost: evil.com/<script>\r\nconnection: close\r\n\r\n')
  const answer = (await buffer(socket)).toString()
  assert.match(answer, /^HTTP\/1\.1 400 /)
  assert.equal(answer.includes('script'), false)
})

test('close stops listening, lets running requests finish and cuts the rest in bounded time', async () => {
  const server = await start()
  const idle = connect(Number(new URL(server.http).port), '127.0.0.1')
  idle.on('error', () => undefined)
  const began = new Promise<void>((resolve) => (slowBegan = resolve))
  const slow = fetch(`${server.http}/slow`)
  await began
  const closing = server.close()
  assert.deepEqual(await (await slow).json(), { done: true })
  await closing
  await server.close()
  await assert.rejects(fetch(`${server.http}/facts/x`))
  idle.destroy()
})

test('JSON bodies: depth, __proto__ in any spelling, byte order mark, emptiness', () => {
  assert.throws(() => parseJsonBody('['.repeat(100_000)), /levels deep/)
  assert.throws(() => parseJsonBody('{"a":{"_\\u005fproto__":{"x":1}}}'), /__proto__/)
  assert.deepEqual(parseJsonBody('\uFEFF{"a":"[[[["}'), { a: '[[[[' })
  assert.deepEqual(parseJsonBody('{"say":"__proto__"}'), { say: '__proto__' })
  assert.equal(parseJsonBody(' '), undefined)
})

test('an address that is taken is named, with what to do', async () => {
  const one = createHttpServer({ logger: silentLogger, clock: systemClock })
  const two = createHttpServer({ logger: silentLogger, clock: systemClock })
  try {
    const { port } = new URL((await one.listen({ http: anyPort })).http)
    await assert.rejects(two.listen({ http: { host: '127.0.0.1', port: Number(port) } }), (error) => {
      assert.ok(error instanceof Problem)
      assert.equal(error.code, 'AddressUnavailable')
      assert.match(error.message, new RegExp(`127\\.0\\.0\\.1 port ${port}: another program .*--listen`))
      return true
    })
  } finally {
    await one.close()
    await two.close()
  }
})
