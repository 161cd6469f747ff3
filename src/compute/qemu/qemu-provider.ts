import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { access, constants } from 'node:fs/promises'
import { delimiter, isAbsolute, join } from 'node:path'
import { Duplex, type Readable, type Writable } from 'node:stream'
import type { Clock } from '../../base/clock.ts'
import { isJsonObject } from '../../base/json.ts'
import type { Logger } from '../../base/logger.ts'
import { computeProblems } from '../problems.ts'
import type { HypervisorProvider, VmExit, VmSpec, VmState } from '../provider.ts'
import { chooseAccelerator, type AcceleratorChoice } from './accelerator-probe.ts'
import { networkDescriptor, qemuArguments } from './command-line.ts'
import { hotPlug, type HotPlug } from './hot-plug.ts'
import { endOrphans } from './orphans.ts'
import { openQmp, type Qmp } from './qmp.ts'
import { trimSerialLog } from './serial-log.ts'

export interface QemuOptions {
  /** A path, or a name to look for on `searchPath`. */
  readonly qemu: string
  /** The PATH of the server. */
  readonly searchPath: string
  readonly accelerator: 'auto' | 'kvm' | 'tcg'
  readonly network: 'none' | 'user'
  /** Folder below which every machine has its own; serial logs are in there. Absolute. */
  readonly machinesFolder: string
  readonly clock: Clock
  readonly logger: Logger
}

interface Machine {
  readonly spec: VmSpec
  readonly child: ChildProcessByStdio<Writable, Readable, Readable>
  readonly gone: Promise<void>
  readonly life: AbortController
  qmp: Qmp | undefined
  hot: HotPlug | undefined
  asked: boolean
  guestWantsOff: boolean
  said: string
}

const uefiImages = ['/usr/share/ovmf/OVMF.fd', '/usr/share/qemu/OVMF.fd', '/usr/share/edk2/ovmf/OVMF.fd']
const quitTimeoutMs = 10_000
const fullDiskRetryMs = 10_000
const serialTrimMs = 15_000

/** Runs each machine as a QEMU process that ends with this one (by `setpriv --pdeathsig`, where that is installed). */
export function qemuProvider(options: QemuOptions): HypervisorProvider & {
  /** Which accelerator machines get, and why. */
  accelerator(): Promise<AcceleratorChoice>
} {
  const { clock, logger } = options
  const machines = new Map<string, Machine>()
  const listeners: ((exit: VmExit) => void)[] = []
  let choice: Promise<AcceleratorChoice> | undefined
  const accelerator = (): Promise<AcceleratorChoice> => {
    choice ??= (async () =>
      chooseAccelerator({
        wanted: options.accelerator,
        qemuPath: await findProgram(options.qemu, options.searchPath),
        cacheFile: join(options.machinesFolder, 'accelerator.json'),
        clock,
        logger,
      }))()
    // A missing QEMU may be installed later: do not remember the failure.
    choice.catch(() => (choice = undefined))
    return choice
  }

  const start = async (spec: VmSpec): Promise<void> => {
    if (machines.has(spec.vmKey)) return
    const qemu = await findProgram(options.qemu, options.searchPath)
    const uefiPath = spec.firmware === 'uefi' ? await firstReadable(uefiImages) : undefined
    const settings = { accelerator: (await accelerator()).accelerator, network: options.network, uefiPath }
    const args = qemuArguments(spec, settings)
    const setpriv = await findProgram('setpriv', options.searchPath).catch(() => undefined)
    const [program, all] = setpriv ? [setpriv, ['--pdeathsig', 'KILL', '--', qemu, ...args]] : [qemu, args]
    // Nothing may be awaited between this check and `set`: two starts at once must not run two processes.
    if (machines.has(spec.vmKey)) return
    const machine = launch(spec, program, all)
    machines.set(spec.vmKey, machine)
    void machine.gone.then(() => {
      machines.delete(spec.vmKey)
      machine.life.abort()
      const why = machine.asked ? 'asked' : machine.guestWantsOff ? 'guest' : 'crashed'
      for (const listener of listeners) listener({ vmKey: spec.vmKey, why, said: machine.said })
    })
    try {
      machine.qmp = await openQmp(machine.child.stdout, machine.child.stdin)
      machine.qmp.onEvent((name, data) => handleEvent(machine, name, data, options))
      machine.hot = hotPlug(machine.qmp, spec, clock)
    } catch (error) {
      machine.asked = true
      machine.child.kill('SIGKILL')
      await machine.gone
      throw computeProblems.VmFailedToStart({ reason: lastLine(machine.said) }, { cause: error })
    }
    void keepSerialLogShort(machine, options)
  }

  const stop: HypervisorProvider['stop'] = async (vmKey, how, graceMs = 30_000) => {
    const machine = machines.get(vmKey)
    if (machine) await endMachine(machine, how === 'graceful' ? graceMs : 0, clock)
  }

  return {
    accelerator,
    start,
    stop,
    state: (vmKey): VmState => {
      const machine = machines.get(vmKey)
      return machine === undefined ? 'stopped' : machine.asked ? 'stopping' : 'running'
    },
    whilePaused: (vmKey, work) => whilePaused(machines.get(vmKey)?.qmp, work),
    async plug(vmKey, disk) {
      const hot = machines.get(vmKey)?.hot
      if (!hot) throw computeProblems.DiskNotPlugged({ lun: String(disk.lun), reason: 'the machine does not run' })
      await hot.plug(disk)
    },
    async unplug(vmKey, lun, timeoutMs) {
      await machines.get(vmKey)?.hot?.unplug(lun, timeoutMs)
    },
    async replaceApplications(vmKey, path, timeoutMs) {
      await machines.get(vmKey)?.hot?.replaceApplications(path, timeoutMs)
    },
    onExit: (listener) => void listeners.push(listener),
    endOrphans: () => endOrphans(options.machinesFolder, clock),
    async [Symbol.asyncDispose]() {
      await Promise.all([...machines.keys()].map((vmKey) => stop(vmKey, 'forced')))
    },
  }
}

