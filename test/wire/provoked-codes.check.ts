import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import type { ProblemKind } from '../../src/base/problem.ts'
import { statusOfKind } from '../../src/http/problem-response.ts'
import { listDeclaredCodes } from './declared-codes.ts'

/**
 * Runs after all tests (tools/test.ts), over the problems that they provoked (test/support/record-problems.ts): each
 * code of docs/errors.md must be among them, with each status that it is answered with.
 */
const folder = process.env['GOLDLEAF_TRAFFIC']
/** Refused before Fastify or Problem exist, by hand in `http/server.ts`; test/wire/bad-requests.test.ts provokes it. */
const writtenByHand = ['InvalidRequestUri']

const skip = folder === undefined ? 'GOLDLEAF_TRAFFIC names no folder: nothing was recorded' : false

test('each code of docs/errors.md was provoked by a test, with each of its statuses', { skip }, async (t) => {
  const provoked = new Set<string>()
  for (const file of globSync(`${folder ?? ''}/*.problems`))
    for (const line of readFileSync(file, 'utf8').split('\n')) {
      const [code = '', kind] = line.split(' ')
      if (kind === undefined) continue
      provoked.add(code).add(`${code} ${statusOfKind(kind as ProblemKind)}`)
    }
  const declared = await listDeclaredCodes()
  const missing = new Set<string>()
  for (const { code, status, file } of declared)
    if (!provoked.has(status === undefined ? code : `${code} ${status}`) && !writtenByHand.includes(code))
      missing.add(`${code}${status === undefined ? '' : ` ${status}`} (${file})`)
  t.diagnostic(`${new Set(declared.map(({ code }) => code)).size} codes declared`)
  const list = [...missing].toSorted().join('\n')
  assert.equal(missing.size, 0, `no test provokes these; write one, or remove what nothing can provoke:\n${list}`)
})
