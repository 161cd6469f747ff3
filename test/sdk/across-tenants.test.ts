import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { AuthorizationManagementClient } from '@azure/arm-authorization'
import { ComputeManagementClient } from '@azure/arm-compute'
import { ClientSecretCredential, UsernamePasswordCredential } from '@azure/identity'
import { buildTinyDisk } from '../../tools/tiny-disk.ts'
import { convertImage } from '../support/disks.ts'
import { armCaller, eventually } from '../support/goldleaf.ts'
import { cli, putBlob } from '../support/publishing.ts'
import { groupVersion, openWire } from '../wire/wire.ts'
import type { Wire } from '../wire/wire.ts'

type Credential = ClientSecretCredential | UsernamePasswordCredential

interface App {
  readonly appId: string
  readonly clientSecret: string
  /** Its principal in the tenant that it was made in. */
  readonly servicePrincipalId: string
}

const location = 'westeurope'
const roles = {
  contributor: 'b24988ac-6180-42a0-ab88-20f7382dd24c',
  reader: 'acdd72a7-3385-48ef-bd42-f606fba81ae7',
}
const azureCli = '04b07795-8ddb-461a-bbee-02f9e1bf7b46'
const domainOfB = 'contoso.goldleaf.local'

/** "Share images across tenants" of Azure's documentation, with Azure's SDKs: tenant A publishes, tenant B runs. */
suite('images across tenants and subscriptions', { timeout: 300_000 }, () => {
  let wire: Wire
  let tenantA = ''
  let tenantB = ''
  let subscriptionB = ''
  let image = ''
  let sharer: App
  let sharerInB = ''

  const signIn = (tenantId: string, { appId, clientSecret }: Pick<App, 'appId' | 'clientSecret'>) =>
    new ClientSecretCredential(tenantId, appId, clientSecret, {
      authorityHost: wire.server.env.endpoint,
      disableInstanceDiscovery: true,
    })
  const scopes = (): string[] => [`${wire.server.env.endpoint}/.default`]
  const options = () => ({ endpoint: wire.server.env.endpoint, credentials: { scopes: scopes() } })

  /** What Azure's how-to does by hand: the second tenant's token goes along. */
  function compute(
    credential: Credential,
    subscriptionId: string,
    auxiliary?: ClientSecretCredential,
  ): ComputeManagementClient {
    const client = new ComputeManagementClient(credential, subscriptionId, options())
    if (auxiliary)
      client.pipeline.addPolicy({
        name: 'auxiliary',
        async sendRequest(request, next) {
          const { token } = await auxiliary.getToken(scopes())
          request.headers.set('x-ms-authorization-auxiliary', `Bearer ${token}`)
          return next(request)
        },
      })
    return client
  }

  async function run<T>(...args: readonly string[]): Promise<T> {
    const { code, out, err } = await cli(wire.server, ...args)
    assert.equal(code, 0, `${args.join(' ')}: ${err}`)
    return JSON.parse(out) as T
  }

  /** By the server's own client, which administers both tenants. */
  async function give(tenantId: string, scope: string, principalId: string, role: string): Promise<void> {
    const { clientId: appId, clientSecret } = wire.server.env
    const subscriptionId = scope.split('/')[2] ?? ''
    const client = new AuthorizationManagementClient(signIn(tenantId, { appId, clientSecret }), subscriptionId, {
      endpoint: wire.server.env.endpoint,
      credentialScopes: scopes(),
    })
    await client.roleAssignments.create(scope, randomUUID(), {
      principalId,
      roleDefinitionId: `/subscriptions/${subscriptionId}/providers/Microsoft.Authorization/roleDefinitions/${role}`,
    })
  }

  before(async () => {
    wire = await openWire()
    tenantA = wire.server.env.tenantId
    const raw = join(wire.folder, 'tiny.raw')
    const vhd = join(wire.folder, 'tiny.vhd')
    await buildTinyDisk({ cacheDir: '.cache', out: raw, content: 'hello from tenant A' })
    await convertImage(raw, vhd, 'vpc', ['-o', 'subformat=fixed,force_size=on'])
    const uri = await putBlob(wire.server, 'tiny.vhd', vhd)
    await wire.gallery('golden')
    for (const name of ['linux', 'other']) await wire.definition(`golden/${name}`)
    for (const path of ['linux/1.0.0', 'linux/1.1.0', 'other/1.0.0']) await wire.publish(`golden/${path}`, uri)
    image = wire.id('galleries/golden/images/linux/versions/1.0.0')

    ;({ tenantId: tenantB } = await run<{ tenantId: string }>('tenant', 'create', 'Contoso'))
    const made = await run<{ subscriptionId: string }>('--tenant', domainOfB, 'subscription', 'create', 'Team')
    subscriptionB = made.subscriptionId
    sharer = await run<App>('app', 'create', 'sharer', '--multi-tenant')
    const admitted = await run<App>('--tenant', domainOfB, 'app', 'admit', sharer.appId)
    sharerInB = admitted.servicePrincipalId
    await give(tenantB, `/subscriptions/${subscriptionB}`, sharerInB, roles.contributor)
    const { token } = await signIn(tenantB, sharer).getToken(scopes())
    for (const name of ['team', 'private'])
      await armCaller({ env: wire.server.env, token }).must(
        'PUT',
        `/subscriptions/${subscriptionB}/resourceGroups/${name}?api-version=${groupVersion}`,
        { location },
      )
  })
  after(() => wire?.[Symbol.asyncDispose]())

  const machine = (id: string) => ({
    location,
    hardwareProfile: { vmSize: 'Standard_B1s' },
    storageProfile: { imageReference: { id } },
    networkProfile: { networkInterfaces: [] },
  })
  const diskOf = (id: string) => ({
    location,
    creationData: { createOption: 'FromImage' as const, galleryImageReference: { id } },
  })
  const vmScope = (): string =>
    `/subscriptions/${subscriptionB}/resourceGroups/team/providers/Microsoft.Compute/virtualMachines/vm`

  interface Refused {
    readonly statusCode?: number
    readonly code?: string
    readonly message?: string
  }
  async function refusalOf(attempt: Promise<unknown>): Promise<Refused> {
    try {
      await attempt
    } catch (error) {
      return error as Refused
    }
    assert.fail('it was not refused')
  }

  test('without the token of tenant A: refused, in the words of Azure', async () => {
    const client = compute(signIn(tenantB, sharer), subscriptionB)
    const linked = (action: string): string =>
      `The client has permission to perform action 'Microsoft.Compute/galleries/${action}' on scope '${vmScope()}', however the current tenant '${tenantB}' is not authorized to access linked subscription '${wire.server.env.subscriptionId}'.`
    for (const [id, action] of [
      [image, 'images/versions/read'],
      [wire.id('galleries/golden/images/linux'), 'images/read'],
    ] as const) {
      const { statusCode, code, message } = await refusalOf(
        client.virtualMachines.createOrUpdate('team', 'vm', machine(id)).then((done) => done),
      )
      assert.deepEqual([statusCode, code, message], [403, 'LinkedAuthorizationFailed', linked(action)])
    }
    const disk = await refusalOf(client.disks.createOrUpdate('team', 'disk', diskOf(image)).then((done) => done))
    assert.equal(disk.code, 'LinkedAuthorizationFailed')
  })

  test('with a token of tenant A that has no right there: refused, by its name', async () => {
    const client = compute(signIn(tenantB, sharer), subscriptionB, signIn(tenantA, sharer))
    const { statusCode, code, message } = await refusalOf(
      client.virtualMachines.createOrUpdate('team', 'vm', machine(image)).then((done) => done),
    )
    assert.deepEqual([statusCode, code], [403, 'LinkedAuthorizationFailed'])
    assert.equal(
      message,
      `The client '${sharer.appId}' with object id '${sharer.servicePrincipalId}' has permission to perform action 'Microsoft.Compute/virtualMachines/write' on scope '${vmScope()}'; however, it does not have permission to perform action 'Microsoft.Compute/galleries/images/versions/read' on the linked scope(s) '${image}' or the linked scope(s) are invalid.`,
    )
    const left: unknown[] = []
    for await (const one of client.virtualMachines.listAll()) left.push(one)
    assert.deepEqual(left, [], 'what was refused left nothing')
  })

  test('with both tokens a machine of tenant B boots from the image of tenant A', async () => {
    await give(tenantA, wire.id('galleries/golden'), sharer.servicePrincipalId, roles.reader)
    const client = compute(signIn(tenantB, sharer), subscriptionB, signIn(tenantA, sharer))
    const disk = await client.disks.createOrUpdate('team', 'disk', diskOf(image))
    assert.equal(disk.creationData?.galleryImageReference?.id, image)
    const vm = await client.virtualMachines.createOrUpdate('team', 'vm', machine(image))
    assert.equal(vm.storageProfile?.imageReference?.id, image)
    await eventually(async () => {
      const data = await client.virtualMachines.retrieveBootDiagnosticsData('team', 'vm')
      const log = await (await fetch(data.serialConsoleLogBlobUri ?? '')).text()
      assert.match(log, /goldleaf-guest ready: hello from tenant A/)
    }, 120_000)
    // The machine is tenant B's own: it needs tenant A no more.
    await compute(signIn(tenantB, sharer), subscriptionB).virtualMachines.delete('team', 'vm')
  })

  test('the second token gives what it links to, and nothing else of tenant A', async () => {
    const inA = compute(signIn(tenantB, sharer), wire.server.env.subscriptionId, signIn(tenantA, sharer))
    const { code } = await refusalOf(inA.galleries.get('wire', 'golden'))
    assert.equal(code, 'InvalidAuthenticationTokenTenant')
    const reader = compute(signIn(tenantA, sharer), wire.server.env.subscriptionId)
    assert.equal((await reader.galleries.get('wire', 'golden')).name, 'golden')
    assert.equal((await refusalOf(reader.disks.createOrUpdate('wire', 'd', diskOf(image)))).code, 'AuthorizationFailed')
  })

  test('a guest sees what the host gave, and nothing more', async () => {
    const { userPrincipalName } = await run<{ userPrincipalName: string }>('user', 'create', 'alice')
    const { password: drawn } = await run<{ password: string }>('user', 'reset-password', userPrincipalName)
    const guest = await run<{ id: string }>('--tenant', domainOfB, 'user', 'invite', userPrincipalName)
    const alice = (tenantId: string) =>
      new UsernamePasswordCredential(tenantId, azureCli, userPrincipalName, drawn, {
        authorityHost: wire.server.env.endpoint,
        disableInstanceDiscovery: true,
      })
    const listed = async (tenantId: string, path: string): Promise<readonly (string | undefined)[]> => {
      const { token } = await alice(tenantId).getToken(scopes())
      const { body } = await armCaller({ env: wire.server.env, token }).call('GET', path)
      return (body.value ?? []).map((one) => one.name ?? one.id)
    }
    const groups = `/subscriptions/${subscriptionB}/resourcegroups?api-version=${groupVersion}`
    assert.deepEqual(await listed(tenantB, '/subscriptions?api-version=2022-12-01'), [])
    assert.deepEqual(await listed(tenantB, groups), [])
    await give(tenantB, `/subscriptions/${subscriptionB}/resourceGroups/team`, guest.id, roles.reader)
    assert.deepEqual(await listed(tenantB, '/subscriptions?api-version=2022-12-01'), [
      `/subscriptions/${subscriptionB}`,
    ])
    assert.deepEqual(await listed(tenantB, groups), ['team'])
    const inB = compute(alice(tenantB), subscriptionB)
    assert.equal((await inB.disks.get('team', 'disk')).name, 'disk')
    const refused = await refusalOf(inB.disks.createOrUpdate('private', 'mine', diskOf(image)))
    assert.equal(refused.code, 'AuthorizationFailed')
    assert.deepEqual(await listed(tenantA, '/subscriptions?api-version=2022-12-01'), [], 'at home nothing was given')
  })

  suite('a right on a gallery, a definition or a version, in another subscription of the tenant', () => {
    const versions = ['linux/1.0.0', 'linux/1.1.0', 'other/1.0.0'] as const
    const pathOf = (version: string): string => `galleries/golden/images/${version.replace('/', '/versions/')}`
    let secondId = ''
    before(async () => {
      ;({ subscriptionId: secondId } = await run<{ subscriptionId: string }>('subscription', 'create', 'second'))
      const group = `/subscriptions/${secondId}/resourceGroups/rg?api-version=${groupVersion}`
      await wire.arm.must('PUT', group, { location })
    })

    for (const [where, path, usable] of [
      ['gallery', 'galleries/golden', versions],
      ['definition', 'galleries/golden/images/linux', ['linux/1.0.0', 'linux/1.1.0']],
      ['version', 'galleries/golden/images/linux/versions/1.1.0', ['linux/1.1.0']],
      ['nothing', undefined, []],
    ] as const)
      test(where, async () => {
        const user = await run<App>('app', 'create', `user-of-${where}`)
        await give(tenantA, `/subscriptions/${secondId}`, user.servicePrincipalId, roles.contributor)
        if (path !== undefined) await give(tenantA, wire.id(path), user.servicePrincipalId, roles.reader)
        const client = compute(signIn(tenantA, user), secondId)
        const found: string[] = []
        for (const version of versions) {
          const disk = client.disks.createOrUpdate('rg', `${where}-${found.length}`, diskOf(wire.id(pathOf(version))))
          const code = await disk.then(
            () => 'made',
            (error: Refused) => error.code,
          )
          if (code === 'made') found.push(version)
          else assert.equal(code, 'LinkedAuthorizationFailed', version)
        }
        assert.deepEqual(found, usable)
        const inFirst = compute(signIn(tenantA, user), wire.server.env.subscriptionId)
        const sees = (attempt: Promise<unknown>): Promise<boolean> =>
          attempt.then(
            () => true,
            (error: Refused) => (assert.equal(error.code, 'AuthorizationFailed'), false),
          )
        assert.equal(await sees(inFirst.galleries.get('wire', 'golden')), where === 'gallery')
        const definition = inFirst.galleryImages.get('wire', 'golden', 'linux')
        assert.equal(await sees(definition), where === 'gallery' || where === 'definition')
      })
  })
})
