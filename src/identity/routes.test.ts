import assert from 'node:assert/strict'
import { after, before, beforeEach, suite, test } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { createLocalJWKSet, jwtVerify } from 'jose'
import { systemClock } from '../base/clock.ts'
import { createAuthenticator } from './authenticator.ts'
import { openIdentity } from './identity.fixture.ts'
import type { TestIdentity } from './identity.fixture.ts'
import type { Installation } from './installation.ts'

suite('sign-in', () => {
  let identity: TestIdentity
  let home: Installation
  let secret = ''
  let app: FastifyInstance
  let nowMs = Date.now()
  const clock = { ...systemClock, now: () => nowMs }
  const host = 'gallery.test:8081'
  const base = `http://${host}`

  before(async () => {
    identity = await openIdentity(clock)
    ;({ home, secret } = identity)
  })
  after(() => identity[Symbol.asyncDispose]())
  beforeEach(() => {
    app = identity.createApp()
  })

  const good = () => ({
    grant_type: 'client_credentials',
    client_id: home.clientId,
    client_secret: secret,
    scope: `${base}/.default`,
  })
  const post = (url: string, fields: Record<string, string | undefined>, headers: Record<string, string> = {}) => {
    const defined = Object.entries(fields).filter((field): field is [string, string] => field[1] !== undefined)
    return app.inject({
      method: 'POST',
      url,
      headers: { host, 'content-type': 'application/x-www-form-urlencoded', ...headers },
      payload: new URLSearchParams(defined).toString(),
    })
  }
  const v2 = () => `/${home.tenantId}/oauth2/v2.0/token`

  test('v2 and ADFS: a bearer token that the API accepts, never cached', async () => {
    for (const url of [v2(), v2().toUpperCase(), '/adfs/oauth2/token', '//organizations/oauth2/v2.0/token']) {
      const answer = await post(url, good())
      assert.equal(answer.statusCode, 200, answer.body)
      assert.equal(answer.headers['cache-control'], 'no-store')
      const { token_type: type, expires_in: seconds, access_token: token } = answer.json()
      assert.deepEqual([type, seconds], ['Bearer', 3_600])
      const caller = await createAuthenticator({ installation: home, clock })(`Bearer ${token}`)
      assert.equal(caller.appId, home.clientId)
    }
  })

  test('v1: numbers are strings and the resource comes back (Go SDK, packer)', async () => {
    const resource = 'https://management.azure.com/'
    const answer = await post(`/${home.tenantId}/oauth2/token?api-version=1.0`, {
      ...good(),
      scope: undefined,
      resource,
    })
    const body = answer.json()
    assert.equal(body.resource, resource)
    assert.equal(body.expires_in, '3600')
    assert.equal(Number(body.expires_on) - Number(body.not_before), 3_600)
  })

  test('the secret may come by Basic authentication, urlencoded first', async () => {
    const basic = Buffer.from(`${home.clientId}:${encodeURIComponent(secret)}`).toString('base64')
    const fields = { ...good(), client_id: undefined, client_secret: undefined }
    assert.equal((await post(v2(), fields, { authorization: `Basic ${basic}` })).statusCode, 200)
  })

  const refused: readonly (readonly [
    why: string,
    change: Record<string, string | undefined>,
    status: number,
    error: string,
    code: number,
  ])[] = [
    ['wrong secret', { client_secret: 'x' }, 401, 'invalid_client', 7000215],
    ['no secret', { client_secret: undefined }, 401, 'invalid_client', 7000218],
    ['unknown client', { client_id: '00000000-0000-0000-0000-000000000000' }, 400, 'unauthorized_client', 700016],
    ['no client', { client_id: undefined }, 400, 'invalid_request', 900144],
    ['no grant type', { grant_type: '' }, 400, 'invalid_request', 900144],
    ['another grant', { grant_type: 'implicit' }, 400, 'unsupported_grant_type', 70003],
    ['no scope', { scope: undefined }, 400, 'invalid_scope', 1002012],
    ['scope of another resource', { scope: 'https://vault.azure.net/.default' }, 400, 'invalid_resource', 500011],
    ['scope of another host', { scope: 'http://evil.test/.default' }, 400, 'invalid_resource', 500011],
  ]
  for (const [why, change, status, error, code] of refused)
    test(`refused in OAuth's form: ${why}`, async () => {
      const answer = await post(v2(), { ...good(), ...change })
      assert.equal(answer.statusCode, status, answer.body)
      const body = answer.json()
      assert.deepEqual([body.error, body.error_codes], [error, [code]])
      assert.ok(body.error_description.startsWith(`AADSTS${code}: `))
      assert.ok(!answer.body.includes(secret))
    })

  test('refused: another tenant, a parameter given twice, JSON instead of a form', async () => {
    const stranger = '11111111-1111-1111-1111-111111111111'
    assert.deepEqual((await post(`/${stranger}/oauth2/v2.0/token`, good())).json().error_codes, [90002])
    const twice = await app.inject({
      method: 'POST',
      url: v2(),
      headers: { host, 'content-type': 'application/x-www-form-urlencoded' },
      payload: `${new URLSearchParams(good()).toString()}&client_id=x`,
    })
    assert.equal(twice.json().error, 'invalid_request')
    const json = await app.inject({ method: 'POST', url: v2(), headers: { host }, payload: good() })
    assert.equal(json.json().error, 'invalid_request')
    const huge = await post(v2(), { ...good(), claims: 'x'.repeat(70_000) })
    assert.equal(huge.statusCode, 413)
  })

  test('failures are slowed down after the tenth, right secrets never, and a minute later it is forgotten', async () => {
    for (let at = 0; at < 10; at++) assert.equal((await post(v2(), { ...good(), client_secret: 'x' })).statusCode, 401)
    const slowed = await post(v2(), { ...good(), client_secret: 'x' })
    assert.equal(slowed.statusCode, 429)
    assert.ok(Number(slowed.headers['retry-after']) > 0)
    assert.equal((await post(v2(), good())).statusCode, 200)
    nowMs += 61_000
    assert.equal((await post(v2(), { ...good(), client_secret: 'x' })).statusCode, 401)
  })

  test('openid documents lead to the token endpoints of their form, on the host that asked', async () => {
    const get = async (path: string) => (await app.inject({ url: path, headers: { host } })).json()
    const newest = await get(`/${home.tenantId}/v2.0/.well-known/openid-configuration`)
    assert.equal(newest.token_endpoint, `${base}/${home.tenantId}/oauth2/v2.0/token`)
    assert.equal(newest.issuer, `${base}/${home.tenantId}/v2.0`)
    const old = await get(`/${home.tenantId}/.well-known/openid-configuration`)
    assert.equal(old.token_endpoint, `${base}/${home.tenantId}/oauth2/token`)
    const adfs = await get('/adfs/.well-known/openid-configuration')
    assert.equal(adfs.token_endpoint, `${base}/adfs/oauth2/token`)
    assert.equal((await get('/nobody/v2.0/.well-known/openid-configuration')).error, 'invalid_tenant')
    const keys = createLocalJWKSet(await get(new URL(newest.jwks_uri).pathname))
    const { access_token: token } = (await post(v2(), good())).json()
    await jwtVerify(token, keys, { currentDate: new Date(nowMs) })
    assert.ok(!JSON.stringify(await get(`/${home.tenantId}/discovery/keys`)).includes('"d"'))
  })

  test('cloud metadata in the form of each api-version', async () => {
    const get = async (version: string) =>
      (await app.inject({ url: `//metadata/endpoints?api-version=${version}`, headers: { host } })).json()
    const newest = await get('2022-09-01')
    assert.equal(newest.resourceManager, base)
    assert.equal(newest.authentication.loginEndpoint, base)
    assert.equal(newest.suffixes.storage, host)
    for (const version of ['2020-06-01', '2019-05-01']) assert.equal((await get(version))[0].name, 'AzureCloud')
    assert.ok((await get('2018-01-01')).cloudEndpoint)
    for (const version of ['2015-01-01', '1.0'])
      assert.equal((await get(version)).authentication.loginEndpoint, `${base}/adfs`)
  })
})
