import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseFilter, selectMembers } from './odata.ts'

const item = {
  displayName: "O'Brien's App",
  appId: 'a-1',
  accountEnabled: true,
  mail: null,
  createdDateTime: '2026-01-02T00:00:00Z',
  servicePrincipalNames: ['a-1', 'api://a'],
  web: { homePageUrl: 'https://x' },
  keys: [{ keyId: 'k1' }],
}

const cases: readonly (readonly [filter: string, matches: boolean])[] = [
  ["displayName eq 'o''brien''s app'", true],
  ["displayName eq 'x'", false],
  ["startswith(displayName,'O''B') and appId eq 'A-1'", true],
  ["endsWith(displayName, 'app') or appId eq 'x'", true],
  ["contains(displayName,'zzz')", false],
  ["servicePrincipalNames/any(c:c eq 'api://a')", true],
  ["servicePrincipalNames/any(c:c eq 'api://b')", false],
  ["keys/any(k:k/keyId eq 'k1')", true],
  ["web/homePageUrl eq 'https://x'", true],
  ['accountEnabled eq true', true],
  ['accountEnabled ne true', false],
  ['mail eq null', true],
  ['mail ne null', false],
  ["not (appId eq 'a-1')", false],
  ["appId in ('x', 'a-1')", true],
  ["appId eq 'x' or appId eq 'y' or (appId eq 'a-1' and accountEnabled eq true)", true],
  ['createdDateTime ge 2026-01-01T00:00:00Z', true],
  ['createdDateTime lt 2026-01-01T00:00:00Z', false],
  ['appId gt 5', false],
]
for (const [filter, matches] of cases)
  test(`${filter}: ${matches}`, () => assert.equal(parseFilter(filter).matches(item), matches))

const wrong = [
  '',
  ' ',
  "appId eq 'x",
  'appId',
  'appId eq',
  "appId is 'x'",
  "appId eq 'x' appId",
  '(appId eq 1',
  'a eq 1)',
]
for (const filter of [...wrong, `${'('.repeat(60)}a eq 1${')'.repeat(60)}`, 'a eq '.repeat(2_000), "any(x:y eq '1')"])
  test(`refused: ${filter.slice(0, 40)}`, () => {
    assert.throws(() => parseFilter(filter), { code: 'Request_BadRequest' })
  })

test('what an index can answer is what must hold by itself', () => {
  assert.deepEqual([...parseFilter("appId eq 'x' and startswith(displayName,'y')").equals], [['appId', 'x']])
  assert.deepEqual([...parseFilter("appId eq 'x' or displayName eq 'y'").equals], [])
  assert.deepEqual([...parseFilter("not (appId eq 'x')").equals], [])
})

test('selection', () => {
  assert.deepEqual(selectMembers({ '@odata.type': 't', id: '1', a: 2, b: 3 }, 'ID, b'), {
    '@odata.type': 't',
    id: '1',
    b: 3,
  })
})
