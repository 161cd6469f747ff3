import assert from 'node:assert/strict'
import { openAz } from './az.ts'
import type { Az, AzDocument } from './az.ts'
import { words } from './az-walk.ts'
import type { AzWalk } from './az-walk.ts'

const roles = (list: readonly AzDocument[]): string[] => list.map((one) => one.roleDefinitionName)

/** Who may what: roles, assignments, a principal that has one, locks, management groups, the activity log. */
export function walkAccess(walk: AzWalk): void {
  walkAssignments(walk)
  walkOwnRoles(walk)
  walkPrincipal(walk)
  walkLocks(walk)
  walkManagementGroups(walk)
  walkActivity(walk)
}

function walkAssignments({ az, step, server }: AzWalk): void {
  const scope = (): string => `/subscriptions/${server().env.subscriptionId}`
  step('role definition list', async () => {
    const [reader] = await az().run('role', 'definition', 'list', '--name', 'Reader')
    assert.deepEqual([reader.name, reader.roleType], ['acdd72a7-3385-48ef-bd42-f606fba81ae7', 'BuiltInRole'])
    const all: readonly AzDocument[] = await az().run('role', 'definition', 'list')
    assert.ok(all.some((one) => one.roleName === 'Compute Gallery Image Reader'))
  })
  step('role assignment create --assignee', async () => {
    await az().run('group', 'create', '-n', 'access', '-l', 'westeurope')
    await az().run(...words('ad user create --display-name Erin --password Correct-horse-1'), ...named('erin'))
    const to = ['--assignee', 'erin@goldleaf.local', '--role', 'Reader', '--scope', scope()]
    const made = await az().run('role', 'assignment', 'create', ...to)
    assert.deepEqual([made.principalType, made.scope], ['User', scope()])
    assert.equal((await az().run('role', 'assignment', 'create', ...to)).name, made.name, 'az finds the one there is')
  })
  step('role assignment create --assignee-object-id', async () => {
    const { id } = await az().run('ad', 'group', 'create', '--display-name', 'staff', '--mail-nickname', 'staff')
    const to = ['--assignee-object-id', id, '--assignee-principal-type', 'Group', '--role', 'Contributor']
    const made = await az().run('role', 'assignment', 'create', ...to, '--scope', `${scope()}/resourceGroups/access`)
    assert.deepEqual([made.principalId, made.principalType], [id, 'Group'])
  })
  step('role assignment list', async () => {
    const own = await az().run(...words('role assignment list --all --assignee erin@goldleaf.local'))
    assert.deepEqual([roles(own), own[0].principalName], [['Reader'], 'erin@goldleaf.local'])
    const all: readonly AzDocument[] = await az().run('role', 'assignment', 'list', '--all')
    assert.ok(all.some((one) => one.scope === '/' && one.roleDefinitionName === 'Owner'))
    const { clientId } = server().env
    const inherited = await az().run(
      ...words('role assignment list -g access --include-inherited --assignee'),
      clientId,
    )
    assert.ok(roles(inherited).includes('Owner'))
  })
  step('role assignment delete', async () => {
    await az().run(...words('role assignment delete --role Reader --assignee erin@goldleaf.local --scope'), scope())
    assert.deepEqual(await az().run(...words('role assignment list --all --assignee erin@goldleaf.local')), [])
    const [staff] = await az().run(...words('ad group list --display-name staff'))
    await az().run('ad', 'group', 'delete', '--group', staff.id)
    assert.deepEqual(await az().run('role', 'assignment', 'list', '-g', 'access'), [], 'gone with the group')
    await az().run('ad', 'user', 'delete', '--id', 'erin@goldleaf.local')
  })
}

function named(name: string): readonly string[] {
  return ['--user-principal-name', `${name}@goldleaf.local`]
}

function walkOwnRoles({ az, step, server }: AzWalk): void {
  const role = (description: string): Promise<string> =>
    az().file(
      'role.json',
      JSON.stringify({
        Name: 'Image Keeper',
        Description: description,
        Actions: ['Microsoft.Compute/galleries/*'],
        NotActions: ['Microsoft.Compute/galleries/delete'],
        AssignableScopes: [`/subscriptions/${server().env.subscriptionId}`],
      }),
    )
  step('role definition create', async () => {
    const made = await az().run('role', 'definition', 'create', '--role-definition', `@${await role('keeps')}`)
    assert.deepEqual([made.roleName, made.roleType], ['Image Keeper', 'CustomRole'])
  })
  step('role definition update', async () => {
    const made = await az().run('role', 'definition', 'update', '--role-definition', `@${await role('still keeps')}`)
    assert.equal(made.description, 'still keeps')
    assert.equal((await az().run(...words('role definition list --custom-role-only'))).length, 1)
  })
  step('role definition delete', async () => {
    await az().run('role', 'definition', 'delete', '--name', 'Image Keeper')
    assert.deepEqual(await az().run(...words('role definition list --custom-role-only')), [])
  })
}

