import type { Clock } from '../base/clock.ts'
import type { Db } from '../db/tables.ts'
import { findOperation, findStillRunning } from './operation.rows.ts'
import { workProblems } from './problems.ts'
import type { Operation } from './workflow.ts'

/** Those in this process who wait for an operation's end. */
export interface Waiters {
  wait(id: string, signal: AbortSignal | undefined): Promise<Operation>
  /** This process has ended it. */
  wake(id: string): void
}

/**
 * Ends in this process are told by `wake`. Those in other processes are found by one look every `pollMs` for all waiters
 * together: a thousand that each look for themselves would leave the runner no time to end what they wait for.
 */
export function createWaiters({ db, clock, pollMs }: { db: Db; clock: Clock; pollMs: number }): Waiters {
  const byId = new Map<string, Set<AbortController>>()
  let isLooking = false

  const wake = (id: string): void => {
    for (const waiter of byId.get(id) ?? []) waiter.abort()
  }

  const look = async (): Promise<void> => {
    while (byId.size > 0) {
      await clock.sleep(pollMs)
      const ids = [...byId.keys()]
      // Where the look fails, each waiter looks for itself and reports the error to its caller.
      const running = await findStillRunning(db, ids).catch(() => new Set<string>())
      for (const id of ids) if (!running.has(id)) wake(id)
    }
    isLooking = false
  }

  const add = (id: string): AbortController => {
    const waiter = new AbortController()
    const others = byId.get(id)
    if (others) others.add(waiter)
    else byId.set(id, new Set([waiter]))
    if (!isLooking) {
      isLooking = true
      void look()
    }
    return waiter
  }

  const remove = (id: string, waiter: AbortController): void => {
    const all = byId.get(id)
    all?.delete(waiter)
    if (all?.size === 0) byId.delete(id)
  }

  return {
    wake,
    async wait(id, signal) {
      for (;;) {
        signal?.throwIfAborted()
        const told = add(id) // before the first look: an end in between is not missed
        try {
          const operation = await findOperation(db, id)
          if (!operation) throw workProblems.OperationNotFound({ id })
          if (operation.state !== 'InProgress') return operation
          await aborted(told.signal, signal)
        } finally {
          remove(id, told)
        }
      }
    },
  }
}

/** Resolves when either is aborted. */
function aborted(one: AbortSignal, other: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (one.aborted || other?.aborted) return resolve()
    const done = (): void => {
      one.removeEventListener('abort', done)
      other?.removeEventListener('abort', done)
      resolve()
    }
    one.addEventListener('abort', done)
    other?.addEventListener('abort', done)
  })
}
