import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { isMet, parseCondition } from './condition.ts'

const write = 'Microsoft.Authorization/roleAssignments/write'
const remove = 'Microsoft.Authorization/roleAssignments/delete'
const reader = 'acdd72a7-3385-48ef-bd42-f606fba81ae7'
const owner = '8e3af657-a8ff-443c-a75c-2fe8c4bcb635'

/** As the Azure portal writes "Constrain roles and principal types". */
const portal = `(
 (
  !(ActionMatches{'Microsoft.Authorization/roleAssignments/write'})
 )
 OR
 (
  @Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {${reader}}
  AND
  @Request[Microsoft.Authorization/roleAssignments:PrincipalType] ForAnyOfAnyValues:StringEqualsIgnoreCase {'User', 'ServicePrincipal'}
 )
)
AND
(
 (
  !(ActionMatches{'Microsoft.Authorization/roleAssignments/delete'})
 )
 OR
 (
  @Resource[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {${reader}}
 )
)`
const of = (name: string): string => `@Request[Microsoft.Authorization/roleAssignments:${name}]`

suite('conditions of role assignments', () => {
  const role = 'request:roledefinitionid'
  const type = 'request:principaltype'
  const cases = [
    { why: 'an action it says nothing of', action: 'Microsoft.Compute/galleries/read', known: {}, met: true },
    { why: 'the role and the type', action: write, known: { [role]: reader, [type]: 'user' }, met: true },
    { why: 'in capitals', action: write, known: { [role]: reader.toUpperCase(), [type]: 'User' }, met: true },
    { why: 'another role', action: write, known: { [role]: owner, [type]: 'User' }, met: false },
    { why: 'another type', action: write, known: { [role]: reader, [type]: 'Group' }, met: false },
    { why: 'nothing is known', action: write, known: {}, met: false },
    { why: 'deleting it', action: remove, known: { 'resource:roledefinitionid': reader }, met: true },
    { why: 'deleting another', action: remove, known: { 'resource:roledefinitionid': owner }, met: false },
    {
      why: 'what is unknown is not the opposite either',
      text: `NOT ${of('PrincipalId')} GuidEquals ${owner}`,
      met: false,
    },
    {
      why: 'none of these',
      text: `${of('RoleDefinitionId')} ForAnyOfAllValues:GuidNotEquals {${owner}, '${reader}'}`,
      known: { [role]: owner },
      met: false,
    },
    {
      why: 'marks for words, AND before OR',
      text: `${of('PrincipalType')} StringEquals 'User' || ${of('PrincipalType')} StringEquals 'x' && !ActionMatches{'*'}`,
      known: { [type]: 'User' },
      met: true,
    },
  ]
  for (const { why, text = portal, action = write, known = {}, met } of cases)
    test(why, () => assert.equal(isMet(parseCondition(text), action, known), met))

  const refusals = [
    ['', /is not supported there/],
    ['@Resource[Microsoft.Storage/storageAccounts:name] StringEquals x', /is not one of role assignments/],
    ["SubOperationMatches{'Blob.List'}", /'SubOperationMatches' is not supported there/],
    [`${of('PrincipalId')} DateTimeEquals 'x'`, /the operator 'DateTimeEquals' is not supported/],
    [`(${of('PrincipalId')} GuidEquals ${owner}`, /'\)' is expected at its end/],
    [`${of('PrincipalId')} GuidEquals ${owner} ${owner}`, /is left over/],
    ['('.repeat(60), /nested too deeply/],
    ['x'.repeat(9000), /more than 8192 characters/],
    ['#', /is not understood/],
  ] as const
  for (const [text, says] of refusals)
    test(`refused: ${text.slice(0, 40)}`, () => assert.throws(() => parseCondition(text), says))
})
