import assert from 'node:assert/strict'
import { signInWithDeviceCode } from '../../src/identity/browser.fixture.ts'
import { openAz } from './az.ts'
import type { Az, Registration } from './az.ts'
import type { AzWalk } from './az-walk.ts'

const dora = { username: 'dora@goldleaf.local', password: 'Correct-horse-1' }
const asDora = ['login', '-u', dora.username, '-p', dora.password]

/** The ways to sign in, each by an az of its own, and what is seen by whom nothing was given. */
export function walkLogins({ az, step, server, installation }: AzWalk): void {
  const another = (registration?: Registration): Promise<Az> => openAz(installation, server(), registration)
  /**
   * A password goes to an authority of ADFS's form: for any other MSAL first asks for the kind of account, and leaves
   * out the port of where it asks (`Authority.user_realm_discovery`).
   */
  const anotherPerson = (): Promise<Az> => openAz({ ...installation, authority: 'adfs' }, server())
  const scope = (): string => `/subscriptions/${server().env.subscriptionId}`
  const give = (verb: 'create' | 'delete'): Promise<unknown> =>
    az().run('role', 'assignment', verb, '--assignee', dora.username, '--role', 'Reader', '--scope', scope())

  step('cloud register --endpoint-resource-manager', async () => {
    const { clientId, clientSecret, tenantId, subscriptionId } = server().env
    await using bare = await another('address')
    const account = ['-u', clientId, '-p', clientSecret, '--tenant', tenantId]
    const [only] = await bare.run('login', '--service-principal', ...account)
    assert.deepEqual([only.id, only.tenantId], [subscriptionId, tenantId])
    await bare.run('group', 'list')
  })
  step('login --service-principal (certificate)', async () => {
    const made = await az().run('ad', 'sp', 'create-for-rbac', '-n', 'keyed', '--create-cert', ...roleAt(scope()))
    await using keyed = await another()
    const proof = [installation.certificateOption, made.fileWithCertAndPrivateKey]
    const account = ['-u', made.appId, ...proof, '--tenant', made.tenant]
    const [only] = await keyed.run('login', '--service-principal', ...account)
    assert.deepEqual([only.id, only.user.name], [server().env.subscriptionId, made.appId])
    await keyed.run('group', 'list')
    await az().run('ad', 'app', 'delete', '--id', made.appId)
    assert.notEqual((await keyed.attempt('group', 'list')).code, 0, 'who is deleted may nothing more')
  })
  step('login -u -p (wrong password)', async () => {
    await az().run('ad', 'user', 'create', '--display-name', 'Dora', ...createdAs(dora))
    await using person = await anotherPerson()
    const { code, stderr } = await person.attempt('login', '-u', dora.username, '-p', 'wrong')
    assert.equal(code, 1)
    assert.match(stderr, /AADSTS50126/)
  })
  step('login -u -p (no subscription)', async () => {
    await using person = await anotherPerson()
    const { code, stderr } = await person.attempt(...asDora)
    assert.equal(code, 1)
    assert.match(stderr, /No subscriptions found/)
  })
  step('login --allow-no-subscriptions', async () => {
    await using person = await anotherPerson()
    const [only] = await person.run(...asDora, '--allow-no-subscriptions')
    assert.deepEqual([only.id, only.name], [server().env.tenantId, 'N/A(tenant level account)'])
  })
  step('login -u -p', async () => {
    await give('create')
    await using person = await anotherPerson()
    const [only] = await person.run(...asDora)
    assert.deepEqual([only.id, only.user], [server().env.subscriptionId, { name: dora.username, type: 'user' }])
    assert.equal((await person.run('ad', 'signed-in-user', 'show')).userPrincipalName, dora.username)
    await give('delete')
    await person.run('account', 'list', '--refresh')
    assert.deepEqual(await person.run('group', 'list').catch((error: unknown) => error instanceof Error), true)
  })
  step('login --use-device-code', async () => {
    await give('create')
    await using person = await another()
    let page: Promise<string> | undefined
    const { code, json, stderr } = await person.converse(
      (line) => {
        const [, address = '', userCode] = /open the page (\S+) and enter the code (\S+)/.exec(line) ?? []
        if (userCode !== undefined) page = signInWithDeviceCode(address, userCode, dora)
      },
      'login',
      '--use-device-code',
    )
    assert.equal(code, 0, stderr)
    assert.match((await page) ?? '', /You are signed in/)
    const [only] = json as { readonly user: unknown }[]
    assert.deepEqual(only?.user, { name: dora.username, type: 'user' })
  })
  step('two az from one token cache', async () => {
    await using person = await anotherPerson()
    await person.run(...asDora)
    // Neither has a token for this yet: both redeem the one refresh token.
    const ask = (): Promise<unknown> => person.attempt('account', 'get-access-token', '--resource-type', 'ms-graph')
    await Promise.all([ask(), ask()])
    assert.equal((await person.run('ad', 'signed-in-user', 'show')).userPrincipalName, dora.username)
    await person.run('group', 'list')
  })
  step('logout', async () => {
    await using person = await anotherPerson()
    await person.run(...asDora)
    await person.run('logout')
    assert.deepEqual(await person.run('account', 'list'), [])
    await give('delete')
    await az().run('ad', 'user', 'delete', '--id', dora.username)
  })
}

function roleAt(scope: string): readonly string[] {
  return ['--role', 'Reader', '--scopes', scope]
}

function createdAs({ username, password }: typeof dora): readonly string[] {
  return ['--user-principal-name', username, '--password', password]
}
