import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import fastify, { type FastifyInstance } from 'fastify'
import { systemClock, type Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import { Problem } from '../base/problem.ts'
import { randomUuid } from '../base/random.ts'
import { MiB } from '../base/units.ts'
import { useJsonBodies } from './json-body.ts'
import { pathOf, problemOfError, sendProblem } from './problem-response.ts'
import { setUsualHeaders } from './request-facts.ts'
import { checkRequestForm, normalTarget } from './request-form.ts'
import { refuseUnreadable } from './unreadable.ts'

export interface HttpServerOptions {
  readonly logger: Logger
  /** PEM. Without it there is no HTTPS listener. */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined
  readonly clock?: Clock | undefined
  /** Of JSON bodies; ARM's own limit is 4 MiB. */
  readonly bodyLimitBytes?: number | undefined
  /** A client must have sent its JSON body by then; raw bodies have no such limit, only the idle one. */
  readonly bodyTimeoutMs?: number | undefined
  /** A connection on which nothing moves for so long is cut, also in the middle of a body. */
  readonly idleTimeoutMs?: number | undefined
  /** How long `close` lets running requests finish. */
  readonly closeTimeoutMs?: number | undefined
}

export interface Listen {
  readonly host: string
  /** 0: any free port. */
  readonly port: number
}

export interface HttpServer {
  /** Where the rooms register their routes, before `listen`. Its JSON rules hold for every scope that sets no others. */
  readonly app: FastifyInstance
  /** Starts both listeners; answers their addresses (`http://127.0.0.1:4711`). HTTPS needs `tls` and `https`. */
  listen(where: { readonly http: Listen; readonly https?: Listen | undefined }): Promise<Addresses>
  /** Stops listening, lets running requests finish for a bounded time, then cuts what is left. Safe to call twice. */
  close(): Promise<void>
}

export interface Addresses {
  readonly http: string
  readonly https: string | undefined
}

/**
 * ONE Fastify instance behind two listeners, plain HTTP and HTTPS: `serverFactory` hands us Fastify's handler, and the
 * TLS server calls the same one. Fastify's own `listen` is not used: it knows only one server.
 */
export function createHttpServer(options: HttpServerOptions): HttpServer {
  const clock = options.clock ?? systemClock
  const servers: Server[] = []
  let handler: RequestListener | undefined
  let closing: Promise<void> | undefined
  const app = fastify({
    logger: false,
    genReqId: () => randomUuid(),
    requestIdHeader: false,
    exposeHeadRoutes: false,
    clientErrorHandler: refuseUnreadable,
    rewriteUrl: (request) => normalTarget(request.url ?? '/'),
    routerOptions: {
      caseSensitive: false,
      ignoreDuplicateSlashes: true,
      ignoreTrailingSlash: true,
      maxParamLength: 512,
      onBadUrl: (_path, _request, reply) => refuseUrl(reply),
      onMaxParamLength: (_path, _request, reply) => refuseUrl(reply),
    },
    serverFactory: (requestListener) => {
      handler = requestListener
      const server = createServer(requestListener)
      servers.push(server)
      return server
    },
  })
  if (options.tls && handler) {
    const secure = createTlsServer({ ...options.tls, minVersion: 'TLSv1.2' }, handler)
    // Fastify sees to its own server only.
    servers.push(secure.on('clientError', refuseUnreadable))
  }
  for (const server of servers) guardAgainstSlowClients(server, options)
  addHooks(app, options, clock, () => closing !== undefined)
  return {
    app,
    async listen(where) {
      await app.ready()
      const [plain, secure] = servers
      if (!plain) throw new Error('Fastify made no server')
      const http = `http://${await listenOn(plain, where.http)}`
      if (!secure || !where.https) return { http, https: undefined }
      return { http, https: `https://${await listenOn(secure, where.https)}` }
    },
    close() {
      closing ??= closeGracefully(servers, clock, options.closeTimeoutMs ?? 10_000).then(() => app.close())
      return closing
    },
  }
}

/** The router's own refusals come before any hook: there is no request id yet. */
function refuseUrl(response: ServerResponse): void {
  const message =
    'The path of the request is not a valid address: a name is too long or badly percent-encoded. Correct the address.'
  response.writeHead(400, { 'content-type': 'application/json; charset=utf-8', 'x-ms-request-id': randomUuid() })
  response.end(JSON.stringify({ error: { code: 'InvalidRequestUri', message } }))
}

/** A client must have sent its headers by then. */
const headersTimeoutMs = 20_000
const keepAliveTimeoutMs = 60_000

function guardAgainstSlowClients(server: Server, options: HttpServerOptions): void {
  server.headersTimeout = headersTimeoutMs
  // A disk may take hours to arrive: there is no limit for a whole request, only for headers, JSON bodies and idling.
  server.requestTimeout = 0
  server.keepAliveTimeout = keepAliveTimeoutMs
  server.setTimeout(options.idleTimeoutMs ?? 120_000)
}

function addHooks(app: FastifyInstance, options: HttpServerOptions, clock: Clock, isClosing: () => boolean): void {
  const { logger } = options
  useJsonBodies(app, {
    clock,
    limitBytes: options.bodyLimitBytes ?? 4 * MiB,
    timeoutMs: options.bodyTimeoutMs ?? 30_000,
  })
  app.addHook('onRequest', async (request, reply) => {
    setUsualHeaders(request, reply, clock.now())
    checkRequestForm(request)
  })
  app.addHook('onSend', (_request, reply, _payload, done) => {
    if (isClosing()) reply.header('connection', 'close')
    done()
  })
  app.addHook('onResponse', (request, reply, done) => {
    const { id: requestId, method } = request
    const elapsedMs = Math.round(reply.elapsedTime)
    logger.debug({ requestId, method, path: pathOf(request), elapsedMs, status: reply.statusCode }, 'request answered')
    done()
  })
  app.setErrorHandler((error, request, reply) => {
    sendProblem(reply, request, problemOfError(error), logger)
  })
  app.setNotFoundHandler((request, reply) => {
    const message = `Nothing is served at ${request.method} '${pathOf(request)}'. Check the address against the API's reference.`
    sendProblem(reply, request, new Problem('absent', 'NotFound', message), logger)
  })
}

const refusals: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program listens there. Stop it',
  EACCES: 'this user may not use that port. Take one from 1024 on',
  EADDRNOTAVAIL: 'this machine has no such address. Take one of its own, or 0.0.0.0 for all',
}

