import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, suite, test } from 'node:test'
import { openPrincipals } from '../support/principals.ts'
import type { Principals } from '../support/principals.ts'
import { openWire } from './wire.ts'
import type { Wire } from './wire.ts'

const owner = '8e3af657-a8ff-443c-a75c-2fe8c4bcb635'
const reader = 'acdd72a7-3385-48ef-bd42-f606fba81ae7'

/** Conditions of role assignments: what a delegate may give on. */
suite('delegation with constraints', () => {
  let wire: Wire
  let people: Principals
  before(async () => {
    wire = await openWire()
    people = await openPrincipals(wire.server)
    await wire.gallery('other')
  })
  after(async () => {
    await people?.[Symbol.asyncDispose]()
    await wire?.[Symbol.asyncDispose]()
  })
  const at = (name: string): string =>
    `${wire.group}/providers/Microsoft.Authorization/roleAssignments/${name}?api-version=2022-04-01`
  const body = (principalId: string, roleId: string, more: object = {}): object => ({
    properties: {
      principalId,
      roleDefinitionId: `/providers/Microsoft.Authorization/roleDefinitions/${roleId}`,
      ...more,
    },
  })

  test('who delegates under a condition gives and takes what it says, to whom it says, and nothing else', async () => {
    const [dora, eve] = [await people.user('dora'), await people.user('eve')]
    const attribute = (source: string, name: string): string =>
      `@${source}[Microsoft.Authorization/roleAssignments:${name}]`
    const role = `ForAnyOfAnyValues:GuidEquals {${reader}}`
    const condition =
      `((!(ActionMatches{'Microsoft.Authorization/roleAssignments/write'})) OR ` +
      `(${attribute('Request', 'RoleDefinitionId')} ${role} AND ${attribute('Request', 'PrincipalType')} StringEqualsIgnoreCase 'User')) AND ` +
      `((!(ActionMatches{'Microsoft.Authorization/roleAssignments/delete'})) OR (${attribute('Resource', 'RoleDefinitionId')} ${role}))`
    const own = randomUUID()
    const made = await wire.arm.call('PUT', at(own), body(dora.objectId, owner, { condition, conditionVersion: '2.0' }))
    assert.equal(made.status, 201, JSON.stringify(made.body))
    const shown = made.body.properties as { condition?: string; conditionVersion?: string }
    assert.deepEqual([shown.condition, shown.conditionVersion], [condition, '2.0'])
    const permissions = at('').replace('roleAssignments/', 'permissions')
    const { value } = (await dora.arm.call('GET', permissions)).body as { value?: { condition?: string }[] }
    assert.deepEqual(
      value?.map((block) => block.condition),
      [condition],
    )
    const give = (who: string, roleId: string, name: string = randomUUID()) =>
      dora.arm.call('PUT', at(name), body(who, roleId))
    const given = randomUUID()
    assert.equal((await give(eve.objectId, reader, given)).status, 201)
    assert.equal((await give(eve.objectId, owner)).body.error?.code, 'AuthorizationFailed')
    assert.equal((await give(await people.group('all', []), reader)).body.error?.code, 'AuthorizationFailed')
    assert.equal((await give(dora.objectId, owner, own)).body.error?.code, 'AuthorizationFailed', 'its own')
    const take = (name: string) => dora.arm.call('DELETE', at(name))
    assert.equal((await take(own)).body.error?.code, 'AuthorizationFailed')
    assert.equal((await take(given)).status, 200)
    assert.equal(
      (await dora.arm.call('GET', wire.at('galleries/other'))).status,
      200,
      'the rest of the role is unconditional',
    )
  })
})
