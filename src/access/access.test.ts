import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { systemClock } from '../base/clock.ts'
import { openDatabase } from '../db/open.ts'
import type { OpenDatabase } from '../db/open.ts'
import type { CallerFacts } from '../resources/behaviour.ts'
import { insertSubscription } from '../resources/subscription.rows.ts'
import { createAccess } from './access.ts'
import type { Access } from './access.ts'
import { deleteAssignment, dropAccessBelow, dropAssignmentsOfPrincipal, pageAssignments } from './assignment.rows.ts'
import { contributorRoleId, ownerRoleId, readerRoleId } from './built-in-roles.ts'
import { ensureOwner, grantRole } from './grant.ts'
import { placeSubscription, putManagementGroup } from './management-group.rows.ts'
import { putCustomRole } from './role.rows.ts'

const home = 'aaaaaaaa-0000-4000-8000-000000000001'
const foreign = 'aaaaaaaa-0000-4000-8000-000000000002'
const subscription = '/subscriptions/s1'
const group = `${subscription}/resourceGroups/G`
const gallery = `${group}/providers/Microsoft.Compute/galleries/golden`
const read = 'Microsoft.Compute/galleries/read'

let database: OpenDatabase
let access: Access
const groupsOf: Record<string, readonly string[]> = { alice: ['team', 'parents'] }
function caller(objectId: string, tenantId = home): CallerFacts {
  return { objectId, tenantId, name: `${objectId}@home`, kind: 'user', appId: 'cli', roles: [] }
}

async function grant(principalId: string, scope: string, roleId = readerRoleId, tenantId = home): Promise<void> {
  const { db } = database
  await grantRole(db, { tenantId, principalId, principalType: 'User', scope, roleId, nowMs: 1 })
}

async function may(objectId: string, action: string, scope: string): Promise<boolean> {
  try {
    await access.authorize(caller(objectId), action, scope)
    return true
  } catch (error) {
    assert.equal((error as { code?: string }).code, 'AuthorizationFailed')
    return false
  }
}

before(async () => {
  database = await openDatabase({ path: ':memory:' })
  const { db } = database
  for (const [subscriptionId, tenantId] of [
    ['s1', home],
    ['s2', home],
    ['other', foreign],
  ] as const)
    await insertSubscription(db, { subscriptionId, tenantId, displayName: subscriptionId, state: 'Enabled' })
  access = createAccess({
    db,
    clock: systemClock,
    issuerOf: (tenantId) => `urn:${tenantId}`,
    directory: {
      listGroupIdsOf: async (_tenantId, objectId) => groupsOf[objectId] ?? [],
      findObject: async () => undefined,
      findUserByName: async () => undefined,
      findServicePrincipal: async () => undefined,
    },
  })
})
after(() => database.close())

