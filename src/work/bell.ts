import type { Clock } from '../base/clock.ts'

/** A wait that can be cut short. A ring that nobody waits for is kept for the next wait. */
export interface Bell {
  readonly ring: () => void
  /** Resolves when it rings, at the latest after `ms`. */
  wait(ms: number): Promise<void>
}

export function createBell(clock: Clock): Bell {
  let isRung = false
  let waiting: AbortController | undefined
  return {
    ring() {
      isRung = true
      waiting?.abort()
    },
    async wait(ms) {
      if (!isRung) {
        waiting = new AbortController()
        await clock.sleep(ms, waiting.signal).catch(() => {})
        waiting = undefined
      }
      isRung = false
    },
  }
}
