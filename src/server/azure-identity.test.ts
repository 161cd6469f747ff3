import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { ClientSecretCredential } from '@azure/identity'
import fastify from 'fastify'
import { systemClock } from '../base/clock.ts'
import { silentLogger } from '../base/logger.ts'
import { createAuthenticator } from '../identity/authenticator.ts'
import { openInstallation } from '../identity/installation.ts'
import type { Installation } from '../identity/installation.ts'
import { registerIdentity } from '../identity/routes.ts'
import { certificateNames, openTls } from './tls.ts'

suite('@azure/identity signs in over HTTPS, trusting only our authority', () => {
  let data = ''
  let base = ''
  let secret = ''
  let home: Installation
  let close = async (): Promise<void> => {}

  before(async () => {
    data = await mkdtemp(join(tmpdir(), 'goldleaf-azure-identity-'))
    home = await openInstallation(data)
    secret = (await readFile(home.clientSecretFile, 'utf8')).trim()
    const { cert, key, caFile } = await openTls(data, certificateNames(['127.0.0.1'], []), systemClock)
    // What NODE_EXTRA_CA_CERTS does, for this process.
    setDefaultCACertificates([...getCACertificates(), await readFile(caFile, 'utf8')])
    const app = fastify({ https: { cert, key } })
    registerIdentity(app, {
      installation: home,
      logger: silentLogger,
      baseUrlOf: (request) => `${request.protocol}://${request.headers.host}`,
    })
    base = await app.listen({ host: '127.0.0.1', port: 0 })
    close = () => app.close()
  })
  after(async () => {
    await close()
    await rm(data, { recursive: true })
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
