import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { buildTinyDisk, changeFileOnTinyDisk } from '../../tools/tiny-disk.ts'
import { silentLogger } from '../base/logger.ts'
import { randomUuid } from '../base/random.ts'
import { serialShows, testProvider } from '../compute/qemu/qemu.fixture.ts'
import type { MetadataRequest } from './metadata.ts'
import { serveMetadataSocket } from './metadata-socket.ts'

const run = promisify(execFile)

test('a booted guest reaches the metadata service at 169.254.169.254, request after request', async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'goldleaf-guest-'))
  const vmKey = randomUuid()
  await mkdir(join(folder, 'vms', vmKey), { recursive: true })
  const seen: MetadataRequest[] = []
  try {
    const raw = join(folder, 'disk.raw')
    const { hasNetwork } = await buildTinyDisk({ out: raw })
    if (!hasNetwork) return context.skip('the cached kernel has no virtio_net, and apt could not download another')
    const ask = (what: string): string => `http://169.254.169.254/metadata/${what}?api-version=2018-02-01&resource=r\n`
    await changeFileOnTinyDisk(raw, 'ASK.TXT', ask('instance') + ask('identity/oauth2/token'))
    const overlayPath = join(folder, 'disk.qcow2')
    await run('qemu-img', ['convert', '-O', 'qcow2', raw, overlayPath])
    const metadataSocketPath = join(folder, 'i')
    await using _service = await serveMetadataSocket({
      socketPath: metadataSocketPath,
      logger: silentLogger,
      async answer(request) {
        seen.push(request)
        return { status: 200, body: `told ${seen.length}` }
      },
    })
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
      metadataSocketPath,
    } as const
    await provider.start(machine)
    const log = await serialShows(serialLogPath, 'goldleaf-guest ready')
    assert.match(log, /goldleaf-guest answer: told 1\s+goldleaf-guest answer: told 2/)
    assert.deepEqual(
      seen.map(({ method, path, query, headers }) => [method, path, query.get('resource'), headers['metadata']]),
      [
        ['GET', '/metadata/instance', 'r', 'true'],
        ['GET', '/metadata/identity/oauth2/token', 'r', 'true'],
      ],
    )
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
