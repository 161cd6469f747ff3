import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, suite, test } from 'node:test'
import { ownerRoleId, readerRoleId, storageBlobDataOwnerRoleId } from '../../src/access/built-in-roles.ts'
import { grantRole } from '../../src/access/grant.ts'
import type { Answer } from '../support/goldleaf.ts'
import { openPrincipals } from '../support/principals.ts'
import type { Principals, TestUser } from '../support/principals.ts'
import { definitionBody, diskVersion, openWire } from '../wire/wire.ts'
import type { Wire } from '../wire/wire.ts'

const since = `&$filter=eventTimestamp%20ge%20'${new Date(Date.now() - 3_600_000).toISOString()}'`
/** The command line az: a client without a secret, so that a password is looked at. */
const az = '04b07795-8ddb-461a-bbee-02f9e1bf7b46'

/**
 * Two tenants on one server: nobody in the first, owners of everything in the second. What exists must look to them
 * like what does not: by status, by text and by time.
 */
suite('what others have is not seen', () => {
  let wire: Wire
  let people: Principals
  /** Owns his tenant from its root. */
  let bob: TestUser
  /** Of the first tenant, without any right. */
  let nobody: TestUser
  /** Reads one gallery of the first tenant. */
  let rita: TestUser
  let bobs = ''
  let operation = ''
  before(async () => {
    wire = await openWire()
    people = await openPrincipals(wire.server)
    const tenant = await people.tenant('Contoso')
    bob = await people.user('bob', tenant)
    bobs = await people.subscription('Bobs', tenant)
    const user = { principalType: 'User', nowMs: 1 } as const
    for (const roleId of [ownerRoleId, storageBlobDataOwnerRoleId])
      await grantRole(people.db, { ...user, tenantId: tenant, principalId: bob.objectId, scope: '/', roleId })
    nobody = await people.user('nobody')
    rita = await people.user('rita')
    for (const name of ['golden', 'hidden', 'other']) await wire.gallery(name)
    await wire.definition('hidden/secret')
    const made = await wire.arm.call('PUT', wire.at('galleries/hidden/images/later'), definitionBody('later'))
    operation = made.headers.get('azure-asyncoperation') ?? ''
    await wire.arm.settle(made)
    const scope = wire.id('galleries/golden')
    const reader = { ...user, tenantId: people.home, principalId: rita.objectId, roleId: readerRoleId }
    await grantRole(people.db, { ...reader, scope })
    await bob.arm.must('PUT', `${bobs}/resourceGroups/rg?api-version=2021-04-01`, { location: 'westeurope' })
  })
  after(async () => {
    await people?.[Symbol.asyncDispose]()
    await wire?.[Symbol.asyncDispose]()
  })

  test('blobs that another tenant planted under a free name do not become an account’s', async () => {
    const planted = await fetch(`${wire.server.env.httpEndpoint}/blob/plantedaccount/vhds/golden.vhd`, {
      method: 'PUT',
      headers: {
        authorization: `Bearer ${bob.token}`,
        'x-ms-blob-type': 'BlockBlob',
        'x-goldleaf-subscription': bobs.split('/')[2] ?? '',
      },
      body: 'not what it says',
    })
    assert.equal(planted.status, 201, await planted.text())
    const account = (name: string): Promise<Answer> =>
      wire.arm.call('PUT', `${wire.group}/providers/Microsoft.Storage/storageAccounts/${name}?api-version=2022-09-01`, {
        location: 'westeurope',
        sku: { name: 'Standard_LRS' },
        kind: 'StorageV2',
      })
    const refused = await account('plantedaccount')
    assert.deepEqual([refused.status, refused.body.error?.code], [409, 'StorageAccountAlreadyTaken'])
    assert.ok((await account('freeaccount')).status < 300)
  })

  /** Status and body of an answer, with what the question named taken out. */
  const seen = ({ status, body }: Answer, ...names: readonly string[]): string =>
    names.reduce((text, name) => text.replaceAll(name, '…'), `${status} ${JSON.stringify(body)}`)

  const paths: readonly (readonly [method: string, path: string, apiVersion: string, body?: unknown])[] = [
    ['GET', '', '2022-12-01'],
    ['GET', '/locations', '2022-12-01'],
    ['GET', '/resourceGroups', '2021-04-01'],
    ['GET', '/resources', '2021-04-01'],
    ['GET', '/providers', '2021-04-01'],
    ['POST', '/providers/Microsoft.Compute/register', '2021-04-01'],
    ['GET', '/resourceGroups/wire', '2021-04-01'],
    ['DELETE', '/resourceGroups/wire', '2021-04-01'],
    ['GET', '/providers/Microsoft.Compute/galleries', '2024-03-03'],
    ['GET', '/providers/Microsoft.Compute/skus', '2021-07-01'],
    ['GET', '/providers/Microsoft.Compute/locations/westeurope/usages', '2024-07-01'],
    ['GET', '/providers/Microsoft.Compute/locations/westeurope/sharedGalleries', '2024-03-03'],
    ['GET', '/providers/Microsoft.Compute/locations/westeurope/communityGalleries/x', '2024-03-03'],
    ['GET', '/resourceGroups/wire/providers/Microsoft.Compute/galleries/golden', '2024-03-03'],
    ['PUT', '/resourceGroups/wire/providers/Microsoft.Compute/galleries/new', '2024-03-03', { location: 'westeurope' }],
    ['DELETE', '/resourceGroups/wire/providers/Microsoft.Compute/galleries/golden', '2024-03-03'],
    ['POST', '/resourceGroups/wire/providers/Microsoft.Compute/galleries/golden/share', '2024-03-03', {}],
    ['GET', '/providers/Microsoft.Authorization/roleAssignments', '2022-04-01'],
    ['GET', '/providers/Microsoft.Authorization/roleDefinitions', '2022-04-01'],
    ['GET', '/providers/Microsoft.Authorization/permissions', '2022-04-01'],
    ['GET', '/providers/Microsoft.Authorization/locks', '2020-05-01'],
    ['GET', '/providers/Microsoft.Insights/eventtypes/management/values', `2015-04-01${since}`],
    ['POST', '/providers/Microsoft.Subscription/cancel', '2021-10-01'],
    ['POST', '/providers/Microsoft.Subscription/rename', '2021-10-01', { subscriptionName: 'x' }],
    ['GET', `/providers/Microsoft.Compute/locations/westeurope/capsOperations/${randomUUID()}`, '2024-03-03'],
    ['GET', `/operationresults/${randomUUID()}`, '2021-04-01'],
  ]
  const address = (subscription: string, path: string, apiVersion: string): string =>
    `${subscription}${path}?api-version=${apiVersion}`

  test("another tenant's subscription is refused at every address, before anything in it is looked at", async () => {
    for (const [method, path, apiVersion, body] of paths) {
      const answer = await bob.arm.call(method, address(wire.subscription, path, apiVersion), body)
      assert.equal(answer.status, 401, `${method} ${path}: ${JSON.stringify(answer.body)}`)
      assert.equal(answer.body.error?.code, 'InvalidAuthenticationTokenTenant', path)
    }
    assert.equal((await wire.arm.call('GET', wire.at('galleries/golden'))).status, 200)
  })

  test('who has no right gets one answer for what is there and what is not', async () => {
    for (const [method, path, apiVersion, body] of paths) {
      if (/skus|capsOperations|operationresults/.test(path)) continue
      const there = await nobody.arm.call(method, address(wire.subscription, path, apiVersion), body)
      assert.equal(there.status, 403, `${method} ${path}: ${JSON.stringify(there.body)}`)
      if (!/golden|wire/.test(path)) continue
      const [old, name] = path.includes('golden') ? ['golden', 'absent'] : ['wire', 'absent']
      const absent = path.replace(old, name)
      const missing = await nobody.arm.call(method, address(wire.subscription, absent, apiVersion), body)
      assert.equal(seen(there, old), seen(missing, name), path)
    }
  })

  test("an operation's id tells nothing without a right to what it is about", async () => {
    const absent = operation.replace(/[0-9a-f-]{36}\?/, `${randomUUID()}?`)
    assert.equal((await wire.arm.call('GET', operation)).status, 200)
    for (const user of [nobody, rita, bob]) {
      const [one, two] = [await user.arm.call('GET', operation), await user.arm.call('GET', absent)]
      assert.ok([401, 403].includes(one.status), seen(one))
      assert.equal(seen(one), seen(two))
      assert.doesNotMatch(seen(one), /hidden|later/)
    }
    const moved = await bob.arm.call('GET', operation.replace(wire.subscription, bobs))
    assert.deepEqual([moved.status, /hidden|later/.test(seen(moved))], [404, false])
  })

  test('lists, counts, graphs and logs hold what the caller may read, whatever is asked', async () => {
    const count = async (user: TestUser, path: string): Promise<readonly unknown[]> => {
      const { status, body } = await user.arm.call('GET', path)
      assert.equal(status, 200, JSON.stringify(body))
      assert.doesNotMatch(JSON.stringify(body), /hidden|secret|golden/, path)
      return body.value ?? []
    }
    assert.equal((await count(bob, '/subscriptions?api-version=2022-12-01')).length, 1)
    assert.equal((await count(bob, '/tenants?api-version=2022-12-01')).length, 1)
    assert.deepEqual(await count(bob, '/providers/Microsoft.Compute/galleries?api-version=2024-03-03'), [])
    assert.deepEqual(await count(nobody, '/providers/Microsoft.Compute/galleries?api-version=2024-03-03'), [])
    const log = 'providers/Microsoft.Insights/eventtypes/management/values?api-version=2015-04-01' + since
    await count(bob, `${bobs}/${log}`)
    await count(bob, `/${log}`)
    const used = await count(
      bob,
      `${bobs}/providers/Microsoft.Compute/locations/westeurope/usages?api-version=2024-07-01`,
    )
    for (const one of used as readonly { currentValue: number }[]) assert.equal(one.currentValue, 0)
    const graph = async (user: TestUser, body: object) =>
      user.arm.call('POST', '/providers/Microsoft.ResourceGraph/resources?api-version=2022-10-01', body)
    const subscriptions = [wire.server.env.subscriptionId]
    for (const user of [bob, nobody])
      for (const query of ['Resources', 'ResourceContainers'])
        for (const more of [{}, { subscriptions }, { options: { $skip: 0, $top: 1000 } }]) {
          const { status, body } = await graph(user, { query, ...more })
          const text = JSON.stringify(body)
          assert.doesNotMatch(text, /hidden|golden|secret|wire/, `${query}: ${text}`)
          if (status === 200) assert.ok(/"totalRecords":[0-2],/.test(text), text)
        }
    const own = (await graph(rita, { query: 'Resources' })).body as unknown as { totalRecords: number }
    assert.equal(own.totalRecords, 1, 'what may not be read is not counted either')
  })

  test("a position in a list is no right: others' tokens, invented ones, ones of another scope", async () => {
    const token = (after: unknown): string => Buffer.from(JSON.stringify({ v: 1, after })).toString('base64url')
    const list = (subscription: string, skip: string): string =>
      `${subscription}/providers/Microsoft.Compute/galleries?api-version=2024-03-03&$skiptoken=${skip}`
    const foreign = token(wire.id('galleries/golden').toLowerCase())
    const refused = await bob.arm.call('GET', list(bobs, foreign))
    assert.deepEqual([refused.status, refused.body.error?.code], [400, 'InvalidParameter'])
    for (const odd of [token(1), token(null), token('/'), token('../..'), 'e30', 'x', '%00', '~'.repeat(9000)]) {
      const { status } = await bob.arm.call('GET', list(bobs, odd))
      assert.ok([400, 431].includes(status), `${odd.slice(0, 20)}: ${status}`)
    }
    const seen = await rita.arm.call('GET', list(wire.subscription, token(`${wire.subscription}/`.toLowerCase())))
    assert.deepEqual(
      seen.body.value?.map(({ name }) => name),
      ['golden'],
    )
  })

  test('errors about what is linked do not tell what is there', async () => {
    const here = `${bobs}/resourceGroups/rg/providers/Microsoft.Compute`
    const ask = (id: string) =>
      bob.arm.call('PUT', `${here}/disks/d?api-version=${diskVersion}`, {
        location: 'westeurope',
        properties: { creationData: { createOption: 'FromImage', galleryImageReference: { id } } },
      })
    const there = wire.id('galleries/hidden/images/secret')
    const missing = there.replace('hidden', 'absent')
    assert.equal(seen(await ask(there), 'hidden'), seen(await ask(missing), 'absent'))
    // A gallery's name is unique in a subscription, not on the server: no name is taken by another tenant.
    const same = await bob.arm.call('PUT', `${here}/galleries/hidden?api-version=2024-03-03`, {
      location: 'westeurope',
    })
    assert.equal(same.status, 201)
  })

  test('the directory and the routes of our own answer foreign and absent things alike', async () => {
    for (const path of [
      `/v1.0/users/${nobody.objectId}`,
      `/v1.0/users/${nobody.name}`,
      `/v1.0/groups/${nobody.objectId}`,
      `/v1.0/servicePrincipals/${nobody.objectId}`,
      `/v1.0/directoryObjects/${nobody.objectId}`,
    ]) {
      const absent = path.replace(nobody.objectId, randomUUID()).replace(nobody.name, `no.${nobody.name}`)
      const [one, two] = [await bob.arm.call('GET', path), await bob.arm.call('GET', absent)]
      assert.deepEqual([one.status, one.body.error?.code], [two.status, two.body.error?.code], path)
      assert.equal(one.status, 404, path)
    }
    for (const tenant of [people.home, 'goldleaf.local', randomUUID(), 'absent.example'])
      for (const method of ['GET', 'PATCH', 'DELETE']) {
        const { status, body } = await bob.arm.call(
          method,
          `/goldleaf/v1/tenants/${tenant}`,
          method === 'PATCH' ? {} : undefined,
        )
        assert.deepEqual([status, body.error?.code], [403, 'Authorization_RequestDenied'])
      }
  })

  test('time tells nothing: medians of interleaved questions, there and absent', async () => {
    const timed = async (ask: () => Promise<unknown>): Promise<number> => {
      const started = performance.now()
      await ask()
      return performance.now() - started
    }
    const median = (all: readonly number[]): number => all.toSorted((a, b) => a - b)[all.length >> 1] ?? 0
    const compare = async (label: string, rounds: number, one: () => Promise<unknown>, two: () => Promise<unknown>) => {
      const times: [number[], number[]] = [[], []]
      for (let round = 0; round < rounds; round++)
        for (const index of round % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const))
          times[index].push(await timed(index === 0 ? one : two))
      const [there, absent] = [median(times[0]), median(times[1])]
      console.log(`# ${label}: there ${there.toFixed(2)} ms, absent ${absent.toFixed(2)} ms`)
      // Generous: the machine is shared. A look-up that only one side makes would be a multiple of it for passwords.
      assert.ok(Math.abs(there - absent) < 2 + 0.5 * Math.max(there, absent), label)
    }
    const get = (user: TestUser, path: string) => () => user.arm.call('GET', path)
    await compare('a gallery', 60, get(nobody, wire.at('galleries/golden')), get(nobody, wire.at('galleries/absent')))
    await compare(
      'a foreign user',
      60,
      get(bob, `/v1.0/users/${nobody.objectId}`),
      get(bob, `/v1.0/users/${randomUUID()}`),
    )
    const guess = (username: string) => async () => {
      const { httpEndpoint } = wire.server.env
      const body = new URLSearchParams({
        grant_type: 'password',
        client_id: az,
        username,
        password: 'wrong',
        scope: 'openid',
      })
      const answer = await fetch(`${httpEndpoint}/organizations/oauth2/v2.0/token`, { method: 'POST', body })
      const { error, error_description: said } = (await answer.json()) as { error: string; error_description: string }
      assert.deepEqual([error, said.slice(0, 12)], ['invalid_grant', 'AADSTS50126:'])
    }
    // Fewer than are slowed down.
    await compare('a name at sign-in', 3, guess(nobody.name), guess(`absent.${nobody.name}`))
  })
})
