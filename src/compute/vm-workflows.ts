import type { JsonObject } from '../base/json.ts'
import type { Tx } from '../db/tables.ts'
import { findResource, listResourcesOfType } from '../resources/resource.rows.ts'
import type { Resource } from '../resources/resource.ts'
import type { Operation, Outcome, Step, Workflow } from '../work/workflow.ts'
import { deleteReports } from './application-report.rows.ts'
import { applicationSteps } from './await-applications.ts'
import { virtualMachineType, type ComputeDependencies } from './dependencies.ts'
import { letDisksGo, takeLeaving } from './detach-disks.ts'
import type { MachineRunner } from './machine-runner.ts'
import { seedImage } from './seed.ts'
import { encryptBases } from './vm-encryption.ts'
import { editVmFacts, findVmFacts, getVmFacts, setPower, type VmFacts } from './vm-facts.ts'
import { vmProperties } from './vm-properties.ts'
import { planVmSize, type VmSize } from './vm-size.ts'

interface StopInput extends JsonObject {
  readonly how: 'graceful' | 'forced'
}

/** The work behind creating, deleting and switching machines. Every step may run twice. */
export function vmWorkflows(deps: ComputeDependencies, runner: MachineRunner): Workflow[] {
  const read = async (key: string): Promise<{ facts: VmFacts; size: VmSize } | undefined> => {
    const vm = await findResource(deps.db, key)
    return vm && { facts: getVmFacts(vm), size: sizeOf(vm, deps) }
  }
  const start = async ({ resourceKey }: { readonly resourceKey: string }): Promise<void> => {
    const vm = await read(resourceKey)
    if (vm) await runner.start(vm.facts, vm.size)
  }
  const stop = async (key: string, how: 'graceful' | 'forced'): Promise<void> => {
    const vm = await read(key)
    if (vm) await runner.stop(vm.facts.vmId, how)
  }
  const create: Workflow = {
    name: 'create-virtual-machine',
    steps: [
      // Of one that is tried again: an update of it may be what failed.
      ...leavingSteps(deps, runner),
      {
        name: 'disks',
        async run(step) {
          const { resourceKey } = step
          await encryptBases(step, deps)
          const vm = await findResource(deps.db, resourceKey)
          if (!vm) return
          const facts = getVmFacts(vm)
          await runner.prepareDisks(facts)
          await runner.prepareSeed(facts.vmId, seedImage(facts.vmId, vm, facts.provision ?? {}))
          // From here on the secrets are in the guest's seed only.
          if (facts.provision !== undefined)
            await deps.db
              .transaction()
              .execute((tx) => editVmFacts(tx, resourceKey, (now) => ({ ...now, provision: undefined })))
        },
      },
      startStep(deps, start),
      plugStep(deps, runner),
      ...applicationSteps(deps, runner, start),
    ],
    async settle(tx, operation, outcome) {
      if (outcome.state === 'Succeeded') return
      const vm = await findResource(tx, operation.resourceKey)
      // One whose applications failed runs on, as on Azure: how else would anybody see why.
      if (vm && getVmFacts(vm).hasRun && runner.state(getVmFacts(vm).vmId) === 'running') return
      await setPower(tx, operation.resourceKey, 'stopped')
      // It may run already where the creation was cancelled; nobody waits for this.
      stop(operation.resourceKey, 'forced').catch((error: unknown) =>
        deps.logger.error({ err: error }, 'a cancelled virtual machine could not be stopped'),
      )
    },
  }
  // What could not be started is not tried again at the next start of the server: its caller was told.
  const noteFailure = async (tx: Tx, operation: Operation, outcome: Outcome): Promise<void> => {
    if (outcome.state !== 'Succeeded') await setPower(tx, operation.resourceKey, 'stopped')
  }
  const startWorkflow: Workflow = {
    name: 'start-virtual-machine',
    steps: [{ name: 'start', run: start }],
    settle: noteFailure,
  }
  const stopWorkflow: Workflow<StopInput> = {
    name: 'stop-virtual-machine',
    steps: [{ name: 'stop', run: ({ resourceKey, input }) => stop(resourceKey, input.how) }],
  }
  const restart: Workflow = {
    name: 'restart-virtual-machine',
    steps: [
      { name: 'stop', run: ({ resourceKey }) => stop(resourceKey, 'graceful') },
      { name: 'start', run: start },
    ],
    settle: noteFailure,
  }
  return [
    create,
    updateWorkflow(deps, runner, start),
    startWorkflow,
    stopWorkflow,
    restart,
    eraseWorkflow(deps, runner),
  ]
}

