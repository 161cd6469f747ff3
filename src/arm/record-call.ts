import type { FastifyReply, FastifyRequest } from 'fastify'
import { answerEvent, startEvent, type EventCaller, type RequestFacts } from '../activity/event.ts'
import { subjectOf } from '../activity/request-subject.ts'
import { pathOf, problemOfError, statusOfKind } from '../http/problem-response.ts'
import { clientRequestIdOf } from '../http/request-facts.ts'
import type { CallerFacts } from '../resources/behaviour.ts'
import type { Engine } from './engine.ts'

interface Answered {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
}

/**
 * Serves a request and tells the activity log of it, refused or not, unless it only reads (`isRead`, for a POST). What is told comes from the
 * method, the path and the answer's outcome: bodies, queries and tokens are never looked at.
 */
export async function recordCall<Answer extends Answered>(
  engine: Engine,
  request: FastifyRequest,
  reply: FastifyReply,
  isRead: boolean,
  serve: (admitted: (caller: CallerFacts) => void) => Promise<Answer>,
): Promise<Answer> {
  const { activity, clock } = engine
  if (!activity || isRead || request.method === 'GET' || request.method === 'HEAD') return serve(() => {})
  let facts = factsOf(engine, request, reply)
  const admitted = (caller: CallerFacts): void => {
    facts = { ...facts, tenantId: caller.tenantId, caller: callerOf(caller) }
    // Before the work: an operation may end before its request is answered, and then looks for its beginning.
    activity.record(startEvent(facts, clock.now()))
  }
  try {
    const answer = await serve(admitted)
    const isUnderWay = answer.headers?.['azure-asyncoperation'] !== undefined || answer.status === 202
    activity.record(answerEvent(facts, { httpStatus: answer.status, isUnderWay }, clock.now()))
    return answer
  } catch (error) {
    const problem = problemOfError(error)
    const refusal = { httpStatus: statusOfKind(problem.kind), isUnderWay: false, error: problem.toRecord() }
    activity.record(answerEvent(facts, refusal, clock.now()))
    throw error
  }
}

function factsOf(engine: Engine, request: FastifyRequest, reply: FastifyReply): RequestFacts {
  const subject = subjectOf(request.method, decoded(pathOf(request)), (type) => engine.findType(type)?.type ?? type)
  const correlationId = reply.getHeader('x-ms-correlation-request-id')
  const clientRequestId = clientRequestIdOf(request)
  return {
    ...subject,
    tenantId: engine.tenantId,
    caller: undefined,
    correlationId: typeof correlationId === 'string' ? correlationId : request.id,
    operationId: request.id,
    clientRequestId,
    clientIpAddress: request.ip,
    method: request.method,
  }
}

function callerOf({ name, objectId, tenantId, appId }: CallerFacts): EventCaller {
  return { name, objectId, tenantId, appId }
}

/** Bounded, because it is kept; a path that cannot be decoded is kept as it came. */
function decoded(path: string): string {
  const text = path.slice(0, 2_048)
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
