import assert from 'node:assert/strict'
import { after, before, beforeEach, suite, test } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { SignJWT, generateKeyPair } from 'jose'
import type { CryptoKey, KeyObject } from 'jose'
import { systemClock } from '../base/clock.ts'
import { createApplication, createServicePrincipal, updateServicePrincipal } from '../directory/applications.ts'
import { addSecret, parseKey } from '../directory/credentials.ts'
import type { KeyCredential } from '../directory/directory.ts'
import { createTenant } from '../directory/tenants.ts'
import { createAuthenticator } from './authenticator.ts'
import { makeCertificate } from './certificates.fixture.ts'
import type { TestCertificate } from './certificates.fixture.ts'
import { openIdentity } from './identity.fixture.ts'
import type { TestIdentity } from './identity.fixture.ts'

const host = 'gallery.test:8081'
const base = `http://${host}`

suite('clients prove themselves', () => {
  let identity: TestIdentity
  let app: FastifyInstance
  let cert: TestCertificate
  let key: KeyCredential
  let appId = ''
  let nowMs = Date.now()
  const clock = { ...systemClock, now: () => nowMs }

  before(async () => {
    identity = await openIdentity(clock)
    cert = makeCertificate()
    // openssl counts whole seconds: its certificate may begin within this one.
    nowMs += 1_000
    key = parseKey({ certificate: cert.certificate })
    const application = await createApplication(identity.room, identity.home.tenantId, {
      displayName: 'robot',
      signInAudience: 'AzureADMultipleOrgs',
      keyCredentials: [key],
    })
    appId = application.appId
    await createServicePrincipal(identity.room, identity.home.tenantId, appId)
  })
  after(() => identity[Symbol.asyncDispose]())
  beforeEach(() => {
    app = identity.createApp()
  })

  let count = 0
  const assertionOf = (
    change: Record<string, unknown> = {},
    header: Record<string, unknown> = {},
    signer: CryptoKey | KeyObject | Uint8Array = cert.privateKey,
  ) => {
    const seconds = Math.floor(nowMs / 1000)
    return new SignJWT({
      iss: appId,
      sub: appId,
      aud: `${base}/${identity.home.tenantId}/oauth2/v2.0/token`,
      jti: `id ${(count += 1)}`,
      nbf: seconds,
      iat: seconds,
      exp: seconds + 600,
      ...change,
    })
      .setProtectedHeader({ alg: 'RS256', x5t: key.thumbprint, ...header })
      .sign(signer)
  }
  const ask = (
    fields: Record<string, string>,
    path = `/${identity.home.tenantId}/oauth2/v2.0/token`,
    from = '127.0.0.1',
  ) =>
    app.inject({
      method: 'POST',
      url: path,
      remoteAddress: from,
      headers: { host, 'content-type': 'application/x-www-form-urlencoded' },
      payload: new URLSearchParams({
        client_id: appId,
        grant_type: 'client_credentials',
        scope: `${base}/.default`,
        ...fields,
      }).toString(),
    })
  const type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
  const present = async (assertion: string | Promise<string>, path?: string, from?: string) =>
    ask({ client_assertion: await assertion, client_assertion_type: type }, path, from)

  test('by certificate: named by either thumbprint, padded or not, PS256 too, at every form of the endpoint', async () => {
    const { tenantId } = identity.home
    const headers = [
      {},
      { x5t: `${key.thumbprint}=` },
      { x5t: undefined, 'x5t#S256': key.thumbprintSha256 },
      { alg: 'PS256', x5t: undefined, 'x5t#S256': key.thumbprintSha256 },
    ]
    for (const header of headers) {
      const answer = await present(assertionOf({}, header))
      assert.equal(answer.statusCode, 200, answer.body)
      const caller = await createAuthenticator({ installation: identity.home, clock })(
        `Bearer ${answer.json().access_token}`,
      )
      assert.deepEqual([caller.kind, caller.appId], ['servicePrincipal', appId])
    }
    for (const aud of [
      `${base}/${tenantId}/oauth2/token`,
      `${base}/${tenantId}/v2.0`,
      `${base}//goldleaf.local/oauth2/v2.0/token`,
    ])
      assert.equal((await present(assertionOf({ aud }))).statusCode, 200, aud)
    const adfs = await present(assertionOf({ aud: `${base}/adfs/oauth2/token` }), '/adfs/oauth2/token')
    assert.equal(adfs.statusCode, 200, adfs.body)
  })

  const refused: readonly (readonly [why: string, assertion: () => Promise<string>, code: number])[] = [
    ['another key', async () => assertionOf({}, {}, (await generateKeyPair('RS256')).privateKey), 700027],
    ['a certificate that is not registered', () => assertionOf({}, { x5t: 'x' }), 700027],
    ['no certificate named', () => assertionOf({}, { x5t: undefined }), 700027],
    [
      'HMAC with the certificate as its secret',
      () => assertionOf({}, { alg: 'HS256' }, Buffer.from(cert.certificate, 'base64')),
      700027,
    ],
    [
      'alg none',
      async () => {
        const [, body = ''] = (await assertionOf()).split('.')
        const head = Buffer.from(JSON.stringify({ alg: 'none', x5t: key.thumbprint })).toString('base64url')
        return `${head}.${body}.`
      },
      700027,
    ],
    ['not a JWT', async () => 'abc', 50027],
    ['another application', () => assertionOf({ iss: 'other' }), 700021],
    ['expired', () => assertionOf({ exp: Math.floor(nowMs / 1000) - 301 }), 700024],
    ['not valid yet', () => assertionOf({ nbf: Math.floor(nowMs / 1000) + 301 }), 700024],
    ['valid for a week', () => assertionOf({ exp: Math.floor(nowMs / 1000) + 7 * 86_400 }), 700024],
    ['no end', () => assertionOf({ exp: undefined }), 700027],
    ['no id', () => assertionOf({ jti: undefined }), 700027],
    ['for the public cloud', () => assertionOf({ aud: 'https://login.microsoftonline.com/x/oauth2/token' }), 700023],
    ['for another tenant', () => assertionOf({ aud: `${base}/common/oauth2/v2.0/token` }), 700023],
    ['for a longer host name', () => assertionOf({ aud: `${base}.evil.test/adfs/oauth2/token` }), 700023],
  ]
  for (const [why, assertion, code] of refused)
    test(`an assertion is refused: ${why}`, async () => {
      const answer = await present(assertion())
      assert.deepEqual([answer.statusCode, answer.json().error_codes], [401, [code]], answer.body)
    })

  test('an assertion serves its owner until it ends, and nobody else', async () => {
    const assertion = await assertionOf()
    assert.equal((await present(assertion)).statusCode, 200)
    assert.equal((await present(assertion)).statusCode, 200, 'MSAL uses one again until it ends')
    const stolen = await present(assertion, undefined, '10.0.0.9')
    assert.deepEqual([stolen.statusCode, stolen.json().error_codes], [401, [700027]])
  })

  test('an end of the certificate ends what it signs', async () => {
    nowMs += 3 * 86_400_000
    const answer = await present(assertionOf())
    nowMs -= 3 * 86_400_000
    assert.deepEqual(answer.json().error_codes, [700027])
  })

  test('secret and assertion together, or an assertion of no type, are refused', async () => {
    const assertion = await assertionOf()
    const both = { client_assertion: assertion, client_assertion_type: type, client_secret: 'x' }
    assert.equal((await ask(both)).json().error, 'invalid_request')
    assert.equal((await ask({ client_assertion: assertion })).json().error, 'invalid_request')
  })

  test('only in tenants that have a principal of it, and while that is enabled', async () => {
    const { secretText } = await addSecret(
      identity.room,
      identity.home.tenantId,
      (await identity.directory.findApplication(appId))?.objectId ?? '',
      'application',
      {},
    )
    const fabrikam = await createTenant(identity.room, { displayName: 'Fabrikam' })
    const path = `/${fabrikam.tenantId}/oauth2/v2.0/token`
    assert.deepEqual((await ask({ client_secret: secretText }, path)).json().error_codes, [700016])
    const principal = await createServicePrincipal(identity.room, fabrikam.tenantId, appId)
    const answer = await ask({ client_secret: secretText }, path)
    assert.equal(answer.statusCode, 200, answer.body)
    const caller = await createAuthenticator({
      installation: identity.home,
      clock,
      isTenant: async (id) => id === fabrikam.tenantId,
    })(`Bearer ${answer.json().access_token}`)
    assert.deepEqual([caller.tenantId, caller.objectId], [fabrikam.tenantId, principal.objectId])
    await updateServicePrincipal(identity.room, fabrikam.tenantId, principal.objectId, { accountEnabled: false })
    assert.deepEqual((await ask({ client_secret: secretText }, path)).json().error_codes, [7000112])
  })
})
