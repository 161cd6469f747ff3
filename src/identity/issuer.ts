import type { EventEmitter } from 'node:events'
import { IncomingMessage } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Account, Configuration, KoaContextWithOIDC, errors, interactionPolicy } from 'oidc-provider'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { Directory } from '../directory/directory.ts'
import { findSignedIn } from './accounts.ts'
import type { SignedIn } from './accounts.ts'
import { clientAdapter } from './client-adapter.ts'
import { findClient } from './clients.ts'
import type { Authority } from './clients.ts'
import { createGrant, grantedResources, offlineScope, openidScopes, resourceServerOf } from './grants.ts'
import type { KeyRing } from './keys.ts'
import { Check, InvalidTarget, Provider, basePolicy } from './oidc-library.ts'
import { deviceCodePage, deviceConfirmPage, messagePage, signOutPage } from './pages.ts'
import type { Page } from './pages.ts'
import type { Asked, EndpointForm } from './resource.ts'
import { reportOfAnswer } from './sign-in-report.ts'
import type { ReportSignIn } from './sign-in-report.ts'
import { signInErrorBody } from './sign-in-error.ts'
import type { SignInState } from './sign-in-state.ts'
import { azureDeviceAnswer, azureGrantError, azureTokenAnswer } from './token-answers.ts'
import { issuerOf, principalClaims, tokenLifetimeSeconds } from './token.ts'

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

export interface IssuerDeps {
  readonly directory: Directory
  readonly keys: KeyRing
  readonly state: SignInState
  readonly clock: Clock
  readonly logger: Logger
  /** Told of refusals by token endpoints, to slow down a peer that has many. Answers seconds to wait, or 0. */
  readonly countFailure: (peer: string) => number
  readonly onSignIn?: ReportSignIn | undefined
}

const day = 86_400
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

type FactsOf = (ctx: KoaContextWithOIDC) => RequestFacts

interface GoldleafAccount extends Account {
  readonly signedIn: SignedIn
}

