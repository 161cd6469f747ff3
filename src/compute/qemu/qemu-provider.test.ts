import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, open, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { buildTinyDisk } from '../../../tools/tiny-disk.ts'
import { systemClock } from '../../base/clock.ts'
import { silentLogger } from '../../base/logger.ts'
import { randomUuid } from '../../base/random.ts'
import { serveNbd } from '../nbd-export.ts'
import type { VmExit, VmSpec } from '../provider.ts'
import { endOrphans, findOrphans } from './orphans.ts'
import { serialShows, testProvider } from './qemu.fixture.ts'

const run = promisify(execFile)
let folder = ''
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'goldleaf-vm-'))
})
after(() => rm(folder, { recursive: true, force: true }))

const provider = (name: string, qemu?: string) => testProvider(join(folder, name), qemu === undefined ? {} : { qemu })

async function makeSpec(name: string, socketPath: string, sizeBytes: number): Promise<VmSpec> {
  const vmKey = randomUuid()
  const home = join(folder, name, vmKey)
  await mkdir(home, { recursive: true })
  const overlayPath = join(home, 'os.qcow2')
  await run('qemu-img', ['create', '-q', '-f', 'qcow2', overlayPath, String(sizeBytes)])
  return {
    vmKey,
    cpus: 1,
    memoryMiB: 128,
    firmware: 'bios',
    disks: [{ lun: 'os', overlayPath, base: { nbdSocketPath: socketPath, exportName: 'os' } }],
    serialLogPath: join(home, 'serial.log'),
  }
}

test('a guest boots from a read-only export, keeps what it wrote over a stop, and the image stays as it was', async () => {
  const path = join(folder, 'tiny.raw')
  const disk = await buildTinyDisk({ out: path, content: 'hello from a test' })
  const hash = async () =>
    createHash('sha256')
      .update(await readFile(path))
      .digest('hex')
  const before = await hash()
  await using file = await open(path, 'r')
  const socketPath = join(folder, 'tiny.sock')
  const read = async (offset: number, length: number) =>
    (await file.read(Buffer.alloc(length), 0, length, offset)).buffer
  await using _export = await serveNbd({
    socketPath,
    exportName: 'os',
    disk: { virtualSizeBytes: disk.sizeBytes, read },
    logger: silentLogger,
  })
  await using machines = provider('a, folder')
  const exits: VmExit[] = []
  machines.onExit((exit) => exits.push(exit))
  const spec = await makeSpec('a, folder', socketPath, disk.sizeBytes)
  await machines.start(spec)
  await machines.start(spec)
  assert.equal(machines.state(spec.vmKey), 'running')
  assert.match(
    await serialShows(spec.serialLogPath, 'goldleaf-guest ready'),
    /goldleaf-guest boot 1\r?\n[^]*ready: hello from a test/,
  )
  await machines.stop(spec.vmKey, 'graceful')
  assert.equal(machines.state(spec.vmKey), 'stopped')
  assert.deepEqual(
    exits.map((exit) => exit.why),
    ['asked'],
  )

  await machines.start(spec)
  await serialShows(spec.serialLogPath, 'goldleaf-guest boot 2')
  await machines.stop(spec.vmKey, 'forced')
  assert.equal(await hash(), before)
})

test('a machine that cannot start says why, without a path; a stop of one that does not run is no error', async () => {
  await using machines = provider('broken')
  const spec = await makeSpec('broken', join(folder, 'nobody-listens.sock'), 1024 * 1024)
  await assert.rejects(machines.start(spec), (error) => {
    assert.ok(error instanceof Error)
    assert.match(error.message, /could not be started/)
    assert.ok(!error.message.includes(folder), error.message)
    return true
  })
  assert.equal(machines.state(spec.vmKey), 'stopped')
  await machines.stop(spec.vmKey, 'graceful')
})

test('a host without QEMU is told what to install', async () => {
  const spec = await makeSpec('absent', join(folder, 'absent.sock'), 1_048_576)
  await assert.rejects(provider('absent', 'qemu-system-none').start(spec), { code: 'HypervisorNotInstalled' })
})

test('machines that an earlier process left behind are found by their folder and ended, others are not', async () => {
  const machinesFolder = join(folder, 'orphans')
  const vmKey = randomUuid()
  const start = (home: string) =>
    spawn(
      'qemu-system-x86_64',
      [
        ['-nodefaults', '-display', 'none', '-machine', 'none', '-name', `goldleaf-${vmKey}`],
        ['-chardev', `file,id=serial,path=${join(home, 'serial.log')},append=on`],
      ].flat(),
      { stdio: 'ignore' },
    )
  await mkdir(join(machinesFolder, vmKey), { recursive: true })
  const ours = start(join(machinesFolder, vmKey))
  const theirs = start(folder)
  try {
    for (let round = 0; round < 100 && !existsSync(join(machinesFolder, vmKey, 'serial.log')); round++)
      await systemClock.sleep(20)
    assert.deepEqual(await findOrphans(machinesFolder), [ours.pid])
    assert.equal(await endOrphans(machinesFolder, systemClock), 1)
    assert.deepEqual(await findOrphans(machinesFolder), [])
    assert.equal(theirs.exitCode, null)
    assert.equal(theirs.signalCode, null)
  } finally {
    theirs.kill('SIGKILL')
    ours.kill('SIGKILL')
  }
})

test('a machine ends with the process that runs it, also when that is killed', async (t) => {
  if (!existsSync('/usr/bin/setpriv')) return t.skip('setpriv (package util-linux) is not installed')
  const machinesFolder = join(folder, 'killed')
  const vmKey = randomUuid()
  await mkdir(join(machinesFolder, vmKey), { recursive: true })
  const options = { qemu: 'qemu-system-x86_64', searchPath: '/usr/bin:/bin', accelerator: 'tcg', network: 'none' }
  const spec = { vmKey, cpus: 1, memoryMiB: 32, firmware: 'bios', disks: [] }
  const script = `
    import { qemuProvider } from '${import.meta.resolve('./qemu-provider.ts')}'
    import { systemClock } from '${import.meta.resolve('../../base/clock.ts')}'
    import { silentLogger } from '${import.meta.resolve('../../base/logger.ts')}'
    const machinesFolder = ${JSON.stringify(machinesFolder)}
    const options = { ...${JSON.stringify(options)}, machinesFolder, clock: systemClock, logger: silentLogger }
    const serialLogPath = machinesFolder + '/${vmKey}/serial.log'
    await qemuProvider(options).start({ ...${JSON.stringify(spec)}, serialLogPath })
    console.log('up')`
  const server = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await new Promise((resolve) => server.stdout.once('data', resolve))
  assert.equal((await findOrphans(machinesFolder)).length, 1)
  server.kill('SIGKILL')
  for (let round = 0; round < 100 && (await findOrphans(machinesFolder)).length > 0; round++)
    await systemClock.sleep(50)
  assert.deepEqual(await findOrphans(machinesFolder), [])
})
