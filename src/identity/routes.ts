import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { systemClock } from '../base/clock.ts'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { Directory } from '../directory/directory.ts'
import type { Db } from '../db/tables.ts'
import type { Cloud } from './clouds.ts'
import { createPasswordCheck } from './accounts.ts'
import { getAuthority } from './clients.ts'
import { instanceDiscovery, jwks, metadataEndpoints, openidConfiguration, userRealm } from './discovery.ts'
import type { Installation } from './installation.ts'
import { createIssuer } from './issuer.ts'
import { SignInError, findField, signInErrorBody } from './sign-in-error.ts'
import { reportOfAnswer } from './sign-in-report.ts'
import type { ReportSignIn, SignInReport } from './sign-in-report.ts'
import { createSignInState } from './sign-in-state.ts'
import type { SignInState } from './sign-in-state.ts'
import { formOf, mountPathOf, mounts, registerSignIn, segmentOf } from './sign-in-routes.ts'
import type { Mount, MountRequest } from './sign-in-routes.ts'
import { createFailureCounter } from './throttle.ts'
import { answerTokenRequest } from './token-endpoint.ts'
import { createTokenSigner } from './token.ts'

export interface IdentityDeps {
  readonly installation: Installation
  readonly directory: Directory
  readonly db: Db
  readonly logger: Logger
  readonly clock?: Clock | undefined
  /** `scheme://host` of a request; refuses hosts that are none, because they are reflected (src/http baseUrlOf). */
  readonly baseUrlOf: (request: FastifyRequest) => string
  /** Told of every sign-in at a token endpoint, and of every refusal. */
  readonly onSignIn?: ReportSignIn | undefined
  /** Under which name clients find this cloud. Default: AzureCloud. */
  readonly cloud?: Cloud | undefined
}

/** A token request is a few hundred bytes. */
const bodyLimitBytes = 56 * 1024
/** After so many refusals of one peer in a window, further ones answer 429. */
const failureLimit = { failures: 10, windowMs: 60_000 }

/** Tokens and their refusals must not rest in any cache (RFC 6749 section 5.1). */
function forbidCaching(reply: FastifyReply): FastifyReply {
  return reply.header('cache-control', 'no-store').header('pragma', 'no-cache')
}

/** What signing in keeps; its `sweep` is for a schedule. */
export function openSignInState(
  deps: Pick<IdentityDeps, 'installation' | 'db'> & { readonly clock: Clock },
): SignInState {
  return createSignInState({ db: deps.db, seal: deps.installation.keys.seal, clock: deps.clock })
}

/**
 * Registers sign-in and discovery: the protocol of Entra ID at its addresses (v1, v2 and ADFS forms), openid documents,
 * keys and `/metadata/endpoints`. In a scope of its own, so that its urlencoded parser is nobody else's. None of these
 * need a token.
 */
export function registerIdentity(app: FastifyInstance, deps: IdentityDeps): void {
  void app.register(async (scope) => {
    scope.addContentTypeParser(
      'application/x-www-form-urlencoded',
      { parseAs: 'string', bodyLimit: bodyLimitBytes },
      (_request, body, done) => done(null, new URLSearchParams(String(body))),
    )
    registerProtocol(scope, deps)
    registerDiscovery(scope, deps)
  })
}

