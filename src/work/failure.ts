import { Problem } from '../base/problem.ts'

/** Thrown by a step that knows that the same try may succeed later; a Problem as `cause` is what people see in the end. */
export class TransientError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'TransientError'
  }
}

/**
 * Thrown by a step that waits for the world, not for a failure to pass: it is run again after `delayMs`, and no attempt is
 * counted. Meanwhile the operation takes no place among those that run.
 */
export class NotYet extends Error {
  readonly delayMs: number

  constructor(delayMs: number) {
    super('The step looks again later.')
    this.name = 'NotYet'
    this.delayMs = delayMs
  }
}

/** Why the engine aborted a step's signal: its `reason`. */
export class Interrupt extends Error {
  readonly kind: 'canceled' | 'shutdown' | 'leaseLost'

  constructor(kind: Interrupt['kind']) {
    super(`The step was interrupted: ${kind}.`)
    this.name = 'Interrupt'
    this.kind = kind
  }
}

/**
 * transient: try again, often. permanent: a Problem, fail at once with it. storageFull: fail clearly at once.
 * unexpected: probably a bug, try a few times, then InternalServerError.
 */
export type FailureKind = 'transient' | 'permanent' | 'storageFull' | 'unexpected'

// Errors of the network, of locks and of exhausted handles: errno names, undici's, and the name of AbortSignal.timeout.
const transientCodes = new Set(
  (
    'EBUSY EAGAIN EINTR ECONNRESET ECONNREFUSED ECONNABORTED ETIMEDOUT EPIPE ENETDOWN ENETUNREACH EHOSTDOWN ' +
    'EHOSTUNREACH EAI_AGAIN EMFILE ENFILE ESTALE UND_ERR_SOCKET UND_ERR_CONNECT_TIMEOUT UND_ERR_HEADERS_TIMEOUT ' +
    'UND_ERR_BODY_TIMEOUT'
  ).split(' '),
)
const fullCodes = new Set(['ENOSPC', 'EDQUOT'])

/** The error and its causes, outermost first; a cycle or a long chain ends it. */
function chain(error: unknown): Error[] {
  const found: Error[] = []
  for (let at = error; at instanceof Error && found.length < 8; at = at.cause) found.push(at)
  return found
}

function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : ''
}

/** SQLite's primary result code, or 0: https://sqlite.org/rescode.html */
function sqliteCodeOf(error: Error): number {
  return 'errcode' in error && typeof error.errcode === 'number' ? error.errcode & 0xff : 0
}

function isTransientOnItsOwn(error: Error): boolean {
  const sqlite = sqliteCodeOf(error)
  return transientCodes.has(codeOf(error)) || error.name === 'TimeoutError' || sqlite === 5 || sqlite === 6
}

/** May the same action succeed if it is simply done again? Problems of kind `throttled` and `unavailable` may. */
export function isTransient(error: unknown): boolean {
  return classifyFailure(error) === 'transient'
}

export function classifyFailure(error: unknown): FailureKind {
  if (error instanceof TransientError) return 'transient'
  if (error instanceof Problem) {
    if (error.kind === 'throttled' || error.kind === 'unavailable') return 'transient'
    return error.kind === 'internal' ? 'unexpected' : 'permanent'
  }
  const errors = chain(error)
  if (errors.some((one) => fullCodes.has(codeOf(one)) || sqliteCodeOf(one) === 13)) return 'storageFull'
  if (errors.some(isTransientOnItsOwn)) return 'transient'
  return 'unexpected'
}

/** The Problem that a failure already carries, itself or as a cause. */
export function findProblem(error: unknown): Problem | undefined {
  return chain(error).find((one): one is Problem => one instanceof Problem)
}
