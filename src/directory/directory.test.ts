import assert from 'node:assert/strict'
import { after, suite, test } from 'node:test'
import { systemClock } from '../base/clock.ts'
import { randomUuid } from '../base/random.ts'
import { createApplication, createServicePrincipal, insertManagedIdentity } from './applications.ts'
import { addSecret, parseKey, removeSecret } from './credentials.ts'
import { memoryDirectory, operator } from './directory.fixture.ts'
import { addMember, createGroup, removeMember } from './groups.ts'
import { deleteObject } from './remove.ts'
import { createTenant, deleteTenant, ensureInstallation } from './tenants.ts'
import { createUser, inviteGuest, updateUser } from './users.ts'

const home = await memoryDirectory()
after(() => home[Symbol.asyncDispose]())
const { room, directory, deleted } = home
const contoso = await createTenant(room, { displayName: 'Contoso, Ltd.' })
const fabrikam = await createTenant(room, { displayName: 'Fabrikam', defaultDomain: 'Fabrikam.example' })
const password = 'Correct-horse-1'
const alice = await createUser(room, contoso.tenantId, {
  userPrincipalName: 'Alice@contoso-ltd.goldleaf.local',
  displayName: 'Alice',
  password,
})

suite('tenants', () => {
  test('the installation is there from the first start, and stays as it is', async () => {
    await ensureInstallation(room)
    assert.equal((await directory.findTenant('GOLDLEAF.local'))?.tenantId, operator.tenantId)
    const application = await directory.findApplication(operator.appId.toUpperCase())
    assert.equal(application?.tenantId, operator.tenantId)
    assert.equal((await directory.findServicePrincipal(operator.tenantId, operator.appId))?.objectId, operator.objectId)
    assert.equal(await directory.isClientSecret(application, 'the operator'), true)
    assert.equal(await directory.isClientSecret(application, 'somebody'), false)
    await assert.rejects(deleteTenant(room, 'goldleaf.local'), { code: 'Authorization_RequestDenied' })
    await assert.rejects(deleteObject(room, operator.tenantId, operator.objectId, 'servicePrincipal'), {
      code: 'Authorization_RequestDenied',
    })
  })

  test('are found by id and domain, and get the operator as administrator', async () => {
    assert.equal(contoso.defaultDomain, 'contoso-ltd.goldleaf.local')
    assert.deepEqual(await directory.findTenant(contoso.tenantId.toUpperCase()), contoso)
    assert.ok(await directory.findServicePrincipal(contoso.tenantId, operator.appId))
    const seen = await directory.listTenantsOf(operator)
    assert.deepEqual(new Set(seen.map(({ tenantId }) => tenantId)).size, 3)
    await assert.rejects(createTenant(room, { displayName: 'x', defaultDomain: 'fabrikam.EXAMPLE' }), {
      code: 'TenantExists',
    })
  })

  test('a tenant that is deleted takes its people along, wherever they are guests', async () => {
    const tenant = await createTenant(room, { displayName: 'Short', withOperator: false })
    const user = await createUser(room, tenant.tenantId, {
      userPrincipalName: 'u@short.goldleaf.local',
      displayName: 'U',
      password,
    })
    const guest = await inviteGuest(room, fabrikam.tenantId, user)
    assert.deepEqual(await directory.listTenantsOf(guest), [tenant, fabrikam])
    await deleteTenant(room, tenant.tenantId)
    assert.equal(await directory.findTenant(tenant.tenantId), undefined)
    assert.equal(await directory.findObject(fabrikam.tenantId, guest.objectId), undefined)
    assert.ok(deleted.includes(guest.objectId) && deleted.includes(user.objectId))
  })
})

suite('users', () => {
  const draft = { userPrincipalName: 'bob@contoso-ltd.goldleaf.local', displayName: 'Bob', password }
  const refused: readonly (readonly [why: string, draft: typeof draft, message: RegExp])[] = [
    ['a taken name in another case', { ...draft, userPrincipalName: 'ALICE@contoso-ltd.goldleaf.local' }, /already/],
    ['the domain of another tenant', { ...draft, userPrincipalName: 'bob@fabrikam.example' }, /domain portion/],
    ['no name', { ...draft, userPrincipalName: '@contoso-ltd.goldleaf.local' }, /userPrincipalName is invalid/],
    ["a guest's form of name", { ...draft, userPrincipalName: 'b#EXT#@contoso-ltd.goldleaf.local' }, /is invalid/],
    ['an empty display name', { ...draft, displayName: ' ' }, /displayName/],
    ['a weak password', { ...draft, password: 'password' }, /complexity/],
  ]
  for (const [why, given, message] of refused)
    test(`refuses ${why}`, async () => {
      await assert.rejects(createUser(room, contoso.tenantId, given), { code: 'Request_BadRequest', message })
    })

  test('are found by name in any case; passwords are checked, changed and bound to the user', async () => {
    const found = await directory.findUserByName('alice@CONTOSO-ltd.goldleaf.local')
    assert.equal(found?.objectId, alice.objectId)
    assert.equal(await directory.isPassword(found, password), true)
    assert.equal(await directory.isPassword(found, `${password}x`), false)
    assert.equal(await directory.isPassword(undefined, password), false)
    await updateUser(room, contoso.tenantId, alice.objectId, { password: 'Another-horse-2', accountEnabled: false })
    assert.equal(await directory.isPassword(found, password), false)
    assert.equal(await directory.isPassword(found, 'Another-horse-2'), true)
    assert.equal((await directory.findUserByName(alice.userPrincipalName))?.accountEnabled, false)
  })

  test('a guest is its home user elsewhere, once, without a password of its own', async () => {
    const guest = await inviteGuest(room, fabrikam.tenantId, { userPrincipalName: alice.userPrincipalName })
    assert.equal(guest.userPrincipalName, 'Alice_contoso-ltd.goldleaf.local#EXT#@fabrikam.example')
    assert.equal((await inviteGuest(room, fabrikam.tenantId, alice)).objectId, guest.objectId)
    assert.equal((await directory.findGuest(fabrikam.tenantId, alice))?.objectId, guest.objectId)
    assert.equal(await directory.findUserByName(guest.userPrincipalName), undefined)
    assert.equal(await directory.isPassword(guest, 'Another-horse-2'), false)
    assert.deepEqual(await directory.listTenantsOf(alice), [contoso, fabrikam])
    await assert.rejects(inviteGuest(room, fabrikam.tenantId, { userPrincipalName: 'nobody@x.y' }), /not the name/)
    await assert.rejects(updateUser(room, fabrikam.tenantId, guest.objectId, { password }), /home tenant/)
  })

  test('nothing of another tenant is answered', async () => {
    assert.equal(await directory.findObject(fabrikam.tenantId, alice.objectId), undefined)
    await assert.rejects(deleteObject(room, fabrikam.tenantId, alice.objectId, 'user'), {
      code: 'Request_ResourceNotFound',
    })
  })
})

