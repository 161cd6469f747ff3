import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { after, before, suite, test } from 'node:test'
import { armCaller, startGoldleaf } from '../support/goldleaf.ts'
import type { RunningGoldleaf } from '../support/goldleaf.ts'
import { openPrincipals } from '../support/principals.ts'
import type { Principals, TestUser } from '../support/principals.ts'
import { head, sendRaw } from './raw.ts'

type Header = readonly [name: string, value: string]
const close: Header = ['connection', 'close']
const json: Header = ['content-type', 'application/json']

/** What a request may do to the server by its form alone: headers, framing, sizes, depth, pace. */
suite('requests that no client sends', () => {
  let server: RunningGoldleaf
  let people: Principals
  let nobody: TestUser
  let host: Header
  let good: Header
  let bad: Header
  let groups = ''
  before(async () => {
    server = await startGoldleaf()
    people = await openPrincipals(server)
    nobody = await people.user('nobody')
    host = ['host', new URL(server.env.httpEndpoint).host]
    good = ['authorization', `Bearer ${server.token}`]
    bad = ['authorization', `Bearer ${nobody.token}`]
    groups = `/subscriptions/${server.env.subscriptionId}/resourcegroups`
  })
  after(async () => {
    await people?.[Symbol.asyncDispose]()
    await server?.[Symbol.asyncDispose]()
  })

  const get = (): string => `GET ${groups}?api-version=2021-04-01 HTTP/1.1`
  const send = (line: string, headers: readonly Header[], body = '') =>
    sendRaw(server.env.httpEndpoint, head(line, [...headers, close]) + body)

  test('a request that could be read in two ways is refused: repeated headers, two lengths, odd codings', async () => {
    const put = `PUT ${groups}/smuggled?api-version=2021-04-01 HTTP/1.1`
    const body = '{"location":"westeurope"}'
    const length: Header = ['content-length', String(body.length)]
    const chunked = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`
    const coding = (value: string, name = 'transfer-encoding'): Header => [name, value]
    const cases: readonly (readonly [why: string, line: string, headers: readonly Header[], body?: string])[] = [
      ['two hosts', get(), [host, ['Host', 'evil.example'], good]],
      ['no host', get(), [good]],
      ['an empty host', get(), [['host', ''], good]],
      ['two tokens, the right one first', get(), [host, good, bad]],
      ['two tokens, the right one last', get(), [host, bad, good]],
      ['two content types', put, [host, good, json, ['Content-Type', 'text/plain'], length], body],
      ['two lengths', put, [host, good, json, length, ['content-length', '0']], body],
      ['the same length twice', put, [host, good, json, length, length], body],
      ['a length with a sign', put, [host, good, json, ['content-length', `+${body.length}`]], body],
      ['length and chunks', put, [host, good, json, ['content-length', '4'], coding('chunked')], chunked],
      ['chunks twice', put, [host, good, json, coding('chunked'), coding('identity')], chunked],
      ['a coding that looks like chunks', put, [host, good, json, coding('xchunked')], chunked],
      ['chunks in gzip', put, [host, good, json, coding('gzip, chunked')], chunked],
      ['a blank before the colon', put, [host, good, json, coding('chunked', 'transfer-encoding ')], chunked],
      ['a folded header', get(), [host, [good[0], `${good[1]}\r\n x`]]],
      ['a bare line feed', get(), [host, [bad[0], `${bad[1]}\n${good.join(': ')}`]]],
      ['a fragment', get().replace('?', '#?'), [host, good]],
      ['the address of another host', get().replace('/', 'http://evil.example/'), [host, good]],
      ['HTTP/2 without asking', 'PRI * HTTP/2.0', [], 'SM\r\n\r\n'],
    ]
    for (const [why, line, headers, content] of cases) {
      const { statuses, text } = await send(line, headers, content)
      assert.deepEqual(statuses, [400], `${why}: ${text}`)
      assert.doesNotMatch(text, /evil/, why)
    }
    assert.deepEqual((await armCaller(server).call('GET', `${groups}?api-version=2021-04-01`)).body.value, [])
  })

  test('a body belongs to its request, also where it looks like the next one', async () => {
    const inner = head(get(), [host, good])
    const { statuses } = await send(get(), [host, bad, ['content-length', String(inner.length)]], inner)
    assert.deepEqual(statuses, [403])
  })

  test('proxies are not believed, methods are not overridden, tokens come in the Authorization header alone', async () => {
    const forwarded = await send(get(), [
      host,
      good,
      ['x-forwarded-host', 'evil.example'],
      ['x-forwarded-proto', 'https'],
      ['x-forwarded-for', '10.0.0.1'],
      ['forwarded', 'host=evil.example;proto=https'],
      ['x-original-url', '/providers'],
      ['x-http-method-override', 'DELETE'],
      ['x-http-method', 'DELETE'],
    ])
    assert.deepEqual(forwarded.statuses, [200])
    assert.doesNotMatch(forwarded.text, /evil|10\.0\.0\.1/)
    const [, token] = good
    for (const [why, line, headers] of [
      ['in the query', get().replace('?', `?access_token=${server.token}&authorization=${encodeURIComponent(token)}&`)],
      ['in a cookie', get(), [['cookie', `authorization=${token}; token=${server.token}`]]],
      ['of a proxy', get(), [['proxy-authorization', token]]],
      ['auxiliary alone', get(), [['x-ms-authorization-auxiliary', token]]],
      ['two in one', get(), [[good[0], `${bad[1]}, ${token}`]]],
      ['of another scheme', get(), [[good[0], token.replace('Bearer', 'Basic')]]],
    ] as readonly (readonly [string, string, (readonly Header[])?])[])
      assert.deepEqual((await send(line, [host, ...(headers ?? [])])).statuses, [401], why)
    const tunnel = await send(`CONNECT 127.0.0.1:22 HTTP/1.1`, [host, good])
    assert.deepEqual(tunnel.statuses, [], 'a tunnel is not even answered')
    const traced = await send('TRACE /subscriptions?api-version=2022-12-01 HTTP/1.1', [host, good])
    assert.deepEqual([traced.statuses, traced.text.includes(server.token)], [[404], false])
  })

  test('the absolute form and odd encodings name the same thing as the usual address', async () => {
    const usual = await send(get(), [host, good])
    for (const line of [
      get().replace('/', `${server.env.httpEndpoint}/`),
      get().replace('/subscriptions', '/%73ubscriptions'),
      get().replace('/subscriptions', '//SUBSCRIPTIONS/'),
    ]) {
      const answer = await send(line, [host, good])
      assert.deepEqual(answer.statuses, usual.statuses, line)
      assert.deepEqual((await send(line, [host, bad])).statuses, [403], line)
    }
  })

  test('auxiliary tokens add nothing to what is asked itself, and each must be good', async () => {
    const auxiliary = (value: string, own = bad) => send(get(), [host, own, ['x-ms-authorization-auxiliary', value]])
    const foreign = await people.user('bob', await people.tenant('Elsewhere'))
    for (const [why, value, own, status] of [
      ["another's in one's own tenant", good[1], bad, 403],
      ['of another tenant', `Bearer ${foreign.token}`, bad, 403],
      ['forged', `${good[1].slice(0, -6)}AAAAAA`, good, 401],
      ['unsigned', `Bearer ${server.token.split('.').slice(0, 2).join('.')}.`, good, 401],
      ['four', Array(4).fill(good[1]).join(', '), good, 400],
    ] as const)
      assert.deepEqual((await auxiliary(value, own)).statuses, [status], why)
    assert.deepEqual((await auxiliary(Array(9_000).fill('x').join(';'))).statuses, [431])
  })

  test('large and deep bodies are refused, with and without a token', async () => {
    const put = `PUT ${groups}/large?api-version=2021-04-01 HTTP/1.1`
    const chunk = Buffer.alloc(1024, ' ')
    const large = `${(5 * 1024 * 1024).toString(16)}\r\n${chunk.toString().repeat(5 * 1024)}\r\n0\r\n\r\n`
    const deep = `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`
    for (const who of [good, undefined]) {
      const headers = [host, json, ...(who ? [who] : [])]
      const announced = await send(put, [...headers, ['content-length', '99999999999']])
      assert.deepEqual(announced.statuses, [413])
      const untold = await send(put, [...headers, ['transfer-encoding', 'chunked']], large)
      assert.deepEqual(untold.statuses, [413])
      const nested = await send(put, [...headers, ['content-length', String(deep.length)]], deep)
      assert.deepEqual(nested.statuses, [400])
    }
    const wide = JSON.stringify({
      location: 'westeurope',
      tags: Object.fromEntries(
        Array(60_000)
          .fill(0)
          .map((_, i) => [`t${i}`, 'x']),
      ),
    })
    const answer = await send(put, [host, good, json, ['content-length', String(wide.length)]], wide)
    assert.deepEqual(answer.statuses, [400])
    const polluted = '{"location":"westeurope","__proto__":{"isAdmin":true},"constructor":{"prototype":{"x":1}}}'
    assert.deepEqual(
      (await send(put, [host, good, json, ['content-length', String(polluted.length)]], polluted)).statuses,
      [400],
    )
  })

  test('many slow clients do not keep the others from being served', async () => {
    const { hostname, port } = new URL(server.env.httpEndpoint)
    const sockets = Array.from({ length: 200 }, () => {
      const socket = connect(Number(port), hostname)
      socket.on('error', () => undefined)
      socket.write(head(`PUT ${groups}/slow?api-version=2021-04-01 HTTP/1.1`, [host, json, ['content-length', '100']]))
      return socket
    })
    try {
      assert.deepEqual((await send(get(), [host, good])).statuses, [200])
    } finally {
      for (const socket of sockets) socket.destroy()
    }
  })
})
