import { spawn } from 'node:child_process'
import { access, mkdtemp, open, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Clock } from '../../base/clock.ts'
import { isJsonObject } from '../../base/json.ts'
import type { Logger } from '../../base/logger.ts'
import type { Accelerator } from '../provider.ts'

// probe-sector.s, assembled; padded to 510 bytes and closed by the mark of a boot sector.
const probeSectorBase64 =
  '+jHAjtiOwI7QvABw+7QSzRK0As0a+r8AELkAIGYxwPzzq8cGABADIMcGACADMMcGADCDAMcGMEAHfccGMkAIAMcGNEAAjma4IAYA' +
  'AA8i4Ga4ABAAAA8i2Ga5gAAAwA8yDQABDzAPARY4fWa4EQAAgA8iwOp4fAgAZrgQAI7YjsCO0LwAcAAADwEcJT59AAAxwDHSvwBQ' +
  'AAC7EQAAALkiAAAA8EgPxw91W4B/CCJ1Vb8AUgAASA+uB0gPrg+4AQAAAA+iD7rhGnMhDyDgD7roEg8i4DHJDwHQDAMPAdG/AFQA' +
  'AEgPridID64vMe3MQID9M3URvgx9AABmuvgDrITAdAPu6/j06/1AtTNIz2dvbGRsZWFmLXByb2JlIG9rCgCQAAAAAAAAAAAAAAAA' +
  'AJogAAAAAAAAkgAAFwAgfQAAPwAAQA=='
const probeLine = 'goldleaf-probe ok'
const probeTimeoutMs = 5_000

export interface AcceleratorChoice {
  readonly accelerator: Accelerator
  /** For people: why. */
  readonly reason: string
}

export interface AcceleratorProbe {
  readonly wanted: 'auto' | Accelerator
  readonly qemuPath: string
  /** Where the outcome is kept until the host boots again. */
  readonly cacheFile: string
  readonly clock: Clock
  readonly logger: Logger
}

/**
 * Decides how machines run. That /dev/kvm opens says nothing: there are hosts (CI's among them, STACK finding 1) whose
 * KVM cannot boot a stock kernel. So under `auto` a guest is really booted, one that does what kernels do first; only
 * if its line comes within 5 s is KVM chosen. The outcome is kept per boot of the host.
 */
export async function chooseAccelerator(probe: AcceleratorProbe): Promise<AcceleratorChoice> {
  if (probe.wanted !== 'auto') return { accelerator: probe.wanted, reason: 'set in the configuration' }
  const key = await cacheKey(probe.qemuPath)
  const cached = await readCache(probe.cacheFile, key)
  if (cached) return cached
  const choice = await probeHost(probe)
  probe.logger.info({ accelerator: choice.accelerator, reason: choice.reason }, 'accelerator chosen')
  // Only saves time: a cache that cannot be written costs the next start a probe.
  if (key !== undefined) await writeFile(probe.cacheFile, JSON.stringify({ key, ...choice })).catch(() => {})
  return choice
}

async function probeHost(probe: AcceleratorProbe): Promise<AcceleratorChoice> {
  const distrust = await whyNotKvm()
  if (distrust !== undefined) return { accelerator: 'tcg', reason: distrust }
  const boot = await bootProbe(probe.qemuPath, 'kvm', probe.clock)
  return boot.works
    ? { accelerator: 'kvm', reason: 'a guest booted under KVM' }
    : { accelerator: 'tcg', reason: `a guest did not boot under KVM: ${boot.said}` }
}

