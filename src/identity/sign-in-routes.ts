import { createHmac, timingSafeEqual } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Directory, User } from '../directory/directory.ts'
import type { Cloud } from './clouds.ts'
import { formatAccountId } from './accounts.ts'
import type { CheckPassword, PasswordAnswer } from './accounts.ts'
import { findClient, getAuthority, getClient } from './clients.ts'
import type { Authority } from './clients.ts'
import { grantedResources, requestedScopes } from './grants.ts'
import type { InnerRequest, Issuer, RequestFacts } from './issuer.ts'
import { messagePage, signInPage } from './pages.ts'
import type { Page } from './pages.ts'
import { mainAudience, parseAsked } from './resource.ts'
import type { Asked, EndpointForm } from './resource.ts'
import { SignInError, findField, getField, refuseRepeats } from './sign-in-error.ts'
import { notInTenant } from './token-endpoint.ts'
import { armAudience } from './token.ts'

export interface SignInRoutesDeps {
  readonly directory: Directory
  readonly issuer: Issuer
  readonly checkPassword: CheckPassword
  readonly homeTenantId: string
  readonly csrfKey: Buffer
  readonly baseUrlOf: (request: FastifyRequest) => string
  readonly cloud: Cloud | undefined
  /** Answers a refusal of `devicecode` in OAuth's form, and counts it. */
  readonly refuse: (error: unknown, request: FastifyRequest, reply: FastifyReply) => FastifyReply
}

/** One of the places at which Azure's clients look for the protocol. */
export interface Mount {
  /** Fastify's pattern: `/:tenant/oauth2/v2.0`. */
  readonly prefix: string
  readonly form: EndpointForm
}

export const mounts: readonly Mount[] = [
  { prefix: '/:tenant/oauth2/v2.0', form: 'v2' },
  { prefix: '/:tenant/oauth2', form: 'v1' },
  // ADFS has addresses like v1 and answers like v2 (CLIENTS.md).
  { prefix: '/adfs/oauth2', form: 'v2' },
]

export type MountRequest = FastifyRequest<{ Params: { tenant?: string; uid?: string } }>

export function mountPathOf(request: MountRequest, { prefix }: Mount): string {
  return prefix.replace(':tenant', encodeURIComponent(segmentOf(request)))
}

export function segmentOf(request: MountRequest): string {
  return request.params.tenant ?? 'adfs'
}

export function formOf(request: FastifyRequest): URLSearchParams {
  // JSON or nothing counts as an empty form: the answer then names the parameter that is missing.
  return request.body instanceof URLSearchParams ? request.body : new URLSearchParams()
}

const nothingAsked: Asked = { resource: undefined, audience: undefined, openid: [], scopes: [] }

function sendPage(reply: FastifyReply, { html, headers }: Page, status: 200 | 400 | 429 = 200): FastifyReply {
  return reply.code(status).headers(headers).send(html)
}

/** What oidc-provider answers as it is asked. */
const handedOn = [
  ['GET', '/authorize/:uid'],
  ['GET', '/deviceauth'],
  ['POST', '/deviceauth'],
  ['GET', '/deviceauth/:uid'],
  ['GET', '/logout'],
  ['POST', '/logout/confirm'],
  ['GET', '/logout/success'],
] as const

/** Registers authorize, device code, sign-in page and sign-out below one mount. */
export function registerSignIn(scope: FastifyInstance, deps: SignInRoutesDeps, mount: Mount): void {
  const { prefix } = mount
  const onPage =
    (answer: (request: MountRequest, reply: FastifyReply) => Promise<unknown>) =>
    async (request: MountRequest, reply: FastifyReply): Promise<unknown> => {
      try {
        return await answer(request, reply)
      } catch (error) {
        if (!(error instanceof SignInError)) throw error
        const page = messagePage('This sign-in cannot go on', `AADSTS${error.code}: ${error.message}`, 'problem')
        return sendPage(reply, page, 400)
      }
    }
  const pass = (path: (uid: string) => string) =>
    onPage(async (request, reply) => {
      const facts = await factsOf(deps, request, mount, nothingAsked)
      const method = request.method === 'POST' ? 'POST' : 'GET'
      const at = path(encodeURIComponent(request.params.uid ?? ''))
      const query = method === 'GET' ? queryOf(request).toString() : ''
      const form = method === 'POST' ? formOf(request) : undefined
      return hand(deps, request, reply, facts, { method, path: query === '' ? at : `${at}?${query}`, form })
    })
  const authorize = onPage((request, reply) => startAuthorization(deps, mount, request, reply))
  scope.get(`${prefix}/authorize`, authorize)
  scope.post(`${prefix}/authorize`, authorize)
  scope.post(`${prefix}/devicecode`, async (request: MountRequest, reply) => {
    try {
      return await startDeviceCode(deps, mount, request, reply)
    } catch (error) {
      return deps.refuse(error, request, reply)
    }
  })
  for (const [method, path] of handedOn)
    scope.route({ method, url: prefix + path, handler: pass((uid) => path.replace(':uid', uid)) })
  scope.get(
    `${prefix}/signin/:uid`,
    onPage((request, reply) => showSignIn(deps, mount, request, reply)),
  )
  scope.post(
    `${prefix}/signin/:uid`,
    onPage((request, reply) => takeSignIn(deps, mount, request, reply)),
  )
}

