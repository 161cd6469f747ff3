import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer, get } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { promisify } from 'node:util'
import { systemClock } from '../base/clock.ts'
import type { Clock } from '../base/clock.ts'
import { certificateNames, openTls } from './tls.ts'

const run = promisify(execFile)
const dayMs = 86_400_000
const clockAt = (ms: number): Clock => ({ ...systemClock, now: () => ms })
const names = certificateNames(['127.0.0.1'], ['gallery.example', '10.1.2.3', 'fd00::7'])

suite('TLS files', () => {
  let folder = ''
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'goldleaf-tls-'))
  })
  after(() => rm(folder, { recursive: true }))

  test('keys are closed to others, the authority is open to all', async () => {
    const { caFile, made } = await openTls(folder, names, systemClock)
    assert.deepEqual(made, { authority: true, server: true })
    for (const file of ['ca-key.pem', 'server-key.pem'])
      assert.equal((await stat(join(folder, 'tls', file))).mode & 0o777, 0o600)
    assert.equal((await stat(caFile)).mode & 0o777, 0o644)
  })

  test('a second start changes nothing', async () => {
    const first = await openTls(folder, names, systemClock)
    const second = await openTls(folder, names, systemClock)
    assert.equal(second.cert, first.cert)
    assert.deepEqual(second.made, { authority: false, server: false })
  })

  test('OpenSSL accepts the chain under its strict rules, for every name', async () => {
    const { caFile } = await openTls(folder, names, systemClock)
    const strict = ['verify', '-x509_strict', '-purpose', 'sslserver', '-CAfile', caFile]
    const leaf = join(folder, 'tls', 'server.pem')
    for (const host of ['localhost', 'gallery.example', 'account.blob.localhost'])
      await run('openssl', [...strict, '-verify_hostname', host, leaf])
    for (const address of ['127.0.0.1', '::1', '10.1.2.3', 'fd00::7'])
      await run('openssl', [...strict, '-verify_ip', address, leaf])
    await assert.rejects(run('openssl', [...strict, '-verify_hostname', 'other.example', leaf]))
    await run('openssl', ['verify', '-x509_strict', '-check_ss_sig', '-CAfile', caFile, caFile])
  })

  test('Node and curl accept a server with only our authority, and not without it', async () => {
    const { cert, key, caFile } = await openTls(folder, names, systemClock)
    const server = createServer({ cert, key }, (_request, response) => response.end('leaf'))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    try {
      const address = server.address()
      assert.ok(typeof address === 'object' && address !== null)
      const url = `https://127.0.0.1:${address.port}/`
      const ca = await readFile(caFile)
      const status = await new Promise((resolve, reject) => {
        get(url, { ca }, (response) => resolve(response.resume().statusCode)).on('error', reject)
      })
      assert.equal(status, 200)
      const { stdout } = await run('curl', ['--silent', '--show-error', '--cacert', caFile, url])
      assert.equal(stdout, 'leaf')
      await assert.rejects(run('curl', ['--silent', url]))
    } finally {
      server.close()
      server.closeAllConnections()
    }
  })

  test('the certificate is no longer valid than clients allow, and names its uses', async () => {
    const { cert } = await openTls(folder, names, systemClock)
    const leaf = new X509Certificate(cert)
    assert.ok(Date.parse(leaf.validTo) - Date.parse(leaf.validFrom) <= 398 * dayMs)
    assert.deepEqual(leaf.keyUsage, ['1.3.6.1.5.5.7.3.1'])
    assert.equal(leaf.ca, false)
  })

  test('it is renewed under the same authority when its end is near or a name is new', async () => {
    const { cert, caFile } = await openTls(folder, names, systemClock)
    const authority = await readFile(caFile, 'utf8')
    const early = await openTls(folder, names, clockAt(Date.now() + 360 * dayMs))
    assert.equal(early.cert, cert)
    const late = await openTls(folder, names, clockAt(Date.now() + 380 * dayMs))
    assert.deepEqual(late.made, { authority: false, server: true })
    const named = await openTls(folder, [...names, 'new.example'], clockAt(Date.now() + 380 * dayMs))
    assert.deepEqual(named.made, { authority: false, server: true })
    assert.equal(await readFile(caFile, 'utf8'), authority)
  })

  test('an authority near its end is replaced', async () => {
    const future = await openTls(folder, names, clockAt(Date.now() + 3_400 * dayMs))
    assert.deepEqual(future.made, { authority: true, server: true })
  })

  test('a key that does not fit its certificate (a crash between two writes) is replaced', async () => {
    const { key } = await openTls(folder, names, systemClock)
    await writeFile(join(folder, 'tls', 'ca-key.pem'), key)
    const again = await openTls(folder, names, systemClock)
    assert.deepEqual(again.made, { authority: true, server: true })
  })

  test('a damaged file stops the start and says what to do', async () => {
    await writeFile(join(folder, 'tls', 'server.pem'), 'not a certificate')
    await assert.rejects(openTls(folder, names, systemClock), {
      code: 'TlsFilesBroken',
      message: /remove the 'tls' folder/,
    })
  })
})

test('certificate names: listening everywhere names every address of the host, and never the wildcard', () => {
  const all = certificateNames(['0.0.0.0', '[::1]'], ['Gallery.Example.', 'bad name'])
  assert.ok(all.includes('127.0.0.1') && all.includes('::1') && all.includes('gallery.example'))
  assert.ok(!all.includes('0.0.0.0') && !all.includes('bad name'))
})
