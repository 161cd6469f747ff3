import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Problem } from '../base/problem.ts'
import { signAddress, verifyAddress, type AddressGrant } from './signed-address.ts'

const key = Buffer.alloc(32, 1)
const grant: AddressGrant = { id: 'g1', thing: 'upload/1', right: 'write', expiresMs: 2_000_000_000_000 }
const now = 1_900_000_000_000
const query = (changes: Record<string, string> = {}, from = grant): URLSearchParams => {
  const params = new URLSearchParams(signAddress(key, from))
  for (const [name, value] of Object.entries(changes)) params.set(name, value)
  return params
}

test('a signed address is accepted for its thing and right, and tells its grant', () => {
  assert.deepEqual(verifyAddress(key, 'upload/1', 'write', query(), now), grant)
  assert.equal(verifyAddress(key, 'upload/1', 'read', query(), now).right, 'write')
  assert.equal(verifyAddress(key, 'upload/1', 'write', query({ comp: 'page', timeout: '30' }), now).id, 'g1')
})

const refused: readonly { why: string; run: () => unknown; says: RegExp }[] = [
  { why: 'another thing', run: () => verifyAddress(key, 'upload/2', 'read', query(), now), says: /signature/ },
  {
    why: 'another key',
    run: () => verifyAddress(Buffer.alloc(32, 2), 'upload/1', 'read', query(), now),
    says: /signature/,
  },
  { why: 'expired', run: () => verifyAddress(key, 'upload/1', 'read', query(), grant.expiresMs), says: /expired/ },
  {
    why: 'a later end',
    run: () => verifyAddress(key, 'upload/1', 'read', query({ se: '2099-01-01T00:00:00Z' }), now),
    says: /signature/,
  },
  {
    why: 'a wider right',
    run: () => verifyAddress(key, 'upload/1', 'write', query({ sp: 'rw' }, { ...grant, right: 'read' }), now),
    says: /signature/,
  },
  {
    why: 'writing with a reading grant',
    run: () => verifyAddress(key, 'upload/1', 'write', query({}, { ...grant, right: 'read' }), now),
    says: /reading only/,
  },
  {
    why: 'another grant id',
    run: () => verifyAddress(key, 'upload/1', 'read', query({ gi: 'g2' }), now),
    says: /signature/,
  },
  {
    why: 'no signature',
    run: () => verifyAddress(key, 'upload/1', 'read', query({ sig: '' }), now),
    says: /signature/,
  },
  {
    why: 'a short signature',
    run: () => verifyAddress(key, 'upload/1', 'read', query({ sig: 'AAAA' }), now),
    says: /signature/,
  },
  {
    why: 'a repeated parameter',
    run: () => {
      const params = query()
      params.append('sp', 'rw')
      return verifyAddress(key, 'upload/1', 'read', params, now)
    },
    says: /repeated/,
  },
]
for (const { why, run, says } of refused)
  test(`a signed address is refused: ${why}`, () => {
    assert.throws(
      run,
      (e) =>
        e instanceof Problem && e.code === 'AuthenticationFailed' && e.kind === 'forbidden' && says.test(e.message),
    )
  })