test('groups in groups, also in a circle', async () => {
  const { tenantId } = contoso
  const make = (displayName: string) => createGroup(room, tenantId, { displayName, mailNickname: displayName })
  const [inner, outer] = [await make('inner'), await make('outer')]
  await addMember(room, tenantId, inner.objectId, alice.objectId)
  await addMember(room, tenantId, outer.objectId, inner.objectId)
  await addMember(room, tenantId, inner.objectId, outer.objectId)
  await assert.rejects(addMember(room, tenantId, inner.objectId, alice.objectId), /already exist/)
  const groups = await directory.listGroupIdsOf(tenantId, alice.objectId)
  assert.deepEqual([...groups].sort(), [inner.objectId, outer.objectId].sort())
  await removeMember(room, tenantId, outer.objectId, inner.objectId)
  assert.deepEqual(await directory.listGroupIdsOf(tenantId, alice.objectId), [inner.objectId])
  await deleteObject(room, tenantId, inner.objectId, 'group')
  assert.deepEqual(await directory.listGroupIdsOf(tenantId, alice.objectId), [])
})

suite('applications', () => {
  test('one principal a tenant; other tenants only if it is made for several', async () => {
    const own = await createApplication(room, contoso.tenantId, { displayName: 'own' })
    await createServicePrincipal(room, contoso.tenantId, own.appId)
    await assert.rejects(createServicePrincipal(room, contoso.tenantId, own.appId), {
      code: 'Request_MultipleObjectsWithSameKeyValue',
    })
    await assert.rejects(createServicePrincipal(room, fabrikam.tenantId, own.appId), {
      code: 'NoBackingApplicationObject',
    })
    const draft = { displayName: 'shared', signInAudience: 'AzureADMultipleOrgs' } as const
    const shared = await createApplication(room, contoso.tenantId, draft)
    const there = await createServicePrincipal(room, fabrikam.tenantId, shared.appId)
    assert.equal(there.appOwnerTenantId, contoso.tenantId)
    await deleteObject(room, contoso.tenantId, shared.objectId, 'application')
    assert.equal(await directory.findServicePrincipal(fabrikam.tenantId, shared.appId), undefined)
    assert.ok(deleted.includes(there.objectId))
  })

  test('secrets are answered once, valid in their time, and gone when removed', async () => {
    const { tenantId } = contoso
    const application = await createApplication(room, tenantId, { displayName: 'secrets' })
    const { objectId } = application
    const soon = { startMs: systemClock.now() + 60_000 }
    const secret = await addSecret(room, tenantId, objectId, 'application', {})
    const future = await addSecret(room, tenantId, objectId, 'application', soon)
    const found = await directory.findApplication(application.appId)
    assert.equal(found?.passwordCredentials.length, 2)
    assert.ok(!JSON.stringify(found).includes(secret.secretText))
    assert.equal(await directory.isClientSecret(found, secret.secretText), true)
    assert.equal(await directory.isClientSecret(found, future.secretText), false)
    await removeSecret(room, tenantId, objectId, 'application', secret.keyId)
    assert.equal(await directory.isClientSecret(found, secret.secretText), false)
    const principal = await createServicePrincipal(room, tenantId, application.appId)
    const own = await addSecret(room, tenantId, principal.objectId, 'servicePrincipal', {})
    assert.equal(await directory.isClientSecret(found, own.secretText), false)
    assert.equal(await directory.isClientSecret(found, own.secretText, tenantId), true)
  })

  test('a key that is no certificate is refused', () => {
    assert.throws(() => parseKey({ certificate: 'bm90IGE=' }), { code: 'Request_BadRequest' })
  })

  test('a managed identity has a principal without a registration', async () => {
    const resourceId = '/subscriptions/s/resourceGroups/r/providers/Microsoft.Compute/virtualMachines/vm'
    const draft = { objectId: randomUuid(), appId: randomUuid(), displayName: 'vm', resourceId, isExplicit: false }
    const identity = await room.db
      .transaction()
      .execute((tx) => insertManagedIdentity(room, tx, contoso.tenantId, draft))
    assert.equal(await directory.findApplication(identity.appId), undefined)
    assert.ok(
      (await directory.findServicePrincipal(contoso.tenantId, identity.appId))?.alternativeNames.includes(resourceId),
    )
  })
})
