import assert from 'node:assert/strict'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'

/** Sweeps and other things that are done again and again. Every node runs them: each must bear company and repetition. */
export interface Schedules {
  /**
   * Runs `run` every `everyMs`, counted from the end of the run before; the first one after `everyMs`, at most a minute,
   * so that a server that is restarted daily still does its weekly work. An error is logged; the next run comes anyway.
   */
  every(name: string, everyMs: number, run: (signal: AbortSignal) => Promise<void>): void
  start(): void
  /** Aborts what runs and waits for it. */
  stop(reason: unknown): Promise<void>
}

const longestFirstWaitMs = 60_000

export function createSchedules({ clock, logger }: { clock: Clock; logger: Logger }): Schedules {
  const stopping = new AbortController()
  const { signal } = stopping
  const loops: Promise<void>[] = []
  let planned: (() => Promise<void>)[] = []
  let isStarted = false

  const loop = async (name: string, everyMs: number, run: (signal: AbortSignal) => Promise<void>): Promise<void> => {
    let waitMs = Math.min(everyMs, longestFirstWaitMs)
    for (;;) {
      await clock.sleep(waitMs, signal).catch(() => {})
      if (signal.aborted) return
      waitMs = everyMs
      try {
        await run(signal)
      } catch (error) {
        if (!signal.aborted) logger.error({ schedule: name, err: error }, 'scheduled work failed')
      }
    }
  }

  return {
    every(name, everyMs, run) {
      assert(everyMs > 0 && everyMs < 2 ** 31, `the schedule ${name} needs an interval that a timer can hold`)
      if (isStarted) loops.push(loop(name, everyMs, run))
      else planned.push(() => loop(name, everyMs, run))
    },
    start() {
      isStarted = true
      loops.push(...planned.map((begin) => begin()))
      planned = []
    },
    async stop(reason) {
      stopping.abort(reason)
      await Promise.all(loops)
    },
  }
}
