import { isJsonObject, type Json, type JsonObject } from '../base/json.ts'
import { findResource } from '../resources/resource.rows.ts'
import { NotYet } from '../work/failure.ts'
import type { Step } from '../work/workflow.ts'
import { listReports } from './application-report.rows.ts'
import { judgeApplications } from './application-reports.ts'
import type { ComputeDependencies } from './dependencies.ts'
import type { MachineRunner } from './machine-runner.ts'
import { computeProblems } from './problems.ts'
import { getVmFacts } from './vm-facts.ts'

const lookAgainMs = 1_000

/**
 * The steps by which an operation waits for applications that are to fail it. When the wait began is kept, so that a server
 * that is started anew goes on waiting, and not from the beginning. `start` runs a machine that should run and does not:
 * the one that is being created is nobody else's to start again.
 */
export function applicationSteps(
  deps: Pick<ComputeDependencies, 'db' | 'clock' | 'limits'>,
  runner: Pick<MachineRunner, 'state'>,
  start: (step: { readonly resourceKey: string }) => Promise<void>,
): Step<JsonObject>[] {
  return [
    { name: 'deliver', run: async () => ({ sinceMs: deps.clock.now() }) },
    {
      name: 'applications',
      async run({ resourceKey, outputs }) {
        const vm = await findResource(deps.db, resourceKey)
        if (!vm) return
        const facts = getVmFacts(vm)
        if (!facts.applications?.some(({ failsDeployment }) => failsDeployment)) return
        if (facts.power === 'running') await start({ resourceKey })
        const waiting = {
          vmName: vm.name,
          nowMs: deps.clock.now(),
          sinceMs: sinceOf(outputs['deliver']),
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

function sinceOf(output: Json | undefined): number {
  const since = isJsonObject(output) ? output['sinceMs'] : undefined
  return typeof since === 'number' ? since : 0
}
