import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { Problem } from '../base/problem.ts'
import { parseQuery } from './parse-query.ts'
import { runQuery } from './run-query.ts'

const rows = [
  {
    name: 'a',
    type: 'microsoft.compute/galleries',
    location: 'eastus',
    size: 2,
    properties: { Tags: ['x'], on: true },
  },
  { name: 'B', type: 'microsoft.compute/disks', location: 'westus', size: 10, properties: { on: false } },
  { name: 'c', type: 'microsoft.compute/galleries', location: 'westus', size: 3, properties: {} },
]
const ask = (query: string): unknown[] => [...runQuery(rows, parseQuery(query).steps)]
const names = (query: string): unknown => ask(query).map((row) => (row as { name: string }).name)

suite('a query', () => {
  // What az 2.45 sends for `sig list-community`, to the letter.
  test('of az is understood', () => {
    const query =
      "communitygalleryresources| where type == 'microsoft.compute/locations/communitygalleries' | where location == 'eastus' "
    const { table, steps } = parseQuery(query)
    assert.equal(table, 'communitygalleryresources')
    assert.equal(steps.length, 2)
  })

  const cases: readonly [query: string, names: string][] = [
    ['Resources', 'a,B,c'],
    ["where name == 'b'", ''],
    ["where name =~ 'b'", 'B'],
    ["resources | where type == 'microsoft.compute/galleries' and location == 'westus'", 'c'],
    ["resources | where location == 'eastus' or size > 5", 'a,B'],
    ["resources | where not(location == 'eastus') | where size <= 3", 'c'],
    ["resources | where location in ('eastus', 'x')", 'a'],
    ["resources | where name in~ ('b', 'C')", 'B,c'],
    ["resources | where name !in ('a')", 'B,c'],
    ["resources | where name !in~ ('A')", 'B,c'],
    ["resources | where type contains 'GALLER'", 'a,c'],
    ["resources | where type !contains 'galler'", 'B'],
    ["resources | where name startswith 'A' or name endswith 'b'", 'a,B'],
    ['resources | where properties.on == true', 'a'],
    ["resources | where properties.tags[0] == 'x'", 'a'],
    ["resources | where properties['on'] == false", 'B'],
    ['resources | where isempty(properties.on)', 'c'],
    ["resources | where tolower(name) == 'b'", 'B'],
    ['resources | order by size', 'B,c,a'],
    ['resources | sort by location asc, name desc', 'a,c,B'],
    ['resources | top 1 by size asc', 'a'],
    ['resources | take 2 // the first', 'a,B'],
    ['resources | where (size > 2 and (size < 10))', 'c'],
    ['resources | where name == "it\\"s" or name == \'c\'', 'c'],
  ]
  for (const [query, found] of cases) test(query, () => assert.equal(String(names(query)), found))

  test('shapes its columns', () => {
    assert.deepEqual(ask("resources | where name == 'a' | project name, where_ = location, properties.on"), [
      { name: 'a', where_: 'eastus', properties_on: true },
    ])
    assert.deepEqual(ask('resources | take 1 | extend upper = toupper(name) | project upper'), [{ upper: 'A' }])
    assert.deepEqual(ask('resources | distinct type | order by type asc'), [
      { type: 'microsoft.compute/disks' },
      { type: 'microsoft.compute/galleries' },
    ])
    assert.deepEqual(ask("resources | where location == 'westus' | count"), [{ Count: 2 }])
  })

  const refused: readonly [query: string, says: RegExp][] = [
    ['resources | summarize count() by type', /character 12: 'summarize' is no table or operator/],
    ['resources | join kind=inner (resources) on id', /'join'/],
    ['secretresources', /'secretresources' is no table/],
    ["resources | where strcat(a) == 'x'", /the function 'strcat' is not supported/],
    ["resources | where name = 'x'", /'\|' is expected/],
    ["resources | where name == 'x", /''' is not understood/],
    ['resources | where', /a value is expected/],
    ['resources | take many', /a whole number is expected/],
    ['resources | project tolower(name)', /needs a name/],
    [`resources | where ${'('.repeat(60)}`, /nested too deeply/],
    ['x'.repeat(30_000), /longer than/],
  ]
  for (const [query, says] of refused)
    test(`refuses ${query.slice(0, 50)}`, () =>
      assert.throws(
        () => parseQuery(query),
        (error) => error instanceof Problem && error.code === 'BadRequest' && says.test(error.message),
      ))
})
