import type { Clock } from '../base/clock.ts'
import { Problem } from '../base/problem.ts'
import { randomFraction } from '../base/random.ts'

export interface CallAgain {
  readonly clock: Clock
  readonly signal?: AbortSignal | undefined
  /** Tries without any success between them before giving up. */
  readonly tries?: number | undefined
  readonly firstWaitMs?: number | undefined
}

/**
 * Does something again while the way to the server fails: broken connections, 429, 500, 502 to 504. What the server
 * refuses for a reason (also a full disk) fails at once. Waits 0.25 s, then twice as long each time, up to 10 s.
 */
export async function callAgain<T>(work: () => Promise<T>, options: CallAgain): Promise<T> {
  const { clock, signal, tries = 8, firstWaitMs = 250 } = options
  for (let attempt = 1; ; attempt++) {
    try {
      signal?.throwIfAborted()
      return await work()
    } catch (error) {
      if (attempt >= tries || signal?.aborted || !mayPass(error)) throw error
      const waitMs = Math.min(10_000, firstWaitMs * 2 ** (attempt - 1))
      await clock.sleep(waitMs * (0.5 + randomFraction() / 2), signal)
    }
  }
}

const passingKinds: ReadonlySet<string> = new Set(['throttled', 'unavailable', 'internal'])
/** A name that does not resolve or a certificate that is not trusted will not be better in a minute. */
const lastingCodes = /^(?:ENOTFOUND|ERR_|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|EACCES|ENOSPC|ENOENT)/

export function mayPass(error: unknown): boolean {
  if (error instanceof Problem) return passingKinds.has(error.kind)
  if (!(error instanceof Error)) return false
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  if (code === 'ERR_STREAM_PREMATURE_CLOSE') return true
  if (code === '') return /aborted|terminated|hang up|nothing moved/.test(error.message)
  return !lastingCodes.test(code)
}
