import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { systemClock } from '../base/clock.ts'
import type { User } from '../directory/directory.ts'
import { createPasswordCheck } from './accounts.ts'

suite('password check', () => {
  const alice: User = {
    kind: 'user',
    tenantId: 't',
    objectId: 'o',
    userPrincipalName: 'alice@x.test',
    displayName: 'Alice',
    accountEnabled: true,
    userType: 'Member',
  }
  const open = (user: User = alice) => {
    let nowMs = 0
    let looks = 0
    const check = createPasswordCheck({
      clock: { ...systemClock, now: () => nowMs },
      directory: {
        findUserByName: async (name) => (name === user.userPrincipalName ? user : undefined),
        isPassword: async (found, password) => {
          looks += 1
          return found !== undefined && password === 'right'
        },
      },
    })
    const attempt = async (password: string, peer: string, name = 'Alice@X.test') =>
      (await check({ name, password, peer })).kind
    return { attempt, looks: () => looks, pass: (ms: number) => (nowMs += ms) }
  }

  test('guesses of one peer stop being looked at, also side by side, until the window has passed', async () => {
    const { attempt, looks, pass } = open()
    const kinds = await Promise.all(Array.from({ length: 40 }, () => attempt('wrong', 'a')))
    assert.equal(kinds.filter((kind) => kind === 'wrong').length, 10)
    assert.equal(looks(), 10)
    assert.equal(await attempt('right', 'a'), 'slowed')
    assert.equal(await attempt('right', 'b'), 'right')
    pass(60_000)
    assert.equal(await attempt('right', 'a'), 'right')
  })

  test('guesses of many peers end for the account, but not where it signed in well before', async () => {
    const { attempt, looks } = open()
    assert.equal(await attempt('right', 'home'), 'right')
    for (let at = 0; at < 35; at++) await attempt('wrong', `peer ${at}`)
    assert.equal(looks(), 31)
    assert.equal(await attempt('right', 'elsewhere'), 'slowed')
    assert.equal(await attempt('right', 'home'), 'right')
  })

  test('right passwords do not count, unknown names do, and a disabled account says so only to its owner', async () => {
    const { attempt } = open()
    for (let at = 0; at < 50; at++) assert.equal(await attempt('right', 'a'), 'right')
    for (let at = 0; at < 10; at++) assert.equal(await attempt('x', 'b', `nobody ${at}`), 'wrong')
    assert.equal(await attempt('x', 'b', 'nobody'), 'slowed')
    const disabled = open({ ...alice, accountEnabled: false })
    assert.equal(await disabled.attempt('wrong', 'a'), 'wrong')
    assert.equal(await disabled.attempt('right', 'a'), 'disabled')
  })
})
