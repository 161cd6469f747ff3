import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { compatibilityFile, inStep } from '../../tools/compatibility.ts'

test('docs/compatibility.md says what src/contract declares', () => {
  const text = readFileSync(compatibilityFile, 'utf8')
  assert.equal(text, inStep(text), 'run: node_modules/.bin/node tools/compatibility.ts')
})
