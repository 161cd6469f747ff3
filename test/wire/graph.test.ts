import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, suite, test } from 'node:test'
import { promisify } from 'node:util'
import { startGoldleaf } from '../support/goldleaf.ts'

const server = await startGoldleaf()
after(() => server[Symbol.asyncDispose]())

interface GraphDocument {
  readonly [member: string]: unknown
  readonly id: string
  readonly appId: string
  readonly secretText: string
  readonly userPrincipalName: string
  readonly value: readonly GraphDocument[]
  readonly keyCredentials: readonly GraphDocument[]
  readonly passwordCredentials: readonly GraphDocument[]
  readonly error: { readonly code: string; readonly message: string; readonly innerError: Record<string, string> }
}

async function call(method: string, path: string, body?: unknown, token = server.token) {
  const url = path.startsWith('http') ? path : `${server.env.httpEndpoint}/v1.0${path}`
  const response = await fetch(url, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      consistencylevel: 'eventual',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, body: (text === '' ? {} : JSON.parse(text)) as GraphDocument }
}

async function must(status: number, method: string, path: string, body?: unknown): Promise<GraphDocument> {
  const answer = await call(method, path, body)
  assert.equal(answer.status, status, `${method} ${path}: ${JSON.stringify(answer.body)}`)
  return answer.body
}

const filter = (text: string): string => `?$filter=${encodeURIComponent(text)}`
const reference = (id: string) => ({ '@odata.id': `${server.env.endpoint}/v1.0/directoryObjects/${id}` })
const profile = { password: 'Correct-horse-1', forceChangePasswordNextSignIn: false }
const createUser = (name: string) =>
  must(201, 'POST', '/users', {
    userPrincipalName: `${name}@goldleaf.local`,
    displayName: name,
    mailNickname: name,
    accountEnabled: true,
    passwordProfile: profile,
  })

