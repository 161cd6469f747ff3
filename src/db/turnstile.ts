import type { Clock } from '../base/clock.ts'

/** One at a time, first come first served. */
export interface Turnstile {
  /**
   * Throws DatabaseBusy after the time limit, which turns the one possible deadlock (a transaction's callback awaits a
   * write that does not go through its `tx`) into an error that names it.
   */
  enter(): Promise<void>
  leave(): void
}

/** A write could not begin in time; `code` makes it transient for `work`. */
export class DatabaseBusy extends Error {
  readonly code = 'EBUSY'
}

export function createTurnstile(clock: Clock, timeoutMs: number): Turnstile {
  const waiting: (() => void)[] = []
  let taken = false

  const leave = (): void => {
    const next = waiting.shift()
    if (next) next()
    else taken = false
  }

  return {
    leave,
    async enter() {
      if (!taken) {
        taken = true
        return
      }
      const turn = Promise.withResolvers<'mine'>()
      const take = (): void => turn.resolve('mine')
      waiting.push(take)
      const timer = new AbortController()
      const late = clock.sleep(timeoutMs, timer.signal).then(
        () => 'late' as const,
        () => 'mine' as const,
      )
      const verdict = await Promise.race([turn.promise, late])
      timer.abort()
      if (verdict === 'mine') return
      const at = waiting.indexOf(take)
      if (at >= 0) waiting.splice(at, 1)
      else leave() // handed over in the same moment: pass it on
      throw new DatabaseBusy(
        `The database was busy for ${timeoutMs} ms: a transaction stays open too long, or its callback awaits a ` +
          'statement that does not go through its tx.',
      )
    },
  }
}