async function whilePaused<T>(qmp: Qmp | undefined, work: () => Promise<T>): Promise<T> {
  if (!qmp) throw computeProblems.VmFailedToStart({ reason: 'It is not running.' })
  const status = await qmp.run('query-status')
  // One that stands still because the host's disk is full goes on by itself when there is room.
  const wasRunning = isJsonObject(status) && status['running'] === true
  // Stopping flushes every disk: what QEMU had cached of the overlays' tables is in the files.
  await qmp.run('stop')
  try {
    return await work()
  } finally {
    if (wasRunning) await qmp.run('cont').catch(() => {})
  }
}

function handleEvent(
  machine: Machine,
  name: string,
  data: Readonly<Record<string, unknown>>,
  { clock, logger }: QemuOptions,
): void {
  if (name === 'SHUTDOWN' && data['guest'] === true) machine.guestWantsOff = true
  if (name !== 'BLOCK_IO_ERROR') return
  logger.warn({ vm: machine.spec.vmKey, device: data['device'], action: data['action'] }, 'a guest met a disk error')
  if (data['action'] !== 'stop') return
  // The host's disk is full. Trying again is all there is to do: room comes from outside.
  clock
    .sleep(fullDiskRetryMs, machine.life.signal)
    .then(() => machine.qmp?.run('cont'))
    .catch(() => {})
}

async function keepSerialLogShort(machine: Machine, { clock, logger }: QemuOptions): Promise<void> {
  try {
    for (;;) {
      await clock.sleep(serialTrimMs, machine.life.signal)
      await trimSerialLog(machine.spec.serialLogPath)
    }
  } catch (error) {
    if (!machine.life.signal.aborted) logger.warn({ err: error }, 'a serial log could not be shortened')
  }
}

/** Power button first, if `graceMs` is not 0; then QEMU's own end; then the kill that nothing survives. */
async function endMachine(machine: Machine, graceMs: number, clock: Clock): Promise<void> {
  machine.asked = true
  if (graceMs > 0) {
    await machine.qmp?.run('system_powerdown').catch(() => {})
    if (await endsWithin(machine, graceMs, clock)) return
  }
  // `quit` writes back what the guest flushed and QEMU still holds, then ends the process.
  machine.qmp?.run('quit').catch(() => {})
  if (await endsWithin(machine, quitTimeoutMs, clock)) return
  machine.child.kill('SIGKILL')
  await machine.gone
}

function launch(spec: VmSpec, program: string, args: readonly string[]): Machine {
  // A session of its own: Ctrl-C in the server's terminal must not reach machines before the server stops them in order.
  // The fourth, networkDescriptor, is the cable of its network card: a pair of sockets.
  const stdio = ['pipe', 'pipe', 'pipe', ...(spec.serveNetwork ? (['pipe'] as const) : [])] as const
  const child = spawn(program, args, { stdio: [...stdio], detached: true, cwd: '/' })
  const cable = child.stdio[networkDescriptor]
  if (cable instanceof Duplex) spec.serveNetwork?.(cable)
  let settle: () => void = () => {}
  const gone = new Promise<void>((resolve) => {
    settle = resolve
  })
  const machine: Machine = {
    spec,
    child,
    gone,
    life: new AbortController(),
    qmp: undefined,
    hot: undefined,
    asked: false,
    guestWantsOff: false,
    said: '',
  }
  child.stderr.on('data', (part: Buffer) => {
    machine.said = (machine.said + part.toString('utf8')).slice(-4000)
  })
  child.on('error', (error) => {
    machine.said += error.message
    settle()
  })
  child.on('close', settle)
  return machine
}

async function endsWithin(machine: Machine, ms: number, clock: Clock): Promise<boolean> {
  const enough = new AbortController()
  const late = clock.sleep(ms, enough.signal).then(
    () => false,
    () => false,
  )
  const ended = await Promise.race([machine.gone.then(() => true), late])
  enough.abort()
  return ended
}

async function findProgram(program: string, searchPath: string): Promise<string> {
  const places = isAbsolute(program) ? [program] : searchPath.split(delimiter).map((folder) => join(folder, program))
  for (const place of places) if (await isUsable(place, constants.X_OK)) return place
  throw computeProblems.HypervisorMissing({ program })
}

async function firstReadable(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) if (await isUsable(path, constants.R_OK)) return path
  return undefined
}

async function isUsable(path: string, mode: number): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  )
}

/** QEMU's own complaint without the paths in it: those are for the log. */
function lastLine(said: string): string {
  const line = said.trim().split('\n').at(-1) ?? ''
  return line === '' ? 'QEMU ended at once.' : `${line.replaceAll(/'?\/[^\s',:]+'?/g, '(path)').slice(0, 300)}.`
}
