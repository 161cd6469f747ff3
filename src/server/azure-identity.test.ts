import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, before, suite, test } from 'node:test'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { ClientSecretCredential } from '@azure/identity'
import fastify from 'fastify'
import { systemClock } from '../base/clock.ts'
import { createAuthenticator } from '../identity/authenticator.ts'
import { openIdentity } from '../identity/identity.fixture.ts'
import type { TestIdentity } from '../identity/identity.fixture.ts'
import type { Installation } from '../identity/installation.ts'
import { certificateNames, openTls } from './tls.ts'

suite('@azure/identity signs in over HTTPS, trusting only our authority', () => {
  let identity: TestIdentity
  let base = ''
  let secret = ''
  let home: Installation
  let close = async (): Promise<void> => {}

  before(async () => {
    identity = await openIdentity(systemClock)
    ;({ home, secret } = identity)
    const { cert, key, caFile } = await openTls(identity.data, certificateNames(['127.0.0.1'], []), systemClock)
    // What NODE_EXTRA_CA_CERTS does, for this process.
    setDefaultCACertificates([...getCACertificates(), await readFile(caFile, 'utf8')])
    const app = fastify({ https: { cert, key } })
    identity.register(app)
    base = await app.listen({ host: '127.0.0.1', port: 0 })
    close = () => app.close()
  })
  after(async () => {
    await close()
    await identity[Symbol.asyncDispose]()
  })

  const credential = (clientSecret: string) =>
    new ClientSecretCredential(home.tenantId, home.clientId, clientSecret, {
      authorityHost: base,
      disableInstanceDiscovery: true,
    })

  for (const suffix of ['/.default', '//.default'])
    test(`scope BASE${suffix}`, async () => {
      const { token, expiresOnTimestamp } = await credential(secret).getToken(`${base}${suffix}`)
      assert.ok(expiresOnTimestamp > Date.now() + 3_500_000)
      const caller = await createAuthenticator({ installation: home, clock: systemClock })(`Bearer ${token}`)
      assert.equal(caller.objectId, home.objectId)
    })

  test("Azure's own scope", async () => {
    assert.ok((await credential(secret).getToken('https://management.azure.com/.default')).token)
  })

  test('a wrong secret shows the AADSTS code to the user', async () => {
    await assert.rejects(credential('wrong').getToken(`${base}/.default`), /AADSTS7000215/)
  })
})
