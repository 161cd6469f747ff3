import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { Problem } from '../base/problem.ts'
import type { ComputeDependencies } from './dependencies.ts'
import { prepareDrive } from './vm-drive.ts'
import { chooseFirmware, firmwareProbeBytes } from './firmware.ts'
import { openLinks, type Links } from './machine-links.ts'
import { computeProblems } from './problems.ts'
import { exists, freeze, overlayFiles, type Layer } from './overlays.ts'
import type { VmExit, VmSpec, VmState } from './provider.ts'
import type { VmDiskFacts, VmFacts } from './vm-facts.ts'
import type { VmSize } from './vm-size.ts'

/** A machine's files and its life: overlays, exports of what lies under them, the process that runs it. */
export interface MachineRunner extends AsyncDisposable {
  /** Makes the overlays that are missing; durable once resolved. Throws ImageBytesGone. */
  prepareDisks(facts: VmFacts): Promise<void>
  /** Writes what the guest is told at its first boot, unless that was done before; readable by this user only. */
  prepareSeed(vmId: string, seed: Uint8Array | undefined): Promise<void>
  /** The same without looking whether what lies under them is there. */
  prepareOverlays(facts: VmFacts): Promise<void>
  /** Runs the machine unless `isWanted` (asked when its turn has come) says otherwise; running already is fine. */
  start(facts: VmFacts, size: VmSize, isWanted?: () => Promise<boolean>): Promise<void>
  stop(vmId: string, how: 'graceful' | 'forced'): Promise<void>
  /** Takes every other data disk out of a running machine. Throws DiskNotReleased. */
  unplugOthers(facts: VmFacts): Promise<void>
  /** Gives a running machine the drive with its applications, if it has another. Throws DiskNotReleased. */
  deliver(facts: VmFacts): Promise<void>
  /** Puts the data disks into a running machine that it does not have yet. Throws DiskNotPlugged. */
  plugMissing(facts: VmFacts): Promise<void>
  /**
   * Lends the overlays of disks of a machine, all as they are at one moment. A stopped machine stays so meanwhile; a
   * running one stands still only until its overlays are copied.
   */
  withFrozenOverlays<T>(
    facts: VmFacts,
    disks: readonly VmDiskFacts[],
    work: (layers: readonly Layer[]) => Promise<T>,
  ): Promise<T>
  /** Removes overlays whose disks have gone from the machine. */
  dropOverlays(facts: VmFacts, disks: readonly VmDiskFacts[]): Promise<void>
  /** Stops it and removes its overlays and log. */
  erase(vmId: string): Promise<void>
  state(vmId: string): VmState
  /** Undefined: it never printed anything, or there is no such machine. */
  findSerialLog(vmId: string): Promise<string | undefined>
  onExit(listener: (exit: VmExit) => void): void
}

type RunnerDependencies = Pick<
  ComputeDependencies,
  'dataDir' | 'stores' | 'logger' | 'limits' | 'provider' | 'serveNetwork'
>

// The kernel's limit for a socket's path, without the closing zero.
const maxSocketPathBytes = 107

/** Makes the folders, ends machines that an earlier process left behind, and is then ready to run some. */
export async function openMachineRunner(deps: RunnerDependencies): Promise<MachineRunner> {
  const { provider, logger } = deps
  const machinesFolder = join(deps.dataDir, 'vms')
  await mkdir(machinesFolder, { recursive: true, mode: 0o700 })
  const orphans = await provider.endOrphans()
  if (orphans > 0) logger.warn({ orphans }, 'ended virtual machines of an earlier run')
  const sockets = await makeSocketFolder(join(deps.dataDir, 'run'))
  const running = new Map<string, Links>()
  const inTurn = turns()
  const listeners: ((exit: VmExit) => void)[] = []
  const machineFiles = overlayFiles(machinesFolder)
  const { homeOf, seedOf, overlayOf, makeOverlays, makeSeed, dropOverlays, dropHome, findSerialLog } = machineFiles

  provider.onExit((exit) => {
    const links = running.get(exit.vmKey)
    running.delete(exit.vmKey)
    links?.close().catch((error: unknown) => logger.warn({ err: error }, 'an export did not close'))
    for (const listener of listeners) listener(exit)
  })

  async function startNow(facts: VmFacts, size: VmSize): Promise<void> {
    const { vmId } = facts
    if (provider.state(vmId) !== 'stopped') return
    const links = await openLinks(facts, { ...deps, sockets, overlayOf })
    // Registered before the start: a machine may end while its start is still being awaited.
    running.set(vmId, links)
    try {
      const firmware = await firmwareOf(facts, deps)
      const serveNetwork = deps.serveNetwork && ((cable: Duplex) => deps.serveNetwork?.(vmId, cable))
      const files = {
        ...(await prepareReadOnly(facts, homeOf(vmId), seedOf(vmId), deps)),
        serialLogPath: join(homeOf(vmId), 'serial.log'),
      }
      links.applicationsPath = files.applicationsPath
      await provider.start({ vmKey: vmId, ...size, firmware, disks: links.disks, ...files, serveNetwork })
    } catch (error) {
      running.delete(vmId)
      await links.close()
      if (error instanceof Problem) logger.error({ err: error, vm: vmId }, 'a virtual machine did not start')
      throw error
    }
  }

  return {
    async prepareDisks(facts) {
      await checkBases(facts, deps)
      await makeOverlays(facts)
    },
    prepareOverlays: makeOverlays,
    prepareSeed: makeSeed,
    start: (facts, size, isWanted) =>
      inTurn(facts.vmId, async () => {
        if (isWanted === undefined || (await isWanted())) await startNow(facts, size)
      }),
    stop: (vmId, how) => inTurn(vmId, () => provider.stop(vmId, how, deps.limits.shutdownGraceMs)),
    unplugOthers: ({ vmId, disks }) =>
      inTurn(vmId, async () =>
        running.get(vmId)?.closeOthers(disks, (lun) => provider.unplug(vmId, lun, deps.limits.detachTimeoutMs)),
      ),
    plugMissing: ({ vmId, disks }) =>
      inTurn(vmId, async () => running.get(vmId)?.openMissing(disks, (disk) => provider.plug(vmId, disk))),
    deliver: (facts) => inTurn(facts.vmId, () => swapDrive(running.get(facts.vmId), facts, homeOf(facts.vmId), deps)),
    withFrozenOverlays: (facts, disks, work) => {
      const { vmId } = facts
      const layers = disks.map((disk): Layer => ({ disk, path: overlayOf(vmId, disk) }))
      const isLive = (): boolean => layers.some(({ path }) => running.get(vmId)?.has(path))
      return freeze({ vmId, layers, home: homeOf(vmId), provider, isLive, inTurn }, work)
    },
    dropOverlays,
    erase: (vmId) =>
      inTurn(vmId, async () => {
        await provider.stop(vmId, 'forced')
        await dropHome(vmId)
      }),
    state: (vmId) => provider.state(vmId),
    findSerialLog,
    onExit: (listener) => void listeners.push(listener),
    async [Symbol.asyncDispose]() {
      await Promise.all([...running.keys()].map((vmId) => provider.stop(vmId, 'graceful', deps.limits.shutdownGraceMs)))
      await provider[Symbol.asyncDispose]()
      await rm(sockets, { recursive: true, force: true })
    },
  }
}

