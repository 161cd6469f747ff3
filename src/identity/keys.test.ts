import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, suite, test } from 'node:test'
import { systemClock } from '../base/clock.ts'
import { createAuthenticator } from './authenticator.ts'
import { openInstallation } from './installation.ts'
import { openKeyRing } from './keys.ts'
import { armAudience, createTokenSigner } from './token.ts'

const day = 86_400_000

suite('signing keys', () => {
  let data = ''
  beforeEach(async () => {
    data = await mkdtemp(join(tmpdir(), 'goldleaf-keys-'))
  })
  afterEach(() => rm(data, { recursive: true }))

  test('after a rotation new tokens have the new key, old ones stay good, also after a restart', async () => {
    const home = await openInstallation(data)
    const { objectId, tenantId, clientId: appId } = home
    const sign = async () =>
      (await createTokenSigner(home, systemClock).sign({ objectId, tenantId, appId }, armAudience)).token
    const before = await sign()
    await home.keys.rotate(Date.now())
    const after = await sign()
    for (const installation of [home, await openInstallation(data)]) {
      const read = createAuthenticator({ installation, clock: systemClock })
      for (const token of [before, after]) assert.equal((await read(`Bearer ${token}`)).objectId, objectId)
    }
    assert.equal(home.keys.all().length, 2)
  })

  test('the schedule rotates an old key, and drops one whose tokens are dead', async () => {
    const startMs = Date.UTC(2026, 10, 21)
    const ring = await openKeyRing(data, startMs)
    const first = ring.current().publicJwk.kid
    await ring.refresh(startMs + 29 * day)
    assert.equal(ring.current().publicJwk.kid, first)
    await ring.refresh(startMs + 30 * day)
    assert.notEqual(ring.current().publicJwk.kid, first)
    await ring.refresh(startMs + 30 * day + day / 2)
    assert.ok(ring.find(first))
    await ring.refresh(startMs + 31 * day)
    assert.equal(ring.find(first), undefined)
    assert.equal(ring.all().length, 1)
  })

  test('a stolen key is dropped at once: what it signed is refused, also after a restart', async () => {
    const home = await openInstallation(data)
    const { objectId, tenantId, clientId: appId } = home
    const sign = async () =>
      (await createTokenSigner(home, systemClock).sign({ objectId, tenantId, appId }, armAudience)).token
    const readHere = createAuthenticator({ installation: home, clock: systemClock })
    const before = await sign()
    await readHere(`Bearer ${before}`)
    await home.keys.rotate(Date.now(), 'drop')
    const after = await sign()
    const readAgain = createAuthenticator({ installation: await openInstallation(data), clock: systemClock })
    for (const read of [readHere, readAgain]) {
      await assert.rejects(read(`Bearer ${before}`), { code: 'InvalidAuthenticationToken' })
      assert.equal((await read(`Bearer ${after}`)).objectId, objectId)
    }
  })

  test('another process takes over a rotation at its next refresh; a damaged file changes nothing', async () => {
    const nowMs = Date.now()
    const [ours, theirs] = [await openKeyRing(data, nowMs), await openKeyRing(data, nowMs)]
    await theirs.rotate(nowMs)
    await ours.refresh(nowMs)
    const { kid } = ours.current().publicJwk
    assert.equal(kid, theirs.current().publicJwk.kid)
    const good = await readFile(join(data, 'keys.json'), 'utf8')
    await writeFile(join(data, 'keys.json'), good.slice(0, 100))
    await assert.rejects(ours.refresh(nowMs), { code: 'IdentityFilesBroken' })
    await assert.rejects(openKeyRing(data, nowMs), { code: 'IdentityFilesBroken' })
    assert.equal(ours.current().publicJwk.kid, kid)
  })

  test('sealed text opens only whole, and hidden names do not show what they hide', async () => {
    const { seal } = await openKeyRing(data, Date.now())
    const sealed = seal.seal('secret')
    assert.equal(seal.open(sealed), 'secret')
    assert.notEqual(seal.seal('secret'), sealed)
    const bytes = Buffer.from(sealed, 'base64url')
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1)
    assert.throws(() => seal.open(bytes.toString('base64url')))
    assert.equal(seal.hide('token'), seal.hide('token'))
    assert.ok(!seal.hide('token').includes('token'))
  })
})
