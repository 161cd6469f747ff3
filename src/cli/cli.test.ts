import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { formatOf, parseFormat } from './image-pull.ts'
import { parseRegions, parseStorageClass, versionBody } from './image-push.ts'
import { createProgress } from './progress.ts'
import { runHere } from './run-cli.fixture.ts'
import { formatTable } from './table.ts'
import { vmBody } from './vm.ts'

const run = (...args: string[]) => runHere(args, { cwd: tmpdir(), environment: { data: 'no-such-folder' } })

suite('exit codes', () => {
  const push = ['image', 'push', '/dev/null', '--gallery', 'g', '--definition', 'd', '--version']
  const cases: readonly (readonly [why: string, args: readonly string[], code: number, err: RegExp])[] = [
    ['help', ['--help'], 0, /^$/],
    ['unknown command', ['fly'], 2, /unknown command/],
    ['missing flag', ['image', 'list'], 2, /--gallery/],
    ['flags that exclude each other', ['env', '--shell', '--json'], 2, /cannot be used with/],
    ['no server', ['token'], 3, /No server is running on the data folder 'no-such-folder'/],
    ['endpoint with a path', ['--endpoint', 'https://x/y', 'vm', 'list'], 2, /without a path/],
    ['endpoint without a token', ['--endpoint', 'https://x', 'vm', 'list', '--subscription', 's'], 1, /TokenMissing/],
    ['missing CA file', ['--endpoint', 'https://x', '--ca-file', '/none', 'vm', 'list'], 2, /\/none/],
    ['bad regions', [...push, '1.0.0', '--regions', 'a=b=c'], 2, /REGION=COUNT=CLASS/],
    ['no regions', [...push, '1.0.0', '--regions', ' , '], 2, /no region/],
    ['bad storage class', [...push, '1.0.0', '--regions', 'a', '--storage-class', 'Tape'], 2, /Premium_LRS/],
    ['bad version name', [...push, 'latest', '--regions', 'a'], 1, /Major\(int\)\.Minor\(int\)/],
    ['a bug shows its stack', ['serve'], 1, /TypeError: no server is started here\n +at /],
  ]
  for (const [why, args, code, err] of cases)
    test(why, async () => {
      const done = await run(...args)
      assert.equal(done.code, code, done.err)
      assert.match(done.err, err)
    })
})

test('a stale server.json whose address another program has taken does not count as running', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'goldleaf-stale-'))
  const stranger = createServer((_request, response) => response.writeHead(404).end())
  await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve))
  try {
    const address = stranger.address()
    assert.ok(typeof address === 'object' && address !== null)
    const url = `http://127.0.0.1:${address.port}`
    const ids = { tenantId: 't', subscriptionId: 's', clientId: 'c', caFile: 'x', clientSecretFile: 'y' }
    const facts = { pid: process.pid, processMark: '', startedAt: '', endpoint: url, httpEndpoint: url, ...ids }
    await writeFile(join(folder, 'server.json'), JSON.stringify(facts))
    assert.equal((await run('env', '--data', folder)).code, 3)
  } finally {
    stranger.close()
    stranger.closeAllConnections()
    await rm(folder, { recursive: true })
  }
})

test('target regions are written as az writes them', () => {
  assert.deepEqual(parseRegions('westeurope, North Europe=2 ,eastus=1=premium_lrs,a=Standard_ZRS'), [
    { name: 'westeurope' },
    { name: 'North Europe', regionalReplicaCount: 2 },
    { name: 'eastus', regionalReplicaCount: 1, storageAccountType: 'Premium_LRS' },
    { name: 'a', storageAccountType: 'Standard_ZRS' },
  ])
  assert.equal(parseStorageClass('STANDARD_LRS'), 'Standard_LRS')
})

test('the version that is published names the pushed bytes and no more than was asked for', () => {
  const flags = {
    resourceGroup: 'r',
    gallery: 'g',
    definition: 'd',
    version: '1.0.0',
    regions: 'a',
    storageClass: 'Premium_LRS' as const,
    replicaCount: 2,
    excludeFromLatest: true,
  }
  assert.deepEqual(versionBody(flags, 'a', parseRegions('a,b'), 'https://x/pushes/1'), {
    location: 'a',
    properties: {
      storageProfile: { osDiskImage: { source: { uri: 'https://x/pushes/1' } } },
      publishingProfile: {
        targetRegions: [{ name: 'a' }, { name: 'b' }],
        replicaCount: 2,
        storageAccountType: 'Premium_LRS',
        excludeFromLatest: true,
      },
    },
  })
})

test('formats by flag and by the name of the file', () => {
  assert.deepEqual(['raw', 'QCOW2', 'vhd', 'vhd-dynamic'].map(parseFormat), [
    'raw',
    'qcow2',
    'vhd-fixed',
    'vhd-dynamic',
  ])
  assert.deepEqual(['a.vhd', 'a.qcow2', 'a.img', 'a'].map(formatOf), ['vhd-fixed', 'qcow2', 'raw', 'raw'])
  assert.throws(() => parseFormat('iso'), { code: 'UsageWrong' })
})

test('a generalised image gets an osProfile, a specialised one must not have one', () => {
  const flags = { location: 'a', size: 'Standard_B1s' }
  const profile = (state: string, files = {}) => vmBody('vm1', flags, '/id', state, files)['properties']
  assert.ok(!('osProfile' in Object(profile('Specialized'))))
  const { osProfile } = Object(profile('Generalized', { sshKey: 'ssh-ed25519 A\n', customData: 'hi' }))
  assert.equal(osProfile.computerName, 'vm1')
  assert.equal(osProfile.customData, Buffer.from('hi').toString('base64'))
  assert.equal(osProfile.linuxConfiguration.ssh.publicKeys[0].keyData, 'ssh-ed25519 A')
})

test('tables are aligned and end without blanks', () => {
  assert.equal(
    formatTable(
      ['a', 'bcd'],
      [
        ['long', 'x'],
        ['y', ''],
      ],
    ),
    'A     BCD\nlong  x\ny\n',
  )
})

test('where nobody looks, progress is a line for every tenth part, and never goes back', () => {
  let text = ''
  const progress = createProgress({ write: (part) => (text += part) })
  for (const fraction of [0, 0.04, 0.11, 0.19, 0.05, 0.5, Number.NaN, 1, 1]) progress.update('x', fraction, 'n')
  progress.stop()
  progress.stop()
  assert.equal(text, 'x: 0 %  n\nx: 11 %  n\nx: 50 %  n\nx: 100 %  n\n')
})
