import type { Selectable } from 'kysely'
import type { Json, JsonObject } from '../base/json.ts'
import type { ProblemRecord } from '../base/problem.ts'
import type { DbOrTx, OperationTable } from '../db/tables.ts'
import type { Intent, Operation, OperationState } from './workflow.ts'

/** The right to write to an operation: whoever claims it raises `fence`, and every write of a run names its own. */
export interface Hold {
  readonly id: string
  readonly fence: number
}

export interface ClaimedOperation {
  readonly hold: Hold
  readonly operation: Operation
  readonly cancelRequested: boolean
}

function parseOperation(row: Selectable<OperationTable>): Operation {
  return {
    id: row.id,
    workflow: row.workflow,
    resourceKey: row.resource_key,
    intent: row.intent as Intent,
    subscriptionId: row.subscription_id,
    location: row.location,
    createdBy: row.created_by,
    state: row.state as OperationState,
    step: row.step,
    attempt: row.attempt,
    input: JSON.parse(row.input) as JsonObject,
    outputs: JSON.parse(row.outputs) as JsonObject,
    progress: JSON.parse(row.progress) as JsonObject,
    error: row.error === null ? undefined : (JSON.parse(row.error) as ProblemRecord),
    result: row.result === null ? undefined : (JSON.parse(row.result) as Json),
    createdMs: row.created_ms,
    endedMs: row.ended_ms ?? undefined,
  }
}

/** A new operation, due at once, or one that is over already. Throws on a second one with the same id. */
export async function insertOperation(db: DbOrTx, operation: Operation): Promise<void> {
  await db
    .insertInto('operation')
    .values({
      id: operation.id,
      workflow: operation.workflow,
      resource_key: operation.resourceKey,
      intent: operation.intent,
      subscription_id: operation.subscriptionId,
      location: operation.location,
      created_by: operation.createdBy,
      state: operation.state,
      step: 0,
      attempt: 0,
      input: JSON.stringify(operation.input),
      outputs: '{}',
      progress: '{}',
      error: null,
      result: null,
      lease_owner: null,
      lease_until_ms: 0,
      fence: 0,
      due_ms: operation.createdMs,
      cancel_requested: 0,
      created_ms: operation.createdMs,
      ended_ms: operation.endedMs ?? null,
    })
    .execute()
}

export async function findOperation(db: DbOrTx, id: string): Promise<Operation | undefined> {
  const row = await db.selectFrom('operation').selectAll().where('id', '=', id).executeTakeFirst()
  return row && parseOperation(row)
}

/** The newest operation that is at work on a resource. Give it the `tx` that would start another one. */
export async function findRunningOperation(db: DbOrTx, resourceKey: string): Promise<Operation | undefined> {
  const row = await db
    .selectFrom('operation')
    .selectAll()
    .where('resource_key', '=', resourceKey)
    .where('state', '=', 'InProgress')
    .orderBy('created_ms', 'desc')
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst()
  return row && parseOperation(row)
}

export interface ClaimRequest {
  readonly owner: string
  readonly nowMs: number
  readonly leaseMs: number
  readonly limit: number
  /** Workflows that this program knows. */
  readonly workflows: readonly string[]
  /** Ids whose earlier run has not left this process yet. */
  readonly except: readonly string[]
}

/**
 * Takes due operations that nobody holds, the longest due first. One statement; its outer conditions repeat the inner
 * ones because PostgreSQL checks only those again after it has waited for a row that another claim has just taken.
 */
export async function claimOperations(db: DbOrTx, request: ClaimRequest): Promise<ClaimedOperation[]> {
  const { owner, nowMs, leaseMs, limit, workflows, except } = request
  if (limit <= 0 || workflows.length === 0) return []
  const rows = await db
    .updateTable('operation')
    .set((eb) => ({ lease_owner: owner, lease_until_ms: nowMs + leaseMs, fence: eb('fence', '+', 1) }))
    .where('id', 'in', (eb) =>
      eb
        .selectFrom('operation')
        .select('id')
        .where('state', '=', 'InProgress')
        .where('due_ms', '<=', nowMs)
        .where('lease_until_ms', '<=', nowMs)
        .where('workflow', 'in', workflows)
        .$if(except.length > 0, (query) => query.where('id', 'not in', except))
        .orderBy('due_ms')
        .orderBy('id')
        .limit(limit),
    )
    .where('state', '=', 'InProgress')
    .where('lease_until_ms', '<=', nowMs)
    .returningAll()
    .execute()
  return rows
    .map((row) => ({
      hold: { id: row.id, fence: row.fence },
      operation: parseOperation(row),
      cancelRequested: row.cancel_requested !== 0,
    }))
    .sort((a, b) => a.operation.createdMs - b.operation.createdMs)
}

/** Extends the leases that are still ours; answers them, and which of them are to be canceled. */
export async function renewLeases(
  db: DbOrTx,
  holds: readonly Hold[],
  untilMs: number,
): Promise<{ readonly id: string; readonly cancelRequested: boolean }[]> {
  if (holds.length === 0) return []
  const rows = await db
    .updateTable('operation')
    .set({ lease_until_ms: untilMs })
    .where('state', '=', 'InProgress')
    .where((eb) => eb.or(holds.map(({ id, fence }) => eb.and([eb('id', '=', id), eb('fence', '=', fence)]))))
    .returning(['id', 'cancel_requested'])
    .execute()
  return rows.map((row) => ({ id: row.id, cancelRequested: row.cancel_requested !== 0 }))
}