/** Raised before there is a wire: it is for the person who starts the server. */
function explainRefusal(error: NodeJS.ErrnoException, host: string, port: number): Error {
  const reason = refusals[error.code ?? '']
  if (reason === undefined) return error
  const message = `The server cannot listen on ${host} port ${port}: ${reason}, or choose with --listen HOST:PORT and --listen-https HOST:PORT (port 0 takes a free one).`
  return new Problem('conflict', 'AddressUnavailable', message, { cause: error })
}

function listenOn(server: Server, { host, port }: Listen): Promise<string> {
  return new Promise((resolve, reject) => {
    const refuse = (error: NodeJS.ErrnoException): void => reject(explainRefusal(error, host, port))
    server.once('error', refuse)
    server.listen({ host, port }, () => {
      server.removeListener('error', refuse)
      const address = server.address()
      if (address === null || typeof address === 'string') return reject(new Error('The listener has no port'))
      resolve(`${host.includes(':') ? `[${host}]` : host}:${address.port}`)
    })
  })
}

async function closeGracefully(servers: readonly Server[], clock: Clock, timeoutMs: number): Promise<void> {
  const listening = servers.filter((server) => server.listening)
  const done = new AbortController()
  const closed = Promise.all(listening.map((server) => new Promise((resolve) => server.close(resolve)))).finally(() =>
    done.abort(),
  )
  const deadlineMs = clock.now() + timeoutMs
  try {
    // A connection that was busy when the server stopped listening turns idle later: swept until none is left.
    while (clock.now() < deadlineMs) {
      await clock.sleep(Math.min(50, timeoutMs), done.signal)
      for (const server of listening) server.closeIdleConnections()
    }
    for (const server of listening) server.closeAllConnections()
  } catch {
    // All connections ended in time.
  }
  await closed
}