suite('authorize', () => {
  test('a right holds at its scope and below it, in any spelling, and nowhere else', async () => {
    await grant('u1', gallery)
    for (const scope of [gallery, gallery.toUpperCase(), `/${gallery}/`, `${gallery}/images/i/versions/1.0.0`])
      assert.equal(await may('u1', read, scope), true, scope)
    for (const scope of ['/', subscription, group, `${gallery}2`, `${gallery}2/images/i`, '/subscriptions/s2'])
      assert.equal(await may('u1', read, scope), false, scope)
    assert.equal(await may('u1', 'Microsoft.Compute/galleries/write', gallery), false)
    assert.equal(await may('u2', read, gallery), false)
  })
  test('groups bring their rights, at the root too', async () => {
    assert.equal(await may('alice', read, gallery), false)
    await grant('parents', '/')
    assert.equal(await may('alice', read, gallery), true)
    assert.equal(await may('alice', read, '/subscriptions/s2'), true)
    await access.authorize({ ...caller('eve'), groupIds: ['parents'] }, read, gallery)
    await assert.rejects(access.authorize({ ...caller('alice'), groupIds: [] }, read, gallery), { kind: 'forbidden' })
    await database.db.transaction().execute((tx) => dropAssignmentsOfPrincipal(tx, home, 'parents'))
    assert.equal(await may('alice', read, gallery), false)
  })
  test('the refusal has the text of Azure; other tenants and unknown subscriptions are told apart as there', async () => {
    await assert.rejects(access.authorize(caller('nobody'), read, gallery), {
      code: 'AuthorizationFailed',
      kind: 'forbidden',
      message:
        `The client 'nobody@home' with object id 'nobody' does not have authorization to perform action '${read}' over ` +
        `scope '${gallery}' or the scope is invalid. If access was recently granted, please refresh your credentials.`,
    })
    await assert.rejects(access.authorize(caller('u1'), read, '//SUBSCRIPTIONS//Other/x'), {
      code: 'InvalidAuthenticationTokenTenant',
      kind: 'unauthenticated',
    })
    await assert.rejects(access.authorize(caller('u1'), read, '/subscriptions/none'), { code: 'SubscriptionNotFound' })
  })
  test("rights in one tenant's root are nothing in another", async () => {
    await grant('u3', '/', ownerRoleId, foreign)
    assert.equal(await may('u3', read, '/'), false)
    await access.authorize(caller('u3', foreign), read, '/subscriptions/other')
  })
  test('management groups: what is assigned there holds in their subscriptions, however deep', async () => {
    const { db } = database
    const about = { displayName: 'x', updatedMs: 1, updatedBy: 'x' }
    await putManagementGroup(db, home, { name: 'Top', key: 'top', parentKey: undefined, ...about })
    await putManagementGroup(db, home, { name: 'Low', key: 'low', parentKey: 'top', ...about })
    await grant('u4', '/providers/Microsoft.Management/managementGroups/Top')
    await grant('u5', `/providers/Microsoft.Management/managementGroups/${home}`)
    assert.equal(await may('u4', read, gallery), false)
    assert.equal(await may('u5', read, gallery), true, 'the root group has every subscription')
    await placeSubscription(db, home, 's1', 'low')
    assert.equal(await may('u4', read, gallery), true)
    assert.equal(await may('u4', read, '/providers/Microsoft.Management/managementGroups/low'), true)
    assert.equal(await may('u4', read, '/subscriptions/s2'), false)
    assert.equal((await access.rightsOf(caller('u4'))).touches('/subscriptions/s1'), true)
    assert.equal((await access.rightsOf(caller('u4'))).touches('/subscriptions/s2'), false)
    await placeSubscription(db, home, 's1', undefined)
    assert.equal(await may('u4', read, gallery), false)
  })
  test('a circle of management groups does not hang', async () => {
    const about = { displayName: 'x', updatedMs: 1, updatedBy: 'x' }
    await putManagementGroup(database.db, home, { name: 'a', key: 'a', parentKey: 'b', ...about })
    await putManagementGroup(database.db, home, { name: 'b', key: 'b', parentKey: 'a', ...about })
    assert.equal(await may('u1', read, '/providers/Microsoft.Management/managementGroups/a'), false)
  })
  test('a custom role counts; taking rights away counts at once', async () => {
    const { db } = database
    const custom = {
      roleId: 'c0000000-0000-4000-8000-000000000001',
      roleName: 'Starter',
      roleType: 'CustomRole',
      description: '',
      permissions: [{ actions: ['*/start/action'], notActions: [], dataActions: [], notDataActions: [] }],
      assignableScopes: [subscription],
      createdMs: 1,
      updatedMs: 1,
      createdBy: 'x',
      updatedBy: 'x',
    } as const
    assert.equal(await putCustomRole(db, home, custom), true)
    assert.equal(await putCustomRole(db, home, { ...custom, roleId: 'other', roleName: 'STARTER' }), false)
    await grant('u6', group, custom.roleId)
    const start = 'Microsoft.Compute/virtualMachines/start/action'
    assert.equal(await may('u6', start, `${group}/providers/Microsoft.Compute/virtualMachines/v`), true)
    const mine = (await pageAssignments(db, home, '', 100)).find((one) => one.principalId === 'u6')
    assert.ok(mine && (await deleteAssignment(db, home, mine.name)))
    assert.equal(await may('u6', start, `${group}/providers/Microsoft.Compute/virtualMachines/v`), false)
  })
  test('Owner reaches no bytes', async () => {
    await grant('u7', subscription, ownerRoleId)
    const blobs = 'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read'
    assert.equal(await may('u7', 'Microsoft.Storage/storageAccounts/listKeys/action', subscription), true)
    assert.equal(await may('u7', blobs, subscription), false)
  })
  test('what is removed takes the rights on it and in it along, not those beside it', async () => {
    await grant('u8', `${gallery}/images/i`, contributorRoleId)
    await grant('u8', `${gallery}-2`, contributorRoleId)
    await database.db.transaction().execute((tx) => dropAccessBelow(tx, gallery))
    assert.equal(await may('u8', read, `${gallery}/images/i`), false)
    assert.equal(await may('u1', read, gallery), false)
    assert.equal(await may('u8', read, `${gallery}-2`), true)
  })
  test('an owner is made where there is none, and only then', async () => {
    const { db } = database
    const first = { tenantId: home, principalId: 'first', principalType: 'ServicePrincipal', nowMs: 1 } as const
    await ensureOwner(db, first)
    await ensureOwner(db, { ...first, principalId: 'second' })
    assert.equal(await may('first', 'any/write', '/'), true)
    assert.equal(await may('second', 'any/write', '/'), false)
  })
})
