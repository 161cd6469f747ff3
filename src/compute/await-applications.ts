import { isJsonObject, type Json, type JsonObject } from '../base/json.ts'
import { findResource } from '../resources/resource.rows.ts'
import { NotYet } from '../work/failure.ts'
import type { Step } from '../work/workflow.ts'
import { listReports } from './application-report.rows.ts'
import { judgeApplications } from './application-reports.ts'
import type { ComputeDependencies } from './dependencies.ts'
import type { MachineRunner } from './machine-runner.ts'
import { computeProblems } from './problems.ts'
import { getVmFacts, type VmFacts } from './vm-facts.ts'

const lookAgainMs = 1_000

/**
 * The steps by which an operation delivers applications to a machine that runs, and waits for applications that are to fail it. When it
 * began is kept, so that a server
 * that is started anew goes on waiting, and not from the beginning. `start` runs a machine that should run and does not:
 * the one that is being created is nobody else's to start again.
 */
export function applicationSteps(
  deps: Pick<ComputeDependencies, 'db' | 'clock' | 'limits' | 'logger'>,
  runner: Pick<MachineRunner, 'state' | 'deliver'>,
  start: (step: { readonly resourceKey: string }) => Promise<void>,
): Step<JsonObject>[] {
  return [
    {
      name: 'deliver',
      async run({ resourceKey, outputs }) {
        const vm = await findResource(deps.db, resourceKey)
        const facts = vm && getVmFacts(vm)
        // A machine that stands still gets it when it starts; one that this operation has started is expected to run.
        if (!facts || (facts.power !== 'running' && outputs['start'] !== true)) return undefined
        await deliver(facts, deps, runner)
        return { sinceMs: deps.clock.now() }
      },
    },
    {
      name: 'applications',
      async run({ resourceKey, outputs }) {
        const vm = await findResource(deps.db, resourceKey)
        if (!vm) return
        const facts = getVmFacts(vm)
        const sinceMs = sinceOf(outputs['deliver'])
        if (sinceMs === undefined || !facts.applications?.some(({ failsDeployment }) => failsDeployment)) return
        if (facts.power === 'running') await start({ resourceKey })
        const waiting = {
          vmName: vm.name,
          nowMs: deps.clock.now(),
          sinceMs,
          timeoutMs: deps.limits.applicationTimeoutMs,
        }
        const verdict = judgeApplications(facts.applications, await listReports(deps.db, facts.vmId), waiting)
        if (verdict === 'done') return
        if (verdict !== 'wait') throw verdict
        if (runner.state(facts.vmId) === 'stopped') throw computeProblems.VmEndedWhileInstalling({ vmName: vm.name })
        throw new NotYet(lookAgainMs)
      },
    },
  ]
}

/** A guest that keeps its old drive gets the new one at its next start, unless the operation hangs on it. */
export async function deliver(
  facts: VmFacts,
  { logger }: Pick<ComputeDependencies, 'logger'>,
  runner: Pick<MachineRunner, 'deliver'>,
): Promise<void> {
  try {
    await runner.deliver(facts)
  } catch (error) {
    if (facts.applications?.some(({ failsDeployment }) => failsDeployment)) throw error
    logger.warn({ err: error, vm: facts.vmId }, 'a running machine gets its applications at its next start')
  }
}

function sinceOf(output: Json | undefined): number | undefined {
  const since = isJsonObject(output) ? output['sinceMs'] : undefined
  return typeof since === 'number' ? since : undefined
}
