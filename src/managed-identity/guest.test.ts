import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { buildTinyDisk, changeFileOnTinyDisk } from '../../tools/tiny-disk.ts'
import { systemClock } from '../base/clock.ts'
import { silentLogger } from '../base/logger.ts'
import { randomUuid } from '../base/random.ts'
import { serialShows, testProvider } from '../compute/qemu/qemu.fixture.ts'
import type { MetadataAnswer, MetadataRequest } from './metadata.ts'
import { serveMetadataLink } from './metadata-link.ts'

const run = promisify(execFile)

test('a booted guest gets its address, and reaches the metadata service, several times at one moment too', async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'goldleaf-guest-'))
  const vmKey = randomUuid()
  await mkdir(join(folder, 'vms', vmKey), { recursive: true })
  const seen: MetadataRequest[] = []
  try {
    const raw = join(folder, 'disk.raw')
    const { hasNetwork } = await buildTinyDisk({ out: raw })
    if (!hasNetwork) return context.skip('the cached kernel has no virtio_net, and apt could not download another')
    const ask = (what: string): string => `http://169.254.169.254/metadata/${what}?api-version=2018-02-01&resource=r\n`
    const asks = [ask('instance'), `&${ask('slow')}`, `&${ask('quick')}`, ask('identity/oauth2/token')]
    await changeFileOnTinyDisk(raw, 'ASK.TXT', asks.join(''))
    const overlayPath = join(folder, 'disk.qcow2')
    await run('qemu-img', ['convert', '-O', 'qcow2', raw, overlayPath])
    const asked = Promise.withResolvers<void>()
    const answer = async (request: MetadataRequest): Promise<MetadataAnswer> => {
      seen.push(request)
      const nth = seen.length
      // The first is answered after the second: both are under way at one moment.
      if (request.path.endsWith('/slow')) await asked.promise
      if (request.path.endsWith('/quick')) asked.resolve()
      return { status: 200, body: `told ${nth} ${request.path}` }
    }
    const serveNetwork = (cable: Duplex): void =>
      serveMetadataLink(cable, { clock: systemClock, logger: silentLogger, answer })
    await using provider = testProvider(join(folder, 'vms'))
    const serialLogPath = join(folder, 'vms', vmKey, 'serial.log')
    const disks = [{ lun: 'os', overlayPath, base: undefined }] as const
    const machine = {
      vmKey,
      cpus: 1,
      memoryMiB: 128,
      firmware: 'bios',
      disks,
      serialLogPath,
      serveNetwork,
    } as const
    await provider.start(machine)
    const log = await serialShows(serialLogPath, 'goldleaf-guest ready')
    assert.match(log, /goldleaf-guest address: 169\.254\.0\.16\/255\.255\.0\.0/)
    const answers = [
      ...log.matchAll(/guest answer: told \d \/metadata\/(\S+) \(http:\/\/169\.254\.169\.254\/metadata\/([^?]+)/g),
    ]
    assert.equal(answers.length, 4, log)
    for (const [, told, asked] of answers) assert.equal(told, asked)
    const requests = seen.map(({ method, path, query, headers }) =>
      [method, path, query.get('resource'), headers['metadata']].join(' '),
    )
    assert.deepEqual(
      new Set(requests),
      new Set(['instance', 'slow', 'quick', 'identity/oauth2/token'].map((path) => `GET /metadata/${path} r true`)),
    )
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
