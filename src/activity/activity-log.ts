import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { ProblemRecord } from '../base/problem.ts'
import type { Db, DbOrTx, Tx } from '../db/tables.ts'
import { operationEvent, type ActivityEvent } from './event.ts'
import type { EventQuery } from './event-filter.ts'
import { deleteEventsBefore, findFirstEvent, insertEvents, pageEvents, type EventPosition } from './event.rows.ts'
import { subjectOf } from './request-subject.ts'

/** What the log needs to know of an operation that ended (`work` has the whole of it). */
export interface EndedOperation {
  readonly id: string
  readonly resourceKey: string
  readonly intent: string
  readonly subscriptionId: string
  readonly createdBy: string
}

export interface ActivityLog extends AsyncDisposable {
  readonly retentionDays: number
  /** Takes an event in; it is in the database within a second. Never waits, never throws. */
  record(event: ActivityEvent): void
  /** The end of an asynchronous operation, written in the transaction that ends it. */
  recordEnd(
    tx: Tx,
    operation: EndedOperation,
    outcome: { readonly state: 'Succeeded' | 'Failed' | 'Canceled'; readonly error?: ProblemRecord | undefined },
  ): Promise<void>
  /** One page, newest first, with everything that was recorded before the call. */
  page(
    scope: { readonly subscriptionId: string | undefined; readonly tenantId: string },
    query: EventQuery,
    page: { readonly after?: EventPosition | undefined; readonly limit: number },
  ): Promise<ActivityEvent[]>
  /** Forgets what is older than the retention. */
  sweep(signal?: AbortSignal): Promise<void>
  /** Resolves when everything recorded so far is in the database. */
  flush(): Promise<void>
}

export interface ActivityLogOptions {
  readonly db: Db
  readonly clock: Clock
  readonly logger: Logger
  /** Default 90 days, as Azure keeps them. */
  readonly retentionDays?: number | undefined
  /** How long an event may wait for company. Default 250 ms. */
  readonly gatherMs?: number | undefined
}

/** Where the database does not take them, the oldest are let go of and counted: memory is not a log. */
const mostWaiting = 50_000
/** What strangers without a token may write in a minute: a flood of refusals must not fill the disk. */
const strangersPerMinute = 600
const dayMs = 24 * 3_600_000
const sweepBatch = 500

/**
 * The log of who did what. Events gather in memory and are written together, off the path of the request: a request does
 * not wait for a disk twice. A killed process loses what it gathered last, at most a second of it; the ends of
 * asynchronous operations are never lost, they are written with the end itself. Disposing writes what is left.
 */
export function createActivityLog(options: ActivityLogOptions): ActivityLog {
  const { db, clock, logger, retentionDays = 90, gatherMs = 250 } = options
  const stopping = new AbortController()
  const admit = limitStrangers(clock, logger)
  let waiting: ActivityEvent[] = []
  let writing: readonly ActivityEvent[] = []
  let turn: Promise<void> = Promise.resolve()
  let gathering = false

  const write = async (): Promise<void> => {
    if (waiting.length === 0) return
    writing = waiting
    waiting = []
    try {
      await db.transaction().execute((tx) => insertEvents(tx, writing))
    } catch (error) {
      waiting = [...writing, ...waiting]
      const lost = Math.max(waiting.length - mostWaiting, 0)
      waiting.splice(0, lost)
      logger.error({ err: error, waiting: waiting.length, lost }, 'activity events could not be written')
      gatherSoon()
    } finally {
      writing = []
    }
  }
  const flush = (): Promise<void> => (turn = turn.then(write))
  function gatherSoon(): void {
    if (gathering || stopping.signal.aborted) return
    gathering = true
    const later = clock.sleep(gatherMs, stopping.signal).catch(() => {})
    void later.then(() => {
      gathering = false
      return flush()
    })
  }
  const findBegun = async (tx: DbOrTx, operationId: string): Promise<ActivityEvent | undefined> => {
    const isOfIt = (event: ActivityEvent): boolean => event.operationId === operationId
    return writing.find(isOfIt) ?? waiting.find(isOfIt) ?? (await findFirstEvent(tx, operationId))
  }

  return {
    retentionDays,
    record(event) {
      if (event.caller === undefined && !admit()) return
      waiting.push(event)
      gatherSoon()
    },
    async recordEnd(tx, operation, outcome) {
      const begun = (await findBegun(tx, operation.id)) ?? unknownBeginning(operation)
      await insertEvents(tx, [operationEvent(begun, outcome, clock.now())])
    },
    async page(scope, query, page) {
      await flush()
      return pageEvents(db, scope, query, page)
    },
    async sweep(signal) {
      for (;;) {
        const deleted = await deleteEventsBefore(db, clock.now() - retentionDays * dayMs, sweepBatch)
        if (deleted < sweepBatch || signal?.aborted) return
      }
    },
    flush,
    async [Symbol.asyncDispose]() {
      stopping.abort()
      await flush()
    },
  }
}

/** Of an operation whose request is not in the log: the server was killed in that second, or itself began the work. */
function unknownBeginning(operation: EndedOperation): ActivityEvent {
  const { id, resourceKey, intent, subscriptionId, createdBy } = operation
  const method = intent === 'delete' ? 'DELETE' : intent === 'action' ? 'POST' : 'PUT'
  return {
    ...subjectOf(method === 'POST' ? 'PUT' : method, resourceKey),
    id,
    timestampMs: 0,
    category: 'Administrative',
    eventName: 'BeginRequest',
    status: 'Started',
    tenantId: '',
    subscriptionId: subscriptionId.toLowerCase(),
    caller: { name: createdBy, objectId: createdBy, tenantId: '' },
    correlationId: id,
    operationId: id,
  }
}

function limitStrangers(clock: Clock, logger: Logger): () => boolean {
  let minute = 0
  let seen = 0
  return () => {
    const now = Math.floor(clock.now() / 60_000)
    if (now !== minute) {
      if (seen > strangersPerMinute)
        logger.warn({ left: seen - strangersPerMinute }, 'refused requests without a caller were left out of the log')
      minute = now
      seen = 0
    }
    seen += 1
    return seen <= strangersPerMinute
  }
}