function createProvider(issuer: string, deps: IssuerDeps, factsOf: FactsOf): Provider {
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

function send(ctx: KoaContextWithOIDC, { html, headers }: Page): void {
  ctx.set({ ...headers })
  ctx.body = html
}

/** The hidden field that oidc-provider checks when one of its forms comes back. */
function xsrfOf(form: string): string {
  return /name="xsrf" value="([0-9a-zA-Z_-]+)"/.exec(form)?.[1] ?? ''
}

function configure(deps: IssuerDeps, factsOf: FactsOf): Configuration {
  const { directory, keys, state } = deps
  return {
    adapter: (kind) => (kind === 'Client' ? clientAdapter(directory) : state.adapter(kind)),
    jwks: { keys: keys.all().map(({ privateJwk }) => privateJwk) },
    routes: {
      authorization: '/authorize',
      token: '/token',
      device_authorization: '/devicecode',
      code_verification: '/deviceauth',
      end_session: '/logout',
    },
    cookies: {
      keys: [keys.derive('cookies')],
      names: { session: 'goldleaf.session', interaction: 'goldleaf.interaction', resume: 'goldleaf.resume' },
      long: { httpOnly: true, sameSite: 'lax', signed: true, path: '/' },
      short: { httpOnly: true, sameSite: 'lax', signed: true },
    },
    scopes: [...openidScopes],
    claims: {
      openid: ['sub', 'oid', 'tid', 'preferred_username', 'upn', 'unique_name', 'name', 'ver'],
      email: ['email'],
    },
    conformIdTokenClaims: false,
    responseTypes: ['code'],
    clientDefaults: { token_endpoint_auth_method: 'none', id_token_signed_response_alg: 'RS256' },
    extraClientMetadata: { properties: ['goldleaf_confidential'] },
    // Programs with a secret may do without, as in Azure: theirs cannot be redeemed by who merely saw the code.
    pkce: { required: (_ctx, client) => client['goldleaf_confidential'] !== true },
    rotateRefreshToken: true,
    issueRefreshToken: async (_ctx, _client, source) => source.scopes.has(offlineScope),
    expiresWithSession: () => false,
    findAccount: async (ctx, accountId) => {
      const signedIn = await findSignedIn(directory, accountId, factsOf(ctx).authority.tenantId)
      return signedIn === undefined ? undefined : accountOf(accountId, signedIn)
    },
    loadExistingGrant: async (ctx) => {
      const { account, client, provider } = ctx.oidc
      if (account === undefined || client === undefined) return undefined
      return (await createGrant(provider, { accountId: account.accountId, clientId: client.clientId })).grant
    },
    interactions: {
      policy: signInPolicy(),
      url: (ctx, interaction) => `${factsOf(ctx).mountPath}/signin/${interaction.uid}`,
    },
    renderError: (ctx, out) => {
      // A redirect address that is not registered must not be followed: the person sees why instead.
      const message = `${out.error}: ${out.error_description ?? 'The request is not valid.'}`
      send(ctx, messagePage('This sign-in cannot go on', message, 'problem'))
    },
    features: features(deps),
    formats: {
      customizers: {
        jwt: (ctx, token, jwt) => {
          const { signedIn } = ctx.oidc.account as GoldleafAccount
          jwt.header = { typ: 'JWT' }
          jwt.payload = accessTokenClaims(jwt.payload, signedIn, token.clientId ?? '')
        },
      },
    },
    ttl: {
      AccessToken: tokenLifetimeSeconds,
      AuthorizationCode: 5 * 60,
      DeviceCode: 15 * 60,
      IdToken: tokenLifetimeSeconds,
      Interaction: 30 * 60,
      Session: day,
      RefreshToken: 90 * day,
      Grant: 366 * day,
    },
  }
}

function features({ directory }: IssuerDeps): NonNullable<Configuration['features']> {
  return {
    devInteractions: { enabled: false },
    userinfo: { enabled: false },
    resourceIndicators: {
      enabled: true,
      // Of those granted, the one that was asked for first.
      defaultResource: (_ctx, _client, oneOf) => oneOf?.[0] ?? grantedResources[0] ?? '',
      getResourceServerInfo: (_ctx, resource) => {
        if (!grantedResources.includes(resource)) throw new InvalidTarget()
        return resourceServerOf(resource)
      },
      useGrantedResource: () => true,
    },
    deviceFlow: {
      enabled: true,
      mask: '****-****',
      deviceInfo: () => ({}),
      userCodeInputSource: (ctx, form, _out, error) => {
        const problem = error === undefined ? undefined : deviceProblem(error)
        const code =
          error !== undefined && 'userCode' in error && typeof error.userCode === 'string' ? error.userCode : ''
        send(ctx, deviceCodePage({ action: ctx.oidc.urlFor('code_verification'), xsrf: xsrfOf(form), code, problem }))
      },
      userCodeConfirmSource: async (ctx, form, client, _deviceInfo, code) => {
        const clientName = (await findClient(directory, client.clientId))?.displayName ?? client.clientId
        send(
          ctx,
          deviceConfirmPage({ action: ctx.oidc.urlFor('code_verification'), xsrf: xsrfOf(form), code, clientName }),
        )
      },
      successSource: (ctx) => {
        send(ctx, messagePage('You are signed in', 'You may close this window and go back to the app on your device.'))
      },
    },
    rpInitiatedLogout: {
      enabled: true,
      logoutSource: (ctx, form) => {
        const redirectUri = ctx.oidc.params?.['post_logout_redirect_uri']
        send(
          ctx,
          signOutPage({
            action: ctx.oidc.urlFor('end_session_confirm'),
            xsrf: xsrfOf(form),
            redirectUri: typeof redirectUri === 'string' ? redirectUri : undefined,
          }),
        )
      },
      postLogoutSuccessSource: (ctx) => {
        send(ctx, messagePage('You are signed out', 'You may close this window.'))
      },
    },
  }
}

function deviceProblem(error: Error): string {
  switch (error.name) {
    case 'NoCodeError':
      return 'Enter the code.'
    case 'AbortedError':
      return 'The sign-in was cancelled. You may close this window.'
    case 'NotFoundError':
    case 'ExpiredError':
    case 'AlreadyUsedError':
      return 'That code is not valid, or not any more. Check it, or let the app make a new one.'
    default:
      return 'That did not work. Enter the code again.'
  }
}

/** Nothing to consent to: which programs may be used in a tenant is its administrators' choice. */
function signInPolicy(): interactionPolicy.DefaultPolicy {
  const policy = basePolicy()
  policy.remove('consent')
  policy
    .get('login')
    ?.checks.add(
      new Check(
        'no_account',
        'the signed-in person has no account in this tenant',
        'login_required',
        (ctx) => ctx.oidc.account === undefined,
      ),
    )
  return policy
}

function accountOf(accountId: string, signedIn: SignedIn): GoldleafAccount {
  const { home, user } = signedIn
  return {
    accountId,
    signedIn,
    claims: () => ({
      sub: accountId,
      oid: user.objectId,
      tid: user.tenantId,
      preferred_username: home.userPrincipalName,
      upn: home.userPrincipalName,
      unique_name: home.userPrincipalName,
      name: home.displayName,
      ver: '2.0',
      ...(home.mail === undefined ? {} : { email: home.mail }),
    }),
  }
}

/** A user's access token: the claims of `principalClaims`, as those of programs have. */
function accessTokenClaims(
  { jti, aud, iat, exp, scope }: Readonly<Record<string, unknown>>,
  { home, user }: SignedIn,
  appId: string,
): Record<string, unknown> {
  const { objectId, tenantId } = user
  return {
    ...principalClaims({ objectId, tenantId, appId, kind: 'user', upn: home.userPrincipalName }),
    jti,
    iss: issuerOf(tenantId),
    sub: objectId,
    aud,
    iat,
    nbf: iat,
    exp,
    scp: scope,
    name: home.displayName,
  }
}
