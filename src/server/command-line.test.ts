import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, mkdtemp, readFile, rm, symlink, unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, suite, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { decodeJwt } from 'jose'
import type { CliEnvironment } from '../cli/config.ts'
import { runHere } from '../cli/run-cli.fixture.ts'

const bin = fileURLToPath(new URL('../../bin/goldleaf', import.meta.url))
const run = (cwd: string, args: readonly string[], environment: Partial<CliEnvironment> = {}) =>
  runHere(args, { cwd, environment })

/** A server as a user starts it; resolves with its ready line. */
async function startProcess(args: readonly string[]) {
  const child = spawn(bin, ['serve', '--listen', '127.0.0.1:0', '--log-level', 'error', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const said = { out: '', err: '' }
  child.stderr.on('data', (part: Buffer) => (said.err += part.toString()))
  const ended = once(child, 'exit')
  const lines = createInterface(child.stdout)
  lines.on('line', (line) => (said.out += `${line}\n`))
  const first = await Promise.race([once(lines, 'line'), ended])
  return { child, said, ended, ready: String(first[0]) }
}

suite('goldleaf serve, env, token', () => {
  let home = ''
  let data = ''
  let server: Awaited<ReturnType<typeof startProcess>>

  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'goldleaf-command-line-'))
    data = join(home, 'data')
    server = await startProcess(['--data', data])
  })
  after(async () => {
    server.child.kill('SIGKILL')
    await server.ended
    await rm(home, { recursive: true })
  })

  const environmentOf = async () => JSON.parse((await run(home, ['env', '--data', 'data', '--json'])).out)

  test('the ready line names both addresses and the folder, and is all that stdout gets', () => {
    assert.match(
      server.ready,
      /^goldleaf ready http=http:\/\/127\.0\.0\.1:\d+ https=https:\/\/127\.0\.0\.1:\d+ data=\/.+$/,
    )
    assert.ok(server.ready.endsWith(`data=${data}`))
    assert.equal(server.said.out, `${server.ready}\n`)
  })

  test('env --json has the names that programs rely on', async () => {
    const facts = await environmentOf()
    const names = ['endpoint', 'httpEndpoint', 'caFile', 'tenantId', 'subscriptionId', 'clientId', 'clientSecret']
    assert.deepEqual(Object.keys(facts), names)
    assert.ok(server.ready.includes(`https=${facts.endpoint} `) && server.ready.includes(`http=${facts.httpEndpoint} `))
    await access(facts.caFile)
  })

  test('env --shell can be evaluated, and the API accepts what it says, also from another machine', async () => {
    const { out } = await run(home, ['env', '--shell', '--data', 'data'])
    const shell = spawn('sh', ['-c', 'eval "$1"; env', 'sh', out], { env: {}, stdio: ['ignore', 'pipe', 'inherit'] })
    const variables: Record<string, string> = {}
    for await (const line of createInterface(shell.stdout)) {
      const at = line.indexOf('=')
      variables[line.slice(0, at)] = line.slice(at + 1)
    }
    const facts = await environmentOf()
    assert.equal(variables['AZURE_AUTHORITY_HOST'], facts.endpoint)
    assert.equal(`https://${variables['ARM_METADATA_HOSTNAME']}`, facts.endpoint)
    assert.equal(variables['REQUESTS_CA_BUNDLE'], facts.caFile)
    const remote = await run('/', ['vm', 'list', '--all'], {
      endpoint: variables['GOLDLEAF_ENDPOINT'],
      caFile: variables['GOLDLEAF_CA_FILE'],
      tenant: variables['AZURE_TENANT_ID'],
      clientId: variables['AZURE_CLIENT_ID'],
      clientSecret: variables['AZURE_CLIENT_SECRET'],
      subscription: variables['AZURE_SUBSCRIPTION_ID'],
    })
    assert.deepEqual([remote.code, remote.err], [0, ''])
  })

  test('token prints a token for an hour; with it, the only subscription is found by itself', async () => {
    const { out, code } = await run(home, ['token'], { data: 'data' })
    assert.equal(code, 0)
    const token = out.trim()
    const { exp = 0, tid } = decodeJwt(token)
    const facts = await environmentOf()
    assert.equal(tid, facts.tenantId)
    assert.ok(Math.abs(exp - Date.now() / 1000 - 3_600) < 60)
    const other = ['--endpoint', facts.endpoint, '--ca-file', facts.caFile, 'vm', 'list', '--all']
    assert.equal((await run('/', other, { token })).code, 0)
    const forged = await run('/', other, { token: `${token.slice(0, -8)}AAAAAAAA` })
    assert.deepEqual([forged.code, /InvalidAuthenticationToken/.test(forged.err)], [1, true])
  })

  test('without the authority the server is not trusted, and the message says how', async () => {
    const { endpoint } = await environmentOf()
    const { code, err } = await run('/', ['--endpoint', endpoint, 'vm', 'list', '--all'], {
      token: 'x',
      subscription: 's',
    })
    assert.equal(code, 3)
    assert.match(err, /--ca-file/)
  })

  test('a second server on the same folder is refused', async () => {
    const second = await startProcess(['--data', data])
    const [code] = await second.ended
    assert.equal(code, 1)
    assert.match(second.said.err, /served already, by process \d+/)
  })

  test('a wrong configuration is exit code 2, with the member', async () => {
    const one = await startProcess(['--data', join(home, 'wrong'), '--listen', 'nowhere'])
    const [code] = await one.ended
    assert.equal(code, 2)
    assert.match(one.said.err, /'listen'/)
  })

  test('the launcher works through a symbolic link', async () => {
    const link = join(home, 'goldleaf-link')
    await symlink(bin, link)
    const child = spawn(link, ['--help'], { stdio: ['ignore', 'ignore', 'inherit'] })
    assert.deepEqual(await once(child, 'exit'), [0, null])
  })

  test('killed, it neither misleads env nor the next start; stopped, it leaves in order', async () => {
    server.child.kill('SIGKILL')
    await server.ended
    const { code, err } = await run(home, ['env', '--data', 'data'])
    assert.deepEqual([code, /No server is running on the data folder 'data'.*goldleaf serve/.test(err)], [3, true])
    // Its process id belongs to somebody else by now: to this test.
    const file = join(data, 'server.json')
    const facts = await readFile(file, 'utf8')
    await writeFile(file, facts.replace(/"pid": \d+/, `"pid": ${process.pid}`))
    server = await startProcess(['--data', data])
    assert.match(server.ready, /^goldleaf ready /)
    assert.equal((await environmentOf()).tenantId, JSON.parse(facts).tenantId)
    await unlink(join(data, 'identity', 'client-secret'))
    const secretless = await run(home, ['env', '--data', 'data'])
    assert.deepEqual([secretless.code, /SecretUnreadable/.test(secretless.err)], [1, true])
    server.child.kill('SIGTERM')
    assert.deepEqual(await server.ended, [0, null])
    await assert.rejects(access(file))
    assert.equal((await run(home, ['env', '--data', 'data'])).code, 3)
  })
})
