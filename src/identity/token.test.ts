import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { SignJWT, decodeJwt, generateKeyPair } from 'jose'
import type { JWTPayload } from 'jose'
import { systemClock } from '../base/clock.ts'
import type { Clock } from '../base/clock.ts'
import { createAuthenticator } from './authenticator.ts'
import { openInstallation } from './installation.ts'
import type { Installation } from './installation.ts'
import { armAudience, createTokenSigner, issuerOf } from './token.ts'

const nowMs = Date.UTC(2026, 10, 21, 12)
const clock: Clock = { ...systemClock, now: () => nowMs }
const nowSeconds = nowMs / 1000

suite('access tokens', () => {
  let folder = ''
  let home: Installation
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'goldleaf-token-'))
    home = await openInstallation(folder)
  })
  after(() => rm(folder, { recursive: true }))

  const principal = () => ({ objectId: home.objectId, tenantId: home.tenantId, appId: home.clientId })
  const goodClaims = (): JWTPayload => ({
    iss: issuerOf(home.tenantId),
    aud: armAudience,
    sub: home.objectId,
    oid: home.objectId,
    tid: home.tenantId,
    appid: home.clientId,
    idtyp: 'app',
    iat: nowSeconds,
    nbf: nowSeconds,
    exp: nowSeconds + 3_600,
  })
  const forge = (
    claims: Record<string, unknown>,
    key: CryptoKey | Uint8Array = home.keys.current().signingKey,
    header = {},
  ) =>
    new SignJWT({ ...goodClaims(), ...claims })
      .setProtectedHeader({ alg: 'RS256', typ: 'JWT', kid: home.keys.current().publicJwk.kid, ...header })
      .sign(key)
  const authenticate = (header: string | undefined, at: Clock = clock) =>
    createAuthenticator({ installation: home, clock: at })(header)

  test('a token of our own names its caller, in every spelling of the scheme', async () => {
    const { token, expiresSeconds } = await createTokenSigner(home, clock).sign(principal(), armAudience)
    assert.equal(expiresSeconds, nowSeconds + 3_600)
    const { appid, oid, tid, exp } = decodeJwt(token)
    assert.deepEqual([appid, oid, tid, exp], [home.clientId, home.objectId, home.tenantId, expiresSeconds])
    const caller = { ...principal(), kind: 'servicePrincipal', roles: [], name: home.clientId }
    assert.deepEqual(await authenticate(`Bearer ${token}`), caller)
    assert.deepEqual(await authenticate(`bearer  ${token}`), caller)
  })

  test('a token made by hand with the right key and claims is good: the refusals below are for one reason each', async () => {
    await authenticate(`Bearer ${await forge({})}`)
  })

  test('users, managed identities, app roles and other tenants of this server come through', async () => {
    const signer = createTokenSigner(home, clock)
    const tenantId = '22222222-2222-2222-2222-222222222222'
    const isTenant = async (id: string) => id === tenantId
    const read = createAuthenticator({ installation: home, clock, isTenant })
    const user = { objectId: 'o', tenantId, appId: 'a', kind: 'user' as const, upn: 'alice@x', roles: ['R'] }
    assert.deepEqual(await read(`Bearer ${(await signer.sign(user, armAudience)).token}`), { ...user, name: 'alice@x' })
    const machine = { objectId: 'o', tenantId, appId: 'a', kind: 'managedIdentity' as const, resourceId: '/x' }
    assert.equal((await read(`Bearer ${(await signer.sign(machine, armAudience)).token}`)).kind, 'managedIdentity')
    const own = await signer.sign(principal(), armAudience)
    await assert.rejects(read(`Bearer ${own.token}`), { code: 'InvalidAuthenticationTokenTenant' })
  })

  const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const tamper = (token: string, claims: JWTPayload): string => {
    const [head, , signature] = token.split('.')
    return `${head}.${encode({ ...goodClaims(), ...claims })}.${signature}`
  }
  const refused: readonly (readonly [why: string, token: () => string | Promise<string>, code: string])[] = [
    ['alg none', () => `${encode({ alg: 'none', typ: 'JWT' })}.${encode(goodClaims())}.`, 'InvalidAuthenticationToken'],
    [
      'HMAC with the public key as its secret',
      () => forge({}, Buffer.from(JSON.stringify(home.keys.current().publicJwk)), { alg: 'HS256' }),
      'InvalidAuthenticationToken',
    ],
    ['another key', async () => forge({}, (await generateKeyPair('RS256')).privateKey), 'InvalidAuthenticationToken'],
    ['changed claims', async () => tamper(await forge({}), { oid: 'root' }), 'InvalidAuthenticationToken'],
    [
      'changed claims that are also expired',
      async () => tamper(await forge({}), { exp: nowSeconds - 9_999 }),
      'InvalidAuthenticationToken',
    ],
    ['not a token', () => 'abc', 'InvalidAuthenticationToken'],
    [
      'other type of token',
      () => forge({}, home.keys.current().signingKey, { typ: 'secevent+jwt' }),
      'InvalidAuthenticationToken',
    ],
    ['issuer', () => forge({ iss: 'https://sts.windows.net/x/' }), 'InvalidAuthenticationTokenTenant'],
    ['tenant', () => forge({ tid: 'other' }), 'InvalidAuthenticationTokenTenant'],
    ['audience', () => forge({ aud: 'https://storage.azure.com' }), 'InvalidAuthenticationTokenAudience'],
    ['expired', () => forge({ exp: nowSeconds - 61 }), 'ExpiredAuthenticationToken'],
    ['not valid yet', () => forge({ nbf: nowSeconds + 61 }), 'InvalidAuthenticationToken'],
    ['issued in the future', () => forge({ iat: nowSeconds + 61 }), 'InvalidAuthenticationToken'],
    ['no expiry', () => forge({ exp: undefined }), 'InvalidAuthenticationToken'],
    ['no object id', () => forge({ oid: undefined }), 'InvalidAuthenticationToken'],
    ['object id of a wrong type', () => forge({ oid: 7 }), 'InvalidAuthenticationToken'],
  ]
  for (const [why, token, code] of refused)
    test(`refused: ${why}`, async () => {
      await assert.rejects(authenticate(`Bearer ${await token()}`), { code, kind: 'unauthenticated' })
    })

  test('clocks may be a minute apart, both ways', async () => {
    await authenticate(`Bearer ${await forge({ exp: nowSeconds - 50 })}`)
    await authenticate(`Bearer ${await forge({ nbf: nowSeconds + 50, iat: nowSeconds + 50 })}`)
  })

  test('a token ends an hour later', async () => {
    const { token } = await createTokenSigner(home, clock).sign(principal(), armAudience)
    await authenticate(`Bearer ${token}`, { ...systemClock, now: () => nowMs + 3_590_000 })
    const late = { ...systemClock, now: () => nowMs + 3_700_000 }
    await assert.rejects(authenticate(`Bearer ${token}`, late), { code: 'ExpiredAuthenticationToken' })
  })

  test('the header: absent, empty, of another scheme, too long', async () => {
    for (const header of [undefined, '', '  '])
      await assert.rejects(authenticate(header), {
        code: 'AuthenticationFailed',
        message: "Authentication failed. The 'Authorization' header is missing.",
      })
    for (const header of ['Basic eDp5', 'Bearer', 'Bearer a b', `Bearer ${'a'.repeat(20_000)}`])
      await assert.rejects(authenticate(header), { code: 'AuthenticationFailedInvalidHeader' })
  })
})