suite('the requests of az ad', () => {
  test('sp create-for-rbac: application, secret, principal, found by name, reset, deleted', async () => {
    const application = await must(201, 'POST', '/applications', { displayName: 'rbac', keyCredentials: [] })
    assert.deepEqual((await must(200, 'GET', `/applications${filter("startswith(displayName,'RB')")}`)).value.length, 1)
    const times = { startDateTime: '2020-01-01T00:00:00Z', endDateTime: '2100-01-01T00:00:00Z' }
    const added = await must(200, 'POST', `/applications/${application.id}/addPassword`, {
      passwordCredential: { displayName: 'rbac', ...times },
    })
    assert.match(added.secretText, /^[\w-]{43}$/)
    const principal = await must(201, 'POST', '/servicePrincipals', { appId: application.appId, accountEnabled: true })
    for (const name of [application.appId, application.appId.toUpperCase()]) {
      const query = filter(`servicePrincipalNames/any(c:c eq '${name}')`)
      assert.equal((await must(200, 'GET', `/servicePrincipals${query}`)).value[0]?.id, principal.id)
    }
    const shown = await must(200, 'GET', `/applications/${application.id}`)
    assert.equal(shown.passwordCredentials[0]?.['keyId'], added['keyId'])
    assert.equal(shown.passwordCredentials[0]?.['secretText'], null)
    await must(204, 'POST', `/applications/${application.id}/removePassword`, { keyId: added['keyId'] })
    const twice = await call('POST', '/servicePrincipals', { appId: application.appId })
    assert.equal(twice.status, 409)
    assert.equal(twice.body.error.code, 'Request_MultipleObjectsWithSameKeyValue')
    await must(204, 'DELETE', `/applications/${application.id}`)
    assert.equal((await call('GET', `/servicePrincipals/${principal.id}`)).status, 404)
  })

  test('certificates: sent as az sends them, shown without their key, kept when sent back', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'goldleaf-cert-'))
    const pem = join(folder, 'cert.pem')
    const subject = ['-nodes', '-keyout', join(folder, 'key.pem'), '-out', pem, '-subj', '/CN=x', '-days', '30']
    await promisify(execFile)('openssl', ['req', '-x509', '-newkey', 'rsa:2048', ...subject])
    const key = (await readFile(pem, 'utf8')).replaceAll(/-+[A-Z ]+-+/g, '').trim()
    await rm(folder, { recursive: true })
    const credential = {
      keyId: '0A0A0A0A-0000-4000-8000-000000000001',
      type: 'AsymmetricX509Cert',
      usage: 'Verify',
      key,
    }
    const { id } = await must(201, 'POST', '/applications', { displayName: 'cert', keyCredentials: [credential] })
    const [first] = (await must(200, 'GET', `/applications/${id}`)).keyCredentials
    assert.match(String(first?.['customKeyIdentifier']), /^[0-9A-F]{40}$/)
    assert.equal(first?.['key'], null)
    await must(204, 'PATCH', `/applications/${id}`, { keyCredentials: [first, { ...credential, keyId: undefined }] })
    assert.equal((await must(200, 'GET', `/applications/${id}`)).keyCredentials.length, 2)
    const bad = await call('PATCH', `/applications/${id}`, { keyCredentials: [{ key: 'bm8=' }] })
    assert.match(bad.body.error.message, /not an X.509 certificate/)
  })

  test('app update merges what it is sent, and knows the addresses to come back to', async () => {
    const { id, appId } = await must(201, 'POST', '/applications', {
      displayName: 'web',
      web: { redirectUris: ['https://a/b'], homePageUrl: 'https://a' },
    })
    const change = { web: { homePageUrl: 'https://c' }, identifierUris: [`api://${appId}`], signInAudience: null }
    await must(204, 'PATCH', `/applications/${id}`, change)
    const shown = await must(200, 'GET', `/applications/${id}`)
    assert.deepEqual(shown['web'], { redirectUris: ['https://a/b'], homePageUrl: 'https://c' })
    const query = filter(`identifierUris/any(s:s eq 'api://${appId}')`)
    assert.equal((await must(200, 'GET', `/applications${query}`)).value[0]?.id, id)
    for (const body of [{ signInAudience: 'Everybody' }, { identifierUris: ['x y'] }, { colour: 'red' }])
      assert.equal((await call('PATCH', `/applications/${id}`, body)).status, 400)
  })

  test('users: created, shown by id and name, updated, listed, deleted', async () => {
    const { id, userPrincipalName } = await createUser('carol')
    assert.equal((await must(200, 'GET', `/users/${userPrincipalName}`)).id, id)
    await must(204, 'PATCH', `/users/${id}`, { accountEnabled: false, jobTitle: 'Smith' })
    const shown = await must(200, 'GET', `/users/${id}?$select=id,accountEnabled,jobTitle`)
    assert.equal(shown['accountEnabled'], false)
    assert.equal(shown['jobTitle'], 'Smith')
    const query = filter(`userPrincipalName eq '${userPrincipalName.toUpperCase()}'`)
    assert.equal((await must(200, 'GET', `/users${query}`)).value[0]?.id, id)
    const again = await call('POST', '/users', {
      userPrincipalName,
      displayName: 'x',
      accountEnabled: true,
      passwordProfile: profile,
    })
    assert.match(again.body.error.message, /Another object with the same value for property userPrincipalName/)
    await must(204, 'DELETE', `/users/${id}`)
    const gone = await call('GET', `/users/${id}`)
    assert.equal(gone.body.error.code, 'Request_ResourceNotFound')
    assert.ok(gone.body.error.innerError['request-id'])
  })

  test('groups: members, owners, membership checks, names of many ids', async () => {
    const user = await createUser('dave')
    const group = await must(201, 'POST', '/groups', {
      displayName: 'crew',
      mailNickname: 'crew',
      mailEnabled: false,
      securityEnabled: true,
    })
    await must(204, 'POST', `/groups/${group.id}/members/$ref`, reference(user.id))
    assert.equal((await call('POST', `/groups/${group.id}/members/$ref`, reference(user.id))).status, 400)
    const [member] = (await must(200, 'GET', `/groups/${group.id}/members`)).value
    assert.equal(member?.['@odata.type'], '#microsoft.graph.user')
    const check = (ids: string[]) =>
      must(200, 'POST', `/directoryObjects/${user.id}/checkMemberGroups`, { groupIds: ids })
    assert.deepEqual((await check([group.id, user.id])).value, [group.id])
    const stubs = await must(200, 'POST', '/directoryObjects/getByIds', {
      ids: [user.id, group.id, 'ffffffff-0000-4000-8000-000000000000'],
      types: ['user', 'group', 'servicePrincipal', 'directoryObjectPartnerReference'],
    })
    assert.equal(stubs.value.length, 2)
    await must(204, 'POST', `/groups/${group.id}/owners/$ref`, reference(user.id))
    assert.equal((await must(200, 'GET', `/groups/${group.id}/owners`)).value[0]?.id, user.id)
    await must(204, 'DELETE', `/groups/${group.id}/members/${user.id}/$ref`)
    assert.equal((await must(200, 'GET', `/groups/${group.id}/members`)).value.length, 0)
    await must(204, 'DELETE', `/groups/${group.id}`)
  })
})

