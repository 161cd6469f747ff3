import { formatUtcTime } from '../base/clock.ts'
import { STATUS_CODES } from 'node:http'
import type { JsonObject } from '../base/json.ts'
import type { ActivityEvent, EventCaller } from './event.ts'
import { activityProblems } from './problems.ts'

/** Members that Azure Monitor's client documents for `$select`. */
const selectable = [
  'authorization',
  'caller',
  'category',
  'claims',
  'correlationId',
  'description',
  'eventDataId',
  'eventName',
  'eventTimestamp',
  'httpRequest',
  'id',
  'level',
  'operationId',
  'operationName',
  'properties',
  'resourceGroupName',
  'resourceId',
  'resourceProviderName',
  'resourceType',
  'status',
  'subStatus',
  'submissionTimestamp',
  'subscriptionId',
  'tenantId',
] as const

/** The event categories that this server writes. */
export const eventCategories: readonly JsonObject[] = [
  { value: 'Administrative', localizedValue: 'Administrative' },
  { value: 'SignInLogs', localizedValue: 'Sign-in logs' },
]

/** `$select`: a list of members, az puts spaces around its commas. Undefined: all of them. Throws BadRequest. */
export function parseSelect(select: string | undefined): readonly string[] | undefined {
  if (select === undefined || select.trim() === '') return undefined
  return select.split(',').map((text) => {
    const wanted = text.trim().toLowerCase()
    const member = selectable.find((one) => one.toLowerCase() === wanted)
    if (member === undefined) throw activityProblems.SelectWrong({ member: text.trim(), known: selectable })
    return member
  })
}

/** An event as Microsoft.Insights 2015-04-01 shows it (EventData). */
export function showEvent(event: ActivityEvent, select: readonly string[] | undefined): JsonObject {
  const shown = wholeEvent(event)
  if (select === undefined) return shown
  return Object.fromEntries(Object.entries(shown).filter(([name]) => select.includes(name)))
}

function wholeEvent(event: ActivityEvent): JsonObject {
  const { caller, resourceId } = event
  const when = formatUtcTime(event.timestampMs)
  return {
    authorization: { action: event.operationName, scope: resourceId },
    ...(caller === undefined ? {} : { caller: caller.name, claims: claimsOf(caller) }),
    category: localized(event.category),
    correlationId: event.correlationId,
    description: '',
    eventDataId: event.id,
    eventName: localized(event.eventName, event.eventName === 'BeginRequest' ? 'Begin request' : 'End request'),
    eventTimestamp: when,
    httpRequest: {
      ...(event.clientRequestId === undefined ? {} : { clientRequestId: event.clientRequestId }),
      ...(event.clientIpAddress === undefined ? {} : { clientIpAddress: event.clientIpAddress }),
      ...(event.method === undefined ? {} : { method: event.method }),
    },
    id: `${resourceId}/events/${event.id}/ticks/${ticksOf(event.timestampMs)}`,
    level: event.status === 'Failed' ? 'Error' : 'Informational',
    operationId: event.operationId,
    operationName: localized(event.operationName),
    properties: propertiesOf(event),
    ...(event.resourceGroup === undefined ? {} : { resourceGroupName: event.resourceGroup }),
    resourceId,
    resourceProviderName: localized(event.resourceProvider),
    resourceType: localized(event.resourceType),
    status: localized(event.status),
    subStatus: subStatusOf(event.httpStatus),
    submissionTimestamp: when,
    ...(event.subscriptionId === undefined ? {} : { subscriptionId: event.subscriptionId }),
    tenantId: event.tenantId,
  }
}

function localized(value: string, localizedValue: string = value): JsonObject {
  return { value, localizedValue }
}

/** `Created (HTTP Status Code: 201)`; empty where nothing was answered yet. */
function subStatusOf(httpStatus: number | undefined): JsonObject {
  if (httpStatus === undefined) return localized('')
  const value = reasonOf(httpStatus)
  return localized(value, `${value} (HTTP Status Code: ${httpStatus})`)
}

/** The reason phrase as .NET's enumeration writes it: `NotFound`. */
function reasonOf(httpStatus: number): string {
  return (STATUS_CODES[httpStatus] ?? String(httpStatus)).replaceAll(/[^A-Za-z]/g, '')
}

function claimsOf({ name, objectId, tenantId, appId }: EventCaller): JsonObject {
  return {
    ...(appId === undefined ? {} : { appid: appId }),
    name,
    'http://schemas.microsoft.com/identity/claims/objectidentifier': objectId,
    'http://schemas.microsoft.com/identity/claims/tenantid': tenantId,
  }
}

function propertiesOf(event: ActivityEvent): JsonObject {
  const { error, httpStatus } = event
  return {
    ...(httpStatus === undefined ? {} : { statusCode: reasonOf(httpStatus) }),
    serviceRequestId: event.operationId,
    ...(error === undefined ? {} : { statusMessage: JSON.stringify({ error }) }),
    eventCategory: event.category,
    entity: event.resourceId,
    message: event.operationName,
    ...event.properties,
  }
}

/** .NET's count of 100 ns since the year 1. */
function ticksOf(ms: number): string {
  return String(BigInt(ms) * 10_000n + 621_355_968_000_000_000n)
}
