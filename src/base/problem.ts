import type { Json, JsonObject } from './json.ts'

/** What sort of failure; only `arm/` and `transfer/` turn a kind into a status code. */
export type ProblemKind =
  | 'invalid'
  | 'unauthenticated'
  | 'forbidden'
  | 'absent'
  | 'methodNotAllowed'
  | 'conflict'
  | 'preconditionFailed'
  | 'tooLarge'
  | 'unsupportedMediaType'
  | 'rangeNotSatisfiable'
  | 'throttled'
  | 'unavailable'
  | 'storageFull'
  | 'internal'

export interface ProblemOptions {
  /** The JSON path the caller should look at, as Azure writes it: `galleryImageVersion.properties.…`. */
  readonly target?: string | undefined
  readonly details?: readonly ProblemRecord[] | undefined
  readonly cause?: unknown
}

/** A problem as it rests in an operation row and as ARM's error envelope carries it. */
export interface ProblemRecord {
  readonly code: string
  readonly message: string
  readonly target?: string | undefined
  readonly kind?: ProblemKind | undefined
  readonly details?: readonly ProblemRecord[] | undefined
}

/**
 * A failure the caller can act on; it goes to the wire as it is. Its message names the thing, the reason and the
 * next step, and never a path, SQL or a stack: those belong in `cause`, which only the log sees.
 */
export class Problem extends Error {
  readonly code: string
  readonly kind: ProblemKind
  readonly target: string | undefined
  readonly details: readonly ProblemRecord[] | undefined

  constructor(kind: ProblemKind, code: string, message: string, options: ProblemOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'Problem'
    this.kind = kind
    this.code = code
    this.target = options.target
    this.details = options.details
  }

  toRecord(): ProblemRecord {
    return {
      code: this.code,
      message: this.message,
      kind: this.kind,
      ...(this.target === undefined ? {} : { target: this.target }),
      ...(this.details === undefined ? {} : { details: this.details }),
    }
  }
}

export function problemFromRecord(record: ProblemRecord): Problem {
  return new Problem(record.kind ?? 'internal', record.code, record.message, {
    target: record.target,
    details: record.details,
  })
}

/** The same problem with the place in the body, where who found it could not know; anything else as it is. */
export function aimedAt(target: string, error: unknown): unknown {
  if (!(error instanceof Problem) || error.target !== undefined) return error
  const { kind, code, message, details, cause } = error
  return new Problem(kind, code, message, { target, details, cause })
}

interface ProblemDeclaration<F> {
  readonly kind: ProblemKind
  /** The public code where it differs from the key (several messages may share one Azure code). */
  readonly code?: string
  readonly say: (facts: F) => string
}

type Thrower<D> = D extends ProblemDeclaration<infer F> ? (facts: F, options?: ProblemOptions) => Problem : never

/**
 * Declares a module's problems: the key is the public code unless `code` says otherwise; `say` writes the message.
 * Usage: `throw galleryProblems.VersionInUse({ version, users }, { target })`.
 */
export function defineProblems<const T extends Record<string, ProblemDeclaration<never>>>(
  declarations: T,
): { readonly [K in keyof T]: Thrower<T[K]> } {
  const made: Record<string, (facts: never, options?: ProblemOptions) => Problem> = {}
  for (const [key, declaration] of Object.entries(declarations))
    made[key] = (facts, options) =>
      new Problem(declaration.kind, declaration.code ?? key, declaration.say(facts), options)
  return made as { readonly [K in keyof T]: Thrower<T[K]> }
}

/** What an unexpected error looks like to the outside; the log keeps the original. */
export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error
  return new Problem(
    'internal',
    'InternalServerError',
    'The server met an unexpected error. Its log has the details under this request id.',
    { cause: error },
  )
}

export type { Json, JsonObject }
