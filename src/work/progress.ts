import type { Clock } from '../base/clock.ts'
import type { JsonObject } from '../base/json.ts'

/** Steps report as often as they like; at most one write in `intervalMs` goes to the database, always the newest. */
export interface ProgressWriter {
  readonly latest: JsonObject
  report(progress: JsonObject): void
  /** Waits for a write that is under way and drops a planned one: the caller stores `latest` with its own next write. */
  quiet(): Promise<void>
}

export function createProgressWriter(options: {
  readonly clock: Clock
  readonly intervalMs: number
  readonly initial: JsonObject
  /** Must not throw. */
  readonly write: (progress: JsonObject) => Promise<void>
}): ProgressWriter {
  const { clock, intervalMs, write } = options
  let latest = options.initial
  let isNew = false
  let notBeforeMs = 0
  let stopWaiting = new AbortController()
  let writing: Promise<void> | undefined

  const drain = async (): Promise<void> => {
    const { signal } = stopWaiting
    while (isNew) {
      const waitMs = notBeforeMs - clock.now()
      if (waitMs > 0) await clock.sleep(waitMs, signal).catch(() => {})
      if (signal.aborted) return
      isNew = false
      notBeforeMs = clock.now() + intervalMs
      await write(latest)
    }
  }

  return {
    get latest() {
      return latest
    },
    report(progress) {
      latest = progress
      isNew = true
      writing ??= drain().finally(() => {
        writing = undefined
      })
    },
    async quiet() {
      stopWaiting.abort()
      await writing
      stopWaiting = new AbortController()
      isNew = false
    },
  }
}
