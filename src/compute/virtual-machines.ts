import type { JsonObject } from '../base/json.ts'
import type { ActionCall, ActionResult, Behaviour, RequestContext } from '../resources/behaviour.ts'
import type { Resource } from '../resources/resource.ts'
import { listReports } from './application-report.rows.ts'
import { virtualMachineType, type ComputeDependencies } from './dependencies.ts'
import { instanceView } from './instance-view.ts'
import type { MachineRunner } from './machine-runner.ts'
import { computeProblems } from './problems.ts'
import { editVmFacts, getVmFacts, setPower, type Power } from './vm-facts.ts'
import { changesDisks, prepareVm } from './vm-draft.ts'
import { checkAccessProfiles } from './vm-access-profiles.ts'
import { changesApplications, withApplications } from './vm-drive.ts'
import { claimDisks } from './vm-disks.ts'

// Azure's default and bounds of sasUriExpirationTimeInMinutes.
const logMinutes = { usual: 120, most: 1440 }

/** What `virtualMachines` mean: see README.md for the states. */
export function virtualMachinesBehaviour(deps: ComputeDependencies, runner: MachineRunner): Behaviour {
  const view = async (vm: Resource, serialLogAddress?: string): Promise<JsonObject> => {
    const facts = getVmFacts(vm)
    const reports = facts.applications ? await listReports(deps.db, facts.vmId) : []
    return instanceView(vm, { facts, state: runner.state(facts.vmId), reports, serialLogAddress })
  }
  const power = (to: Power, workflow: string, input: JsonObject): ((call: ActionCall) => Promise<ActionResult>) => {
    return async ({ resource }) => ({
      kind: 'started',
      start: { workflow, input },
      inTransaction: (tx) => setPower(tx, resource.key, to),
    })
  }
  return {
    type: virtualMachineType,
    prepare: async (change, context) => withApplications(await prepareVm(change, context, deps), change, context, deps),
    check: (change, context) => checkAccessProfiles(change, context, deps),
    commit: (tx, change, context) => claimDisks(tx, change, context),
    async write({ before, after }) {
      if (before === undefined || before.provisioningState === 'Failed')
        return { workflow: 'create-virtual-machine', input: {} }
      return changesDisks(before, after) || changesApplications(before, after)
        ? { workflow: 'update-virtual-machine', input: {} }
        : undefined
    },
    remove: async () => ({ workflow: 'delete-virtual-machine', input: {} }),
    async show(vm, context) {
      const words = (context.query['$expand'] ?? '').toLowerCase().split(',')
      if (!words.some((word) => word.trim() === 'instanceview')) return vm.properties
      return { ...vm.properties, instanceView: await view(vm) }
    },
    actions: {
      async start(call) {
        if (getVmFacts(call.resource).isGeneralized) throw computeProblems.VmGeneralized({ name: call.resource.name })
        return power('running', 'start-virtual-machine', {})(call)
      },
      deallocate: power('deallocated', 'stop-virtual-machine', { how: 'graceful' }),
      powerOff: (call, context) => {
        const how = context.query['skipshutdown']?.toLowerCase() === 'true' ? 'forced' : 'graceful'
        return power('stopped', 'stop-virtual-machine', { how })(call)
      },
      async restart(call) {
        if (runner.state(getVmFacts(call.resource).vmId) === 'stopped')
          throw computeProblems.VmNotRunning({ name: call.resource.name, action: 'restart' })
        return power('running', 'restart-virtual-machine', {})(call)
      },
      async generalize({ resource }) {
        if (runner.state(getVmFacts(resource).vmId) !== 'stopped')
          throw computeProblems.VmMustBeStopped({ name: resource.name, action: 'generalize' })
        await deps.db
          .transaction()
          .execute((tx) => editVmFacts(tx, resource.key, (facts) => ({ ...facts, isGeneralized: true })))
        return { kind: 'done' }
      },
      instanceView: async ({ resource }) => ({ kind: 'done', body: await view(resource) }),
      retrieveBootDiagnosticsData: async ({ resource }, context) => ({
        kind: 'done',
        body: { serialConsoleLogBlobUri: await signLog(resource, context, deps) },
      }),
    },
  }
}

async function signLog(vm: Resource, context: RequestContext, deps: ComputeDependencies): Promise<string> {
  const asked = context.query['sasuriexpirationtimeinminutes']
  const minutes = asked === undefined ? logMinutes.usual : Number(asked)
  if (!Number.isInteger(minutes) || minutes < 1 || minutes > logMinutes.most)
    throw computeProblems.InvalidParameterValue({
      parameter: 'sasUriExpirationTimeInMinutes',
      reason: `Give whole minutes from 1 to ${logMinutes.most}.`,
    })
  const expiresMs = context.nowMs + minutes * 60_000
  return deps.signSerialLog({ vmId: getVmFacts(vm).vmId, expiresMs, baseUrl: context.baseUrl })
}