function queryOf(request: FastifyRequest): URLSearchParams {
  const start = request.url.indexOf('?')
  return new URLSearchParams(start < 0 ? '' : request.url.slice(start + 1))
}

async function factsOf(
  deps: SignInRoutesDeps,
  request: MountRequest,
  mount: Mount,
  asked: Asked,
): Promise<RequestFacts> {
  return {
    authority: await getAuthority(deps.directory, segmentOf(request)),
    form: mount.form,
    asked,
    wantsClientInfo: false,
    isOffline: true,
    baseUrl: deps.baseUrlOf(request),
    mountPath: mountPathOf(request, mount),
  }
}

async function hand(
  deps: SignInRoutesDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  facts: RequestFacts,
  inner: InnerRequest,
): Promise<undefined> {
  const provider = deps.issuer.provider(facts.baseUrl, facts.authority.tenantId ?? deps.homeTenantId)
  await deps.issuer.handle(provider, request, reply, facts, inner)
  return undefined
}

/** What an authorization request asks for, in oidc-provider's words; all that there is is granted, the asked for first. */
function rewriteAsked(inner: URLSearchParams, asked: Asked, form: EndpointForm): void {
  inner.set('scope', requestedScopes(asked.openid, form === 'v1' || asked.openid.includes('offline_access')))
  const first = mainAudience(asked.audience ?? armAudience)
  for (const resource of new Set([first, ...grantedResources])) inner.append('resource', resource)
}

const authorizeFields = [
  'response_type',
  'redirect_uri',
  'response_mode',
  'state',
  'nonce',
  'code_challenge',
  'code_challenge_method',
  'login_hint',
  'max_age',
]

async function startAuthorization(
  deps: SignInRoutesDeps,
  mount: Mount,
  request: MountRequest,
  reply: FastifyReply,
): Promise<undefined> {
  const fields = request.method === 'POST' ? formOf(request) : queryOf(request)
  refuseRepeats(fields)
  const asked = parseAsked(fields, deps.baseUrlOf(request), deps.cloud)
  const facts = await factsOf(deps, request, mount, asked)
  const client = await getClient(deps.directory, getField(fields, 'client_id'), facts.authority)
  const inner = new URLSearchParams({ client_id: client.appId })
  for (const name of authorizeFields) {
    const value = findField(fields, name)
    if (value !== undefined) inner.set(name, value)
  }
  // To choose an account is to sign in; consent is the administrators' (issuer.ts).
  const prompt = findField(fields, 'prompt')
  if (prompt === 'none') inner.set('prompt', 'none')
  else if (prompt === 'login' || prompt === 'select_account') inner.set('prompt', 'login')
  rewriteAsked(inner, asked, mount.form)
  return hand(deps, request, reply, facts, { method: 'GET', path: `/authorize?${inner.toString()}` })
}

async function startDeviceCode(
  deps: SignInRoutesDeps,
  mount: Mount,
  request: MountRequest,
  reply: FastifyReply,
): Promise<undefined> {
  const fields = formOf(request)
  refuseRepeats(fields)
  const asked = parseAsked(fields, deps.baseUrlOf(request), deps.cloud)
  const facts = await factsOf(deps, request, mount, asked)
  const client = await getClient(deps.directory, getField(fields, 'client_id'), facts.authority)
  const form = new URLSearchParams({ client_id: client.appId })
  rewriteAsked(form, asked, mount.form)
  return hand(deps, request, reply, facts, { method: 'POST', path: '/devicecode', form })
}

interface Visit {
  readonly authority: Authority
  readonly provider: ReturnType<Issuer['provider']>
  readonly interaction: Awaited<ReturnType<ReturnType<Issuer['provider']>['interactionDetails']>>
  /** Proves that the form was shown to who sends it; the interaction's cookie proves it too. */
  readonly csrf: string
  readonly page: (facts: { name: string; problem?: string }) => Page
}