test('lists come in pages that follow each other without loss', async () => {
  for (const name of ['p1', 'p2', 'p3', 'p4', 'p5'])
    await must(201, 'POST', '/groups', { displayName: name, mailNickname: name })
  const seen: string[] = []
  let next: string | undefined =
    `/groups?$top=2&$select=id,displayName&$filter=${encodeURIComponent("startswith(displayName,'p')")}`
  for (let pages = 0; next !== undefined; pages++) {
    assert.ok(pages < 4)
    const page: GraphDocument = await must(200, 'GET', next)
    assert.ok(page.value.length <= 2)
    seen.push(...page.value.map((one) => String(one['displayName'])))
    next = page['@odata.nextLink'] as string | undefined
  }
  assert.deepEqual(seen.sort(), ['p1', 'p2', 'p3', 'p4', 'p5'])
  assert.equal((await must(200, 'GET', '/groups?$count=true&$top=1'))['@odata.count'], 5)
})

test('what is not served says so', async () => {
  const wrong = ['/users?$orderby=displayName', '/users?$top=0', '/users?$filter=x', '/drives', '/me']
  for (const path of wrong) assert.equal((await call('GET', path)).status, 400, path)
  assert.equal((await call('GET', '/users', undefined, 'x.y.z')).status, 401)
})

test('the installation keeps its operator', async () => {
  const query = filter(`appId eq '${server.env.clientId}'`)
  const [principal] = (await must(200, 'GET', `/servicePrincipals${query}`)).value
  const [application] = (await must(200, 'GET', `/applications${query}`)).value
  assert.equal((await call('DELETE', `/servicePrincipals/${principal?.id}`)).status, 403)
  assert.equal((await call('DELETE', `/applications/${application?.id}`)).status, 403)
  const roles = await must(200, 'GET', '/roleManagement/directory/roleAssignments')
  assert.equal(roles.value[0]?.['principalId'], principal?.id)
})

test('the activity log tells who changed what, never with which secret', async () => {
  const start = new Date(Date.now() - 3_600_000).toISOString()
  const query = new URLSearchParams({ 'api-version': '2015-04-01', $filter: `eventTimestamp ge '${start}'` })
  const url = `${server.env.httpEndpoint}/providers/Microsoft.Insights/eventtypes/management/values?${query.toString()}`
  const { value } = await must(200, 'GET', url)
  const names = new Set(value.map((one) => (one['operationName'] as { value: string }).value.toLowerCase()))
  for (const name of ['users/write', 'users/delete', 'applications/addPassword/action', 'groups/members/delete'])
    assert.ok(names.has(`microsoft.aadiam/tenants/${name.toLowerCase()}`), `${name}: ${[...names].join(' ')}`)
  assert.ok(!JSON.stringify(value).includes(profile.password))
})
