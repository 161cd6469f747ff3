import type { EventEmitter } from 'node:events'
import { IncomingMessage } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { KoaContextWithOIDC, errors } from 'oidc-provider'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { Authority } from './clients.ts'
import { configure } from './issuer-configuration.ts'
import type { ConfigurationDeps, GoldleafAccount } from './issuer-configuration.ts'
import { Provider } from './oidc-library.ts'
import type { Asked, EndpointForm } from './resource.ts'
import { reportOfAnswer } from './sign-in-report.ts'
import type { ReportSignIn } from './sign-in-report.ts'
import { signInErrorBody } from './sign-in-error.ts'
import { azureDeviceAnswer, azureGrantError, azureTokenAnswer } from './token-answers.ts'

/** What a request to oidc-provider is about, in Azure's words: worked out before it is handed on. */
export interface RequestFacts {
  readonly authority: Authority
  readonly form: EndpointForm
  readonly asked: Asked
  readonly wantsClientInfo: boolean
  /** Whether the client asked to stay signed in, or speaks a form in which it always is. */
  readonly isOffline: boolean
  readonly baseUrl: string
  /** What the routes of oidc-provider are below: `/{tenant}/oauth2/v2.0`. */
  readonly mountPath: string
}

/** A request as oidc-provider shall see it. */
export interface InnerRequest {
  readonly method: 'GET' | 'POST'
  /** Below the mount path: `/token`. */
  readonly path: string
  readonly form?: URLSearchParams | undefined
}

export interface Issuer {
  /** The OpenID provider of a tenant, under one of the addresses by which clients reach this server. */
  provider(baseUrl: string, tenantId: string): Provider
  /** Lets oidc-provider answer a request; resolves when the answer is written. */
  handle(
    provider: Provider,
    request: FastifyRequest,
    reply: FastifyReply,
    facts: RequestFacts,
    inner: InnerRequest,
  ): Promise<void>
}

export interface IssuerDeps extends ConfigurationDeps {
  readonly clock: Clock
  readonly logger: Logger
  /** Told of refusals by token endpoints, to slow down a peer that has many. Answers seconds to wait, or 0. */
  readonly countFailure: (peer: string) => number
  readonly onSignIn?: ReportSignIn | undefined
}

/** Providers kept ready. Making one takes a millisecond; hosts come from requests, so there could be any number. */
const providersKept = 100

/**
 * One OpenID provider per tenant and address: the issuer is part of its answers, and clients compare its host. All of
 * them share one state, so that a refresh token gets tokens of other tenants in which the person is a guest.
 */
export function createIssuer(deps: IssuerDeps): Issuer {
  const known = new WeakMap<object, RequestFacts>()
  const factsOf = (ctx: { readonly req: object }): RequestFacts => {
    const facts = known.get(ctx.req)
    if (facts === undefined) throw new Error('a request reached oidc-provider by another way')
    return facts
  }
  const providers = new Map<string, Provider>()
  return {
    provider(baseUrl, tenantId) {
      const key = `${deps.keys.current().publicJwk.kid} ${baseUrl} ${tenantId}`
      const found = providers.get(key)
      if (found !== undefined) return found
      if (providers.size >= providersKept) providers.clear()
      const made = createProvider(`${baseUrl}/${tenantId}/v2.0`, deps, factsOf)
      providers.set(key, made)
      return made
    },
    async handle(provider, request, reply, facts, inner) {
      const req = innerRequest(request, facts, inner)
      known.set(req, facts)
      reply.hijack()
      for (const [name, value] of Object.entries(reply.getHeaders()))
        if (value !== undefined) reply.raw.setHeader(name, value)
      await provider.callback()(req, reply.raw)
    },
  }
}

/**
 * A request of Node's own kind on the same connection, whose body is the rewritten form. `originalUrl` tells
 * oidc-provider where it is mounted.
 */
function innerRequest(
  request: FastifyRequest,
  facts: RequestFacts,
  { method, path, form }: InnerRequest,
): IncomingMessage {
  const req = new IncomingMessage(request.raw.socket)
  const {
    'content-length': _length,
    'transfer-encoding': _encoding,
    authorization: _secret,
    ...headers
  } = request.headers
  const body = method === 'POST' ? Buffer.from(form?.toString() ?? '') : undefined
  req.method = method
  req.url = path
  req.headers =
    body === undefined
      ? headers
      : { ...headers, 'content-type': 'application/x-www-form-urlencoded', 'content-length': String(body.length) }
  Object.assign(req, { originalUrl: `${facts.mountPath}${path}` })
  if (body !== undefined && body.length > 0) req.push(body)
  req.push(null)
  // Or its end would count as a broken connection, and close it.
  req.complete = true
  return req
}

