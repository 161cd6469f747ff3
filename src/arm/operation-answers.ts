import { formatArmTime } from '../base/clock.ts'
import { toErrorBody } from '../http/problem-response.ts'
import type { Operation } from '../work/workflow.ts'
import type { Call } from './call.ts'
import { splitType, type Engine } from './engine.ts'

/** What each part of ComputeRP calls its operations; the handler behind all of them is the same. */
const operationSegments: Readonly<Record<string, string>> = {
  diskencryptionsets: 'DiskOperations',
  disks: 'DiskOperations',
  snapshots: 'DiskOperations',
  virtualmachines: 'operations',
}
export const allOperationSegments = ['capsOperations', 'DiskOperations', 'operations']

interface Addressed {
  readonly type: string
  readonly subscriptionId: string
  readonly location: string
  readonly operationId: string
}

function operationUrl(call: Pick<Call, 'baseUrl' | 'apiVersion'>, at: Addressed, monitor: boolean): string {
  const [namespace, path] = splitType(at.type)
  const segment = operationSegments[path.split('/', 1)[0]?.toLowerCase() ?? ''] ?? 'capsOperations'
  const address =
    `${call.baseUrl}/subscriptions/${at.subscriptionId}/providers/${namespace}/locations/${at.location}` +
    `/${segment}/${at.operationId}`
  return `${address}?${monitor ? 'monitor=true&' : ''}api-version=${call.apiVersion}`
}

/** Headers of an answer whose work goes on: a PUT has no Location (contract.md section 3), unless it answers 202. */
export function operationHeaders(
  engine: Engine,
  call: Pick<Call, 'baseUrl' | 'apiVersion'>,
  at: Addressed,
  withLocation: boolean,
): Readonly<Record<string, string>> {
  return {
    'azure-asyncoperation': operationUrl(call, at, false),
    'azure-asyncnotification': 'Enabled',
    ...(withLocation ? { location: operationUrl(call, at, true) } : {}),
    'retry-after': String(engine.retryAfterSeconds),
  }
}

/**
 * The status document; member order startTime, endTime, status, name as Azure writes it, what it may lack behind. `percentComplete` is ARM's
 * own; `properties` carries the result of an action as `output` and otherwise our progress figures.
 */
export function operationDocument(operation: Operation): object {
  const { progress, result } = operation
  const percent = progress['percentComplete']
  const figures = Object.fromEntries(Object.entries(progress).filter(([name]) => name !== 'percentComplete'))
  const properties = {
    ...figures,
    ...(operation.intent === 'action' && result !== undefined && result !== null ? { output: result } : {}),
  }
  return {
    startTime: formatArmTime(operation.createdMs),
    ...(operation.endedMs === undefined ? {} : { endTime: formatArmTime(operation.endedMs) }),
    status: operation.state,
    name: operation.id,
    ...(typeof percent === 'number' ? { percentComplete: percent } : {}),
    ...(Object.keys(properties).length === 0 ? {} : { properties }),
    ...(operation.error === undefined ? {} : { error: toErrorBody(operation.error) }),
  }
}
