import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, suite, test } from 'node:test'
import {
  contributorRoleId,
  ownerRoleId,
  readerRoleId,
  userAccessAdministratorRoleId,
} from '../../src/access/built-in-roles.ts'
import { grantRole } from '../../src/access/grant.ts'
import { systemClock } from '../../src/base/clock.ts'
import { deleteObject } from '../../src/directory/remove.ts'
import { inviteGuest, updateUser } from '../../src/directory/users.ts'
import { openInstallation } from '../../src/identity/installation.ts'
import { armAudience, createTokenSigner, graphAudience } from '../../src/identity/token.ts'
import { armCaller } from '../support/goldleaf.ts'
import type { Answer } from '../support/goldleaf.ts'
import { openPrincipals } from '../support/principals.ts'
import type { Principals, TestUser } from '../support/principals.ts'
import { openWire } from '../wire/wire.ts'
import type { Wire } from '../wire/wire.ts'

/** Who has some right tries to have more, or keeps what was taken away. */
suite('raising oneself', () => {
  let wire: Wire
  let people: Principals
  before(async () => {
    wire = await openWire()
    people = await openPrincipals(wire.server)
    await wire.gallery('golden')
  })
  after(async () => {
    await people?.[Symbol.asyncDispose]()
    await wire?.[Symbol.asyncDispose]()
  })

  const give = (user: TestUser, scope: string, roleId: string, tenantId = people.home) =>
    grantRole(people.db, { tenantId, principalId: user.objectId, principalType: 'User', scope, roleId, nowMs: 1 })
  const authorization = (scope: string, path: string): string =>
    `${scope === '/' ? '' : scope}/providers/Microsoft.Authorization/${path}?api-version=2022-04-01`
  const assign = (by: TestUser, scope: string, to: string, roleId: string): Promise<Answer> =>
    by.arm.call('PUT', authorization(scope, `roleAssignments/${randomUUID()}`), {
      properties: {
        principalId: to,
        principalType: 'User',
        roleDefinitionId: `/providers/Microsoft.Authorization/roleDefinitions/${roleId}`,
      },
    })
  const codeOf = ({ status, body }: Answer): string => `${status} ${body.error?.code ?? ''}`.trim()
  const forbidden = '403 AuthorizationFailed'

  test('roles that give rights give them where they hold, and nowhere above or beside', async () => {
    const above = ['/', wire.subscription, `${wire.subscription}/resourceGroups/other`]
    await wire.arm.must('PUT', `${above[2]}?api-version=2021-04-01`, { location: 'westeurope' })
    const admin = await people.user('admin')
    await give(admin, wire.group, userAccessAdministratorRoleId)
    for (const scope of above) assert.equal(codeOf(await assign(admin, scope, admin.objectId, ownerRoleId)), forbidden)
    // As in Azure: who gives rights on a group may give them to himself, there.
    assert.equal((await assign(admin, wire.group, admin.objectId, ownerRoleId)).status, 201)
    for (const scope of above) assert.equal(codeOf(await assign(admin, scope, admin.objectId, ownerRoleId)), forbidden)
    const worker = await people.user('worker')
    await give(worker, wire.subscription, contributorRoleId)
    for (const scope of [...above, wire.group, wire.id('galleries/golden')])
      assert.equal(codeOf(await assign(worker, scope, worker.objectId, readerRoleId)), forbidden)
    const lock = { properties: { level: 'ReadOnly' } }
    const locks = `${wire.group}/providers/Microsoft.Authorization/locks/mine?api-version=2020-05-01`
    assert.equal(codeOf(await worker.arm.call('PUT', locks, lock)), forbidden)
    const cancel = `${wire.subscription}/providers/Microsoft.Subscription/cancel?api-version=2021-10-01`
    assert.equal(codeOf(await worker.arm.call('POST', cancel)), forbidden)
    const group = '/providers/Microsoft.Management/managementGroups/mine?api-version=2021-04-01'
    assert.equal((await worker.arm.call('PUT', group, {})).status, 403)
    const alias = '/providers/Microsoft.Subscription/aliases/mine?api-version=2021-10-01'
    assert.equal(codeOf(await worker.arm.call('PUT', alias, {})), forbidden)
  })

  test('a custom role cannot be made, widened or moved beyond what its maker rules', async () => {
    const maker = await people.user('maker')
    await give(maker, wire.group, ownerRoleId)
    const id = randomUUID()
    const put = (assignableScopes: readonly string[], actions = ['*'], at = wire.group): Promise<Answer> =>
      maker.arm.call('PUT', authorization(at, `roleDefinitions/${id}`), {
        properties: { roleName: 'Everything', permissions: [{ actions, dataActions: ['*'] }], assignableScopes },
      })
    for (const scopes of [
      [wire.subscription],
      [wire.group, wire.subscription],
      [`${wire.group}2`],
      [`${wire.group}/..`],
    ])
      assert.ok([400, 403].includes((await put(scopes)).status), String(scopes))
    assert.equal(codeOf(await put([wire.group], ['*'], wire.subscription)), forbidden)
    assert.equal((await put([wire.group])).status, 201)
    assert.equal(codeOf(await put([wire.group, wire.subscription])), forbidden)
    assert.equal(codeOf(await assign(maker, wire.subscription, maker.objectId, id)), forbidden)
    assert.equal((await assign(maker, wire.group, maker.objectId, id)).status, 201)
    assert.equal(
      codeOf(await maker.arm.call('GET', `${wire.subscription}/resourceGroups/other?api-version=2021-04-01`)),
      forbidden,
    )
    for (const role of [ownerRoleId, readerRoleId]) {
      const answer = await maker.arm.call('PUT', authorization(wire.group, `roleDefinitions/${role}`), {
        properties: { roleName: 'Reader', permissions: [{ actions: ['*'] }], assignableScopes: [wire.group] },
      })
      assert.ok([400, 403].includes(answer.status))
    }
  })

  test('the last administrator of a subscription stays, and that of the root', async () => {
    const scope = await people.subscription('Lonely')
    const [owner, second] = [await people.user('owner'), await people.user('second')]
    await give(owner, scope, ownerRoleId)
    const given = await assign(owner, scope, second.objectId, userAccessAdministratorRoleId)
    const remove = (by: TestUser['arm'], id = ''): Promise<Answer> => by.call('DELETE', `${id}?api-version=2022-04-01`)
    const all = await owner.arm.call('GET', `${authorization(scope, 'roleAssignments')}&$filter=atScope()`)
    const last = all.body.value?.find(({ properties }) =>
      JSON.stringify(properties).includes(`"principalId":"${owner.objectId}"`),
    )
    assert.equal((await remove(owner.arm, given.body.id)).status, 200)
    assert.equal(codeOf(await remove(owner.arm, last?.id)), '412 CannotDeleteLastRbacAdminAssignment')
    const root = await wire.arm.call('GET', authorization('/', 'roleAssignments'))
    const ruler = root.body.value?.find(({ properties }) =>
      [ownerRoleId, '"scope":"/"'].every((part) => JSON.stringify(properties).includes(part)),
    )
    assert.equal(codeOf(await remove(wire.arm, ruler?.id)), '412 CannotDeleteLastRbacAdminAssignment')
    // Who rules the tenant may: it can make another.
    assert.equal((await remove(wire.arm, last?.id)).status, 200)
  })

  test('a token is good for what it was asked for: audiences, kinds, signatures of data', async () => {
    const installation = await openInstallation(wire.server.data)
    const signer = createTokenSigner(installation, systemClock)
    const { tenantId, objectId, clientId: appId } = installation
    const tokenFor = async (audience: string) => (await signer.sign({ tenantId, objectId, appId }, audience)).token
    const graph = armCaller({ ...wire.server, token: await tokenFor(graphAudience) })
    assert.equal((await graph.call('GET', '/v1.0/users')).status, 200)
    for (const path of ['/subscriptions?api-version=2022-12-01', '/goldleaf/v1/tenants', wire.at('galleries/golden')])
      assert.equal(codeOf(await graph.call('GET', path)), '401 InvalidAuthenticationTokenAudience', path)
    const { httpEndpoint } = wire.server.env
    const blob = await fetch(`${httpEndpoint}/blob/wire/vhds/x`, {
      headers: { authorization: `Bearer ${await tokenFor(graphAudience)}` },
    })
    assert.equal(blob.status, 401)
    const elsewhere = armCaller({ ...wire.server, token: await tokenFor('https://vault.azure.net') })
    for (const path of ['/v1.0/users', '/subscriptions?api-version=2022-12-01'])
      assert.equal((await elsewhere.call('GET', path)).status, 401)
    assert.equal((await wire.arm.call('GET', '/subscriptions?api-version=2022-12-01')).status, 200, armAudience)
  })

  test('a machine is nobody in the directory, and has no right that it was not given', async () => {
    const at = `${wire.group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/m?api-version=2023-01-31`
    const { properties } = (await wire.arm.must('PUT', at, { location: 'westeurope' })).body
    const { principalId, clientId } = properties as unknown as { principalId: string; clientId: string }
    const signer = createTokenSigner(await openInstallation(wire.server.data), systemClock)
    const subject = { tenantId: people.home, objectId: principalId, appId: clientId, kind: 'managedIdentity' } as const
    const machine = armCaller({ ...wire.server, token: (await signer.sign(subject, armAudience)).token })
    assert.equal(codeOf(await machine.call('GET', wire.at('galleries/golden'))), forbidden)
    const body = { displayName: 'x', mailNickname: 'x', mailEnabled: false, securityEnabled: true }
    for (const path of [
      'users',
      'groups',
      'applications',
      'servicePrincipals',
      `servicePrincipals/${principalId}/addPassword`,
    ])
      assert.equal(
        (await machine.call('POST', `/v1.0/${path}`, path === 'servicePrincipals' ? { appId: randomUUID() } : body))
          .status,
        403,
        path,
      )
    await wire.arm.must('DELETE', at)
    assert.equal(
      codeOf(await machine.call('GET', '/subscriptions?api-version=2022-12-01')),
      '401 InvalidAuthenticationToken',
    )
  })

  test('directory roles: who may change people cannot become, or change, who may do more', async () => {
    const [helper, boss, owner] = [await people.user('helper'), await people.user('boss'), await people.user('keeper')]
    const roles = '/v1.0/roleManagement/directory/roleAssignments'
    const role = {
      administrator: '62e90394-69f5-4237-9190-012177145e10',
      users: 'fe930be7-5e62-47db-91af-98c3a49a38b1',
    }
    const makeRole = (by: TestUser['arm'], principalId: string, roleDefinitionId: string) =>
      by.call('POST', roles, { principalId, roleDefinitionId, directoryScopeId: '/' })
    assert.equal((await makeRole(wire.arm, helper.objectId, role.users)).status, 201)
    assert.equal((await makeRole(wire.arm, boss.objectId, role.administrator)).status, 201)
    assert.equal((await makeRole(helper.arm, helper.objectId, role.administrator)).status, 403)
    const password = { passwordProfile: { password: 'Correct-horse-1' } }
    assert.equal((await helper.arm.call('PATCH', `/v1.0/users/${boss.objectId}`, password)).status, 403)
    assert.equal(
      (await helper.arm.call('PATCH', `/v1.0/users/${boss.objectId}`, { accountEnabled: false })).status,
      403,
    )
    assert.equal((await helper.arm.call('DELETE', `/v1.0/users/${boss.objectId}`)).status, 403)
    // The owner of an application that then becomes powerful: no new secret for it, no new owner, no new name.
    const app = (await wire.arm.call('POST', '/v1.0/applications', { displayName: 'powerful' })).body as unknown as {
      id: string
      appId: string
    }
    const principal = (await wire.arm.call('POST', '/v1.0/servicePrincipals', { appId: app.appId })).body
    const own = { '@odata.id': `https://graph.microsoft.com/v1.0/directoryObjects/${owner.objectId}` }
    assert.equal((await wire.arm.call('POST', `/v1.0/applications/${app.id}/owners/$ref`, own)).status, 204)
    const addPassword = (by: TestUser['arm']) => by.call('POST', `/v1.0/applications/${app.id}/addPassword`, {})
    assert.equal((await addPassword(owner.arm)).status, 200)
    assert.equal((await makeRole(wire.arm, principal.id ?? '', role.administrator)).status, 201)
    assert.equal((await addPassword(owner.arm)).status, 403)
    assert.equal((await owner.arm.call('POST', `/v1.0/servicePrincipals/${principal.id}/addPassword`, {})).status, 403)
    assert.equal((await owner.arm.call('PATCH', `/v1.0/applications/${app.id}`, { displayName: 'mine' })).status, 403)
    assert.equal((await helper.arm.call('POST', `/v1.0/applications/${app.id}/owners/$ref`, own)).status, 403)
    for (const operator of ['applications', 'servicePrincipals']) {
      const found = await wire.arm.call('GET', `/v1.0/${operator}?$filter=appId eq '${wire.server.env.clientId}'`)
      const id = found.body.value?.[0]?.id
      assert.ok(id)
      const added = await boss.arm.call('POST', `/v1.0/${operator}/${id}/addPassword`, {})
      assert.equal(added.status, 403, `${operator}: ${JSON.stringify(added.body)}`)
    }
  })

  test('who is disabled, deleted or no guest any more is refused at once, with every token', async () => {
    const gone = '401 InvalidAuthenticationToken'
    const ask = ({ arm }: TestUser) => arm.call('GET', '/subscriptions?api-version=2022-12-01')
    const graph = ({ arm }: TestUser) => arm.call('GET', '/v1.0/me')
    const leaver = await people.user('leaver')
    assert.equal((await ask(leaver)).status, 200)
    await updateUser(people.room, people.home, leaver.objectId, { accountEnabled: false })
    assert.deepEqual([codeOf(await ask(leaver)), codeOf(await graph(leaver))], [gone, gone])
    const { httpEndpoint } = wire.server.env
    const bearer = { authorization: `Bearer ${leaver.token}` }
    assert.equal((await fetch(`${httpEndpoint}/blob/wire/vhds/x`, { headers: bearer })).status, 401)
    const auxiliary = { 'x-ms-authorization-auxiliary': `Bearer ${leaver.token}` }
    assert.equal((await wire.arm.call('GET', wire.at('galleries/golden'), undefined, auxiliary)).status, 401)
    await updateUser(people.room, people.home, leaver.objectId, { accountEnabled: true })
    assert.equal((await ask(leaver)).status, 200)
    await deleteObject(people.room, people.home, leaver.objectId, 'user')
    assert.deepEqual([codeOf(await ask(leaver)), codeOf(await graph(leaver))], [gone, gone])

    const elsewhere = await people.tenant('Partner')
    const partner = await people.user('partner', elsewhere)
    const guest = await inviteGuest(people.room, people.home, { userPrincipalName: partner.name })
    const token = await people.tokenOf(people.home, guest.objectId, guest.userPrincipalName)
    const visiting: TestUser = { ...partner, ...guest, token, arm: armCaller({ ...wire.server, token }) }
    await give(visiting, wire.id('galleries/golden'), readerRoleId)
    assert.equal((await visiting.arm.call('GET', wire.at('galleries/golden'))).status, 200)
    for (const path of ['users', 'groups', 'applications', `users/${leaver.objectId}`])
      assert.equal((await visiting.arm.call('GET', `/v1.0/${path}`)).status, 403, path)
    await updateUser(people.room, elsewhere, partner.objectId, { accountEnabled: false })
    assert.equal(codeOf(await visiting.arm.call('GET', wire.at('galleries/golden'))), gone, 'disabled at home')
    await updateUser(people.room, elsewhere, partner.objectId, { accountEnabled: true })
    await deleteObject(people.room, people.home, guest.objectId, 'user')
    assert.equal(codeOf(await visiting.arm.call('GET', wire.at('galleries/golden'))), gone)
    assert.equal((await ask(partner)).status, 200, 'at home it is somebody still')
  })
})
