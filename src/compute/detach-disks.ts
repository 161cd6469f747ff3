import type { JsonObject } from '../base/json.ts'
import { findResource } from '../resources/resource.rows.ts'
import type { Resource } from '../resources/resource.ts'
import { DiskMissing } from '../store/errors.ts'
import type { StepContext } from '../work/workflow.ts'
import { holdMachineDisks, type HeldDisk } from './capture-disk.ts'
import type { ComputeDependencies } from './dependencies.ts'
import { findDiskFacts } from './disk-facts.ts'
import type { MachineRunner } from './machine-runner.ts'
import { deleteOwnedDisks, goesWithMachine, releaseDisk } from './vm-disks.ts'
import { editVmFacts, getVmFacts, type VmDiskFacts } from './vm-facts.ts'

type Step = StepContext<JsonObject>

/** What was written to disks that leave a machine becomes theirs; then their overlays go. */
export async function takeLeaving({ resourceKey, signal }: Step, deps: ComputeDependencies, runner: MachineRunner) {
  const vm = await findResource(deps.db, resourceKey)
  if (!vm) return
  const facts = getVmFacts(vm)
  const { leaving = [] } = facts
  if (leaving.length === 0) return
  await takeOver(vm, leaving, deps, runner, signal)
  await deps.db.transaction().execute((tx) => editVmFacts(tx, resourceKey, (now) => ({ ...now, leaving: undefined })))
  await runner.dropOverlays(facts, leaving)
  deps.requestSweep()
}

/** A machine that is being deleted: disks that stay get what its guest wrote, the others go with it. */
export async function letDisksGo({ resourceKey, signal }: Step, deps: ComputeDependencies, runner: MachineRunner) {
  const vm = await findResource(deps.db, resourceKey)
  if (!vm) return
  const facts = getVmFacts(vm)
  await runner.stop(facts.vmId, 'forced')
  const all = [...facts.disks, ...(facts.leaving ?? [])]
  const staying = all.filter(({ diskKey, lun }) => diskKey !== undefined && !goesWithMachine(vm, lun))
  await takeOver(vm, staying, deps, runner, signal)
  await deps.db.transaction().execute((tx) => deleteOwnedDisks(tx, vm))
}

/** May run twice: a disk that has been released is left alone. */
async function takeOver(
  vm: Resource,
  disks: readonly VmDiskFacts[],
  deps: ComputeDependencies,
  runner: MachineRunner,
  signal: AbortSignal,
): Promise<void> {
  for (const disk of disks) {
    const row = disk.diskKey === undefined ? undefined : await findResource(deps.db, disk.diskKey)
    if (!row || findDiskFacts(row).attached?.vmKey !== vm.key) continue
    using held = await capture(vm, disk, deps, runner, signal)
    await deps.db.transaction().execute((tx) => releaseDisk(tx, disk, held?.bytes))
  }
}

/** Undefined: the machine never came to have it, because what should be under it has gone. */
async function capture(
  vm: Resource,
  disk: VmDiskFacts,
  deps: ComputeDependencies,
  runner: MachineRunner,
  signal: AbortSignal,
): Promise<HeldDisk | undefined> {
  const facts = { ...getVmFacts(vm), disks: [disk] }
  try {
    // A creation that failed early has made no overlay.
    await runner.prepareOverlays(facts)
    const [held] = await holdMachineDisks({ facts, location: vm.location, disks: [disk] }, deps, runner, { signal })
    return held
  } catch (error) {
    if (!(error instanceof DiskMissing)) throw error
    deps.logger.error({ err: error, vm: vm.id, disk: disk.diskKey }, 'a disk leaves a machine without its bytes')
    return undefined
  }
}
