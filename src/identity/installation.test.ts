import assert from 'node:assert/strict'
import { chmod, mkdtemp, readFile, rm, stat, unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, suite, test } from 'node:test'
import { openInstallation } from './installation.ts'

suite('installation', () => {
  let data = ''
  beforeEach(async () => {
    data = await mkdtemp(join(tmpdir(), 'goldleaf-installation-'))
  })
  afterEach(() => rm(data, { recursive: true }))
  const file = (name: string): string => join(data, 'identity', name)

  test('ids, key and secret are drawn once and stay', async () => {
    const first = await openInstallation(data)
    const second = await openInstallation(data)
    assert.deepEqual(second.keys.current().publicJwk, first.keys.current().publicJwk)
    for (const member of ['tenantId', 'subscriptionId', 'clientId', 'objectId'] as const)
      assert.equal(second[member], first[member])
    const other = await mkdtemp(join(tmpdir(), 'goldleaf-installation-'))
    const stranger = await openInstallation(other)
    assert.notEqual(stranger.tenantId, first.tenantId)
    await rm(other, { recursive: true })
  })

  test('files are closed to others, and closed again when they were opened', async () => {
    await openInstallation(data)
    await chmod(file('keys.json'), 0o644)
    await openInstallation(data)
    for (const name of ['keys.json', 'installation.json', 'client-secret'])
      assert.equal((await stat(file(name))).mode & 0o777, 0o600, name)
    assert.equal((await stat(join(data, 'identity'))).mode & 0o777, 0o700)
  })

  test('the secret is checked against its hash, also when the plain file is gone', async () => {
    const secret = (await openInstallation(data), await readFile(file('client-secret'), 'utf8')).trim()
    assert.ok(secret.length >= 43)
    assert.ok(!(await readFile(file('installation.json'), 'utf8')).includes(secret))
    await unlink(file('client-secret'))
    const home = await openInstallation(data)
    assert.equal(home.isClientSecret(secret), true)
    assert.equal(home.isClientSecret(`${secret}x`), false)
    assert.equal(home.isClientSecret(''), false)
  })

  test('a first start that was cut off before its last write goes on', async () => {
    await openInstallation(data)
    await unlink(file('installation.json'))
    const secret = (await readFile(file('client-secret'), 'utf8')).trim()
    assert.equal((await openInstallation(data)).isClientSecret(secret), true)
  })

  test('damaged or lost files stop the start instead of drawing new ids', async () => {
    await openInstallation(data)
    const facts = await readFile(file('installation.json'), 'utf8')
    const key = await readFile(file('keys.json'), 'utf8')
    for (const text of ['', '{', '{}', facts.replace(/"tenantId": "./, '"tenantId": "!')]) {
      await writeFile(file('installation.json'), text)
      await assert.rejects(openInstallation(data), { code: 'IdentityFilesBroken', message: /installation\.json/ })
    }
    await writeFile(file('installation.json'), facts)
    // Another first character than the one that is there, or one run in 64 would damage nothing.
    await writeFile(
      file('keys.json'),
      key.replace(/"n": "(.)/, (_, first) => `"n": "${first === 'x' ? 'y' : 'x'}`),
    )
    await assert.rejects(openInstallation(data), { code: 'IdentityFilesBroken', message: /keys\.json/ })
    await unlink(file('keys.json'))
    await assert.rejects(openInstallation(data), { code: 'IdentityFilesBroken', message: /is missing/ })
  })
})
