import type { IncomingHttpHeaders } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Problem } from '../base/problem.ts'
import { baseUrlOf, queryOf } from '../http/request-facts.ts'
import type { CallerFacts, RequestContext } from '../resources/behaviour.ts'
import { resourceProblems } from '../resources/problems.ts'
import { noMemo } from '../db/read-memo.ts'
import { findSubscription, type Subscription } from '../resources/subscription.rows.ts'
import type { Engine } from './engine.ts'
import { armProblems } from './problems.ts'
import { authorizeLinked } from './linked-access.ts'
import { recordCall } from './record-call.ts'

/** An authenticated request, taken apart; nothing of Fastify goes further in. */
export interface Call {
  /** Also the id of the operation that the request starts: clients rely on it (contract.md section 3). */
  readonly requestId: string
  readonly method: string
  readonly path: string
  readonly params: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, string>>
  readonly headers: IncomingHttpHeaders
  readonly apiVersion: string
  readonly body: unknown
  readonly caller: CallerFacts
  readonly baseUrl: string
  readonly nowMs: number
  readonly signal: AbortSignal
}

const mostAuxiliaryTokens = 3

export interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
  /** The body as it is sent, where it is written already. */
  readonly text?: string
}

/**
 * Wraps a protocol function as a Fastify handler: who calls first, then the api-version, then the function. `isRead`: a
 * question, though it is asked with POST.
 */
export function handler(engine: Engine, run: (call: Call) => Promise<Answer>, isRead = false) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const answer = await recordCall(engine, request, reply, isRead, async (admitted) => {
      const call = await readCall(engine, request, reply)
      admitted(call.caller)
      checkRate(engine, call, reply)
      return run(call)
    })
    void reply.code(answer.status)
    if (answer.headers) void reply.headers(answer.headers)
    const text = answer.text ?? (answer.body === undefined ? undefined : JSON.stringify(answer.body))
    if (text === undefined) await reply.send()
    else await reply.type('application/json; charset=utf-8').send(text)
  }
}

function checkRate({ rateLimiter }: Engine, { method, path, caller, params }: Call, reply: FastifyReply): void {
  const subscriptionId = params['subscriptionId']?.toLowerCase()
  const counted = rateLimiter?.count({ method, path, caller, subscriptionId })
  if (counted) reply.headers(counted.headers)
  if (counted?.refusal) throw counted.refusal
}

async function readCall(engine: Engine, request: FastifyRequest, reply: FastifyReply): Promise<Call> {
  const baseUrl = baseUrlOf(request)
  const caller = await authenticate(engine, request, reply, baseUrl)
  const query = queryOf(request)
  const apiVersion = query['api-version']?.toLowerCase()
  if (!apiVersion) throw armProblems.MissingApiVersionParameter({})
  const params = request.params as Record<string, string>
  for (const value of Object.values(params)) checkSegment(value)
  let signal: AbortSignal | undefined
  return {
    requestId: request.id,
    method: request.method,
    path: request.url.split('?', 1)[0] ?? '',
    params,
    query,
    headers: request.headers,
    apiVersion,
    body: request.body,
    caller,
    baseUrl,
    nowMs: engine.clock.now(),
    get signal() {
      return (signal ??= signalOf(reply))
    },
  }
}

/** Aborted when the client goes before it is answered. Made for whoever asks: few requests take long enough. */
function signalOf({ raw }: FastifyReply): AbortSignal {
  const gone = new AbortController()
  const leave = (): void => gone.abort(new Error('the client closed the connection'))
  if (raw.closed) leave()
  else raw.once('close', leave)
  return gone.signal
}

async function authenticate(
  engine: Engine,
  request: FastifyRequest,
  reply: FastifyReply,
  baseUrl: string,
): Promise<CallerFacts> {
  const header = request.headers.authorization
  try {
    const caller = await engine.authenticate(header)
    const auxiliary = await readAuxiliary(engine, request.headers['x-ms-authorization-auxiliary'])
    return auxiliary === undefined ? caller : { ...caller, auxiliary }
  } catch (error) {
    if (error instanceof Problem && error.kind === 'unauthenticated')
      reply.header(
        'www-authenticate',
        `Bearer authorization_uri="${baseUrl}/${engine.tenantId}", error="invalid_token", ` +
          `error_description="${error.message.replaceAll(/[^\x20-\x7e]|["\\]/g, "'")}"`,
      )
    throw error
  }
}

/** Up to three more tokens, of other tenants (behaviour.md G2); each is checked like the first. */
async function readAuxiliary(
  engine: Engine,
  header: string | readonly string[] | undefined,
): Promise<readonly CallerFacts[] | undefined> {
  if (header === undefined || header.length === 0) return undefined
  const tokens = String(header)
    .split(/[,;]/)
    .map((token) => token.trim())
    .filter((token) => token !== '')
  if (tokens.length > mostAuxiliaryTokens) throw armProblems.TooManyAuxiliaryTokens({ most: mostAuxiliaryTokens })
  const callers: CallerFacts[] = []
  for (const token of tokens) callers.push(await engine.authenticate(token))
  return callers
}

/** A decoded name with a slash would make the id of another resource. The wildcard's own value may have slashes. */
function checkSegment(value: string): void {
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(value)) throw armProblems.InvalidResourceName({ name: JSON.stringify(value) })
}

/** A named part of the path; the routes guarantee that it is there. */
export function param(call: Call, name: string): string {
  const value = call.params[name]
  if (value === undefined) throw new Error(`the route has no parameter '${name}'`)
  if (value.includes('/')) throw armProblems.InvalidResourceName({ name: value })
  return value
}

/** The subscription of the path; throws SubscriptionNotFound. */
export async function getSubscription(engine: Engine, call: Call): Promise<Subscription> {
  const subscriptionId = param(call, 'subscriptionId')
  const { memo = noMemo } = engine
  const subscription = await memo(`subscription ${subscriptionId}`, () => findSubscription(engine.db, subscriptionId))
  if (!subscription) throw resourceProblems.SubscriptionNotFound({ subscriptionId })
  return subscription
}

/** What hooks are told; `own` is what the caller was already found to be allowed, for Azure's linked-scope message. */
export function requestContext(
  engine: Engine,
  call: Pick<Call, 'caller' | 'apiVersion' | 'baseUrl' | 'nowMs' | 'query' | 'signal'>,
  own: { readonly action: string; readonly scope: string },
): RequestContext {
  const { caller } = call
  return {
    caller,
    apiVersion: call.apiVersion,
    baseUrl: call.baseUrl,
    nowMs: call.nowMs,
    query: call.query,
    get signal() {
      return call.signal
    },
    authorize: (action, scope) => authorizeLinked(engine, call.caller, own, { action, scope }),
  }
}
