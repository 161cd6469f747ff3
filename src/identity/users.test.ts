import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, beforeEach, suite, test } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { createLocalJWKSet, decodeJwt, jwtVerify } from 'jose'
import { systemClock } from '../base/clock.ts'
import { createApplication, createServicePrincipal } from '../directory/applications.ts'
import { createTenant } from '../directory/tenants.ts'
import { createUser, inviteGuest, updateUser } from '../directory/users.ts'
import type { User } from '../directory/directory.ts'
import { createAuthenticator } from './authenticator.ts'
import { openIdentity } from './identity.fixture.ts'
import type { TestIdentity } from './identity.fixture.ts'
import { openSignInState } from './routes.ts'
import { refreshLeewayMs } from './sign-in-state.ts'

const azureCli = '04b07795-8ddb-461a-bbee-02f9e1bf7b46'
const host = 'gallery.test:8081'
const base = `http://${host}`
const redirectUri = 'http://localhost:8400/'
const password = 'Correct horse battery 1'
const verifier = 'v'.repeat(64)
const challenge = createHash('sha256').update(verifier).digest('base64url')

suite('users sign in', () => {
  let identity: TestIdentity
  let app: FastifyInstance
  let alice: User
  let nowMs = Date.now()
  const clock = { ...systemClock, now: () => nowMs }

  before(async () => {
    // Slow hashes are the directory's own tests' subject; here they would take most of the time.
    identity = await openIdentity(clock, {
      isPassword: async (user, given) => user !== undefined && given === password,
    })
    alice = await createUser(identity.room, identity.home.tenantId, {
      userPrincipalName: 'alice@goldleaf.local',
      displayName: 'Alice',
      password,
    })
  })
  after(() => identity[Symbol.asyncDispose]())
  beforeEach(() => {
    app = identity.createApp()
  })

  /** A browser with scripts switched off: it keeps cookies and follows redirects on this server. */
  const browser = () => {
    const jar = new Map<string, { value: string; path: string }>()
    const visit = async (url: string, fields?: Record<string, string>, headers: Record<string, string> = {}) => {
      const path = url.startsWith(base) ? url.slice(base.length) : url
      const cookie = [...jar]
        .filter(([, one]) => path.startsWith(one.path))
        .map(([key, { value }]) => `${key.split(' ')[0]}=${value}`)
        .join('; ')
      const answer = await app.inject({
        method: fields === undefined ? 'GET' : 'POST',
        url: path,
        headers: {
          host,
          cookie,
          accept: 'text/html',
          ...(fields === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
          ...headers,
        },
        ...(fields === undefined ? {} : { payload: new URLSearchParams(fields).toString() }),
      })
      for (const { name, value, path: at = '/' } of answer.cookies) jar.set(`${name} ${at}`, { value, path: at })
      return answer
    }
    /** Follows redirects while they stay on this server. */
    const go = async (url: string, fields?: Record<string, string>) => {
      let answer = await visit(url, fields)
      for (let hops = 0; hops < 6; hops++) {
        const { location } = answer.headers
        if (typeof location !== 'string' || (!location.startsWith(base) && !location.startsWith('/'))) return answer
        answer = await visit(location)
      }
      return answer
    }
    return { visit, go }
  }
  type Answer = Awaited<ReturnType<ReturnType<typeof browser>['go']>>
  const fieldOf = (answer: Answer, name: string): string =>
    new RegExp(`name="${name}"[^>]* value="([^"]*)"`).exec(answer.body)?.[1] ?? ''
  const actionOf = (answer: Answer): string => /action="([^"]*)"/.exec(answer.body)?.[1] ?? ''
  const signInAt = (who: ReturnType<typeof browser>, page: Answer, fields: Record<string, string> = {}) =>
    who.go(actionOf(page), {
      csrf: fieldOf(page, 'csrf'),
      username: 'alice@goldleaf.local',
      password,
      ...fields,
    })

  const tenantPath = () => `/${identity.home.tenantId}/oauth2/v2.0`
  const authorizeUrl = (change: Record<string, string | undefined> = {}, path = '/organizations/oauth2/v2.0') => {
    const fields = {
      client_id: azureCli,
      response_type: 'code',
      redirect_uri: redirectUri,
      scope: `${base}//.default offline_access openid profile`,
      code_challenge: challenge,
      code_challenge_method: 'S256',
      state: 's t',
      nonce: 'n',
      prompt: 'select_account',
      client_info: '1',
      ...change,
    }
    const defined = Object.entries(fields).filter((field): field is [string, string] => field[1] !== undefined)
    return `${path}/authorize?${new URLSearchParams(defined).toString()}`
  }
  const post = (url: string, fields: Record<string, string>) =>
    app.inject({
      method: 'POST',
      url,
      headers: { host, 'content-type': 'application/x-www-form-urlencoded' },
      payload: new URLSearchParams(fields).toString(),
    })
  const codeOf = (answer: Answer): string => new URL(answer.headers.location ?? '').searchParams.get('code') ?? ''
  const redeem = (code: string, change: Record<string, string> = {}, path = '/organizations/oauth2/v2.0') =>
    post(`${path}/token`, {
      client_id: azureCli,
      grant_type: 'authorization_code',
      code,
      redirect_uri: redirectUri,
      code_verifier: verifier,
      scope: `${base}//.default offline_access openid profile`,
      client_info: '1',
      ...change,
    })
  const getCode = async (): Promise<string> => {
    const who = browser()
    return codeOf(await signInAt(who, await who.go(authorizeUrl())))
  }
  const passwordGrant = (change: Record<string, string> = {}, path = '/organizations/oauth2/v2.0') =>
    post(`${path}/token`, {
      client_id: azureCli,
      grant_type: 'password',
      username: 'alice@goldleaf.local',
      password,
      scope: `${base}/.default offline_access openid profile`,
      client_info: '1',
      ...change,
    })
  const refresh = (token: string, change: Record<string, string> = {}, path = '/organizations/oauth2/v2.0') =>
    post(`${path}/token`, {
      client_id: azureCli,
      grant_type: 'refresh_token',
      refresh_token: token,
      scope: `${base}//.default offline_access openid profile`,
      client_info: '1',
      ...change,
    })
  const callerOf = (token: string) =>
    createAuthenticator({
      installation: identity.home,
      clock,
      isTenant: async (id) => (await identity.directory.findTenant(id)) !== undefined,
    })(`Bearer ${token}`)

  test('authorization code with PKCE: a page without scripts, tokens as MSAL reads them', async () => {
    const who = browser()
    const page = await who.go(authorizeUrl())
    assert.equal(page.statusCode, 200, page.body)
    assert.match(page.body, /to continue to Microsoft Azure CLI/)
    assert.doesNotMatch(page.body, /<script/)
    assert.match(
      String(page.headers['content-security-policy']),
      /default-src 'none'.*form-action 'self' http:\/\/localhost:8400/,
    )
    const back = await signInAt(who, page)
    assert.ok(String(back.headers.location).startsWith(`${redirectUri}?`), `${back.statusCode} ${back.body}`)
    assert.equal(new URL(String(back.headers.location)).searchParams.get('state'), 's t')
    const answer = await redeem(codeOf(back))
    assert.equal(answer.statusCode, 200, answer.body)
    assert.equal(answer.headers['cache-control'], 'no-store')
    const body = answer.json()
    assert.deepEqual(JSON.parse(Buffer.from(body.client_info, 'base64url').toString()), {
      uid: alice.objectId,
      utid: identity.home.tenantId,
    })
    assert.equal(body.token_type, 'Bearer')
    assert.equal(body.expires_in, 3_600)
    assert.ok(body.scope.split(' ').includes(`${base}//.default`))
    const caller = await callerOf(body.access_token)
    assert.deepEqual(caller, {
      kind: 'user',
      objectId: alice.objectId,
      tenantId: identity.home.tenantId,
      appId: azureCli,
      upn: 'alice@goldleaf.local',
      name: 'alice@goldleaf.local',
      roles: [],
    })
    const keys = createLocalJWKSet((await app.inject({ url: '/common/discovery/v2.0/keys', headers: { host } })).json())
    const { payload } = await jwtVerify(body.id_token, keys, { audience: azureCli, currentDate: new Date(nowMs) })
    assert.equal(payload.iss, `${base}/${identity.home.tenantId}/v2.0`)
    const { nonce, tid, oid, preferred_username: name } = payload
    assert.deepEqual([nonce, tid, oid, name], ['n', identity.home.tenantId, alice.objectId, 'alice@goldleaf.local'])
    await assert.rejects(callerOf(body.id_token), { code: 'InvalidAuthenticationToken' })
  })

  test('device code: pending until a person has typed the code and signed in', async () => {
    const asked = (
      await post(`${tenantPath()}/devicecode`, { client_id: azureCli, scope: `${base}/.default openid` })
    ).json()
    assert.match(asked.message, /enter the code/)
    assert.equal(asked.verification_uri, `${base}${tenantPath()}/deviceauth`)
    const poll = () =>
      post(`${tenantPath()}/token`, {
        client_id: azureCli,
        grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
        device_code: asked.device_code,
        client_info: '1',
      })
    const pending = await poll()
    assert.equal(pending.statusCode, 400)
    assert.deepEqual([pending.json().error, pending.json().error_codes], ['authorization_pending', [70016]])
    const who = browser()
    const enter = await who.go(asked.verification_uri)
    assert.match(enter.body, /<label for="user_code">/)
    const wrong = await who.go(actionOf(enter), { xsrf: fieldOf(enter, 'xsrf'), user_code: 'AAAA-AAAA' })
    assert.match(wrong.body, /role="alert"/)
    const confirm = await who.go(actionOf(wrong), { xsrf: fieldOf(wrong, 'xsrf'), user_code: asked.user_code })
    assert.match(confirm.body, /Microsoft Azure CLI/)
    const page = await who.go(actionOf(confirm), {
      xsrf: fieldOf(confirm, 'xsrf'),
      user_code: asked.user_code,
      confirm: 'yes',
    })
    const done = await signInAt(who, page)
    assert.match(done.body, /You are signed in/)
    const answer = await poll()
    assert.equal(answer.statusCode, 200, answer.body)
    assert.equal((await callerOf(answer.json().access_token)).objectId, alice.objectId)
    assert.equal((await poll()).json().error, 'invalid_grant')
  })

  test('user name and password: v2, ADFS, and v1 with numbers as text', async () => {
    for (const path of ['/organizations/oauth2/v2.0', '/adfs/oauth2', '/goldleaf.local/oauth2/v2.0']) {
      const answer = await passwordGrant({}, path)
      assert.equal(answer.statusCode, 200, `${path} ${answer.body}`)
      assert.equal((await callerOf(answer.json().access_token)).upn, 'alice@goldleaf.local')
      assert.equal(decodeJwt(answer.json().id_token).aud, azureCli)
    }
    const v1 = (
      await passwordGrant({ resource: 'https://management.azure.com/', scope: 'openid' }, '/common/oauth2')
    ).json()
    assert.equal(v1.expires_in, '3600')
    assert.equal(v1.resource, 'https://management.azure.com/')
    const once = (await passwordGrant({ scope: `${base}/.default` })).json()
    assert.equal(once.refresh_token, undefined)
  })

  test('a refresh token gets tokens for other resources, and is replaced each time', async () => {
    const first = (await passwordGrant()).json()
    const second = (await refresh(first.refresh_token, { scope: 'https://graph.microsoft.com//.default' })).json()
    assert.equal(decodeJwt(second.access_token).aud, 'https://graph.microsoft.com')
    assert.notEqual(second.refresh_token, first.refresh_token)
    await assert.rejects(callerOf(second.access_token), { code: 'InvalidAuthenticationTokenAudience' })
  })

  test('a used refresh token is refused; one that comes back later revokes all that came of the sign-in', async () => {
    const first = (await passwordGrant()).json()
    const second = (await refresh(first.refresh_token)).json()
    const isReplay = async () => {
      const { statusCode, ...answer } = await refresh(first.refresh_token)
      assert.deepEqual([statusCode, answer.json().error, answer.json().error_codes], [400, 'invalid_grant', [54005]])
    }
    // az side by side: the same token twice at the same moment is no theft, so the other's tokens go on.
    await isReplay()
    const third = (await refresh(second.refresh_token)).json()
    assert.ok(third.refresh_token)
    nowMs += refreshLeewayMs
    await isReplay()
    assert.equal((await refresh(third.refresh_token)).json().error, 'invalid_grant')
  })

  test('of uses of a refresh token side by side, one gets tokens', async () => {
    const { refresh_token: token } = (await passwordGrant()).json()
    const answers = await Promise.all([1, 2, 3, 4].map(() => refresh(token)))
    assert.deepEqual(
      answers.map(({ statusCode }) => statusCode).toSorted((one, other) => one - other),
      [200, 400, 400, 400],
    )
    const winner = answers.find(({ statusCode }) => statusCode === 200)
    assert.equal((await refresh(winner?.json().refresh_token)).statusCode, 200, 'the others have not revoked it')
  })

  test('a new password ends every sign-in that came of the old one: tokens, codes, browsers', async () => {
    const carla = { userPrincipalName: 'carla@goldleaf.local', displayName: 'Carla', password }
    const { objectId } = await createUser(identity.room, identity.home.tenantId, carla)
    const asCarla = { username: carla.userPrincipalName }
    const { refresh_token: token } = (await passwordGrant(asCarla)).json()
    const { refresh_token: ofAlice } = (await passwordGrant()).json()
    const who = browser()
    const code = codeOf(await signInAt(who, await who.go(authorizeUrl()), asCarla))
    await updateUser(identity.room, identity.home.tenantId, objectId, { password: 'Another horse 2' })
    for (const answer of [await refresh(token), await redeem(code)])
      assert.deepEqual([answer.statusCode, answer.json().error], [400, 'invalid_grant'])
    assert.equal((await who.go(authorizeUrl({ prompt: undefined }))).statusCode, 200, 'the browser must sign in again')
    assert.equal((await refresh(ofAlice)).statusCode, 200, 'others go on')
    assert.equal((await refresh((await passwordGrant(asCarla)).json().refresh_token)).statusCode, 200)
  })

  test('the database holds no token that could be used, and lets go of what has expired', async () => {
    const { refresh_token: token } = (await passwordGrant()).json()
    const rows = await identity.db.selectFrom('sign_in_state').selectAll().execute()
    assert.ok(rows.length > 0)
    for (const text of [token, alice.objectId]) assert.ok(!JSON.stringify(rows).includes(text))
    const state = openSignInState({ installation: identity.home, db: identity.db, clock })
    nowMs += 91 * 86_400_000
    assert.equal((await refresh(token)).json().error, 'invalid_grant')
    await state.sweep()
    const left = await identity.db.selectFrom('sign_in_state').selectAll().where('kind', '=', 'RefreshToken').execute()
    nowMs -= 91 * 86_400_000
    assert.deepEqual(left, [])
  })

  test('guests: one refresh token, tokens of both tenants; strangers get none', async () => {
    const contoso = await createTenant(identity.room, { displayName: 'Contoso' })
    const signedIn = (await passwordGrant()).json()
    const stranger = await refresh(signedIn.refresh_token, {}, `/${contoso.tenantId}/oauth2/v2.0`)
    assert.deepEqual(stranger.json().error_codes, [50020])
    assert.deepEqual((await passwordGrant({}, `/${contoso.tenantId}/oauth2/v2.0`)).json().error_codes, [50020])
    const guest = await inviteGuest(identity.room, contoso.tenantId, { userPrincipalName: 'alice@goldleaf.local' })
    const answer = await refresh((await passwordGrant()).json().refresh_token, {}, `/${contoso.tenantId}/oauth2/v2.0`)
    assert.equal(answer.statusCode, 200, answer.body)
    const caller = await callerOf(answer.json().access_token)
    assert.deepEqual([caller.tenantId, caller.objectId], [contoso.tenantId, guest.objectId])
  })

  test('a browser that is signed in goes on without a password, and another person may take over', async () => {
    await createUser(identity.room, identity.home.tenantId, {
      userPrincipalName: 'bob@goldleaf.local',
      displayName: 'Bob',
      password,
    })
    const who = browser()
    await signInAt(who, await who.go(authorizeUrl()))
    const again = await who.go(authorizeUrl({ prompt: undefined }))
    assert.ok(codeOf(again), again.body)
    const page = await who.go(authorizeUrl({ prompt: 'login' }))
    const bob = await signInAt(who, page, { username: 'bob@goldleaf.local' })
    const { access_token: token } = (await redeem(codeOf(bob))).json()
    assert.equal((await callerOf(token)).upn, 'bob@goldleaf.local')
    const silent = await browser().go(authorizeUrl({ prompt: 'none' }))
    assert.match(String(silent.headers.location), /error=login_required/)
  })

  test('codes are good once; a second use revokes what came of the first', async () => {
    const code = await getCode()
    const first = (await redeem(code)).json()
    const second = await redeem(code)
    assert.deepEqual([second.statusCode, second.json().error_codes], [400, [54005]])
    assert.equal((await refresh(first.refresh_token)).statusCode, 400)
    const raced = await getCode()
    const statuses = await Promise.all([redeem(raced), redeem(raced)])
    assert.deepEqual(new Set(statuses.map(({ statusCode }) => statusCode)), new Set([200, 400]))
  })

  const badRedemptions: readonly (readonly [why: string, change: Record<string, string>, code: number])[] = [
    ['no verifier', { code_verifier: '' }, 501481],
    ['another verifier', { code_verifier: 'w'.repeat(64) }, 501481],
    ['another redirect address', { redirect_uri: 'http://localhost:8401/' }, 500112],
    ['another client', { client_id: '1950a258-227b-4e31-a9cf-717495945fc2' }, 700005],
  ]
  for (const [why, change, code] of badRedemptions)
    test(`a code is refused: ${why}`, async () => {
      const answer = await redeem(await getCode(), change)
      assert.deepEqual([answer.statusCode, answer.json().error_codes], [400, [code]], answer.body)
    })

  const badAuthorizations: readonly (readonly [
    why: string,
    change: Record<string, string | undefined>,
    shown: RegExp,
  ])[] = [
    ['no PKCE', { code_challenge: undefined, code_challenge_method: undefined }, /PKCE/],
    ['plain PKCE', { code_challenge_method: 'plain' }, /code_challenge_method/],
  ]
  for (const [why, change, shown] of badAuthorizations)
    test(`an authorization request is sent back: ${why}`, async () => {
      const answer = await browser().go(authorizeUrl(change))
      const { searchParams } = new URL(String(answer.headers.location))
      assert.equal(searchParams.get('error'), 'invalid_request')
      assert.match(searchParams.get('error_description') ?? '', shown)
    })

  test('an address that is not registered, or a client that is unknown, is never redirected to', async () => {
    for (const change of [
      { redirect_uri: 'https://evil.test/' },
      { redirect_uri: 'http://localhost.evil.test:8400/' },
      { redirect_uri: 'http://localhost:8400/other' },
      { client_id: '00000000-0000-0000-0000-000000000000' },
    ]) {
      const answer = await browser().go(authorizeUrl(change))
      assert.equal(answer.statusCode, 400, JSON.stringify(change))
      assert.equal(answer.headers.location, undefined)
      assert.match(String(answer.headers['content-security-policy']), /default-src 'none'/)
    }
  })

  test('a parameter that is given twice, or a body that is too large, is refused everywhere', async () => {
    const twice = await browser().go(`${authorizeUrl()}&redirect_uri=https%3A%2F%2Fevil.test`)
    assert.deepEqual([twice.statusCode, twice.headers.location], [400, undefined])
    const huge = { client_id: azureCli, scope: 'x'.repeat(60_000) }
    for (const path of ['token', 'devicecode', 'authorize', 'deviceauth', 'signin/x'])
      assert.equal((await post(`${tenantPath()}/${path}`, huge)).statusCode, 413, path)
  })

  test('the sign-in form: only from the page that was shown, in the browser that it was shown to', async () => {
    const who = browser()
    const page = await who.go(authorizeUrl())
    const fields = { csrf: fieldOf(page, 'csrf'), username: 'alice@goldleaf.local', password }
    assert.equal((await who.visit(actionOf(page), { ...fields, csrf: 'x' })).statusCode, 400)
    assert.equal((await who.visit(actionOf(page), fields, { 'sec-fetch-site': 'cross-site' })).statusCode, 400)
    assert.equal((await browser().visit(actionOf(page), fields)).statusCode, 400)
    assert.equal((await who.visit(actionOf(page), fields)).statusCode, 303)
  })

  test('a wrong password, an unknown name and a guessing peer are told apart by nobody but us', async () => {
    const wrong = (await passwordGrant({ password: 'x' })).json()
    const unknown = (await passwordGrant({ username: 'nobody@goldleaf.local' })).json()
    assert.deepEqual({ ...wrong, timestamp: '' }, { ...unknown, timestamp: '' })
    assert.deepEqual(wrong.error_codes, [50126])
    const guesses = await Promise.all(Array.from({ length: 12 }, () => passwordGrant({ password: 'x' })))
    assert.ok(guesses.some(({ statusCode }) => statusCode === 429))
    assert.equal((await passwordGrant()).statusCode, 429, 'also the right one, or guessing would go on')
  })

  test('applications: only where they are known; with a secret they must prove themselves', async () => {
    const made = await createApplication(identity.room, identity.home.tenantId, {
      displayName: 'Portal',
      redirectUris: ['https://portal.test/back'],
    })
    const { appId } = made
    const refused = await passwordGrant({ client_id: appId })
    assert.deepEqual(refused.json().error_codes, [700016])
    await createServicePrincipal(identity.room, identity.home.tenantId, appId)
    assert.deepEqual((await passwordGrant({ client_id: appId })).json().error_codes, [7000218])
  })
})