function createProvider(
  issuer: string,
  deps: IssuerDeps,
  factsOf: (ctx: KoaContextWithOIDC) => RequestFacts,
): Provider {
  const { logger } = deps
  const provider = new Provider(issuer, configure(deps, factsOf))
  const failures = new WeakMap<object, errors.OIDCProviderError>()
  const remember = (ctx: KoaContextWithOIDC, error: errors.OIDCProviderError): void => void failures.set(ctx.req, error)
  provider.on('grant.error', remember)
  provider.on('device_authorization.error', remember)
  provider.on('server_error', (_ctx, error) => logger.error({ err: error }, 'sign-in failed'))
  // Koa's own event, which oidc-provider's types leave out; unheard, it would print to the console.
  const events: EventEmitter = provider
  events.on('error', (error: unknown) => logger.error({ err: error }, 'sign-in failed'))
  provider.use(async (ctx, next) => {
    await next()
    if (ctx.path !== '/token' && ctx.path !== '/devicecode') return
    const context = ctx as KoaContextWithOIDC
    const facts = factsOf(context)
    const failure = failures.get(ctx.req)
    if (ctx.path === '/token') reportGrant(context, facts, failure, deps)
    if (failure !== undefined) return answerFailure(context, failure, deps)
    if (ctx.status !== 200 || typeof ctx.body !== 'object' || ctx.body === null) return
    const body = ctx.body as Record<string, unknown>
    const account = context.oidc.account as GoldleafAccount | undefined
    ctx.body =
      ctx.path === '/token'
        ? azureTokenAnswer(withoutUnasked(body, facts), facts, account?.signedIn, deps.clock)
        : azureDeviceAnswer(body, facts.form)
  })
  return provider
}

/** A password makes a refresh token on the way: whoever did not ask for one gets none. */
function withoutUnasked(body: Record<string, unknown>, { isOffline }: RequestFacts): Record<string, unknown> {
  if (isOffline) return body
  const { refresh_token: _unasked, ...rest } = body
  return rest
}

/** Waiting for a person to type a code is no failure; who was refused is not known any more here. */
function reportGrant(
  ctx: KoaContextWithOIDC,
  { authority }: RequestFacts,
  failure: errors.OIDCProviderError | undefined,
  { onSignIn }: IssuerDeps,
): void {
  const { grant_type: grant, client_id: clientId } = ctx.oidc.params ?? {}
  const textOf = (value: unknown): string => (typeof value === 'string' ? value.slice(0, 200) : '')
  const facts = { grant: textOf(grant), clientIpAddress: ctx.req.socket.remoteAddress }
  if (failure === undefined) {
    const done = reportOfAnswer(ctx.body as Readonly<Record<string, unknown>>, facts)
    if (done) onSignIn?.(done)
    return
  }
  const { error, message, code } = azureGrantError(failure)
  if (error === 'authorization_pending' || authority.tenantId === undefined) return
  const refusal = { code: `AADSTS${code}`, message }
  onSignIn?.({ ...facts, tenantId: authority.tenantId, name: textOf(clientId), refusal })
}

function answerFailure(ctx: KoaContextWithOIDC, failure: errors.OIDCProviderError, deps: IssuerDeps): void {
  if (failure.statusCode >= 500) return
  const refusal = azureGrantError(failure)
  const peer = ctx.req.socket.remoteAddress ?? ''
  // Waiting for a person to type a code is no failure.
  const waitSeconds = refusal.error === 'authorization_pending' ? 0 : deps.countFailure(peer)
  ctx.status = waitSeconds > 0 ? 429 : refusal.status
  if (waitSeconds > 0) ctx.set('retry-after', String(waitSeconds))
  if (refusal.error !== 'authorization_pending')
    deps.logger.warn({ peer, error: `AADSTS${refusal.code}`, reason: failure.error_detail }, 'sign-in refused')
  ctx.body = signInErrorBody(refusal, deps.clock)
}
