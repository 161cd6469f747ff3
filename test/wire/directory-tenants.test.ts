import assert from 'node:assert/strict'
import { after, suite, test } from 'node:test'
import { runGoldleaf, startGoldleaf } from '../support/goldleaf.ts'
import { cli } from '../support/publishing.ts'

const server = await startGoldleaf()
after(() => server[Symbol.asyncDispose]())

interface Document {
  readonly [member: string]: unknown
  readonly id: string
  readonly tenantId: string
  readonly appId: string
  readonly clientSecret: string
  readonly servicePrincipalId: string
  readonly password: string
  readonly subscriptionId: string
  readonly userPrincipalName: string
  readonly value: readonly Document[]
  readonly error: { readonly code: string }
}

/** Runs `goldleaf` on the server, in this process; answers what it prints as JSON, or its text. */
async function goldleaf(...args: readonly string[]): Promise<Document> {
  const said = await cli(server, ...args)
  assert.equal(said.code, 0, said.err)
  return (/^[[{]/.test(said.out) ? JSON.parse(said.out) : { text: said.out }) as Document
}

async function signIn(tenant: string, clientId: string, clientSecret: string): Promise<string> {
  const response = await fetch(`${server.env.httpEndpoint}/${tenant}/oauth2/v2.0/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: clientId,
      client_secret: clientSecret,
      scope: `${server.env.httpEndpoint}/.default`,
    }),
  })
  const body = (await response.json()) as { access_token?: string }
  assert.ok(body.access_token, JSON.stringify(body))
  return body.access_token
}

async function call(token: string, method: string, path: string, body?: unknown) {
  const response = await fetch(server.env.httpEndpoint + path, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, body: (text === '' ? {} : JSON.parse(text)) as Document }
}

// One as a user runs it; the others without the start of a process each.
const made = await runGoldleaf(['--data', server.data, 'tenant', 'create', 'Contoso'])
const contoso = JSON.parse(made.stdout) as Document
const domain = 'contoso.goldleaf.local'
const alice = await goldleaf('user', 'create', 'alice', '--role', 'User Administrator')
const bob = await goldleaf('--tenant', domain, 'user', 'create', 'bob')
const own = await goldleaf('app', 'create', 'own')
const shared = await goldleaf('app', 'create', 'shared', '--multi-tenant')
const newUser = {
  userPrincipalName: 'eve@goldleaf.local',
  displayName: 'Eve',
  accountEnabled: true,
  passwordProfile: { password: 'Correct-horse-1' },
}

suite('the command line', () => {
  test('makes, shows and lists people, in the tenant that --tenant names', async () => {
    assert.equal(bob.userPrincipalName, `bob@${domain}`)
    assert.match(bob.password, /^.{20,}$/)
    const list = await goldleaf('--tenant', domain, 'user', 'list')
    assert.match(String(list['text']), new RegExp(`^ID .*\n${bob.id}  bob@${domain} `))
    assert.equal((await goldleaf('user', 'show', 'alice@goldleaf.local')).id, alice.id)
    const guest = await goldleaf('--tenant', domain, 'user', 'invite', 'alice@goldleaf.local')
    assert.equal(guest['userType'], 'Guest')
    await assert.rejects(goldleaf('user', 'show', bob.userPrincipalName), /NotInDirectory/)
  })

  test('makes a subscription in another tenant, and says how to reach it', async () => {
    const made = await goldleaf('--tenant', domain, 'subscription', 'create', 'There')
    const env = await goldleaf('--tenant', domain, 'env', '--json')
    assert.equal(env.subscriptionId, made.subscriptionId)
    assert.equal(env.tenantId, contoso.tenantId)
    await assert.rejects(goldleaf('tenant', 'delete', domain), /TenantInUse/)
    await assert.rejects(goldleaf('subscription', 'cancel', made.subscriptionId), /InvalidAuthenticationTokenTenant/)
  })

  test('admits an application of another tenant only if it is for several', async () => {
    const admitted = await goldleaf('--tenant', domain, 'app', 'admit', shared.appId)
    assert.equal(admitted['home'], server.env.tenantId)
    await assert.rejects(goldleaf('--tenant', domain, 'app', 'admit', own.appId), /NoBackingApplicationObject/)
  })
})

suite('rights in a directory', () => {
  test('a program reads its own tenant, and changes nothing without a role', async () => {
    const token = await signIn(server.env.tenantId, own.appId, own.clientSecret)
    assert.equal((await call(token, 'GET', '/v1.0/users')).status, 200)
    const refusals: readonly (readonly [string, string, unknown?])[] = [
      ['POST', '/v1.0/users', newUser],
      ['PATCH', `/v1.0/users/${alice.id}`, { displayName: 'x' }],
      ['DELETE', `/v1.0/users/${alice.id}`],
      ['POST', '/v1.0/groups', { displayName: 'g', mailNickname: 'g' }],
      ['POST', '/v1.0/applications', { displayName: 'a' }],
      ['POST', `/v1.0/applications/${shared.id}/addPassword`, {}],
      ['POST', '/v1.0/servicePrincipals', { appId: shared.appId }],
      ['POST', '/v1.0/invitations', { invitedUserEmailAddress: bob.userPrincipalName }],
      ['GET', '/goldleaf/v1/tenants'],
      ['DELETE', `/goldleaf/v1/tenants/${domain}`],
    ]
    for (const [method, path, body] of refusals) {
      const answer = await call(token, method, path, body)
      assert.equal(answer.status, 403, `${method} ${path}: ${JSON.stringify(answer.body)}`)
      assert.equal(answer.body.error.code, 'Authorization_RequestDenied')
    }
  })

  test('an owner changes what it owns, a role what is its own, nobody raises himself', async () => {
    const { token: operator } = server
    const token = await signIn(server.env.tenantId, own.appId, own.clientSecret)
    const reference = { '@odata.id': `https://graph.microsoft.com/v1.0/directoryObjects/${own.servicePrincipalId}` }
    const owners = `/v1.0/applications/${shared.id}/owners/$ref`
    assert.equal((await call(operator, 'POST', owners, reference)).status, 204)
    assert.equal((await call(token, 'POST', `/v1.0/applications/${shared.id}/addPassword`, {})).status, 200)
    const roles = '/v1.0/roleManagement/directory/roleAssignments'
    const userAdministrator = 'fe930be7-5e62-47db-91af-98c3a49a38b1'
    const assignment = {
      principalId: own.servicePrincipalId,
      roleDefinitionId: userAdministrator,
      directoryScopeId: '/',
    }
    assert.equal((await call(token, 'POST', roles, assignment)).status, 403)
    assert.equal((await call(operator, 'POST', roles, assignment)).status, 201)
    assert.equal((await call(token, 'POST', '/v1.0/users', newUser)).status, 201)
    // Alice holds a role: with her password one would have it.
    const change = { passwordProfile: { password: 'Correct-horse-1' } }
    assert.equal((await call(token, 'PATCH', `/v1.0/users/${alice.id}`, change)).status, 403)
    assert.equal((await call(token, 'POST', roles, assignment)).status, 403)
  })

  test('a foreign application sees itself, and nothing of either tenant leaks into the other', async () => {
    const foreign = await signIn(domain, shared.appId, shared.clientSecret)
    assert.equal((await call(foreign, 'GET', '/v1.0/users')).status, 403)
    assert.equal((await call(foreign, 'GET', `/v1.0/users/${bob.id}`)).status, 403)
    assert.equal((await call(foreign, 'GET', `/v1.0/users/${bob.userPrincipalName}`)).status, 403)
    const query = encodeURIComponent(`servicePrincipalNames/any(c:c eq '${shared.appId}')`)
    const there = await signIn(domain, server.env.clientId, server.env.clientSecret)
    const [principal] = (await call(there, 'GET', `/v1.0/servicePrincipals?$filter=${query}`)).body.value
    assert.equal((await call(foreign, 'GET', `/v1.0/servicePrincipals/${principal?.id}`)).body.appId, shared.appId)
    for (const path of [
      `users/${alice.id}`,
      'users/alice@goldleaf.local',
      `applications/${own.id}`,
      `groups/${own.id}`,
    ])
      assert.equal((await call(there, 'GET', `/v1.0/${path}`)).status, 404, path)
    assert.equal((await call(there, 'DELETE', `/v1.0/users/${alice.id}`)).status, 404)
    const ids = { ids: [alice.id, own.servicePrincipalId] }
    assert.deepEqual((await call(there, 'POST', '/v1.0/directoryObjects/getByIds', ids)).body.value, [])
    const names = (await call(there, 'GET', '/v1.0/users?$select=userPrincipalName')).body.value
    assert.ok(!names.some(({ userPrincipalName }) => userPrincipalName.endsWith('@goldleaf.local')))
    assert.deepEqual((await call(there, 'GET', '/v1.0/applications')).body.value, [])
    const filter = encodeURIComponent(`appId eq '${own.appId}'`)
    assert.deepEqual((await call(there, 'GET', `/v1.0/applications?$filter=${filter}`)).body.value, [])
    assert.equal((await call(there, 'GET', '/goldleaf/v1/tenants')).status, 403)
  })
})
