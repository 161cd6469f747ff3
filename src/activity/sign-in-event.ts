import { randomUuid } from '../base/random.ts'
import type { ActivityEvent } from './event.ts'
import { withoutSecrets } from './without-secrets.ts'

/** A sign-in, as the issuer tells it. */
export interface SignIn {
  readonly tenantId: string
  /** A user's name or a client id as it was given; undefined where none was. */
  readonly name: string | undefined
  /** Undefined where nobody was recognised. */
  readonly objectId?: string | undefined
  readonly appId?: string | undefined
  /** `client_credentials`, `device_code`, `refresh_token`, `managed_identity` … */
  readonly grant: string
  readonly clientIpAddress?: string | undefined
  readonly correlationId?: string | undefined
  /** Why it was refused: code and text; undefined where it succeeded. */
  readonly refusal?: { readonly code: string; readonly message: string } | undefined
}

const longestName = 256

/** A sign-in or its refusal, at the level of the tenant. Hand it to `ActivityLog.record`. */
export function signInEvent(signIn: SignIn, nowMs: number): ActivityEvent {
  const { tenantId, objectId, appId, grant, refusal, clientIpAddress } = signIn
  const id = randomUuid()
  const name = signIn.name?.slice(0, longestName)
  return {
    id,
    timestampMs: nowMs,
    category: 'SignInLogs',
    eventName: 'EndRequest',
    status: refusal === undefined ? 'Succeeded' : 'Failed',
    tenantId,
    subscriptionId: undefined,
    resourceGroup: undefined,
    operationName: 'Microsoft.aadiam/tenants/signIns/action',
    resourceId: `/tenants/${tenantId}/providers/Microsoft.aadiam`,
    resourceType: 'Microsoft.aadiam/tenants',
    resourceProvider: 'Microsoft.aadiam',
    caller: objectId === undefined ? undefined : { name: name ?? objectId, objectId, tenantId, appId },
    correlationId: signIn.correlationId ?? id,
    operationId: id,
    clientIpAddress,
    method: 'POST',
    properties: { grant, ...(name === undefined ? {} : { name }) },
    ...(refusal === undefined
      ? {}
      : { error: { code: refusal.code, message: withoutSecrets(refusal.message).slice(0, 2_000) } }),
  }
}
