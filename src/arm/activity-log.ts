import type { EventQuery } from '../activity/event-filter.ts'
import { parseEventFilter } from '../activity/event-filter.ts'
import type { ActivityEvent } from '../activity/event.ts'
import { eventCategories, parseSelect, showEvent } from '../activity/show-event.ts'
import { activityApiVersions } from '../contract/services.ts'
import { getSubscription, type Answer, type Call } from './call.ts'
import { checkVersion } from './check-version.ts'
import type { Engine } from './engine.ts'
import { nextLink, readSkipToken } from './paging.ts'
import { armProblems } from './problems.ts'
import { subscriptionPath, type Routes } from './routes.ts'

const permission = 'Microsoft.Insights/eventtypes/values/read'
const pageSize = 200

/** Microsoft.Insights, as far as the activity log goes. */
export function addActivityRoutes(engine: Engine, route: Routes): void {
  const values = '/providers/Microsoft.Insights/eventtypes/management/values'
  for (const base of ['', subscriptionPath]) route('GET', `${base}${values}`, (call) => readActivityLog(engine, call))
  route('GET', '/providers/Microsoft.Insights/eventcategories', (call) => readEventCategories(engine, call))
}

/**
 * GET …/providers/Microsoft.Insights/eventtypes/management/values: the activity log of a subscription, or of the
 * caller's tenant (sign-ins, what was done above subscriptions), newest first. The right is asked where the filter looks:
 * who may read a resource group may read what was done in it.
 */
async function readActivityLog(engine: Engine, call: Call): Promise<Answer> {
  checkVersion(engine, call, 'eventtypes/values', activityApiVersions)
  const { activity } = engine
  if (!activity) throw armProblems.NotFound({ path: call.path })
  const subscription = call.params['subscriptionId'] === undefined ? undefined : await getSubscription(engine, call)
  const subscriptionId = subscription?.subscriptionId
  const { nowMs } = call
  const query = parseEventFilter(call.query['$filter'], { nowMs, retentionDays: activity.retentionDays })
  const select = parseSelect(call.query['$select'])
  await engine.authorize(call.caller, permission, scopeOf(subscriptionId, query))
  const listKey = `/activity/${subscriptionId ?? call.caller.tenantId}`
  const after = readPosition(readSkipToken(call, listKey))
  const scope = { subscriptionId, tenantId: call.caller.tenantId }
  const events = await activity.page(scope, query, { after, limit: pageSize + 1 })
  const page = events.slice(0, pageSize)
  const last = events.length > page.length ? page.at(-1) : undefined
  const value = page.map((event) => showEvent(event, select))
  const next = last === undefined ? {} : { nextLink: nextLink(call, positionKey(listKey, last)) }
  return { status: 200, body: { value, ...next } }
}

/** GET /providers/Microsoft.Insights/eventcategories */
async function readEventCategories(engine: Engine, call: Call): Promise<Answer> {
  checkVersion(engine, call, 'eventtypes/values', activityApiVersions)
  return { status: 200, body: { value: eventCategories } }
}

function scopeOf(subscriptionId: string | undefined, query: EventQuery): string {
  if (subscriptionId === undefined) return '/'
  const base = `/subscriptions/${subscriptionId}`
  if (query.resourceKey?.startsWith(`${base}/`)) return query.resourceKey
  return query.resourceGroup === undefined ? base : `${base}/resourceGroups/${query.resourceGroup}`
}

function positionKey(listKey: string, { timestampMs, id }: ActivityEvent): string {
  return `${listKey}/${timestampMs}/${id}`
}

function readPosition(key: string | undefined): { readonly timestampMs: number; readonly id: string } | undefined {
  const [id = '', timestamp = ''] = key?.split('/').toReversed() ?? []
  const timestampMs = Number(timestamp)
  if (key === undefined) return undefined
  if (!Number.isSafeInteger(timestampMs)) throw armProblems.InvalidSkipToken({})
  return { timestampMs, id }
}
