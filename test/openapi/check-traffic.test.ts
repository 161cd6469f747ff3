import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { checkTraffic } from './check-traffic.ts'
import type { Exchange } from './check-traffic.ts'
import { readPublishedModels } from './published-models.ts'

const models = readPublishedModels()
const skip = models === undefined ? '../shared/api/spec is absent: Azure’s published schemas cannot be compared' : false
const galleries = '/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/galleries'
const good = { location: 'West Europe', properties: { provisioningState: 'Succeeded' } }

function exchange(changes: Partial<Exchange> & { answer?: unknown }): Exchange {
  const { answer = good, ...rest } = changes
  return {
    method: 'GET',
    url: `${galleries}/one?api-version=2023-07-03`,
    status: 200,
    request: '',
    response: JSON.stringify(answer),
    ...rest,
  }
}

suite('traffic held against the published contract', { skip }, () => {
  const cases: readonly (readonly [string, Exchange, RegExp | undefined])[] = [
    ['a good answer', exchange({}), undefined],
    ['a wrong type', exchange({ answer: { ...good, location: 5 } }), /location must be string/],
    ['a missing member', exchange({ answer: { properties: {} } }), /must have required property 'location'/],
    [
      'a value that is none',
      exchange({ answer: { ...good, properties: { provisioningState: 'Fine' } } }),
      /allowed values/,
    ],
    [
      'a member that is younger than the api-version',
      exchange({
        url: `${galleries}/one?api-version=2019-07-01`,
        answer: { ...good, properties: { sharingProfile: { permissions: 'Private' } } },
      }),
      /additional properties 'sharingProfile'/,
    ],
    ['a status that is not published', exchange({ status: 203 }), /answered 203/],
    ['an error of another shape', exchange({ status: 404, answer: { message: 'gone' } }), /error 404.*'message'/],
    ['a list', exchange({ url: `${galleries}?api-version=2023-07-03`, answer: { value: [{ id: 5 }] } }), /value\/\*/],
    [
      'a model that stands in for the swagger',
      exchange({ url: `${galleries}/one?api-version=2025-03-03`, answer: { ...good, colour: 'red' } }),
      /additional properties 'colour'/,
    ],
  ]
  for (const [why, one, finding] of cases)
    test(why, () => {
      const { checked, findings } = checkTraffic([one], models ?? [], { deviations: [] })
      assert.equal(checked, 1)
      if (finding === undefined) assert.deepEqual([...findings], [])
      else assert.match([...findings.keys()].join('\n'), finding)
    })

  test('what no model covers is counted', () => {
    const { checked, uncovered } = checkTraffic(
      [exchange({ url: `${galleries}/one?api-version=2026-03-03` })],
      models ?? [],
      {
        deviations: [],
      },
    )
    assert.equal(checked, 0)
    assert.deepEqual([...uncovered], [['GET Microsoft.Compute/galleries 2026-03-03', 1]])
  })
})