/** What the guest may only read: the seed, where one was written, and the drive with its applications. */
async function prepareReadOnly(
  facts: VmFacts,
  home: string,
  seed: string,
  { stores }: Pick<RunnerDependencies, 'stores'>,
): Promise<Pick<VmSpec, 'seedIsoPath' | 'applicationsPath'>> {
  const seedIsoPath = (await exists(seed)) ? seed : undefined
  return { seedIsoPath, applicationsPath: await prepareDrive(facts, home, stores) }
}

/** Where the machine has another drive than it should. */
async function swapDrive(
  links: Links | undefined,
  facts: VmFacts,
  home: string,
  { stores, provider, limits }: RunnerDependencies,
): Promise<void> {
  const path = links && (await prepareDrive(facts, home, stores))
  if (!links || path === undefined || links.applicationsPath === path) return
  await provider.replaceApplications(facts.vmId, path, limits.detachTimeoutMs)
  links.applicationsPath = path
}

/** Reads the start of the image's OS disk where the choice hangs on it. */
async function firmwareOf(
  { vmId, generation, disks }: VmFacts,
  { stores, logger }: RunnerDependencies,
): Promise<'bios' | 'uefi'> {
  const base = disks.find(({ lun }) => lun === 'os')?.base
  if (generation !== 'V2' || !base) return generation === 'V2' ? 'uefi' : 'bios'
  await using disk = await stores.store(base.region, base.storageClass).open(base.root)
  const start = await disk.read(0, Math.min(firmwareProbeBytes, disk.virtualSizeBytes))
  const { firmware, isOverruled } = chooseFirmware(generation, start)
  if (isOverruled)
    logger.warn({ vm: vmId }, 'the image is of generation V2, but its disk can only start by BIOS: started so')
  return firmware
}

async function checkBases(facts: VmFacts, { stores }: Pick<RunnerDependencies, 'stores'>): Promise<void> {
  for (const { lun, base } of facts.disks)
    if (base && !(await stores.store(base.region, base.storageClass).has(base.root)))
      throw computeProblems.ImageBytesGone({ lun: String(lun), region: base.region })
}

/** One thing at a time for each machine, in the order asked. */
function turns(): <T>(vmId: string, work: () => Promise<T>) => Promise<T> {
  const last = new Map<string, Promise<unknown>>()
  return async (vmId, work) => {
    const before = last.get(vmId)
    const mine = (async () => {
      await before?.catch(() => {})
      return work()
    })()
    last.set(vmId, mine)
    try {
      return await mine
    } finally {
      if (last.get(vmId) === mine) last.delete(vmId)
    }
  }
}

/** A folder for sockets that only this user can enter: in the data folder, unless its path is too long for a socket. */
async function makeSocketFolder(wanted: string): Promise<string> {
  if (Buffer.byteLength(wanted) + 1 + 20 + 4 > maxSocketPathBytes) return mkdtemp(join(tmpdir(), 'goldleaf-run-'))
  await mkdir(wanted, { recursive: true, mode: 0o700 })
  for (const left of await readdir(wanted)) await rm(join(wanted, left), { recursive: true, force: true })
  return wanted
}
