import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { builtInRoles } from './built-in-roles.ts'
import { decide, leavesOut } from './decide.ts'
import { matchesAction } from './matches-action.ts'
import type { JudgedRole, RoleAssignment, RolePermissions } from './role.ts'

const galleryRead = 'Microsoft.Compute/galleries/read'

suite('patterns of actions', () => {
  const cases: readonly [pattern: string, action: string, matches: boolean][] = [
    ['*', galleryRead, true],
    ['*/read', galleryRead, true],
    ['*/read', 'Microsoft.Compute/galleries/write', false],
    ['*/read', 'read', false],
    ['Microsoft.Compute/galleries/*', 'Microsoft.Compute/galleries/images/versions/write', true],
    ['Microsoft.Compute/galleries/*', 'Microsoft.Compute/galleriesX/read', false],
    ['Microsoft.Compute/*/read', 'Microsoft.Compute/galleries/images/read', true],
    ['Microsoft.Compute/*/read', 'Microsoft.Compute/read', false],
    ['microsoft.compute/GALLERIES/READ', galleryRead, true],
    ['Microsoft.Compute/galleries/read', `${galleryRead}/x`, false],
    ['Microsoft.*/galleries/*', galleryRead, true],
    ['*Compute*gall*read', galleryRead, true],
    ['*a*a', 'a', false],
    ['a*a', 'aa', true],
    ['', '', true],
    ['', galleryRead, false],
    ['Microsoft.Compute/galleries.read', galleryRead, false],
  ]
  for (const [pattern, action, matches] of cases)
    test(`'${pattern}' ${matches ? 'takes' : 'does not take'} '${action}'`, () =>
      assert.equal(matchesAction(pattern, action), matches))
})

function role(roleName: string, permissions: Partial<RolePermissions>[]): JudgedRole {
  const none = { actions: [], notActions: [], dataActions: [], notDataActions: [] }
  return { roleId: roleName, roleName, permissions: permissions.map((block) => ({ ...none, ...block })) }
}

function assigned(principalId: string, roleId: string): RoleAssignment {
  const times = { createdMs: 0, updatedMs: 0, createdBy: '', updatedBy: '' }
  const what = {
    scope: '/',
    scopeKey: '/',
    principalId,
    principalType: 'User',
    roleId,
    description: undefined,
  } as const
  return { name: `${principalId} ${roleId}`, ...what, ...times }
}

const roles = [
  role('all', [{ actions: ['*'] }]),
  role('all but galleries', [{ actions: ['*'], notActions: ['Microsoft.Compute/galleries/*'] }]),
  role('readers', [{ actions: ['*/read'] }]),
  role('blobs', [{ dataActions: ['*/blobs/*'], notDataActions: ['*/blobs/delete'] }]),
  role('two blocks', [{ actions: ['a/*'], notActions: ['a/b'] }, { actions: ['a/b'] }]),
]

suite('the decision', () => {
  const data = { isDataAction: true }
  const cases: readonly {
    why: string
    held: readonly (readonly [principal: string, role: string])[]
    action?: string
    isDataAction?: boolean
    by?: string
  }[] = [
    { why: 'nothing assigned, nothing allowed', held: [] },
    { why: 'what others hold does not count', held: [['bob', 'all']] },
    { why: 'a role that lists the action', held: [['alice', 'readers']], by: 'alice readers' },
    { why: "a group's role counts", held: [['team', 'readers']], by: 'team readers' },
    { why: 'what is left out is not allowed', held: [['alice', 'all but galleries']] },
    {
      why: 'another role may give what one leaves out: notActions is no deny',
      held: [
        ['alice', 'all but galleries'],
        ['team', 'readers'],
      ],
      by: 'team readers',
    },
    { why: 'blocks are judged one by one', held: [['alice', 'two blocks']], action: 'a/b', by: 'alice two blocks' },
    { why: 'a role that is gone gives nothing', held: [['alice', 'deleted']] },
    { why: 'actions say nothing about data', held: [['alice', 'all']], action: 'x/blobs/read', ...data },
    { why: 'data actions do', held: [['alice', 'blobs']], action: 'x/blobs/read', ...data, by: 'alice blobs' },
    { why: 'and may be left out', held: [['alice', 'blobs']], action: 'x/blobs/delete', ...data },
    { why: 'data actions say nothing about the control plane', held: [['alice', 'blobs']], action: 'x/blobs/read' },
  ]
  for (const { why, held, action = galleryRead, isDataAction = false, by } of cases)
    test(why, () => {
      const decision = decide({
        assignments: held.map(([principalId, roleId]) => assigned(principalId, roleId)),
        roles: new Map(roles.map((one) => [one.roleId, one])),
        principalIds: new Set(['alice', 'team']),
        action,
        isDataAction,
      })
      assert.equal(decision.allowed ? decision.assignment.name : undefined, by)
    })
  test('what is held and does not suffice is told', () => {
    const decision = decide({
      assignments: [assigned('alice', 'all but galleries'), assigned('bob', 'all')],
      roles: new Map(roles.map((one) => [one.roleId, one])),
      principalIds: new Set(['alice']),
      action: galleryRead,
      isDataAction: false,
    })
    assert.deepEqual(decision.allowed ? [] : decision.held.map((one) => one.role.roleName), ['all but galleries'])
    const [, except] = roles
    assert.ok(except && leavesOut(except, { action: galleryRead, isDataAction: false }))
  })
})

suite('built-in roles', () => {
  test('have ids and names of their own, and stand at every scope', () => {
    assert.equal(new Set(builtInRoles.map((one) => one.roleId)).size, builtInRoles.length)
    assert.equal(new Set(builtInRoles.map((one) => one.roleName.toLowerCase())).size, builtInRoles.length)
    for (const one of builtInRoles) {
      assert.match(one.roleId, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
      assert.deepEqual(one.assignableScopes, ['/'])
    }
  })
})
