import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, before, suite, test } from 'node:test'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import {
  ClientCertificateCredential,
  ClientSecretCredential,
  DeviceCodeCredential,
  UsernamePasswordCredential,
} from '@azure/identity'
import fastify from 'fastify'
import { systemClock } from '../base/clock.ts'
import { createApplication, createServicePrincipal } from '../directory/applications.ts'
import { parseKey } from '../directory/credentials.ts'
import { createUser } from '../directory/users.ts'
import { createAuthenticator } from '../identity/authenticator.ts'
import { signInWithDeviceCode } from '../identity/browser.fixture.ts'
import { makeCertificate } from '../identity/certificates.fixture.ts'
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

  const azureCli = '04b07795-8ddb-461a-bbee-02f9e1bf7b46'
  const password = 'Correct horse battery 1'
  const callerOf = (token: string) => createAuthenticator({ installation: home, clock: systemClock })(`Bearer ${token}`)
  const options = () => ({ authorityHost: base, disableInstanceDiscovery: true })

  test('ClientCertificateCredential', async () => {
    const { certificate, pem } = makeCertificate()
    const { appId } = await createApplication(identity.room, home.tenantId, {
      displayName: 'robot',
      keyCredentials: [parseKey({ certificate })],
    })
    await createServicePrincipal(identity.room, home.tenantId, appId)
    const credential = new ClientCertificateCredential(home.tenantId, appId, { certificate: pem }, options())
    const { token } = await credential.getToken(`${base}/.default`)
    assert.equal((await callerOf(token)).appId, appId)
    // MSAL uses one assertion for several tokens.
    assert.ok((await credential.getToken('https://graph.microsoft.com/.default')).token)
  })

  test('UsernamePasswordCredential, and a refresh for another resource', async () => {
    const userPrincipalName = 'alice@goldleaf.local'
    await createUser(identity.room, home.tenantId, { userPrincipalName, displayName: 'Alice', password })
    const credential = new UsernamePasswordCredential(home.tenantId, azureCli, userPrincipalName, password, options())
    const { token } = await credential.getToken(`${base}/.default`)
    assert.equal((await callerOf(token)).upn, userPrincipalName)
    assert.ok((await credential.getToken('https://graph.microsoft.com/.default')).token)
    const wrong = new UsernamePasswordCredential(home.tenantId, azureCli, userPrincipalName, 'wrong', options())
    await assert.rejects(wrong.getToken(`${base}/.default`), /AADSTS50126/)
  })

  test('DeviceCodeCredential, while a person signs in at the page that it names', async () => {
    const userPrincipalName = 'bob@goldleaf.local'
    await createUser(identity.room, home.tenantId, { userPrincipalName, displayName: 'Bob', password })
    let person: Promise<string> | undefined
    const credential = new DeviceCodeCredential({
      ...options(),
      tenantId: home.tenantId,
      userPromptCallback: ({ verificationUri, userCode }) => {
        person = signInWithDeviceCode(verificationUri, userCode, { username: userPrincipalName, password })
      },
    })
    const { token } = await credential.getToken(`${base}/.default`)
    assert.match((await person) ?? '', /You are signed in/)
    assert.equal((await callerOf(token)).upn, userPrincipalName)
  })
})
