/** The only place that reads the wall clock or sets a timer: everything else is handed a `Clock`. */
export interface Clock {
  /** Milliseconds since 1970, UTC. */
  now(): number
  /** Resolves after `ms`, or rejects with the signal's reason. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

export const systemClock: Clock = {
  now: () => Date.now(),
  sleep(ms, signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const onAbort = (): void => {
        clearTimeout(timer)
        reject(signal?.reason)
      }
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      }, ms)
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  },
}

/** Azure's other date form (roles, the activity log): `2026-11-21T14:00:00.0000000Z`. */
export function formatUtcTime(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '0000Z')
}

/** Azure's date form: offset form with seven fractional digits, e.g. `2026-04-10T17:10:16.8457735+00:00`. */
export function formatArmTime(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '0000+00:00')
}
