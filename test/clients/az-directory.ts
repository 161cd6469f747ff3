import assert from 'node:assert/strict'
import type { AzWalk } from './az-walk.ts'

/** `az ad …`: users, groups, applications and service principals, as the server's own client. */
export function walkDirectory({ az, step, server }: AzWalk): void {
  walkUsersAndGroups({ az, step })
  walkApplications({ az, step })
  step('ad sp show (own)', async () => {
    const { clientId, tenantId } = server().env
    const own = await az().run('ad', 'sp', 'show', '--id', clientId)
    assert.deepEqual([own.appId, own.appOwnerOrganizationId], [clientId, tenantId])
  })
  step('ad signed-in-user show (a program is no user)', async () => {
    const { code, stderr } = await az().attempt('ad', 'signed-in-user', 'show')
    assert.equal(code, 1)
    assert.match(stderr, /only valid with delegated authentication flow/)
  })
}

type Walk = Pick<AzWalk, 'az' | 'step'>

function walkUsersAndGroups({ az, step }: Walk): void {
  const name = 'carol@goldleaf.local'
  const password = ['--password', 'Correct-horse-1']
  step('ad user create', async () => {
    const made = await az().run(
      'ad',
      'user',
      'create',
      '--display-name',
      'Carol',
      '--user-principal-name',
      name,
      ...password,
    )
    assert.equal(made.userPrincipalName, name)
  })
  step('ad user show', async () =>
    assert.equal((await az().run('ad', 'user', 'show', '--id', name)).displayName, 'Carol'),
  )
  step('ad user update', async () => {
    await az().run('ad', 'user', 'update', '--id', name, '--display-name', 'Carol C')
    const listed = await az().run('ad', 'user', 'list', '--upn', name)
    assert.deepEqual([listed.length, listed[0].displayName], [1, 'Carol C'])
  })
  step('ad user list --display-name', async () => {
    assert.equal((await az().run('ad', 'user', 'list', '--display-name', 'car')).length, 1)
  })
  step('ad group create', async () => {
    const made = await az().run('ad', 'group', 'create', '--display-name', 'crew', '--mail-nickname', 'crew')
    assert.equal(made.securityEnabled, true)
    const again = await az().run('ad', 'group', 'create', '--display-name', 'crew', '--mail-nickname', 'crew')
    assert.equal(again.id, made.id, 'az finds the one that is there')
  })
  step('ad group member add, list, check, remove', async () => {
    const { id } = await az().run('ad', 'user', 'show', '--id', name)
    const [group] = await az().run('ad', 'group', 'list', '--display-name', 'crew')
    const member = (verb: string) =>
      az().run('ad', 'group', 'member', verb, '--group', group.id, ...(verb === 'list' ? [] : ['--member-id', id]))
    await member('add')
    assert.equal((await member('list'))[0].id, id)
    assert.equal((await member('check')).value, true)
    assert.equal((await az().run('ad', 'user', 'get-member-groups', '--id', name))[0].displayName, 'crew')
    await member('remove')
    assert.equal((await member('check')).value, false)
  })
  step('ad group show, delete', async () => {
    const [{ id }] = await az().run('ad', 'group', 'list', '--display-name', 'crew')
    assert.equal((await az().run('ad', 'group', 'show', '--group', id)).displayName, 'crew')
    await az().run('ad', 'group', 'delete', '--group', id)
    assert.deepEqual(await az().run('ad', 'group', 'list'), [])
  })
  step('ad user delete', async () => {
    await az().run('ad', 'user', 'delete', '--id', name)
    assert.match((await az().attempt('ad', 'user', 'show', '--id', name)).stderr, /does not exist/)
  })
}

function walkApplications({ az, step }: Walk): void {
  let appId: string
  step('ad sp create-for-rbac', async () => {
    const made = await az().run('ad', 'sp', 'create-for-rbac', '-n', 'builder')
    assert.match(made.password, /^[\w-]{43}$/)
    appId = made.appId
    const again = await az().run('ad', 'sp', 'create-for-rbac', '-n', 'builder')
    assert.equal(again.appId, appId, 'az finds the one that is there')
    assert.equal((await az().run('ad', 'app', 'credential', 'list', '--id', appId)).length, 1)
  })
  step('ad sp list, show', async () => {
    assert.equal((await az().run('ad', 'sp', 'list', '--display-name', 'builder'))[0].appId, appId)
    assert.equal((await az().run('ad', 'sp', 'show', '--id', appId)).displayName, 'builder')
    const all: readonly { readonly appId: string }[] = await az().run('ad', 'sp', 'list', '--show-mine')
    assert.ok(all.some((one) => one.appId === appId))
  })
  step('ad sp credential reset, list, delete', async () => {
    const reset = await az().run('ad', 'sp', 'credential', 'reset', '--id', appId)
    assert.match(reset.password, /^[\w-]{43}$/)
    const [only] = await az().run('ad', 'sp', 'credential', 'list', '--id', appId)
    await az().run('ad', 'sp', 'credential', 'delete', '--id', appId, '--key-id', only.keyId)
    assert.deepEqual(await az().run('ad', 'sp', 'credential', 'list', '--id', appId), [])
  })
  step('ad sp create-for-rbac --create-cert', async () => {
    const made = await az().run('ad', 'sp', 'create-for-rbac', '-n', 'certified', '--create-cert')
    assert.match(made.fileWithCertAndPrivateKey, /\.pem$/)
    const [key] = await az().run('ad', 'app', 'credential', 'list', '--id', made.appId, '--cert')
    assert.match(key.customKeyIdentifier, /^[0-9A-F]{40}$/)
    await az().run('ad', 'app', 'credential', 'reset', '--id', made.appId, '--create-cert', '--append')
    assert.equal((await az().run('ad', 'app', 'credential', 'list', '--id', made.appId, '--cert')).length, 2)
  })
  step('ad app create, show, update, list', async () => {
    const redirect = ['--web-redirect-uris', 'https://localhost/cb']
    const made = await az().run('ad', 'app', 'create', '--display-name', 'web', ...redirect)
    const uri = `api://${made.appId}`
    await az().run('ad', 'app', 'update', '--id', made.appId, '--identifier-uris', uri)
    assert.deepEqual((await az().run('ad', 'app', 'show', '--id', uri)).web.redirectUris, ['https://localhost/cb'])
    assert.equal((await az().run('ad', 'app', 'list', '--identifier-uri', uri)).length, 1)
    assert.equal((await az().run('ad', 'sp', 'create', '--id', uri)).appId, made.appId)
  })
  step('ad app owner add, list', async () => {
    const { id } = await az().run('ad', 'sp', 'show', '--id', appId)
    const [web] = await az().run('ad', 'app', 'list', '--display-name', 'web')
    await az().run('ad', 'app', 'owner', 'add', '--id', web.appId, '--owner-object-id', id)
    const owners: readonly { readonly id: string }[] = await az().run('ad', 'app', 'owner', 'list', '--id', web.appId)
    assert.ok(owners.some((one) => one.id === id))
  })
  step('ad sp delete, ad app delete', async () => {
    await az().run('ad', 'sp', 'delete', '--id', appId)
    assert.equal((await az().attempt('ad', 'sp', 'show', '--id', appId)).code, 3)
    await az().run('ad', 'app', 'delete', '--id', appId)
    assert.deepEqual(await az().run('ad', 'app', 'list', '--app-id', appId), [])
  })
}
