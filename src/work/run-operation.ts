import type { Clock } from '../base/clock.ts'
import type { Json, JsonObject } from '../base/json.ts'
import type { Logger } from '../base/logger.ts'
import { asProblem, Problem } from '../base/problem.ts'
import { randomFraction } from '../base/random.ts'
import type { Db, Tx } from '../db/tables.ts'
import { classifyFailure, findProblem, Interrupt, NotYet } from './failure.ts'
import { type ClaimedOperation, endOperation, releaseOperation, storeOutputs, storeProgress } from './operation.rows.ts'
import { workProblems } from './problems.ts'
import { createProgressWriter } from './progress.ts'
import type { Operation, Outcome, Step, Workflow } from './workflow.ts'

export interface RetryPolicy {
  /** Wait after the first failed attempt; doubles with each, up to `maxMs`, less up to half of it at random. */
  readonly baseMs: number
  readonly maxMs: number
  /** Attempts of one step, the first included, before a transient failure is final. */
  readonly transientAttempts: number
  /** The same for an unexpected error. */
  readonly unexpectedAttempts: number
}

export type OnSettled = (tx: Tx, operation: Operation, outcome: Outcome) => Promise<void>

export interface RunParts {
  readonly db: Db
  readonly clock: Clock
  readonly logger: Logger
  readonly workflow: Workflow
  readonly retry: RetryPolicy
  readonly onSettled: OnSettled | undefined
  /** Aborted with an Interrupt by the runner. */
  readonly controller: AbortController
}

/** `lost`: somebody else holds it now, or nothing could be written; `retry` and `released`: given back. */
export type RunEnd =
  | { readonly kind: 'ended' | 'lost' | 'released' }
  | { readonly kind: 'retry'; readonly delayMs: number }

/** At most two writes of progress a second (the portal and CLI look once a second). */
const progressIntervalMs = 500

function findInterrupt(signal: AbortSignal): Interrupt | undefined {
  return signal.reason instanceof Interrupt ? signal.reason : undefined
}

function backoffMs({ baseMs, maxMs }: RetryPolicy, failedAttempts: number): number {
  return Math.ceil(Math.min(maxMs, baseMs * 2 ** (failedAttempts - 1)) * (1 - randomFraction() / 2))
}

/**
 * Runs what is left of a claimed operation: each step whose output is not stored yet, then the settling. Every write
 * names the claim's fence; the first one that is refused ends the run without a trace. Throws only if the database
 * refuses its writes again and again: then the lease runs out and another run goes on.
 */
export async function runOperation(claimed: ClaimedOperation, parts: RunParts): Promise<RunEnd> {
  const { db, clock, workflow, controller } = parts
  const { hold, operation } = claimed
  const { signal } = controller
  const logger = parts.logger
  const facts = { operationId: operation.id, workflow: workflow.name, resourceKey: operation.resourceKey }
  const loseLease = (): void => controller.abort(new Interrupt('leaseLost'))
  const progress = createProgressWriter({
    clock,
    intervalMs: progressIntervalMs,
    initial: operation.progress,
    async write(latest) {
      try {
        if (!(await storeProgress(db, hold, latest))) loseLease()
      } catch (error) {
        logger.warn({ ...facts, err: error }, 'progress not stored')
      }
    },
  })
  const run: Run = { ...parts, claimed, facts, outputs: operation.outputs, attempt: operation.attempt, progress }
  for (const step of workflow.steps) {
    if (Object.hasOwn(run.outputs, step.name)) continue
    if (signal.aborted) return stopRun(run, findInterrupt(signal))
    const result = await tryStep(run, step)
    if ('error' in result) return failStep(run, step, result.error)
    run.outputs = { ...run.outputs, [step.name]: result.output }
    const done = { outputs: run.outputs, step: Object.keys(run.outputs).length, progress: progress.latest }
    if (!(await insist(run, () => storeOutputs(db, hold, done)))) return { kind: 'lost' }
    run.attempt = 0
  }
  // Asked to stop after the last step was done: it was quicker. Settling is short, so a shutdown waits for it.
  const last = workflow.steps.at(-1)
  return settle(run, { state: 'Succeeded', result: last && (run.outputs[last.name] ?? undefined) })
}

interface Run extends RunParts {
  readonly claimed: ClaimedOperation
  readonly facts: object
  readonly progress: ReturnType<typeof createProgressWriter>
  outputs: JsonObject
  /** Failed attempts of the current step. */
  attempt: number
}

async function tryStep(run: Run, step: Step<JsonObject>): Promise<{ output: Json } | { error: unknown }> {
  const { operation } = run.claimed
  let isOver = false
  try {
    const output = await step.run({
      operationId: operation.id,
      resourceKey: operation.resourceKey,
      input: operation.input,
      outputs: run.outputs,
      attempt: run.attempt + 1,
      signal: run.controller.signal,
      report: (latest) => {
        if (!isOver) run.progress.report(latest)
      },
    })
    // As it will be after a crash: what JSON drops must not be there for the next step either.
    return { output: JSON.parse(JSON.stringify(output ?? null)) as Json }
  } catch (error) {
    return { error }
  } finally {
    isOver = true
    await run.progress.quiet()
  }
}

