import type { Clock } from '../base/clock.ts'

/** Peers or accounts remembered at most: the oldest is forgotten, so that strangers cannot fill the memory. */
const remembered = 10_000

export interface FailureCounter {
  /** Counts one failure; answers how many seconds to wait, 0 while there are few. */
  count(key: string): number
  /** How many seconds to wait before the next attempt is looked at, 0 for now. */
  waitSeconds(key: string): number
  /** Takes one failure back. */
  forgive(key: string): void
}

/** Counts failures per key in fixed windows. */
export function createFailureCounter(clock: Clock, limit: { failures: number; windowMs: number }): FailureCounter {
  const counts = new Map<string, { startedMs: number; failures: number }>()
  const find = (key: string) => {
    const found = counts.get(key)
    return found !== undefined && clock.now() - found.startedMs < limit.windowMs ? found : undefined
  }
  const waitOf = (startedMs: number): number =>
    Math.max(1, Math.ceil((startedMs + limit.windowMs - clock.now()) / 1000))
  return {
    count(key) {
      const entry = find(key) ?? { startedMs: clock.now(), failures: 0 }
      entry.failures += 1
      counts.delete(key)
      counts.set(key, entry)
      const [oldest] = counts.keys()
      if (counts.size > remembered && oldest !== undefined) counts.delete(oldest)
      return entry.failures > limit.failures ? waitOf(entry.startedMs) : 0
    },
    waitSeconds(key) {
      const entry = find(key)
      return entry !== undefined && entry.failures >= limit.failures ? waitOf(entry.startedMs) : 0
    },
    forgive(key) {
      const entry = find(key)
      if (entry !== undefined) entry.failures -= 1
    },
  }
}