function walkPrincipal({ az, step, server, installation }: AzWalk): void {
  step('ad sp create-for-rbac --role --scopes, and login as it', async () => {
    const subscription = `/subscriptions/${server().env.subscriptionId}`
    const scopes = ['--scopes', `${subscription}/resourceGroups/access`]
    const made = await az().run(...words('ad sp create-for-rbac -n keeper --role Contributor'), ...scopes)
    await using keeper: Az = await openAz(installation, server())
    const account = ['-u', made.appId, '-p', made.password, '--tenant', made.tenant]
    const [only] = await keeper.run('login', '--service-principal', ...account)
    assert.equal(only.id, server().env.subscriptionId)
    await keeper.run(...words('sig create -g access -r kept -l westeurope'))
    assert.deepEqual(
      (await keeper.run('group', 'list')).map((one: AzDocument) => one.name),
      ['access'],
      'of all groups it sees the one',
    )
    const refused = await keeper.attempt(...words('group create -n elsewhere -l westeurope'))
    assert.notEqual(refused.code, 0)
    const { id } = await az().run('ad', 'sp', 'show', '--id', made.appId)
    const text = `The client '${made.appId}' with object id '${id}' does not have authorization to perform action 'Microsoft.Resources/subscriptions/resourceGroups/write' over scope '${subscription}/resourceGroups/elsewhere' or the scope is invalid. If access was recently granted, please refresh your credentials.`
    assert.ok(refused.stderr.includes(`(AuthorizationFailed) ${text}`), refused.stderr)
    const grant = [
      '--assignee-object-id',
      id,
      '--assignee-principal-type',
      'ServicePrincipal',
      ...words('--role Owner'),
    ]
    const raised = await keeper.attempt('role', 'assignment', 'create', ...grant, '--scope', subscription)
    assert.match(raised.stderr, /AuthorizationFailed/, 'nobody gives itself more')
    await az().run('ad', 'app', 'delete', '--id', made.appId)
  })
}

function walkLocks({ az, step }: AzWalk): void {
  step('lock create', async () => {
    const made = await az().run(...words('lock create -n keep -t CanNotDelete -g access --notes why'))
    assert.deepEqual([made.level, made.notes], ['CanNotDelete', 'why'])
  })
  step('lock list', async () => {
    assert.deepEqual(
      (await az().run('lock', 'list')).map((one: AzDocument) => one.name),
      ['keep'],
    )
  })
  step('group delete (locked)', async () => {
    for (const what of ['group delete -n access -y', 'sig delete -g access -r kept']) {
      const { code, stderr } = await az().attempt(...words(what))
      assert.notEqual(code, 0)
      assert.match(stderr, /ScopeLocked.*cannot perform delete operation because following scope\(s\) are locked/)
    }
    await az().run(...words('sig update -g access -r kept --set tags.a=b'))
  })
  step('lock update, show, delete', async () => {
    await az().run(...words('lock update -n keep -g access -t ReadOnly'))
    assert.equal((await az().run(...words('lock show -n keep -g access'))).level, 'ReadOnly')
    assert.match((await az().attempt(...words('sig update -g access -r kept --set tags.a=c'))).stderr, /ScopeLocked/)
    await az().run(...words('lock delete -n keep -g access'))
    await az().run(...words('group delete -n access -y'))
  })
}

function walkManagementGroups({ az, step, server }: AzWalk): void {
  step('account management-group create, list, show', async () => {
    await az().run(...words('account management-group create -n platform --display-name Platform'))
    const list: readonly AzDocument[] = await az().run(...words('account management-group list'))
    assert.deepEqual(new Set(list.map((one) => one.displayName)), new Set(['Platform', 'Tenant Root Group']))
  })
  step('account management-group subscription add, remove', async () => {
    const { subscriptionId } = server().env
    await az().run(...words('account management-group subscription add -n platform -s'), subscriptionId)
    const shown = await az().run(...words('account management-group show -n platform -e'))
    assert.equal(shown.children[0].name, subscriptionId)
    await az().run(...words('account management-group subscription remove -n platform -s'), subscriptionId)
  })
  step('account management-group delete', async () => {
    await az().run(...words('account management-group delete -n platform'))
    assert.notEqual((await az().attempt(...words('account management-group show -n platform'))).code, 0)
  })
}

function walkActivity({ az, step, server }: AzWalk): void {
  step('monitor activity-log list', async () => {
    const { code, json, stderr } = await az().attempt(...words('monitor activity-log list -g access --offset 1h'))
    if (/Error loading command module 'monitor'/.test(stderr)) return "Debian's package cannot load `az monitor`"
    assert.equal(code, 0, stderr)
    const events = json as readonly AzDocument[]
    const locked = events.find((one) => one.operationName.value === 'Microsoft.Authorization/locks/write')
    assert.deepEqual([locked?.caller, locked?.status.value], [server().env.clientId, 'Succeeded'])
    const failed = events.filter((one) => one.status.value === 'Failed').map((one) => one.operationName.value)
    assert.ok(failed.includes('Microsoft.Resources/subscriptions/resourceGroups/delete'), JSON.stringify(failed))
    return undefined
  })
}
