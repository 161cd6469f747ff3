import assert from 'node:assert/strict'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import { randomUuid } from '../base/random.ts'
import type { Db } from '../db/tables.ts'
import { Interrupt } from './failure.ts'
import {
  findOperation,
  findRunningOperation,
  insertOperation,
  pruneOperations,
  requestCancel,
} from './operation.rows.ts'
import type { OnSettled, RetryPolicy } from './run-operation.ts'
import { createRunner } from './runner.ts'
import { createSchedules } from './schedules.ts'
import { createWaiters } from './waiters.ts'
import type { Operation, StartOperation, Work, Workflow } from './workflow.ts'

export interface WorkOptions {
  readonly db: Db
  readonly clock: Clock
  readonly logger: Logger
  readonly workflows: readonly Workflow[]
  /** Who holds the leases: one name per running process; on an embedded server the same after each restart. */
  readonly owner: string
  /** How long a silent process keeps its operations. Default 30 s. */
  readonly leaseMs?: number | undefined
  /** How often due work of other processes is looked for. Default 1 s. */
  readonly pollMs?: number | undefined
  /** Operations at once. Default 8. */
  readonly concurrency?: number | undefined
  /**
   * Take up at once what an earlier process of this owner held. Only where two processes can never share the owner's
   * name at a time (one embedded server per data folder); even then the fence keeps a survivor from writing.
   */
  readonly reclaimOnStart?: boolean | undefined
  readonly retry?: Partial<RetryPolicy> | undefined
  /** In the transaction that ends an operation, after the workflow's `settle`. */
  readonly onSettled?: OnSettled | undefined
}

export interface WorkEngine extends Work, AsyncDisposable {
  /** Adds a workflow that could not be made before the engine was; before `run`. */
  register(workflow: Workflow): void
  /** Begins to run operations and schedules in the background; resolves when it has begun. */
  run(): Promise<void>
  /**
   * Aborts the signals of running steps (`reason` is an Interrupt 'shutdown'), waits for them at most `graceMs` (default
   * 20 s) and gives their operations back: no attempt is counted. For good: a stopped engine does not run again.
   */
  stop(graceMs?: number): Promise<void>
  /** See Schedules. */
  every(name: string, everyMs: number, run: (signal: AbortSignal) => Promise<void>): void
}

const defaultRetry: RetryPolicy = { baseMs: 200, maxMs: 30_000, transientAttempts: 8, unexpectedAttempts: 3 }
const keepEndedMs = 7 * 24 * 3_600_000
const pruneEveryMs = 3_600_000
const pruneBatch = 500

/** Durable work over the `operation` table: see README.md here and docs/adr/0002. */
export function createWork(options: WorkOptions): WorkEngine {
  const { db, clock, logger, owner } = options
  const workflows = new Map<string, Workflow>()
  const register = (workflow: Workflow): void => {
    assert(!workflows.has(workflow.name), `the workflow ${workflow.name} is registered twice`)
    const names = new Set(workflow.steps.map((step) => step.name))
    assert(names.size === workflow.steps.length, `two steps of the workflow ${workflow.name} have the same name`)
    workflows.set(workflow.name, workflow)
  }
  options.workflows.forEach(register)
  const pollMs = options.pollMs ?? 1000
  const waiters = createWaiters({ db, clock, pollMs })
  const runner = createRunner({
    db,
    clock,
    logger,
    workflows,
    owner,
    leaseMs: options.leaseMs ?? 30_000,
    pollMs,
    concurrency: options.concurrency ?? 8,
    reclaimOnStart: options.reclaimOnStart ?? false,
    retry: { ...defaultRetry, ...options.retry },
    onSettled: options.onSettled,
    onEnded: (id) => waiters.wake(id),
  })
  const schedules = createSchedules({ clock, logger })
  schedules.every('forget ended operations', pruneEveryMs, async (signal) => {
    while (!signal.aborted) if ((await pruneOperations(db, clock.now() - keepEndedMs, pruneBatch)) < pruneBatch) return
  })
  const stop = async (graceMs = 20_000): Promise<void> => {
    await Promise.all([runner.stop(graceMs), schedules.stop(new Interrupt('shutdown'))])
  }
  return {
    register,
    every: (name, everyMs, run) => schedules.every(name, everyMs, run),
    async run() {
      await runner.start()
      schedules.start()
    },
    stop,
    [Symbol.asyncDispose]: () => stop(),
    wake: () => runner.wake(),
    async start(tx, request) {
      assert(workflows.has(request.workflow), `the workflow ${request.workflow} is not registered`)
      const operation = newOperation(request, clock.now())
      await insertOperation(tx, operation)
      return operation
    },
    async startDone(tx, request) {
      const nowMs = clock.now()
      const operation: Operation = { ...newOperation(request, nowMs), state: 'Succeeded', endedMs: nowMs }
      await insertOperation(tx, operation)
      await options.onSettled?.(tx, operation, { state: 'Succeeded' })
      return operation
    },
    find: (id) => findOperation(db, id),
    findRunning: (resourceKey) => findRunningOperation(db, resourceKey),
    async cancel(tx, id) {
      await requestCancel(tx, id, clock.now())
      // Inside a transaction nothing is true before its commit: there the caller wakes.
      if (!tx.isTransaction) runner.wake()
    },
    wait: (id, signal) => waiters.wait(id, signal),
  }
}

function newOperation(request: StartOperation, nowMs: number): Operation {
  return {
    id: request.id ?? randomUuid(),
    workflow: request.workflow,
    resourceKey: request.resourceKey,
    intent: request.intent,
    subscriptionId: request.subscriptionId,
    location: request.location,
    createdBy: request.createdBy,
    state: 'InProgress',
    step: 0,
    attempt: 0,
    input: request.input,
    outputs: {},
    progress: {},
    error: undefined,
    result: undefined,
    createdMs: nowMs,
    endedMs: undefined,
  }
}
