import type { JsonObject } from '../base/json.ts'
import type { Problem } from '../base/problem.ts'
import { computeProblems } from './problems.ts'
import type { VmApplication } from './vm-applications.ts'

/**
 * What the guest's installer says of an application: what it does with it, and how that ended. `skipped`: not done, because
 * one of a lower order failed (Azure's rule of orders).
 */
export interface ApplicationReport {
  readonly name: string
  readonly version: string
  readonly action: 'install' | 'update' | 'remove'
  readonly outcome: 'begun' | 'done' | 'failed' | 'skipped'
  readonly exitCode: number | undefined
  /** The end of what the command wrote, mostly on stderr. */
  readonly output: string
}

const longestOutput = 2_000

/** Reads a report as install.sh sends it: `?name=…&version=…&action=…&exit=…` and text. Undefined: it is none. */
export function parseReport(query: URLSearchParams, text: string): ApplicationReport | undefined {
  const [name = '', version = '', action, exit = ''] = ['name', 'version', 'action', 'exit'].map(
    (part) => query.get(part) ?? undefined,
  )
  if (!/^[\w.-]{1,120}$/.test(name) || !/^\d+\.\d+\.\d+$/.test(version)) return undefined
  if (action !== 'install' && action !== 'update' && action !== 'remove') return undefined
  const output = Buffer.from(text, 'latin1').toString('utf8').replaceAll('\0', '').trim().slice(-longestOutput)
  const common = { name, version, action, output } as const
  if (exit === 'begun' || exit === 'skipped') return { ...common, outcome: exit, exitCode: undefined }
  if (!/^\d{1,3}$/.test(exit)) return undefined
  return { ...common, outcome: exit === '0' ? 'done' : 'failed', exitCode: Number(exit) }
}

interface Standing {
  readonly application: VmApplication
  /** What the guest said of this version; undefined: nothing yet. */
  readonly report: ApplicationReport | undefined
}

function standings(applications: readonly VmApplication[], reports: readonly ApplicationReport[]): readonly Standing[] {
  return applications.map((application) => ({
    application,
    report: reports.find(({ name, version }) => name === application.name && version === application.version),
  }))
}

const isPending = ({ report }: Standing): boolean => report === undefined || report.outcome === 'begun'
const isBroken = ({ report }: Standing): boolean => report?.outcome === 'failed' || report?.outcome === 'skipped'

/** In the words of Azure's extension, e.g. `Install SUCCESS`. */
function resultOf({ application, report }: Standing): string {
  if (!report) return 'Pending: the guest has not reported yet'
  const word = `${report.action.slice(0, 1).toUpperCase()}${report.action.slice(1)}`
  switch (report.outcome) {
    case 'begun':
      return `${word} in progress`
    case 'done':
      return `${word} SUCCESS`
    case 'skipped':
      return `${word} Skipped, lower order operation failed`
    case 'failed': {
      const output = report.output === '' ? '' : `\n${report.output}`
      const command = application[report.action] ?? report.action
      return `${word} FAILED Error executing command '${command}': command terminated with exit status=${report.exitCode}${output}`
    }
  }
}

/**
 * The machine's `VMAppExtension` of the instance view, as Azure has it: failures of applications are told in its message,
 * and make it fail only where they are to fail the deployment.
 */
export function describeApplications(
  applications: readonly VmApplication[],
  reports: readonly ApplicationReport[],
  osType: string,
): JsonObject[] {
  if (applications.length === 0) return []
  const all = standings(applications, reports)
  const state = all.map((one) => ({
    applicationName: one.application.name,
    version: one.application.version,
    result: resultOf(one),
  }))
  const [word, status] = all.some((one) => one.application.failsDeployment && isBroken(one))
    ? ['failed', { code: 'ProvisioningState/failed', level: 'Error', displayStatus: 'Provisioning failed' }]
    : all.some(isPending)
      ? ['in progress', { code: 'ProvisioningState/transitioning', level: 'Info', displayStatus: 'Transitioning' }]
      : ['succeeded', { code: 'ProvisioningState/succeeded', level: 'Info', displayStatus: 'Provisioning succeeded' }]
  const message = `Enable ${word}: ${JSON.stringify({ CurrentState: state, ActionsPerformed: [] }, undefined, 1)}`
  const type = `Microsoft.CPlat.Core.${managerOf(osType)}`
  return [{ name: 'VMAppExtension', type, statuses: [{ ...status, message }] }]
}

const managerOf = (osType: string): string => `VMApplicationManager${osType === 'Windows' ? 'Windows' : 'Linux'}`

export interface Waiting {
  readonly vmName: string
  readonly nowMs: number
  readonly sinceMs: number
  readonly timeoutMs: number
}

/** A guest that says nothing at all is given up before one that works. */
const longestSilenceMs = 20 * 60_000

/**
 * Where a deployment stands that depends on its applications (`treatFailureAsDeploymentFailure`): `wait`, `done`, or why it
 * has failed. It ends when all of them have, so that its error names every one that failed.
 */
export function judgeApplications(
  applications: readonly VmApplication[],
  reports: readonly ApplicationReport[],
  { vmName, nowMs, sinceMs, timeoutMs }: Waiting,
): 'wait' | 'done' | Problem {
  const decisive = standings(
    applications.filter(({ failsDeployment }) => failsDeployment),
    reports,
  )
  const pending = decisive.filter(isPending)
  const waitedMs = nowMs - sinceMs
  const isSilent = pending.length > 0 && reports.length === 0
  const isOver = waitedMs >= (isSilent ? Math.min(timeoutMs, longestSilenceMs) : timeoutMs)
  if (pending.length > 0 && !isOver) return 'wait'
  const broken = decisive.filter(isBroken)
  if (broken.length > 0) {
    const failures = broken.map((one) => `${one.application.name} ${one.application.version}: ${resultOf(one)}`)
    return computeProblems.ApplicationFailed({ failures: failures.join('; ') })
  }
  if (pending.length === 0) return 'done'
  const seconds = Math.round(waitedMs / 1000)
  if (isSilent) return computeProblems.GuestSilent({ vmName, seconds })
  const names = pending.map(({ application }) => `${application.name} ${application.version}`).join(', ')
  return computeProblems.ApplicationsTooSlow({ names, seconds })
}
