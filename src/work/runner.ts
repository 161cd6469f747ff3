import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { Db } from '../db/tables.ts'
import { createBell } from './bell.ts'
import { Interrupt } from './failure.ts'
import {
  claimOperations,
  type ClaimedOperation,
  dropLeases,
  findCancelRequests,
  findUnknownWorkflows,
  type Hold,
  renewLeases,
} from './operation.rows.ts'
import { type OnSettled, type RetryPolicy, runOperation } from './run-operation.ts'
import type { Workflow } from './workflow.ts'

export interface RunnerParts {
  readonly db: Db
  readonly clock: Clock
  readonly logger: Logger
  readonly workflows: ReadonlyMap<string, Workflow>
  readonly owner: string
  readonly leaseMs: number
  readonly pollMs: number
  readonly concurrency: number
  readonly reclaimOnStart: boolean
  readonly retry: RetryPolicy
  readonly onSettled: OnSettled | undefined
  /** After the commit that ended it. */
  readonly onEnded: (id: string) => void
}

export interface Runner {
  /** Looks for due work and cancellations now instead of at the next poll. */
  wake(): void
  start(): Promise<void>
  stop(graceMs: number): Promise<void>
}

interface ActiveRun {
  readonly hold: Hold
  readonly controller: AbortController
  leaseUntilMs: number
}

/** Claims, runs and keeps leases alive: two loops over one map of active runs. */
export function createRunner(parts: RunnerParts): Runner {
  const { db, clock, logger, workflows, owner, leaseMs, pollMs, concurrency } = parts
  const active = new Map<string, ActiveRun>()
  const ends = new Set<Promise<void>>()
  const bell = createBell(clock)
  const claiming = new AbortController()
  const beating = new AbortController()
  let loops: Promise<void>[] | undefined

  const execute = async (claimed: ClaimedOperation, run: ActiveRun, workflow: Workflow): Promise<void> => {
    const { id } = claimed.hold
    const facts = { operationId: id, workflow: workflow.name }
    try {
      const end = await runOperation(claimed, { ...parts, workflow, controller: run.controller })
      logger.debug({ ...facts, end: end.kind }, 'operation run over')
      if (end.kind === 'ended') parts.onEnded(id)
      if (end.kind === 'lost') logger.warn(facts, 'operation lost to another run')
      if (end.kind === 'retry') void clock.sleep(end.delayMs + 1, claiming.signal).then(bell.ring, () => {})
    } catch (error) {
      logger.error({ ...facts, err: error }, 'operation run broken off; it goes on when its lease has run out')
    } finally {
      active.delete(id)
      bell.ring()
    }
  }

  const begin = (claimed: ClaimedOperation, leaseUntilMs: number): void => {
    const workflow = workflows.get(claimed.operation.workflow)
    if (!workflow) return // cannot be: only known ones are claimed
    const run: ActiveRun = { hold: claimed.hold, controller: new AbortController(), leaseUntilMs }
    if (claimed.cancelRequested) run.controller.abort(new Interrupt('canceled'))
    else if (claiming.signal.aborted) run.controller.abort(new Interrupt('shutdown'))
    active.set(claimed.hold.id, run)
    const end = execute(claimed, run, workflow).finally(() => ends.delete(end))
    ends.add(end)
  }

  const claim = async (): Promise<void> => {
    const nowMs = clock.now()
    const request = { owner, nowMs, leaseMs, limit: concurrency - active.size, workflows: [...workflows.keys()] }
    const claimed = await claimOperations(db, { ...request, except: [...active.keys()] })
    for (const one of claimed) begin(one, nowMs + leaseMs)
  }

  const claimLoop = async (): Promise<void> => {
    while (!claiming.signal.aborted) {
      try {
        await cancelRequested(db, active)
        await claim()
      } catch (error) {
        logger.error({ err: error }, 'no operation could be claimed')
        await clock.sleep(pollMs, claiming.signal).catch(() => {})
      }
      if (!claiming.signal.aborted) await bell.wait(pollMs)
    }
  }

  const beatLoop = async (): Promise<void> => {
    while (!beating.signal.aborted) {
      await clock.sleep(leaseMs / 3, beating.signal).catch(() => {})
      if (!beating.signal.aborted) await beat(parts, active)
    }
  }

  return {
    wake: bell.ring,
    async start() {
      if (loops) return
      await takeStock(parts)
      loops = [claimLoop(), beatLoop()]
    },
    async stop(graceMs) {
      claiming.abort(new Interrupt('shutdown'))
      for (const run of active.values()) run.controller.abort(new Interrupt('shutdown'))
      bell.ring()
      const [claims, beats] = loops ?? []
      await claims
      await waitAtMost(clock, graceMs, ends)
      if (active.size > 0) logger.warn({ operationIds: [...active.keys()] }, 'steps did not stop in time')
      beating.abort()
      await beats
    },
  }
}

/** What an earlier process left behind. */
async function takeStock({ db, logger, owner, workflows, reclaimOnStart }: RunnerParts): Promise<void> {
  if (reclaimOnStart) {
    const dropped = await dropLeases(db, owner)
    if (dropped > 0) logger.info({ operations: dropped }, 'operations of the last run taken up again')
  }
  const unknown = await findUnknownWorkflows(db, [...workflows.keys()])
  if (unknown.length > 0) logger.warn({ workflows: unknown }, 'operations wait for workflows unknown here')
}

async function waitAtMost(clock: Clock, ms: number, ends: Iterable<Promise<void>>): Promise<void> {
  const timer = new AbortController()
  await Promise.race([Promise.all(ends), clock.sleep(ms, timer.signal).catch(() => {})])
  timer.abort()
}

async function cancelRequested(db: Db, active: ReadonlyMap<string, ActiveRun>): Promise<void> {
  for (const id of await findCancelRequests(db, [...active.keys()]))
    active.get(id)?.controller.abort(new Interrupt('canceled'))
}

/** Extends every lease. A run whose lease is gone, or could not be extended in time, must touch nothing any more. */
async function beat(
  { db, clock, logger, leaseMs }: RunnerParts,
  active: ReadonlyMap<string, ActiveRun>,
): Promise<void> {
  const runs = [...active.values()]
  const untilMs = clock.now() + leaseMs
  try {
    const renewed = await renewLeases(
      db,
      runs.map((run) => run.hold),
      untilMs,
    )
    const byId = new Map(renewed.map((row) => [row.id, row]))
    for (const run of runs) {
      const row = byId.get(run.hold.id)
      if (row) run.leaseUntilMs = untilMs
      // A run that ended while the statement ran is not in the map any more.
      else if (active.get(run.hold.id) === run) run.controller.abort(new Interrupt('leaseLost'))
      if (row?.cancelRequested) run.controller.abort(new Interrupt('canceled'))
    }
  } catch (error) {
    logger.warn({ err: error }, 'leases not extended')
    for (const run of runs) if (run.leaseUntilMs <= clock.now()) run.controller.abort(new Interrupt('leaseLost'))
  }
}
