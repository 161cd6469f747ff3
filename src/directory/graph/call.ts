import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify'
import { isJsonObject } from '../../base/json.ts'
import type { JsonObject } from '../../base/json.ts'
import type { Logger } from '../../base/logger.ts'
import type { ProblemRecord } from '../../base/problem.ts'
import { pathOf, problemOfError, sendProblem, statusOfKind } from '../../http/problem-response.ts'
import { baseUrlOf, queryOf } from '../../http/request-facts.ts'
import type { CallerFacts } from '../../resources/behaviour.ts'
import type { Directory } from '../directory.ts'
import { directoryProblems } from '../problems.ts'
import type { DirectoryRoom } from '../room.ts'
import { readRights } from './rights.ts'
import type { Rights } from './rights.ts'

export interface GraphDeps {
  readonly room: DirectoryRoom
  readonly directory: Directory
  readonly logger: Logger
  /** Throws the Problem of a missing or wrong token. */
  readonly authenticate: (authorizationHeader: string | undefined) => Promise<CallerFacts>
  /** Told of every change that somebody known asked for, done or refused. Must not throw. */
  readonly onChange?: ((change: ChangeFacts) => void) | undefined
}

/** What was asked, by whom, and what came of it; never a body, for bodies hold passwords. */
export interface ChangeFacts {
  readonly caller: CallerFacts
  readonly method: string
  /** Below the version, without query. */
  readonly path: string
  readonly requestId: string
  readonly correlationId: string
  readonly clientIpAddress: string
  readonly httpStatus: number
  readonly refusal: { readonly code: string; readonly message: string } | undefined
}

/** A request by somebody known, taken apart. */
export interface GraphCall {
  readonly room: DirectoryRoom
  readonly directory: Directory
  /** Of the caller's token: nothing of another tenant is looked at. */
  readonly tenantId: string
  readonly rights: Rights
  readonly params: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, string>>
  /** `{}` where there is none. */
  readonly body: JsonObject
  /** `https://host/v1.0` */
  readonly home: string
  readonly version: 'v1.0' | 'beta'
}

export interface GraphAnswer {
  readonly status: 200 | 201 | 204
  readonly body?: JsonObject
}

export type GraphRun = (call: GraphCall) => Promise<GraphAnswer>
export type GraphRoute = (method: HTTPMethods, path: string, run: GraphRun) => void

/** A named part of the path. */
export function param(call: GraphCall, name: string): string {
  return call.params[name] ?? ''
}

/** Answers Graph's envelope: the error's own with `innerError`, which names the request. */
export function useGraphErrors(scope: FastifyInstance, { room, logger }: Pick<GraphDeps, 'room' | 'logger'>): void {
  scope.setErrorHandler((error, request, reply) => {
    const envelope = ({ code, message }: ProblemRecord) => {
      const date = new Date(room.clock.now()).toISOString().slice(0, 19)
      const client = reply.getHeader('x-ms-client-request-id') ?? request.id
      return { error: { code, message, innerError: { date, 'request-id': request.id, 'client-request-id': client } } }
    }
    sendProblem(reply, request, problemOfError(error), logger, envelope)
  })
}

/** POSTs that only ask. */
const askingPosts = /\/(?:getByIds|checkMemberGroups|getMemberGroups)\/*$/i

/** Runs what serves a request and tells `onChange` of it, unless it only reads. */
export async function tellChange<T extends { readonly status: number }>(
  { onChange }: Pick<GraphDeps, 'onChange'>,
  request: FastifyRequest,
  reply: FastifyReply,
  caller: CallerFacts,
  serve: () => Promise<T>,
): Promise<T> {
  const path = pathOf(request)
    .replace(/^\/+(?:v1\.0|beta|goldleaf\/v1)(?=\/)/i, '')
    .slice(0, 2_048)
  if (onChange === undefined || request.method === 'GET' || askingPosts.test(path)) return serve()
  const correlationId = reply.getHeader('x-ms-correlation-request-id')
  const facts = {
    caller,
    method: request.method,
    path,
    requestId: request.id,
    correlationId: typeof correlationId === 'string' ? correlationId : request.id,
    clientIpAddress: request.ip,
  }
  try {
    const answer = await serve()
    onChange({ ...facts, httpStatus: answer.status, refusal: undefined })
    return answer
  } catch (error) {
    const { kind, code, message } = problemOfError(error)
    onChange({ ...facts, httpStatus: statusOfKind(kind), refusal: { code, message } })
    throw error
  }
}

export function graphHandler(deps: GraphDeps, version: GraphCall['version'], run: GraphRun) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const caller = await deps.authenticate(request.headers.authorization)
    const { body = {} } = request
    const answer = await tellChange(deps, request, reply, caller, async () => {
      if (!isJsonObject(body))
        throw directoryProblems.Request_BadRequest({ message: 'The request body is not a JSON object.' })
      return run({
        room: deps.room,
        directory: deps.directory,
        tenantId: caller.tenantId,
        rights: await readRights(deps.room.db, caller),
        params: request.params as Record<string, string>,
        query: queryOf(request),
        body,
        home: `${baseUrlOf(request)}/${version}`,
        version,
      })
    })
    void reply.code(answer.status)
    if (answer.body === undefined) await reply.send()
    else
      await reply
        .type('application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8')
        .send(JSON.stringify(answer.body))
  }
}