/** Which of `ids`, however many, have not ended. */
export async function findStillRunning(db: DbOrTx, ids: readonly string[]): Promise<Set<string>> {
  const found = new Set<string>()
  // Fixed length: a list of another length is another statement to prepare, and databases limit parameters.
  const size = 100
  for (let at = 0; at < ids.length; at += size) {
    const some = Array.from({ length: size }, (_, i) => ids[at + i] ?? '')
    const rows = await db
      .selectFrom('operation')
      .select('id')
      .where('id', 'in', some)
      .where('state', '=', 'InProgress')
      .execute()
    for (const row of rows) found.add(row.id)
  }
  return found
}

/** Which of `ids` somebody asked to cancel. */
export async function findCancelRequests(db: DbOrTx, ids: readonly string[]): Promise<string[]> {
  if (ids.length === 0) return []
  const rows = await db
    .selectFrom('operation')
    .select('id')
    .where('id', 'in', ids)
    .where('cancel_requested', '=', 1)
    .execute()
  return rows.map((row) => row.id)
}

type OperationUpdate = Partial<Selectable<OperationTable>>

/** Answers false, and has written nothing, if the hold is no longer the newest one. */
async function updateHeld(db: DbOrTx, { id, fence }: Hold, values: OperationUpdate): Promise<boolean> {
  const result = await db
    .updateTable('operation')
    .set(values)
    .where('id', '=', id)
    .where('fence', '=', fence)
    .where('state', '=', 'InProgress')
    .executeTakeFirst()
  return result.numUpdatedRows > 0n
}

export function storeProgress(db: DbOrTx, hold: Hold, progress: JsonObject): Promise<boolean> {
  return updateHeld(db, hold, { progress: JSON.stringify(progress) })
}

/** A step is done: its output is kept, the next one begins with its first attempt. */
export function storeOutputs(
  db: DbOrTx,
  hold: Hold,
  done: { readonly outputs: JsonObject; readonly step: number; readonly progress: JsonObject },
): Promise<boolean> {
  return updateHeld(db, hold, {
    outputs: JSON.stringify(done.outputs),
    step: done.step,
    attempt: 0,
    progress: JSON.stringify(done.progress),
  })
}

/** Gives the operation back, to be claimed by anybody from `dueMs` on. */
export function releaseOperation(
  db: DbOrTx,
  hold: Hold,
  next: { readonly dueMs: number; readonly attempt: number; readonly progress: JsonObject },
): Promise<boolean> {
  return updateHeld(db, hold, {
    lease_owner: null,
    lease_until_ms: 0,
    due_ms: next.dueMs,
    attempt: next.attempt,
    progress: JSON.stringify(next.progress),
  })
}

/** Writes the final state of `operation`. */
export function endOperation(db: DbOrTx, hold: Hold, operation: Operation): Promise<boolean> {
  return updateHeld(db, hold, {
    state: operation.state,
    progress: JSON.stringify(operation.progress),
    error: operation.error === undefined ? null : JSON.stringify(operation.error),
    result: operation.result === undefined ? null : JSON.stringify(operation.result),
    ended_ms: operation.endedMs ?? null,
    lease_owner: null,
    lease_until_ms: 0,
  })
}

/** Marks it, and makes it due, so that one that waits for its next attempt ends now. Nothing happens to an ended one. */
export async function requestCancel(db: DbOrTx, id: string, nowMs: number): Promise<void> {
  await db
    .updateTable('operation')
    .set({ cancel_requested: 1, due_ms: nowMs })
    .where('id', '=', id)
    .where('state', '=', 'InProgress')
    .execute()
}

/** For an owner that knows that its earlier self is dead: gives its leases back. Answers how many. */
export async function dropLeases(db: DbOrTx, owner: string): Promise<number> {
  const result = await db
    .updateTable('operation')
    .set({ lease_owner: null, lease_until_ms: 0 })
    .where('state', '=', 'InProgress')
    .where('lease_owner', '=', owner)
    .executeTakeFirst()
  return Number(result.numUpdatedRows)
}

/** Names of workflows that unfinished operations need and this program lacks. */
export async function findUnknownWorkflows(db: DbOrTx, known: readonly string[]): Promise<string[]> {
  const rows = await db
    .selectFrom('operation')
    .select('workflow')
    .distinct()
    .where('state', '=', 'InProgress')
    .$if(known.length > 0, (query) => query.where('workflow', 'not in', known))
    .execute()
  return rows.map((row) => row.workflow)
}

/** Forgets at most `limit` operations that ended at or before `endedMs`; answers how many. */
export async function pruneOperations(db: DbOrTx, endedMs: number, limit: number): Promise<number> {
  const result = await db
    .deleteFrom('operation')
    .where('id', 'in', (eb) =>
      eb.selectFrom('operation').select('id').where('ended_ms', '<=', endedMs).orderBy('ended_ms').limit(limit),
    )
    .executeTakeFirst()
  return Number(result.numDeletedRows)
}
