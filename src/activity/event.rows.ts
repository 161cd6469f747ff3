import type { Selectable } from 'kysely'
import type { ActivityEventTable, DbOrTx } from '../db/tables.ts'
import type { ActivityEvent } from './event.ts'
import type { EventQuery } from './event-filter.ts'

/** Databases bound the parameters of one statement. */
const rowsAtOnce = 100

export async function insertEvents(db: DbOrTx, events: readonly ActivityEvent[]): Promise<void> {
  for (let at = 0; at < events.length; at += rowsAtOnce)
    await db
      .insertInto('activity_event')
      .values(events.slice(at, at + rowsAtOnce).map(formatEvent))
      .execute()
}

/** Where a page ended: the next one begins behind it. */
export interface EventPosition {
  readonly timestampMs: number
  readonly id: string
}

/** Newest first. `subscriptionId` undefined: the level of the tenant. */
export async function pageEvents(
  db: DbOrTx,
  scope: { readonly subscriptionId: string | undefined; readonly tenantId: string },
  query: EventQuery,
  page: { readonly after?: EventPosition | undefined; readonly limit: number },
): Promise<ActivityEvent[]> {
  let rows = db
    .selectFrom('activity_event')
    .selectAll()
    .where('subscription_id', '=', scope.subscriptionId ?? '')
    .where('timestamp_ms', '>=', query.fromMs)
    .where('timestamp_ms', '<=', query.toMs)
  if (scope.subscriptionId === undefined) rows = rows.where('tenant_id', '=', scope.tenantId)
  if (query.resourceGroup !== undefined) rows = rows.where('resource_group', '=', query.resourceGroup)
  if (query.resourceKey !== undefined) rows = rows.where('resource_key', '=', query.resourceKey)
  if (query.provider !== undefined) rows = rows.where('provider', '=', query.provider)
  if (query.correlationId !== undefined) rows = rows.where('correlation_id', '=', query.correlationId)
  if (query.caller !== undefined) rows = rows.where('caller', '=', query.caller)
  if (query.status !== undefined) rows = rows.where('status', '=', query.status)
  const { after } = page
  if (after !== undefined)
    rows = rows
      .where('timestamp_ms', '<=', after.timestampMs)
      .where((or) => or.or([or('timestamp_ms', '<', after.timestampMs), or('id', '<', after.id)]))
  const found = await rows.orderBy('timestamp_ms', 'desc').orderBy('id', 'desc').limit(page.limit).execute()
  return found.map(parseEvent)
}

/** The first event of an operation: whose it is, and what it correlates with. */
export async function findFirstEvent(db: DbOrTx, operationId: string): Promise<ActivityEvent | undefined> {
  const row = await db
    .selectFrom('activity_event')
    .selectAll()
    .where('operation_id', '=', operationId)
    .orderBy('timestamp_ms')
    .limit(1)
    .executeTakeFirst()
  return row && parseEvent(row)
}

/** Forgets a batch of what is older; answers how many: fewer than `limit` means that none is left. */
export async function deleteEventsBefore(db: DbOrTx, timestampMs: number, limit: number): Promise<number> {
  const done = await db
    .deleteFrom('activity_event')
    .where('id', 'in', (old) =>
      old.selectFrom('activity_event').select('id').where('timestamp_ms', '<', timestampMs).limit(limit),
    )
    .executeTakeFirst()
  return Number(done.numDeletedRows)
}

function formatEvent(event: ActivityEvent): ActivityEventTable {
  const { id, timestampMs, tenantId, subscriptionId, correlationId, operationId, status, ...facts } = event
  return {
    id,
    timestamp_ms: timestampMs,
    tenant_id: tenantId,
    subscription_id: subscriptionId ?? '',
    resource_group: event.resourceGroup?.toLowerCase() ?? '',
    resource_key: event.resourceId.toLowerCase(),
    provider: event.resourceProvider.toLowerCase(),
    caller: event.caller?.name.toLowerCase() ?? '',
    correlation_id: correlationId.toLowerCase(),
    operation_id: operationId,
    status,
    facts: JSON.stringify({ ...facts, correlationId }),
  }
}

function parseEvent(row: Selectable<ActivityEventTable>): ActivityEvent {
  const facts = JSON.parse(row.facts) as Omit<
    ActivityEvent,
    'id' | 'timestampMs' | 'tenantId' | 'subscriptionId' | 'operationId' | 'status'
  >
  return {
    ...facts,
    id: row.id,
    timestampMs: row.timestamp_ms,
    tenantId: row.tenant_id,
    subscriptionId: row.subscription_id === '' ? undefined : row.subscription_id,
    operationId: row.operation_id,
    status: row.status as ActivityEvent['status'],
  }
}