function eraseWorkflow(deps: ComputeDependencies, runner: MachineRunner): Workflow {
  return {
    name: 'delete-virtual-machine',
    steps: [
      { name: 'disks', run: (step) => letDisksGo(step, deps, runner) },
      {
        name: 'erase',
        async run({ resourceKey }) {
          const vm = await findResource(deps.db, resourceKey)
          if (!vm) return
          const { vmId } = getVmFacts(vm)
          await runner.erase(vmId)
          await deleteReports(deps.db, vmId)
        },
      },
    ],
    async settle(_tx, _operation, outcome) {
      if (outcome.state === 'Succeeded') deps.requestSweep()
    },
  }
}

/** Data disks go and come, also while the machine runs. */
function updateWorkflow(deps: ComputeDependencies, runner: MachineRunner, start: Start): Workflow {
  return {
    name: 'update-virtual-machine',
    steps: [
      ...leavingSteps(deps, runner),
      {
        name: 'disks',
        async run(step) {
          const { resourceKey } = step
          await encryptBases(step, deps)
          const vm = await findResource(deps.db, resourceKey)
          if (vm) await runner.prepareDisks(getVmFacts(vm))
        },
      },
      plugStep(deps, runner),
      ...applicationSteps(deps, runner, start),
    ],
  }
}

/** The guest lets go of disks before what it wrote to them is taken over. */
function leavingSteps(deps: ComputeDependencies, runner: MachineRunner): Step<JsonObject>[] {
  return [
    {
      name: 'unplug',
      async run({ resourceKey }) {
        const vm = await findResource(deps.db, resourceKey)
        if (vm) await runner.unplugOthers(getVmFacts(vm))
      },
    },
    { name: 'detach', run: (step) => takeLeaving(step, deps, runner) },
  ]
}

type Start = (step: { readonly resourceKey: string }) => Promise<void>

/** Of a creation; answers whether it runs. */
function startStep(deps: ComputeDependencies, start: Start): Step<JsonObject> {
  return {
    name: 'start',
    async run({ resourceKey }) {
      const vm = await findResource(deps.db, resourceKey)
      if (!vm || getVmFacts(vm).power !== 'running') return false
      await start({ resourceKey })
      await deps.db.transaction().execute((tx) => editVmFacts(tx, resourceKey, (now) => ({ ...now, hasRun: true })))
      return true
    },
  }
}

function plugStep(deps: ComputeDependencies, runner: MachineRunner): Step<JsonObject> {
  return {
    name: 'plug',
    async run({ resourceKey }) {
      const vm = await findResource(deps.db, resourceKey)
      if (vm) await runner.plugMissing(getVmFacts(vm))
    },
  }
}

function sizeOf(vm: Resource, deps: ComputeDependencies): VmSize {
  return planVmSize(vmProperties(vm).hardwareProfile?.vmSize, deps.limits)
}

/** Starts, one after the other, every machine that should run; failures are logged and keep to their machine. */
export async function startWantedMachines(deps: ComputeDependencies, runner: MachineRunner): Promise<void> {
  for (const vm of await listResourcesOfType(deps.db, virtualMachineType)) {
    // Being created or deleted: the operation that does it goes on by itself.
    if (vm.provisioningState === 'Creating' || vm.provisioningState === 'Deleting') continue
    const facts = findVmFacts(vm.envelope)
    if (facts?.power !== 'running') continue
    const isWanted = async (): Promise<boolean> => {
      const now = await findResource(deps.db, vm.key)
      return now !== undefined && now.provisioningState !== 'Deleting' && getVmFacts(now).power === 'running'
    }
    try {
      await runner.start(facts, sizeOf(vm, deps), isWanted)
    } catch (error) {
      deps.logger.error({ err: error, vm: vm.id }, 'a virtual machine that was running could not be started again')
    }
  }
}

/** A guest that powered itself off, or a machine that died, stays off until somebody starts it. */
export function followExits(deps: ComputeDependencies, runner: MachineRunner): void {
  runner.onExit(({ vmKey, why, said }) => {
    if (why === 'asked') return
    if (why === 'crashed') deps.logger.error({ vm: vmKey, said }, 'a virtual machine ended unexpectedly')
    noteStopped(vmKey, deps).catch((error: unknown) =>
      deps.logger.error({ err: error, vm: vmKey }, 'the end of a virtual machine could not be noted'),
    )
  })
}

async function noteStopped(vmId: string, deps: ComputeDependencies): Promise<void> {
  const all = await listResourcesOfType(deps.db, virtualMachineType)
  const vm = all.find((one) => findVmFacts(one.envelope)?.vmId === vmId)
  if (vm) await deps.db.transaction().execute((tx) => setPower(tx, vm.key, 'stopped'))
}
