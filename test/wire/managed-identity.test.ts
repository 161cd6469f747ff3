import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { ManagedIdentityCredential } from '@azure/identity'
import { decodeJwt } from 'jose'
import { armCaller, runGoldleaf } from '../support/goldleaf.ts'
import { openTargets } from './refusals.ts'
import { vmVersion } from './wire.ts'
import type { Wire } from './wire.ts'

const identityVersion = '2023-01-31'

interface Identity {
  readonly type: string
  readonly principalId?: string
  readonly tenantId?: string
  readonly userAssignedIdentities?: Readonly<
    Record<string, { readonly principalId: string; readonly clientId: string }>
  >
}

/** Identities of machines, through the port; machines never start here: tokens do not need that. */
suite('managed identities', () => {
  let wire: Wire
  let environment = ''
  before(async () => {
    ;({ wire } = await openTargets())
  })
  after(() => wire?.[Symbol.asyncDispose]())

  const userAssigned = (name: string): string =>
    `${wire.group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/${name}`
  const machine = (): string => wire.at('virtualMachines/vm', vmVersion)
  const put = async (identity: unknown) => {
    const answer = await wire.arm.call('PATCH', machine(), { identity })
    if (answer.headers.has('azure-asyncoperation')) await wire.arm.settle(answer)
    return answer
  }
  const read = async (): Promise<Identity | undefined> =>
    ((await wire.arm.call('GET', machine())).body as unknown as { identity?: Identity }).identity
  const ask = async (query: string, headers: Record<string, string> = { metadata: 'true' }) => {
    const answer = await fetch(`${environment}/metadata/${query}`, { headers })
    return { status: answer.status, body: (await answer.json()) as Readonly<Record<string, unknown>> }
  }
  const tokenPath = 'identity/oauth2/token?api-version=2018-02-01'
  const resource = encodeURIComponent('https://management.azure.com/')

  test('a user-assigned identity has a principal while it lives', async () => {
    const address = `${userAssigned('builder')}?api-version=${identityVersion}`
    const made = await wire.arm.call('PUT', address, { location: 'westeurope' })
    assert.equal(made.status, 201, JSON.stringify(made.body))
    const again = await wire.arm.call('PUT', address, { location: 'westeurope', tags: { a: 'b' } })
    assert.equal(again.status, 200)
    assert.deepEqual(again.body.properties, made.body.properties)
    const { tenantId } = made.body.properties as unknown as { tenantId: string }
    assert.equal(tenantId, wire.server.env.tenantId)
  })

  test('a gallery has a principal of its own from 2024-03-03, until it is taken away', async () => {
    const gallery = (apiVersion: string): string => wire.at('galleries/g', apiVersion)
    const identityOf = async (apiVersion: string) =>
      ((await wire.arm.call('GET', gallery(apiVersion))).body as unknown as { identity?: Identity }).identity
    await wire.arm.must('PATCH', gallery('2025-03-03'), { identity: { type: 'SystemAssigned' } })
    const identity = await identityOf('2024-03-03')
    assert.match(identity?.principalId ?? '', /^[0-9a-f-]{36}$/)
    assert.equal(identity?.tenantId, wire.server.env.tenantId)
    assert.equal(await identityOf('2023-07-03'), undefined)
    await wire.arm.must('PUT', gallery('2022-03-03'), { location: 'westeurope' })
    assert.deepEqual(await identityOf('2025-03-03'), identity, 'an older client does not take it away')
    await wire.arm.must('PATCH', gallery('2025-03-03'), { identity: { type: 'None' } })
    assert.equal(await identityOf('2025-03-03'), undefined)
  })

  test("a machine's own identity comes with it; a developer's shell acts as it", async () => {
    const created = await wire.arm.call('PUT', machine(), {
      location: 'westeurope',
      identity: { type: 'SystemAssigned' },
      properties: {
        hardwareProfile: { vmSize: 'Standard_B1s' },
        storageProfile: {
          imageReference: { id: wire.id('galleries/g/images/d/versions/1.0.0') },
          osDisk: { createOption: 'FromImage' },
        },
      },
    })
    assert.equal(created.status, 201, JSON.stringify(created.body))
    const identity = await read()
    assert.equal(identity?.type, 'SystemAssigned')
    const printed = await runGoldleaf(['vm', 'identity-env', 'vm', '-g', 'wire', '--data', wire.server.data, '--json'])
    environment = (JSON.parse(printed.stdout) as { address: string }).address
    process.env['AZURE_POD_IDENTITY_AUTHORITY_HOST'] = environment
    const credential = new ManagedIdentityCredential()
    const { token } = await credential.getToken(`${wire.server.env.endpoint}/.default`)
    const claims = decodeJwt(token)
    assert.equal(claims['oid'], identity?.principalId)
    assert.equal(String(claims['xms_mirid']).toLowerCase(), wire.id('virtualMachines/vm').toLowerCase())
    // The token is good here; what it may do is a matter of roles.
    const asMachine = armCaller({ env: wire.server.env, token })
    const seen = await asMachine.call('GET', wire.at('galleries/g'))
    assert.ok([200, 403].includes(seen.status), JSON.stringify(seen.body))
  })

  test("the metadata service speaks Azure's form", async () => {
    const refusals: readonly (readonly [query: string, headers: Record<string, string>, says: RegExp])[] = [
      [tokenPath, {}, /Required metadata header not specified/],
      [tokenPath, { metadata: 'true', 'x-forwarded-for': '1.2.3.4' }, /X-Forwarded-For/],
      [tokenPath, { metadata: 'true' }, /'resource' is missing/],
      ['identity/oauth2/token', { metadata: 'true' }, /'api-version' is missing/],
      [`${tokenPath}&resource=https://elsewhere.example`, { metadata: 'true' }, /AADSTS500011/],
      [`${tokenPath}&resource=${resource}&client_id=nobody`, { metadata: 'true' }, /Identity not found/],
    ]
    for (const [query, headers, says] of refusals) {
      const { status, body } = await ask(query, headers)
      assert.equal(status, 400, query)
      assert.match(String(body['error_description']), says)
    }
    const { body } = await ask('instance?api-version=2021-02-01')
    assert.equal((body['compute'] as { name: string }).name, 'vm')
    const forged = environment.replace(/.$/, (last) => (last === 'a' ? 'b' : 'a')).replace(/\/\d+\//, '/9999999999/')
    assert.equal((await fetch(`${forged}/metadata/versions`, { headers: { metadata: 'true' } })).status, 403)
  })

  test('user-assigned identities are given, chosen and taken away', async () => {
    const builder = userAssigned('builder')
    const other = userAssigned('other')
    await wire.arm.must('PUT', `${other}?api-version=${identityVersion}`, { location: 'westeurope' })
    const nowhere = await put({ type: 'UserAssigned', userAssignedIdentities: { [userAssigned('nowhere')]: {} } })
    assert.equal(nowhere.body.error?.code, 'FailedIdentityOperation')
    assert.equal((await put({ type: 'UserAssigned' })).status, 400)
    const own = await read()
    const both = { [builder]: {}, [other]: {} }
    assert.equal((await put({ type: 'SystemAssigned, UserAssigned', userAssignedIdentities: both })).status, 200)
    const given = await read()
    assert.equal(given?.principalId, own?.principalId)
    const clientId = given?.userAssignedIdentities?.[builder]?.clientId ?? ''
    assert.notEqual(clientId, '')
    const named = await ask(`${tokenPath}&resource=${resource}&client_id=${clientId}`)
    assert.equal(named.body['client_id'], clientId)
    assert.equal(
      decodeJwt(String(named.body['access_token']))['oid'],
      given?.userAssignedIdentities?.[builder]?.principalId,
    )
    const byId = await ask(`${tokenPath}&resource=${resource}&mi_res_id=${encodeURIComponent(other.toUpperCase())}`)
    assert.equal(byId.status, 200, JSON.stringify(byId.body))

    assert.equal((await put({ type: 'UserAssigned', userAssignedIdentities: both })).status, 200)
    assert.match(
      String((await ask(`${tokenPath}&resource=${resource}`)).body['error_description']),
      /^Multiple user assigned/,
    )
    await wire.arm.must('DELETE', `${other}?api-version=${identityVersion}`)
    const gone = await ask(`${tokenPath}&resource=${resource}&mi_res_id=${encodeURIComponent(other)}`)
    assert.match(String(gone.body['error_description']), /Identity not found/)
    assert.equal((await put({ type: 'None' })).status, 200)
    assert.equal(await read(), undefined)
    assert.match(
      String((await ask(`${tokenPath}&resource=${resource}`)).body['error_description']),
      /Identity not found/,
    )
  })

  test('with the machine its identity goes', async () => {
    await put({ type: 'SystemAssigned' })
    assert.equal((await ask(`${tokenPath}&resource=${resource}`)).status, 200)
    await wire.arm.must('DELETE', machine())
    assert.equal((await ask(`${tokenPath}&resource=${resource}`)).status, 410)
  })
})
