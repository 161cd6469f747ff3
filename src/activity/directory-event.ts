import { randomUuid } from '../base/random.ts'
import type { ActivityEvent, EventCaller } from './event.ts'
import { withoutSecrets } from './without-secrets.ts'

/** A change of the directory that was asked for, as the directory's routes tell it; bodies are not part of it. */
export interface DirectoryChange {
  readonly caller: EventCaller
  readonly method: string
  /** Below Graph's version or `/goldleaf/v1`, without query: `/users/ID`. */
  readonly path: string
  readonly requestId: string
  readonly correlationId: string
  readonly clientIpAddress: string
  readonly httpStatus: number
  readonly refusal?: { readonly code: string; readonly message: string } | undefined
}

const provider = 'Microsoft.aadiam'
const verbs: Readonly<Record<string, string>> = { PATCH: 'write', PUT: 'write', DELETE: 'delete' }

/** `POST /users` -> `users/write`, `DELETE /users/ID` -> `users/delete`, `POST /users/ID/x` -> `users/x/action`. */
function operationOf(method: string, segments: readonly string[]): string {
  const [collection = '', , ...more] = segments.filter((segment) => segment !== '$ref')
  if (method !== 'POST') return `${[collection, ...more.slice(0, 1)].join('/')}/${verbs[method] ?? 'action'}`
  return more.length === 0 ? `${collection}/write` : `${collection}/${more.join('/')}/action`
}

/** A change of the directory or its refusal, at the level of the tenant. Hand it to `ActivityLog.record`. */
export function directoryEvent(change: DirectoryChange, nowMs: number): ActivityEvent {
  const { method, path, httpStatus, refusal } = change
  const { name, objectId, tenantId, appId } = change.caller
  const segments = path.split('/').filter((segment) => segment !== '')
  const collection = segments[0] ?? ''
  return {
    id: randomUuid(),
    timestampMs: nowMs,
    category: 'Administrative',
    eventName: 'EndRequest',
    status: httpStatus < 400 ? 'Succeeded' : 'Failed',
    httpStatus,
    tenantId,
    subscriptionId: undefined,
    resourceGroup: undefined,
    operationName: `${provider}/tenants/${operationOf(method, segments)}`,
    resourceId: `/tenants/${tenantId}/providers/${provider}/${segments.join('/')}`,
    resourceType: `${provider}/tenants/${collection}`,
    resourceProvider: provider,
    caller: { name, objectId, tenantId, appId },
    correlationId: change.correlationId,
    operationId: change.requestId,
    clientIpAddress: change.clientIpAddress,
    method,
    ...(refusal === undefined
      ? {}
      : { error: { code: refusal.code, message: withoutSecrets(refusal.message).slice(0, 2_000) } }),
  }
}