/** The sign-in that this browser is in the middle of: its cookie says so. */
async function openVisit(
  deps: SignInRoutesDeps,
  mount: Mount,
  request: MountRequest,
  reply: FastifyReply,
): Promise<Visit> {
  const { authority, baseUrl } = await factsOf(deps, request, mount, nothingAsked)
  const provider = deps.issuer.provider(baseUrl, authority.tenantId ?? deps.homeTenantId)
  const interaction = await provider.interactionDetails(request.raw, reply.raw).catch((cause: unknown) => {
    throw new SignInError(
      400,
      'invalid_request',
      90023,
      'This page has expired, or your browser keeps no cookies. Start the sign-in again.',
      { cause },
    )
  })
  const { uid, params } = interaction
  if (uid !== request.params.uid) throw new SignInError(400, 'invalid_request', 90023, 'Start the sign-in again.')
  const csrf = createHmac('sha256', deps.csrfKey).update(uid).digest('base64url')
  const clientId = textOf(params['client_id'])
  const clientName = (await findClient(deps.directory, clientId))?.displayName ?? clientId
  const redirectUri = textOf(params['redirect_uri'])
  const action = `${mountPathOf(request, mount)}/signin/${encodeURIComponent(uid)}`
  return {
    authority,
    provider,
    interaction,
    csrf,
    page: (facts) => signInPage({ action, csrf, clientName, redirectUri, ...facts }),
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

async function showSignIn(
  deps: SignInRoutesDeps,
  mount: Mount,
  request: MountRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { interaction, page } = await openVisit(deps, mount, request, reply)
  return sendPage(reply, page({ name: textOf(interaction.params['login_hint']) }))
}

async function takeSignIn(
  deps: SignInRoutesDeps,
  mount: Mount,
  request: MountRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const fields = formOf(request)
  refuseRepeats(fields)
  const visit = await openVisit(deps, mount, request, reply)
  const { provider, authority, page } = visit
  checkOrigin(request, visit.csrf, findField(fields, 'csrf') ?? '')
  const finish = async (result: Parameters<typeof provider.interactionResult>[2]): Promise<FastifyReply> =>
    reply.redirect(await provider.interactionResult(request.raw, reply.raw, result), 303)
  if (findField(fields, 'cancel') !== undefined)
    return finish({ error: 'access_denied', error_description: 'The user cancelled the sign-in.' })
  const name = findField(fields, 'username') ?? ''
  const password = findField(fields, 'password') ?? ''
  const answer = await deps.checkPassword({ name, password, peer: request.ip })
  if (answer.kind !== 'right')
    return sendPage(reply, page({ name, problem: problemOf(answer) }), answer.kind === 'slowed' ? 429 : 200)
  const problem = await findTenantProblem(deps.directory, answer.user, authority)
  if (problem !== undefined) return sendPage(reply, page({ name, problem }))
  const accountId = formatAccountId(answer.user)
  await changePerson(visit, accountId)
  return finish({ login: { accountId, amr: ['pwd'] } })
}

function checkOrigin(request: FastifyRequest, expected: string, given: string): void {
  const isSame = given.length === expected.length && timingSafeEqual(Buffer.from(given), Buffer.from(expected))
  const site = request.headers['sec-fetch-site']
  if (isSame && (site === undefined || site === 'same-origin' || site === 'none')) return
  throw new SignInError(400, 'invalid_request', 90023, 'This form was not sent from the sign-in page. Start again.')
}

function problemOf(answer: Exclude<PasswordAnswer, { readonly kind: 'right' }>): string {
  switch (answer.kind) {
    case 'wrong':
      return 'The user name or the password is not right.'
    case 'disabled':
      return 'This account is disabled. Ask an administrator.'
    case 'slowed':
      return `There were too many failed sign-ins. Wait ${answer.waitSeconds} seconds.`
  }
}

async function findTenantProblem(directory: Directory, user: User, authority: Authority): Promise<string | undefined> {
  const { tenantId } = authority
  if (tenantId === undefined || tenantId === user.tenantId) return undefined
  if ((await directory.findGuest(tenantId, user))?.accountEnabled === true) return undefined
  return notInTenant(user, authority).message
}

/** Another person than the browser was signed in as takes over its session: oidc-provider would ask to sign out first. */
async function changePerson({ provider, interaction }: Visit, accountId: string): Promise<void> {
  const uid = interaction.session?.uid
  if (uid === undefined) return
  const session = await provider.Session.findByUid(uid)
  if (session === undefined || session.accountId === accountId) return
  session.accountId = accountId
  session.authorizations = {}
  await session.persist()
  if (interaction.session !== undefined) interaction.session.accountId = accountId
  await interaction.persist()
}
