import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, test } from 'node:test'
import { systemClock } from '../base/clock.ts'
import { openDatabase } from '../db/open.ts'
import type { OpenDatabase } from '../db/open.ts'
import type { ExtensionBehaviour, ExtensionCall } from '../resources/extension.ts'
import { createAccess } from './access.ts'
import type { AccessParts } from './access.ts'
import { readerRoleId } from './built-in-roles.ts'
import { grantRole } from './grant.ts'
import { putManagementGroup } from './management-group.rows.ts'
import { emptyListBehaviours } from './questions.ts'
import { putCustomRole } from './role.rows.ts'
import { roleAssignmentsBehaviour } from './role-assignments.ts'
import { roleDefinitionsBehaviour } from './role-definitions.ts'

const tenantId = 'aaaaaaaa-0000-4000-8000-000000000001'
const groupId = '/providers/Microsoft.Management/managementGroups/team'
const application = randomUUID()
let database: OpenDatabase
let parts: AccessParts

before(async () => {
  database = await openDatabase({ path: ':memory:' })
  const { db } = database
  parts = createAccess({
    db,
    clock: systemClock,
    issuerOf: () => 'urn:issuer',
    directory: {
      listGroupIdsOf: async () => [],
      findObject: async (_tenant, id) =>
        id === application ? ({ kind: 'application', objectId: id } as never) : undefined,
      findUserByName: async () => undefined,
      findServicePrincipal: async () => undefined,
    },
  }).parts
  await putManagementGroup(db, tenantId, {
    key: 'team',
    name: 'team',
    displayName: 'team',
    parentKey: undefined,
    updatedMs: 1,
    updatedBy: '',
  })
})
after(() => database.close())

function call(name: string, body: ExtensionCall['body']): ExtensionCall {
  return {
    scope: { id: groupId, key: groupId.toLowerCase(), kind: 'managementGroup', subscriptionId: undefined },
    names: [name],
    body,
    caller: { objectId: 'me', tenantId, name: 'me', kind: 'user', appId: 'cli', roles: [] },
    apiVersion: '2022-04-01',
    nowMs: 1,
    query: {},
    authorize: async () => {},
  }
}
const write = async (behaviour: ExtensionBehaviour, body: ExtensionCall['body']): Promise<unknown> =>
  behaviour.write?.(call(randomUUID(), body))
const assign = (principalId: string, more: ExtensionCall['body'] = {}): Promise<unknown> =>
  write(roleAssignmentsBehaviour(parts), {
    properties: {
      principalId,
      roleDefinitionId: `/x/providers/Microsoft.Authorization/roleDefinitions/${readerRoleId}`,
      ...more,
    },
  })

test('an application is no principal: its service principal is', () =>
  assert.rejects(assign(application), { code: 'PrincipalTypeNotSupported' }))

test("a management group has at most 500 assignments, as in Azure's limits", async () => {
  const { db } = database
  for (let count = 0; count < 499; count++)
    await grantRole(db, {
      tenantId,
      principalId: randomUUID(),
      principalType: 'User',
      scope: groupId,
      roleId: readerRoleId,
      nowMs: 1,
    })
  await assign(randomUUID(), { principalType: 'User' })
  await assert.rejects(assign(randomUUID(), { principalType: 'User' }), {
    code: 'RoleAssignmentLimitExceeded',
    message: /500/,
  })
})

test('a tenant has at most 5,000 custom roles', async () => {
  const role = (roleName: string) => ({ roleName, permissions: [{ actions: ['*/read'] }], assignableScopes: [groupId] })
  await database.db.transaction().execute(async (tx) => {
    for (let count = 0; count < 4999; count++)
      await putCustomRole(tx, tenantId, {
        roleId: randomUUID(),
        roleName: `role ${count}`,
        roleType: 'CustomRole',
        description: '',
        permissions: [],
        assignableScopes: [groupId],
        createdMs: 1,
        updatedMs: 1,
        createdBy: '',
        updatedBy: '',
      })
  })
  await write(roleDefinitionsBehaviour(parts), { properties: role('the last') })
  await assert.rejects(write(roleDefinitionsBehaviour(parts), { properties: role('one more') }), {
    code: 'RoleDefinitionLimitExceeded',
  })
})

test('nothing makes deny assignments, so none is found', () => {
  const behaviour = emptyListBehaviours().find(({ type }) => type.type.endsWith('denyAssignments'))
  return assert.rejects(async () => behaviour?.read?.(call('any', {})), { code: 'DenyAssignmentNotFound' })
})