/** Between steps, or when a step threw because its signal was aborted. */
async function stopRun(run: Run, interrupt: Interrupt | undefined): Promise<RunEnd> {
  const { db, claimed, clock, attempt, progress } = run
  switch (interrupt?.kind) {
    case 'canceled': {
      const error = workProblems.OperationCanceled({ id: claimed.operation.id }).toRecord()
      return settle(run, { state: 'Canceled', error })
    }
    case 'shutdown': {
      const next = { dueMs: clock.now(), attempt, progress: progress.latest }
      const isReleased = await insist(run, () => releaseOperation(db, claimed.hold, next))
      return { kind: isReleased ? 'released' : 'lost' }
    }
    default:
      return { kind: 'lost' }
  }
}

async function failStep(run: Run, step: Step<JsonObject>, error: unknown): Promise<RunEnd> {
  const { claimed, controller, logger, retry } = run
  if (controller.signal.aborted) return stopRun(run, findInterrupt(controller.signal))
  if (error instanceof NotYet) return giveBack(run, error.delayMs, run.attempt)
  const id = claimed.operation.id
  const failed = run.attempt + 1
  const kind = classifyFailure(error)
  const facts = { ...run.facts, step: step.name, attempt: failed, failure: kind, err: error }
  const limit = kind === 'transient' ? retry.transientAttempts : kind === 'unexpected' ? retry.unexpectedAttempts : 1
  if (failed < limit) {
    const delayMs = backoffMs(retry, failed)
    logger.warn({ ...facts, delayMs }, 'step failed, will be tried again')
    return giveBack(run, delayMs, failed)
  }
  if (kind === 'permanent') logger.info(facts, 'step refused')
  else logger.error(facts, 'step failed')
  return settle(run, { state: 'Failed', error: finalProblem(kind, error, { id, step: step.name, failed }).toRecord() })
}

async function giveBack(run: Run, delayMs: number, attempt: number): Promise<RunEnd> {
  const { db, claimed, clock, progress } = run
  const next = { dueMs: clock.now() + delayMs, attempt, progress: progress.latest }
  const isReleased = await insist(run, () => releaseOperation(db, claimed.hold, next))
  return isReleased ? { kind: 'retry', delayMs } : { kind: 'lost' }
}

function finalProblem(
  kind: ReturnType<typeof classifyFailure>,
  error: unknown,
  { id, step, failed }: { id: string; step: string; failed: number },
): Problem {
  switch (kind) {
    case 'permanent':
      return asProblem(error)
    case 'storageFull':
      return workProblems.StorageFull({ id, step }, { cause: error })
    case 'transient':
      return findProblem(error) ?? workProblems.ServiceUnavailable({ id, step, attempts: failed }, { cause: error })
    case 'unexpected':
      return asProblem(error)
  }
}

/**
 * The end, in one transaction: the operation's row, the workflow's own rows, the resource. If settling a success fails
 * for good, the operation has failed; if settling a failure fails too, the operation still ends, without the workflow's
 * part, and the log says so: an operation that never ends helps nobody.
 */
async function settle(run: Run, outcome: Outcome): Promise<RunEnd> {
  const { clock, logger, retry, facts } = run
  let current = outcome
  let withWorkflow = true
  for (let failed = 1; ; failed++) {
    try {
      return { kind: (await writeEnd(run, current, withWorkflow)) ? 'ended' : 'lost' }
    } catch (error) {
      const kind = classifyFailure(error)
      const waits = kind === 'transient' || kind === 'storageFull'
      if (waits && failed >= retry.transientAttempts) throw error
      const isRefused = kind === 'permanent' && current.state === 'Succeeded'
      logger.warn({ ...facts, state: current.state, attempt: failed, err: error }, 'operation not settled')
      if (waits || (!isRefused && failed < retry.unexpectedAttempts)) {
        await clock.sleep(backoffMs(retry, failed))
        continue
      }
      failed = 0
      if (current.state === 'Succeeded') current = { state: 'Failed', error: asProblem(error).toRecord() }
      else if (withWorkflow) withWorkflow = false
      else throw error
      logger.error({ ...facts, state: current.state, withWorkflow, err: error }, 'operation settled another way')
    }
  }
}

function writeEnd(run: Run, outcome: Outcome, withWorkflow: boolean): Promise<boolean> {
  const { claimed, clock, outputs, progress, workflow, onSettled } = run
  const ended: Operation = {
    ...claimed.operation,
    state: outcome.state,
    step: Object.keys(outputs).length,
    attempt: run.attempt,
    outputs,
    progress: progress.latest,
    error: outcome.state === 'Succeeded' ? undefined : outcome.error,
    result: outcome.state === 'Succeeded' ? outcome.result : undefined,
    endedMs: clock.now(),
  }
  return run.db.transaction().execute(async (tx) => {
    if (!(await endOperation(tx, claimed.hold, ended))) return false
    if (withWorkflow) await workflow.settle?.(tx, ended, outcome)
    await onSettled?.(tx, ended, outcome)
    return true
  })
}

/** The engine's own writes: whatever the error, the step's work must not be thrown away for it. */
async function insist(run: Run, write: () => Promise<boolean>): Promise<boolean> {
  const { clock, controller, logger, retry, facts } = run
  for (let failed = 1; ; failed++) {
    try {
      return await write()
    } catch (error) {
      if (failed >= retry.transientAttempts || findInterrupt(controller.signal)?.kind === 'leaseLost') throw error
      logger.warn({ ...facts, attempt: failed, err: error }, 'operation row not written, will be tried again')
    }
    await clock.sleep(backoffMs(retry, failed))
  }
}
