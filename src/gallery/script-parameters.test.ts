import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { GalleryScriptParameter } from '../contract/gallery-scripts.ts'
import { checkScriptParameters } from './script-parameters.ts'

const cases: readonly (readonly [why: string, parameter: Omit<GalleryScriptParameter, 'name'>, says?: RegExp])[] = [
  ['a text by default', { defaultValue: 'anything' }],
  ['a number within', { type: 'Int', minValue: '-3', maxValue: '3', defaultValue: '0' }],
  ['a fraction', { type: 'Double', minValue: '0.5', defaultValue: '1e3' }],
  ['a choice', { type: 'Enum', enumValues: ['a', 'b'], defaultValue: 'b' }],
  ['a switch', { type: 'Boolean', defaultValue: 'False' }],
  ['no whole number', { type: 'Int', defaultValue: '1.5' }, /defaultValue '1\.5' is no Int/],
  ['no number at all', { type: 'Double', maxValue: '' }, /maxValue '' is no Double/],
  ['bounds of a text', { minValue: '1' }, /not for String/],
  ['bounds that cross', { type: 'Int', minValue: '2', maxValue: '1' }, /greater than its maxValue/],
  ['below', { type: 'Int', minValue: '2', defaultValue: '1' }, /less than its minValue/],
  ['choices of a number', { type: 'Int', enumValues: ['1'] }, /enumValues are for Enum/],
  ['an Enum without choices', { type: 'Enum' }, /needs enumValues/],
  ['none of the choices', { type: 'Enum', enumValues: ['a'], defaultValue: 'A' }, /none of its enumValues/],
  ['neither true nor false', { type: 'Boolean', defaultValue: 'yes' }, /is no Boolean/],
]

suite('parameters of a script', () => {
  for (const [why, parameter, says] of cases)
    test(why, () => {
      const check = (): void => checkScriptParameters([{ name: 'n', ...parameter }])
      if (says === undefined) check()
      else assert.throws(check, { code: 'InvalidParameter', message: says })
    })
})
