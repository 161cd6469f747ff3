import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, suite, test } from 'node:test'
import { SignJWT, exportJWK, generateKeyPair } from 'jose'
import { systemClock } from '../base/clock.ts'
import { createAuthenticator } from './authenticator.ts'
import { openIdentity } from './identity.fixture.ts'
import type { TestIdentity } from './identity.fixture.ts'
import { Provider } from './oidc-library.ts'
import type { OutsideIssuer } from './outside-issuers.ts'
import { armAudience, createTokenSigner } from './token.ts'

/** A real OpenID provider on a port of its own, as Keycloak would be: it signs with keys that it publishes. */
async function openProvider() {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true })
  const jwk = { ...(await exportJWK(privateKey)), kid: 'one', alg: 'RS256', use: 'sig' }
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const issuer = `http://127.0.0.1:${port}`
  const provider = new Provider(issuer, {
    jwks: { keys: [jwk] },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => 'api://goldleaf',
        getResourceServerInfo: () => ({ scope: '', audience: 'api://goldleaf', accessTokenFormat: 'jwt' }),
      },
    },
    clients: [
      {
        client_id: 'robot',
        client_secret: 'a secret of the robot that is long enough',
        grant_types: ['client_credentials'],
        response_types: [],
        redirect_uris: [],
      },
    ],
  })
  const answer = provider.callback()
  server.on('request', (request, response) => void answer(request, response))
  const close = () => new Promise<void>((resolve) => void server.close(() => resolve()))
  return { issuer, privateKey, close }
}

suite('outside issuers', () => {
  let identity: TestIdentity
  let outside: Awaited<ReturnType<typeof openProvider>>
  const nowSeconds = Math.floor(Date.now() / 1000)
  before(async () => {
    identity = await openIdentity(systemClock)
    outside = await openProvider()
  })
  after(async () => {
    await outside.close()
    await identity[Symbol.asyncDispose]()
  })

  const read = (token: string, change: Partial<OutsideIssuer> = {}) => {
    const { tenantId } = identity.home
    const config = { issuer: outside.issuer, audiences: ['api://goldleaf'], tenantId, ...change }
    return createAuthenticator({ installation: identity.home, clock: systemClock, issuers: [config] })(
      `Bearer ${token}`,
    )
  }
  const claims = () => ({
    iss: outside.issuer,
    aud: 'api://goldleaf',
    sub: 'B1B1B1B1-0000-4000-8000-000000000001',
    azp: 'portal',
    preferred_username: 'carol@partner.test',
    roles: ['Publisher'],
    groups: ['g1'],
    iat: nowSeconds,
    exp: nowSeconds + 600,
  })
  const sign = (
    change: Record<string, unknown> = {},
    key: CryptoKey | Uint8Array = outside.privateKey,
    alg = 'RS256',
  ) => new SignJWT({ ...claims(), ...change }).setProtectedHeader({ alg, kid: 'one' }).sign(key)

  test('a token that a real OpenID provider issued: its keys are found by its openid document', async () => {
    const answer = await fetch(`${outside.issuer}/token`, {
      method: 'POST',
      headers: {
        authorization: `Basic ${Buffer.from('robot:a+secret+of+the+robot+that+is+long+enough').toString('base64')}`,
      },
      body: new URLSearchParams({ grant_type: 'client_credentials' }),
    })
    const { access_token: token } = (await answer.json()) as { access_token: string }
    const caller = await read(token)
    assert.deepEqual([caller.kind, caller.appId, caller.objectId], ['servicePrincipal', 'robot', 'robot'])
    assert.equal(caller.tenantId, identity.home.tenantId)
  })

  test('people, by the usual claims and by configured ones', async () => {
    assert.deepEqual(await read(await sign()), {
      kind: 'user',
      objectId: 'b1b1b1b1-0000-4000-8000-000000000001',
      tenantId: identity.home.tenantId,
      appId: 'portal',
      upn: 'carol@partner.test',
      name: 'carol@partner.test',
      roles: ['Publisher'],
      groupIds: ['g1'],
    })
    const caller = await read(await sign({ who: 'o', mail: 'm' }), { claims: { objectId: 'who', name: 'mail' } })
    assert.deepEqual([caller.objectId, caller.upn], ['o', 'm'])
    const robot = await read(await sign({ preferred_username: 'service-account-portal' }))
    assert.equal(robot.kind, 'servicePrincipal')
  })

  test('own tokens are taken beside them', async () => {
    const { objectId, tenantId, clientId: appId } = identity.home
    const signer = createTokenSigner(identity.home, systemClock)
    const { token } = await signer.sign({ objectId, tenantId, appId }, armAudience)
    assert.equal((await read(token)).objectId, objectId)
  })

  const invalid = 'InvalidAuthenticationToken'
  const refused: readonly (readonly [
    why: string,
    token: () => Promise<string>,
    code: string,
    change?: Partial<OutsideIssuer>,
  ])[] = [
    ['another key', async () => sign({}, (await generateKeyPair('RS256')).privateKey), invalid],
    ['HMAC', () => sign({}, new TextEncoder().encode('x'.repeat(64)), 'HS256'), invalid],
    [
      'none',
      async () => {
        const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
        return `${encode({ alg: 'none' })}.${encode(claims())}.`
      },
      invalid,
    ],
    ['an issuer that nobody configured', () => sign({ iss: 'https://evil.test' }), invalid],
    ['our own issuer, signed by the outside one', () => sign({ iss: `urn:goldleaf:tenant:x` }), invalid],
    ['audience', () => sign({ aud: 'api://other' }), 'InvalidAuthenticationTokenAudience'],
    ['expired', () => sign({ exp: nowSeconds - 61 }), 'ExpiredAuthenticationToken'],
    ['not valid yet', () => sign({ nbf: nowSeconds + 120 }), invalid],
    ['issued in the future', () => sign({ iat: nowSeconds + 120 }), invalid],
    ['no application', () => sign({ azp: undefined }), invalid],
    ['the operator of this server', () => sign({ sub: identity.home.objectId }), invalid],
    [
      'a tenant that is not of this server',
      () => sign({ tid: 't' }),
      'InvalidAuthenticationTokenTenant',
      { tenantId: undefined },
    ],
    ['keys that cannot be had', () => sign(), 'IssuerUnavailable', { jwksUri: 'http://127.0.0.1:9/keys' }],
  ]
  for (const [why, token, code, change] of refused)
    test(`refused: ${why}`, async () => {
      await assert.rejects(read(await token(), change), { code })
    })

  test('an openid document of another issuer is not believed', async () => {
    const other = outside.issuer.replace('127.0.0.1', 'localhost')
    await assert.rejects(read(await sign({ iss: other }), { issuer: other }), { code: 'IssuerUnavailable' })
  })
})
