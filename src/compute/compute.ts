import type { FoundSource } from '../gallery/dependencies.ts'
import type { Behaviour } from '../resources/behaviour.ts'
import { listResourcesOfType } from '../resources/resource.rows.ts'
import type { Workflow } from '../work/workflow.ts'
import { diskTypes, virtualMachineType, type ComputeDependencies, type LiveRoot } from './dependencies.ts'
import { findDiskFacts } from './disk-facts.ts'
import { diskWorkflows } from './disk-workflows.ts'
import { diskBehaviour, findDiskSource } from './disks.ts'
import { openMachineRunner } from './machine-runner.ts'
import { virtualMachinesBehaviour } from './virtual-machines.ts'
import { findVmFacts } from './vm-facts.ts'
import { followExits, startWantedMachines, vmWorkflows } from './vm-workflows.ts'

export interface Compute extends AsyncDisposable {
  readonly behaviours: readonly Behaviour[]
  readonly workflows: readonly Workflow[]
  /** Starts, in the background, the machines that should run. Call once, when the work engine runs. */
  startMachines(): Promise<void>
  /** Stored disks that machines, disks and snapshots need: a sweep must keep them. */
  liveRoots(): Promise<LiveRoot[]>
  /** Where a disk's or snapshot's bytes are (the gallery's `SourceFinder.findDisk`). Throws DiskNotReady. */
  findDisk(id: string): Promise<FoundSource | undefined>
  /** The serial log of a machine, as a file on this host. */
  findSerialLog(vmId: string): Promise<string | undefined>
}

/** Opens the room: makes its folders, ends machines that an earlier process left behind. Disposing stops every machine. */
export async function createCompute(deps: ComputeDependencies): Promise<Compute> {
  const runner = await openMachineRunner(deps)
  followExits(deps, runner)
  return {
    behaviours: [virtualMachinesBehaviour(deps, runner), ...diskTypes.map((type) => diskBehaviour(type, deps))],
    workflows: [...vmWorkflows(deps, runner), ...diskWorkflows(deps)],
    startMachines: () => startWantedMachines(deps, runner),
    liveRoots: () => listLiveRoots(deps),
    findDisk: (id) => findDiskSource(id, deps),
    findSerialLog: (vmId) => runner.findSerialLog(vmId),
    [Symbol.asyncDispose]: () => runner[Symbol.asyncDispose](),
  }
}

async function listLiveRoots({ db }: Pick<ComputeDependencies, 'db'>): Promise<LiveRoot[]> {
  const roots: LiveRoot[] = []
  for (const vm of await listResourcesOfType(db, virtualMachineType))
    for (const { base } of findVmFacts(vm.envelope)?.disks ?? []) if (base) roots.push(base)
  for (const type of diskTypes)
    for (const disk of await listResourcesOfType(db, type)) {
      const { bytes } = findDiskFacts(disk)
      if (bytes) roots.push({ region: bytes.region, storageClass: bytes.storageClass, root: bytes.root })
    }
  return roots
}