/** What already speaks against KVM without booting anything; undefined: nothing. */
async function whyNotKvm(): Promise<string | undefined> {
  if (process.platform !== 'linux') return 'KVM is Linux only'
  if (process.arch !== 'x64') return 'machines are x86-64 and this host is not'
  const device = await open('/dev/kvm', 'r+').catch(() => undefined)
  if (device === undefined) return '/dev/kvm is absent or may not be opened by this user'
  await device.close()
  if (await exists('/sys/module/kvm_pvm')) return 'KVM here is PVM, which does not boot stock kernels'
  const cpuinfo = await readFile('/proc/cpuinfo', 'utf8').catch(() => '')
  if (!/^flags\s*:.*\b(vmx|svm)\b/m.test(cpuinfo)) return 'the processor shows neither vmx nor svm'
  return undefined
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

/** Boots the probe's boot sector under an accelerator; `said` is what QEMU complained about. Never throws. */
export async function bootProbe(
  qemuPath: string,
  accelerator: Accelerator,
  clock: Clock,
): Promise<{ readonly works: boolean; readonly said: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'goldleaf-probe-'))
  try {
    const sector = Buffer.alloc(512)
    Buffer.from(probeSectorBase64, 'base64').copy(sector)
    sector.writeUInt16LE(0xaa55, 510)
    const disk = join(folder, 'probe.raw')
    await writeFile(disk, sector)
    // SeaBIOS does not boot a virtio disk of a single sector.
    await truncate(disk, 1024 * 1024)
    return await watchBoot(qemuPath, probeArguments(disk, accelerator), clock)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function probeArguments(disk: string, accelerator: Accelerator): string[] {
  return [
    ['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot', '-m', '32M'],
    ['-machine', `pc,accel=${accelerator}`, '-cpu', accelerator === 'kvm' ? 'host' : 'max'],
    ['-blockdev', JSON.stringify({ driver: 'file', 'node-name': 'file', filename: disk, 'read-only': true })],
    ['-blockdev', JSON.stringify({ driver: 'raw', 'node-name': 'probe', file: 'file', 'read-only': true })],
    ['-device', 'virtio-blk-pci,drive=probe,bootindex=0'],
    ['-chardev', 'stdio,id=serial,signal=off', '-serial', 'chardev:serial'],
  ].flat()
}

async function watchBoot(
  qemuPath: string,
  args: readonly string[],
  clock: Clock,
): Promise<{ readonly works: boolean; readonly said: string }> {
  const child = spawn(qemuPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  const giveUp = new AbortController()
  let printed = ''
  let said = ''
  const outcome = new Promise<boolean>((resolve) => {
    child.stdout.on('data', (part: Buffer) => {
      printed += part.toString('latin1')
      if (printed.includes(probeLine)) resolve(true)
    })
    child.stderr.on('data', (part: Buffer) => {
      said = (said + part.toString('utf8')).slice(0, 2000)
      // QEMU stays, paused: no use in waiting for the end of the time.
      if (said.includes('KVM internal error')) resolve(false)
    })
    child.on('error', (error) => {
      said = error.message
      resolve(false)
    })
    child.on('exit', () => resolve(false))
  })
  const gone = new Promise<void>((resolve) => {
    child.on('close', () => resolve())
    child.on('error', () => resolve())
  })
  const late = clock.sleep(probeTimeoutMs, giveUp.signal).then(
    () => false,
    () => false,
  )
  const works = await Promise.race([outcome, late])
  giveUp.abort()
  child.kill('SIGKILL')
  await gone
  const reason = said.split('\n')[0]?.trim() ?? ''
  return { works, said: reason === '' ? `nothing was printed within ${probeTimeoutMs / 1000} s` : reason }
}

/** Changes with each boot of the host: a new kernel may change the outcome. */
async function cacheKey(qemuPath: string): Promise<string | undefined> {
  const bootId = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => undefined)
  return bootId === undefined ? undefined : `${bootId.trim()} ${qemuPath}`
}

async function readCache(file: string, key: string | undefined): Promise<AcceleratorChoice | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(file, 'utf8'))
    if (key === undefined || !isJsonObject(value) || value['key'] !== key) return undefined
    const { accelerator, reason } = value
    if ((accelerator !== 'kvm' && accelerator !== 'tcg') || typeof reason !== 'string') return undefined
    return { accelerator, reason }
  } catch {
    return undefined
  }
}
