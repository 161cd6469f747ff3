import type { HeldSource, HeldWhole, SourceFacts, WholeSource } from '../gallery/dependencies.ts'
import type { Behaviour } from '../resources/behaviour.ts'
import { listResourcesOfType } from '../resources/resource.rows.ts'
import type { Workflow } from '../work/workflow.ts'
import { diskTypes, virtualMachineType, type ComputeDependencies, type LiveRoot } from './dependencies.ts'
import { findDiskFacts } from './disk-facts.ts'
import { diskWorkflows } from './disk-workflows.ts'
import { diskBehaviour, findDiskSource, holdDiskSource } from './disks.ts'
import { findImageFacts, imageType } from './image-facts.ts'
import { imageWorkflows } from './image-workflows.ts'
import { imagesBehaviour, isManagedImageId, resolveManagedImage } from './images.ts'
import { openMachineRunner } from './machine-runner.ts'
import { upgradeApplications } from './upgrade-applications.ts'
import { rootsOf } from './vm-applications.ts'
import { virtualMachinesBehaviour } from './virtual-machines.ts'
import { findVmFacts } from './vm-facts.ts'
import { findWholeSource, holdWholeSource } from './whole-sources.ts'
import { followExits, startWantedMachines, vmWorkflows } from './vm-workflows.ts'

export interface Compute extends AsyncDisposable {
  readonly behaviours: readonly Behaviour[]
  readonly workflows: readonly Workflow[]
  /** Starts, in the background, the machines that should run. Call once, when the work engine runs. */
  startMachines(): Promise<void>
  /** Looks for newer versions of applications that machines want upgraded; from a schedule. */
  upgradeApplications(signal: AbortSignal): Promise<void>
  /** Stored disks that machines, disks and snapshots need: a sweep must keep them. */
  liveRoots(): Promise<LiveRoot[]>
  /** What a disk or snapshot is as a source (the gallery's `SourceFinder`). Throws DiskNotReady. */
  findDisk(id: string): Promise<SourceFacts | undefined>
  /** Its bytes at this moment. */
  holdDisk(id: string, signal: AbortSignal): Promise<HeldSource | undefined>
  /** The same for machines and managed images. Throws SourceNotReady. */
  findWhole(id: string): Promise<WholeSource | undefined>
  holdWhole(id: string, signal: AbortSignal): Promise<HeldWhole | undefined>
  /** The serial log of a machine, as a file on this host. */
  findSerialLog(vmId: string): Promise<string | undefined>
}

/** Opens the room: makes its folders, ends machines that an earlier process left behind. Disposing stops every machine. */
export async function createCompute(given: ComputeDependencies): Promise<Compute> {
  const deps: ComputeDependencies = {
    ...given,
    resolveImage: (reference, consumer, context) =>
      reference.id !== undefined && isManagedImageId(reference.id)
        ? resolveManagedImage(reference.id, consumer.location, context, given)
        : given.resolveImage(reference, consumer, context),
  }
  const runner = await openMachineRunner(deps)
  followExits(deps, runner)
  return {
    behaviours: [
      virtualMachinesBehaviour(deps, runner),
      ...diskTypes.map((type) => diskBehaviour(type, deps)),
      imagesBehaviour(deps),
    ],
    workflows: [...vmWorkflows(deps, runner), ...diskWorkflows(deps, runner), ...imageWorkflows(deps, runner)],
    startMachines: () => startWantedMachines(deps, runner),
    upgradeApplications: (signal) => upgradeApplications(deps, runner, signal),
    liveRoots: () => listLiveRoots(deps),
    findDisk: (id) => findDiskSource(id, deps),
    holdDisk: (id, signal) => holdDiskSource(id, deps, runner, signal),
    findWhole: (id) => findWholeSource(id, deps),
    holdWhole: (id, signal) => holdWholeSource(id, deps, runner, signal),
    findSerialLog: (vmId) => runner.findSerialLog(vmId),
    [Symbol.asyncDispose]: () => runner[Symbol.asyncDispose](),
  }
}

async function listLiveRoots({ db }: Pick<ComputeDependencies, 'db'>): Promise<LiveRoot[]> {
  const roots: LiveRoot[] = []
  for (const vm of await listResourcesOfType(db, virtualMachineType)) {
    const facts = findVmFacts(vm.envelope)
    for (const { base } of [...(facts?.disks ?? []), ...(facts?.leaving ?? [])]) if (base) roots.push(base)
    roots.push(...rootsOf(facts?.applications ?? []))
  }
  for (const image of await listResourcesOfType(db, imageType))
    for (const { bytes } of findImageFacts(image).disks) if (bytes) roots.push(bytes)
  for (const type of diskTypes)
    for (const disk of await listResourcesOfType(db, type)) {
      const { bytes } = findDiskFacts(disk)
      if (bytes) roots.push({ region: bytes.region, storageClass: bytes.storageClass, root: bytes.root })
    }
  return roots
}
