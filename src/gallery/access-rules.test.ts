import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { AccessRules } from '../contract/access-profiles.ts'
import { checkAccessRules } from './access-rules.ts'

const whole: AccessRules = {
  privileges: [{ name: 'p', path: '/metadata' }],
  roles: [{ name: 'r', privileges: ['P'] }],
  identities: [{ name: 'i' }],
  roleAssignments: [{ role: 'R', identities: ['I'] }],
}
const cases: readonly (readonly [why: string, rules: AccessRules | undefined, says?: RegExp])[] = [
  ['none', undefined],
  ['whole, in any case', whole],
  ['a path without a slash', { ...whole, privileges: [{ name: 'p', path: 'metadata' }] }, /does not begin with '\/'/],
  ['a privilege that is not there', { ...whole, privileges: [] }, /role 'r' names the privilege 'P'/],
  ['a role that is not there', { ...whole, roles: [] }, /names the role 'R'/],
  ['an identity that is not there', { ...whole, identities: [] }, /names the identity 'I'/],
]

suite('access control rules', () => {
  for (const [why, rules, says] of cases)
    test(why, () => {
      if (says === undefined) checkAccessRules(rules)
      else assert.throws(() => checkAccessRules(rules), { code: 'InvalidParameter', message: says })
    })
})
