import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import type { Logger } from '../base/logger.ts'
import { MiB } from '../base/units.ts'
import { asProblem, Problem, type ProblemKind, type ProblemRecord } from '../base/problem.ts'

const statusByKind: Readonly<Record<ProblemKind, number>> = {
  invalid: 400,
  unauthenticated: 401,
  forbidden: 403,
  absent: 404,
  methodNotAllowed: 405,
  conflict: 409,
  preconditionFailed: 412,
  tooLarge: 413,
  unsupportedMediaType: 415,
  rangeNotSatisfiable: 416,
  throttled: 429,
  internal: 500,
  unavailable: 503,
  storageFull: 507,
}

export function statusOfKind(kind: ProblemKind): number {
  return statusByKind[kind]
}

/** One entry of Azure's error envelope, without our `kind`, in Azure's member order. */
export interface ErrorBody {
  readonly code: string
  readonly message: string
  readonly target?: string
  readonly details?: readonly ErrorBody[]
}

export function toErrorBody(record: ProblemRecord): ErrorBody {
  return {
    code: record.code,
    message: record.message,
    ...(record.target === undefined ? {} : { target: record.target }),
    ...(record.details === undefined ? {} : { details: record.details.map(toErrorBody) }),
  }
}

/** Azure's envelope (behaviour.md A): `{"error":{"code","message","target","details"}}`. */
function toErrorEnvelope(record: ProblemRecord): { readonly error: ErrorBody } {
  return { error: toErrorBody(record) }
}

/**
 * What a framework's own failure means to the caller. Fastify's errors carry codes such as `FST_ERR_CTP_INVALID_MEDIA_TYPE`;
 * anything unknown is an internal error whose text stays in the log.
 */
export function problemOfError(error: unknown): Problem {
  if (error instanceof Problem) return error
  const code = isFastifyError(error) ? error.code : ''
  switch (code) {
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
    case 'FST_ERR_CTP_INVALID_TYPE':
      return new Problem(
        'unsupportedMediaType',
        'UnsupportedMediaType',
        "The content media type of the request is not supported. Only 'application/json' is supported.",
        { cause: error },
      )
    default:
      return asProblem(error)
  }
}

/**
 * Answers a request with a problem; an internal one shows nothing of its cause, which goes to the log. `envelope`: the
 * form in which the service that was asked shows errors, where it is not Resource Manager's.
 */
export function sendProblem(
  reply: FastifyReply,
  request: FastifyRequest,
  problem: Problem,
  logger: Logger,
  envelope: (record: ProblemRecord) => object = toErrorEnvelope,
): void {
  const status = statusOfKind(problem.kind)
  const fields = { requestId: request.id, method: request.method, path: pathOf(request), status, code: problem.code }
  if (status >= 500) logger.error({ ...fields, err: problem.cause ?? problem }, 'request failed')
  else if (problem.cause !== undefined) logger.debug({ ...fields, err: problem.cause }, 'request refused')
  // Fastify ends the connection after every refused body, also when the body is there or soon will be.
  if (drainRest(request)) reply.removeHeader('connection')
  else reply.header('connection', 'close')
  if (problem.kind === 'throttled' && !reply.hasHeader('retry-after')) reply.header('retry-after', '1')
  void reply.code(status).type('application/json; charset=utf-8').send(envelope(problem.toRecord()))
}

const drainLimitBytes = 16 * MiB

/**
 * Lets the small rest of a refused body flow away, so that the client, still sending, sees the answer instead of a
 * broken connection. False for a large one: it is not read, the connection ends with the answer.
 */
export function drainRest({ raw }: FastifyRequest): boolean {
  if (raw.complete) return true
  const announced = Number(raw.headers['content-length'] ?? Number.POSITIVE_INFINITY)
  if (!(announced <= drainLimitBytes)) return false
  raw.resume()
  return true
}

/** The path without its query: a query may hold a signature, which must not reach the log. */
export function pathOf(request: FastifyRequest): string {
  const query = request.url.indexOf('?')
  return query < 0 ? request.url : request.url.slice(0, query)
}

function isFastifyError(error: unknown): error is FastifyError {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
}
