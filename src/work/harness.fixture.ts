// What the tests of this room share: engines on a database file of their own.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../base/clock.ts'
import type { JsonObject } from '../base/json.ts'
import type { Logger } from '../base/logger.ts'
import { openDatabase } from '../db/open.ts'
import type { Db } from '../db/tables.ts'
import { createWork, type WorkEngine, type WorkOptions } from './engine.ts'
import type { Operation, StartOperation, Workflow } from './workflow.ts'

export interface LogLine {
  readonly level: string
  readonly fields: object
  readonly message: string
}

export interface Harness extends AsyncDisposable {
  readonly path: string
  readonly db: Db
  readonly lines: LogLine[]
  /** An engine on a handle of its own, as another process would have; stopped and closed with the harness. */
  engine(options: Partial<WorkOptions> & { readonly workflows: readonly Workflow[] }): Promise<WorkEngine>
}

export async function createHarness(): Promise<Harness> {
  const folder = await mkdtemp(join(tmpdir(), 'goldleaf-work-'))
  const path = join(folder, 'goldleaf.sqlite')
  const lines: LogLine[] = []
  const keep = (level: string) => (fields: object, message: string) => void lines.push({ level, fields, message })
  const logger: Logger = { debug() {}, info: keep('info'), warn: keep('warn'), error: keep('error') }
  const first = await openDatabase({ path })
  const closers: (() => Promise<void>)[] = []
  return {
    path,
    db: first.db,
    lines,
    async engine(options) {
      const opened = await openDatabase({ path })
      const defaults = { db: opened.db, clock: systemClock, logger, owner: `engine-${closers.length}`, pollMs: 20 }
      const retry = { baseMs: 2, maxMs: 10, transientAttempts: 5, unexpectedAttempts: 3, ...options.retry }
      const work = createWork({ ...defaults, ...options, retry })
      closers.push(async () => {
        await work.stop(300)
        await opened.close()
      })
      return work
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(closers.map((close) => close()))
      await first.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Starts an operation in a transaction of its own and wakes the engine. */
export async function start(
  work: WorkEngine,
  db: Db,
  workflow: string,
  input: JsonObject = {},
  facts: Partial<StartOperation> = {},
): Promise<Operation> {
  const request = { workflow, resourceKey: '/r', intent: 'create', subscriptionId: 's', location: 'l' } as const
  const operation = await db
    .transaction()
    .execute((tx) => work.start(tx, { ...request, createdBy: 'me', input, ...facts }))
  work.wake()
  return operation
}

/** A promise with its handles: tests use it to hold a step and to learn that it has come there. */
export function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { opened: promise, open: resolve }
}

/** Rejects with the signal's reason as soon as it is aborted: a step that waits politely. */
export function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason as Error)
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
  })
}

export async function eventually(check: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = systemClock.now() + 10_000
  while (!(await check())) {
    if (systemClock.now() > deadline) throw new Error(`not within 10 s: ${what}`)
    await systemClock.sleep(5)
  }
}
