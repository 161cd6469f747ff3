import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { acceptedDeviations } from './accepted-deviations.ts'
import { checkTraffic } from './check-traffic.ts'
import type { Exchange } from './check-traffic.ts'
import { readPublishedModels } from './published-models.ts'

/**
 * Runs after the tests (tools/test.ts), over what they sent and were answered: every exchange whose api-version is
 * published on disk must fit Azure's own schema.
 */
const folder = process.env['GOLDLEAF_TRAFFIC']
const models = readPublishedModels()
/** What Azure's own clients ask is theirs to answer for (tools/test-clients.ts): only our answers are held to it. */
const ofClients = { text: / request: /, why: 'the clients send what they send to Azure' }
const isOfClients = process.env['GOLDLEAF_CLIENT_REPORTS'] !== undefined
const deviations = isOfClients ? [...acceptedDeviations, ofClients] : acceptedDeviations
const missing =
  folder === undefined
    ? 'GOLDLEAF_TRAFFIC names no folder: nothing was recorded'
    : models === undefined
      ? '../shared/api/spec is absent: Azure’s published schemas cannot be compared'
      : false

function* recorded(): Generator<Exchange> {
  for (const file of globSync(`${folder ?? ''}/*.jsonl`))
    for (const line of readFileSync(file, 'utf8').split('\n'))
      if (line.startsWith('{') && line.endsWith('}')) yield JSON.parse(line) as Exchange
}

test('what the tests sent and were answered fits the published contract', { skip: missing }, (t) => {
  const verdict = checkTraffic(recorded(), models ?? [], { deviations })
  t.diagnostic(`${verdict.checked} exchanges checked`)
  const uncovered = [...verdict.uncovered].toSorted(([, a], [, b]) => b - a)
  t.diagnostic(`not published on disk: ${uncovered.map(([name, count]) => `${name} (${count})`).join(', ') || 'none'}`)
  assert.ok(verdict.checked > 0, 'nothing was recorded')
  const findings = [...verdict.findings].map(([text, where]) => `${text}\n    ${where}`)
  assert.ok(findings.length === 0, `${findings.length} deviations:\n${findings.join('\n')}`)
})
