import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { runHere } from '../../src/cli/run-cli.fixture.ts'
import { fixedVhd } from './vhd.ts'
import { diskVersion, openWire, vmVersion } from './wire.ts'
import type { Body, Wire } from './wire.ts'

/** What a person reads at the terminal when something is there already, missing, or not to be had. */
suite('refusals of the command line, on a host without QEMU', () => {
  let wire: Wire
  let folder = ''
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'goldleaf-terminal-'))
    const config = join(folder, 'config.json')
    await writeFile(config, JSON.stringify({ limits: { diskSizeGiB: 1 } }))
    const path = process.env['PATH']
    process.env['PATH'] = '/nowhere'
    try {
      wire = await openWire({ args: ['--config', config] })
    } finally {
      process.env['PATH'] = path
    }
    await writeFile(join(folder, 'disk.raw'), Buffer.alloc(1_048_576, 7))
    await wire.gallery('g')
    await wire.definition('g/d')
    await wire.publish('g/d/1.0.0', await wire.blob('d.vhd', fixedVhd(Buffer.alloc(1_048_576, 7))))
  })
  after(async () => {
    await wire?.[Symbol.asyncDispose]()
    await rm(folder, { recursive: true, force: true })
  })

  const say = (...args: string[]) => runHere(args, { cwd: folder, environment: { data: wire.server.data } })
  const image = ['--resource-group', 'wire', '--gallery', 'g', '--definition', 'd', '--version', '1.0.0']

  test('a version, a file or a subscription that is there already is left alone', async () => {
    const push = await say('image', 'push', 'disk.raw', ...image, '--regions', 'westeurope')
    assert.match(push.err, /VersionExists/)
    const pull = await say('image', 'pull', ...image, '--out', 'disk.raw')
    assert.match(pull.err, /FileExists/)
    assert.equal((await say('subscription', 'create', 'team')).code, 0)
    const again = await say('subscription', 'create', 'team')
    assert.match(again.err, /SubscriptionExists/)
    assert.deepEqual([push.code, pull.code, again.code], [1, 1, 1])
  })

  test('a machine without a hypervisor fails with what to install, and has no console', async () => {
    const properties: Body = { storageProfile: { imageReference: { id: wire.id('galleries/g/images/d') } } }
    const at = wire.at('virtualMachines/m', vmVersion)
    const started = await wire.arm.call('PUT', at, { location: 'westeurope', properties })
    assert.match(JSON.stringify(await wire.arm.settle(started)), /HypervisorNotInstalled/)
    assert.match((await say('vm', 'console', 'm', '--resource-group', 'wire')).err, /ConsoleMissing/)
  })

  test('one of several subscriptions must be named', async () => {
    const { endpoint, caFile } = wire.server.env
    const remote = ['--endpoint', endpoint, '--ca-file', caFile, '--token', wire.server.token]
    assert.match((await say(...remote, 'vm', 'list', '--resource-group', 'wire')).err, /SubscriptionUnknown/)
  })

  test('a source that is larger than the configured limit is refused', async () => {
    const large = { creationData: { createOption: 'Empty' }, diskSizeGB: 2 }
    await wire.arm.must('PUT', wire.at('disks/large', diskVersion), { location: 'westeurope', properties: large })
    const body = {
      location: 'westeurope',
      properties: { storageProfile: { osDiskImage: { source: { id: wire.id('disks/large') } } } },
    }
    const refused = await wire.arm.call('PUT', wire.at('galleries/g/images/d/versions/2.0.0'), body)
    assert.match(JSON.stringify(refused.body), /GallerySourceResourceExceedsMaxSize.* size 2 exceeds the max size 1 /)
  })
})