function registerProtocol(scope: FastifyInstance, deps: IdentityDeps): void {
  const { installation, directory, logger, clock = systemClock, baseUrlOf, cloud } = deps
  const { keys, tenantId: homeTenantId } = installation
  const state = openSignInState({ ...deps, clock })
  const failures = createFailureCounter(clock, failureLimit)
  const issuer = createIssuer({
    onSignIn: deps.onSignIn,
    directory,
    keys,
    state,
    clock,
    logger,
    countFailure: (peer) => failures.count(peer),
  })
  const checkPassword = createPasswordCheck({ directory, clock })
  const signer = createTokenSigner(installation, clock)
  const refuse = (error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    if (!(error instanceof SignInError)) throw error
    const refusal = slowDown(error, failures.count(request.ip))
    const body = signInErrorBody(refusal, clock)
    logger.warn({ peer: request.ip, error: body['error_description'] }, 'sign-in refused')
    const { retryAfterSeconds } = refusal
    if (retryAfterSeconds !== undefined) reply.header('retry-after', String(retryAfterSeconds))
    return forbidCaching(reply).code(refusal.status).send(body)
  }
  const token = (mount: Mount) => async (request: MountRequest, reply: FastifyReply) => {
    try {
      const asked = {
        form: mount.form,
        segment: segmentOf(request),
        fields: formOf(request),
        baseUrl: baseUrlOf(request),
        mountPath: mountPathOf(request, mount),
      }
      const tokenDeps = { directory, issuer, state, signer, checkPassword, clock, homeTenantId, cloud }
      const body = await answerTokenRequest(tokenDeps, asked, request, reply)
      const report = body && reportOfAnswer(body, { grant: grantOf(request), clientIpAddress: request.ip })
      if (report) deps.onSignIn?.(report)
      return body === undefined ? undefined : forbidCaching(reply).send(body)
    } catch (error) {
      if (error instanceof SignInError) deps.onSignIn?.(await reportRefusal(error, request, deps))
      return refuse(error, request, reply)
    }
  }
  const csrfKey = keys.derive('sign-in forms')
  for (const mount of mounts) {
    scope.post(`${mount.prefix}/token`, token(mount))
    registerSignIn(scope, { directory, issuer, checkPassword, homeTenantId, csrfKey, baseUrlOf, cloud, refuse }, mount)
  }
}

function grantOf(request: MountRequest): string {
  return findField(formOf(request), 'grant_type')?.slice(0, 100) ?? ''
}

async function reportRefusal(
  { code, message }: SignInError,
  request: MountRequest,
  { directory, installation }: Pick<IdentityDeps, 'directory' | 'installation'>,
): Promise<SignInReport> {
  const fields = formOf(request)
  const tenant = await directory.findTenant(segmentOf(request))
  return {
    tenantId: tenant?.tenantId ?? installation.tenantId,
    name: findField(fields, 'username') ?? findField(fields, 'client_id'),
    grant: grantOf(request),
    clientIpAddress: request.ip,
    refusal: { code: `AADSTS${code}`, message },
  }
}

/** Right secrets are served also while a peer's refusals are slowed down: they have 256 random bits. */
function slowDown(error: SignInError, waitSeconds: number): SignInError {
  if (waitSeconds === 0 || error.status === 429) return error
  return new SignInError(
    429,
    'temporarily_unavailable',
    50196,
    `Too many failed sign-ins from this address. Wait ${waitSeconds} seconds, then correct the request; the last failure was: ${error.message}`,
    { retryAfterSeconds: waitSeconds },
  )
}

type TenantRequest = MountRequest

function registerDiscovery(scope: FastifyInstance, deps: IdentityDeps): void {
  const { installation, directory, baseUrlOf, clock = systemClock } = deps
  const openid = (form: 'v1' | 'v2' | 'adfs') => async (request: TenantRequest, reply: FastifyReply) => {
    const segment = segmentOf(request)
    try {
      const { tenantId = installation.tenantId } = await getAuthority(directory, segment)
      return openidConfiguration(baseUrlOf(request), segment, form, tenantId)
    } catch (error) {
      if (!(error instanceof SignInError)) throw error
      return reply.code(400).send(signInErrorBody(error, clock))
    }
  }
  scope.get('/common/discovery/instance', async (request) => instanceDiscovery(baseUrlOf(request)))
  scope.get<{ Params: { name: string } }>('/common/userrealm/:name', async (request) =>
    userRealm(baseUrlOf(request), request.params.name),
  )
  scope.get('/adfs/.well-known/openid-configuration', openid('adfs'))
  scope.get('/:tenant/.well-known/openid-configuration', openid('v1'))
  scope.get('/:tenant/v2.0/.well-known/openid-configuration', openid('v2'))
  for (const path of ['/:tenant/discovery/keys', '/:tenant/discovery/v2.0/keys'])
    scope.get(path, async () => jwks(installation))
  // The list of public images that az knows by short names ("Ubuntu2204"): there are none here.
  scope.get('/metadata/aliases.json', async () => ({ outputs: { aliases: { type: 'object', value: {} } } }))
  scope.get<{ Querystring: { 'api-version'?: string } }>('/metadata/endpoints', async (request) => {
    return metadataEndpoints(baseUrlOf(request), request.query['api-version'] ?? '2022-09-01', deps.cloud)
  })
}
