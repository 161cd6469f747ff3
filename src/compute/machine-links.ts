import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { ComputeDependencies } from './dependencies.ts'
import { serveNbd } from './nbd-export.ts'
import type { VmDisk } from './provider.ts'
import type { VmDiskFacts, VmFacts } from './vm-facts.ts'

/** What a running machine is connected to: the exports under its disks, which may come and go. */
export interface Links {
  /** Those that it starts with. */
  readonly disks: readonly VmDisk[]
  /** Of the drive that it has now. */
  applicationsPath: string | undefined
  has(overlayPath: string): boolean
  /** Closes every data disk that is not among these, each after `unplug` has taken it from the machine. */
  closeOthers(disks: readonly VmDiskFacts[], unplug: (lun: number) => Promise<void>): Promise<void>
  /** Opens those of these that it does not have yet; `plug` gives each to the machine. */
  openMissing(disks: readonly VmDiskFacts[], plug: (disk: VmDisk) => Promise<void>): Promise<void>
  close(): Promise<void>
}

interface LinkDependencies extends Pick<ComputeDependencies, 'stores' | 'logger'> {
  readonly sockets: string
  readonly overlayOf: (vmId: string, disk: VmDiskFacts) => string
}

/** Opens all of it; what was opened is closed where something fails. */
export async function openLinks({ vmId, disks }: VmFacts, deps: LinkDependencies): Promise<Links> {
  await using held = new AsyncDisposableStack()
  const open = new Map<string, { readonly disk: VmDisk; readonly held: AsyncDisposableStack }>()
  held.defer(async () => {
    for (const one of open.values()) await one.held.disposeAsync()
  })
  const openDisk = async (facts: VmDiskFacts): Promise<VmDisk> => {
    const overlayPath = deps.overlayOf(vmId, facts)
    await using own = new AsyncDisposableStack()
    const disk = { lun: facts.lun, overlayPath, base: await openBase(vmId, facts, own, deps) }
    open.set(overlayPath, { disk, held: own.move() })
    return disk
  }
  const all: VmDisk[] = []
  for (const disk of disks) all.push(await openDisk(disk))
  const kept = held.move()
  return {
    disks: all,
    applicationsPath: undefined,
    has: (overlayPath) => open.has(overlayPath),
    async closeOthers(wanted, unplug) {
      const kept = new Set(wanted.map((disk) => deps.overlayOf(vmId, disk)))
      for (const [overlayPath, one] of open) {
        if (one.disk.lun === 'os' || kept.has(overlayPath)) continue
        await unplug(one.disk.lun)
        open.delete(overlayPath)
        await one.held.disposeAsync()
      }
    },
    async openMissing(wanted, plug) {
      for (const facts of wanted) {
        if (open.has(deps.overlayOf(vmId, facts))) continue
        const disk = await openDisk(facts)
        try {
          await plug(disk)
        } catch (error) {
          await open.get(disk.overlayPath)?.held.disposeAsync()
          open.delete(disk.overlayPath)
          throw error
        }
      }
    },
    close: () => kept.disposeAsync(),
  }
}

async function openBase(
  vmId: string,
  { lun, base }: VmDiskFacts,
  held: AsyncDisposableStack,
  { stores, sockets, logger }: LinkDependencies,
): Promise<VmDisk['base']> {
  if (base === undefined) return undefined
  const disk = held.use(await stores.store(base.region, base.storageClass).open(base.root))
  const exportName = `disk-${lun}`
  const nbdSocketPath = join(sockets, `${socketTag(vmId)}-${lun}`)
  held.use(await serveNbd({ socketPath: nbdSocketPath, exportName, disk, logger }))
  return { nbdSocketPath, exportName }
}

/** Short, because a socket's path must be. */
function socketTag(vmId: string): string {
  return createHash('sha256').update(vmId).digest('hex').slice(0, 20)
}
