import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { systemClock } from '../base/clock.ts'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import { jwks, metadataEndpoints, openidConfiguration } from './discovery.ts'
import type { Installation } from './installation.ts'
import { createSignIn, isTenant, unknownTenant } from './sign-in.ts'
import type { EndpointForm } from './sign-in.ts'
import { createTokenSigner } from './token.ts'

export interface IdentityDeps {
  readonly installation: Installation
  readonly logger: Logger
  readonly clock?: Clock | undefined
  /** `scheme://host` of a request; refuses hosts that are none, because they are reflected (src/http baseUrlOf). */
  readonly baseUrlOf: (request: FastifyRequest) => string
  /** `SUFFIX` of blob addresses `https://account.blob.SUFFIX`, told to az and Terraform. Default: the request's host. */
  readonly storageSuffix?: string | undefined
}

/** A token request is a few hundred bytes. */
const bodyLimitBytes = 65_536

/** Tokens and their refusals must not rest in any cache (RFC 6749 section 5.1). */
function forbidCaching(reply: FastifyReply): void {
  reply.header('cache-control', 'no-store').header('pragma', 'no-cache')
}

/**
 * Registers sign-in and discovery: token endpoints (v1, v2 and ADFS forms), openid-configuration documents, JWKS and
 * `/metadata/endpoints`. In a scope of its own, so that its urlencoded parser is nobody else's. None of these need a
 * token. The full issuer (users, device code, refresh) is a later issue and replaces these routes.
 */
export function registerIdentity(app: FastifyInstance, deps: IdentityDeps): void {
  void app.register(async (scope) => {
    scope.addContentTypeParser(
      'application/x-www-form-urlencoded',
      { parseAs: 'string', bodyLimit: bodyLimitBytes },
      (_request, body, done) => done(null, new URLSearchParams(String(body))),
    )
    registerTokenEndpoints(scope, deps)
    registerDiscovery(scope, deps)
  })
}

type TenantRequest = FastifyRequest<{ Params: { tenant?: string } }>

function registerTokenEndpoints(scope: FastifyInstance, deps: IdentityDeps): void {
  const { installation, logger, clock = systemClock } = deps
  const signIn = createSignIn({ installation, clock, signer: createTokenSigner(installation, clock) })
  const answer = (form: EndpointForm) => async (request: TenantRequest, reply: FastifyReply) => {
    const { status, body, retryAfterSeconds } = await signIn({
      form,
      tenant: request.params.tenant ?? 'adfs',
      // JSON or nothing counts as an empty form: the answer then names the parameter that is missing.
      fields: request.body instanceof URLSearchParams ? request.body : new URLSearchParams(),
      authorizationHeader: request.headers.authorization,
      baseUrl: deps.baseUrlOf(request),
      peer: request.ip,
    })
    forbidCaching(reply)
    if (status !== 200) logger.warn({ peer: request.ip, error: body['error_description'] }, 'sign-in refused')
    if (retryAfterSeconds !== undefined) reply.header('retry-after', String(retryAfterSeconds))
    return reply.code(status).send(body)
  }
  scope.post('/adfs/oauth2/token', answer('v2'))
  scope.post('/:tenant/oauth2/token', answer('v1'))
  scope.post('/:tenant/oauth2/v2.0/token', answer('v2'))
}

function registerDiscovery(scope: FastifyInstance, deps: IdentityDeps): void {
  const { installation, baseUrlOf } = deps
  const openid = (form: 'v1' | 'v2' | 'adfs') => async (request: TenantRequest, reply: FastifyReply) => {
    const { tenant = 'adfs' } = request.params
    if (isTenant(installation, tenant))
      return openidConfiguration(baseUrlOf(request), tenant, form, installation.tenantId)
    return reply.code(400).send({ error: 'invalid_tenant', error_description: `AADSTS90002: ${unknownTenant(tenant)}` })
  }
  scope.get('/adfs/.well-known/openid-configuration', openid('adfs'))
  scope.get('/:tenant/.well-known/openid-configuration', openid('v1'))
  scope.get('/:tenant/v2.0/.well-known/openid-configuration', openid('v2'))
  for (const path of ['/:tenant/discovery/keys', '/:tenant/discovery/v2.0/keys'])
    scope.get(path, async () => jwks(installation))
  // The list of public images that az knows by short names ("Ubuntu2204"): there are none here.
  scope.get('/metadata/aliases.json', async () => ({ outputs: { aliases: { type: 'object', value: {} } } }))
  scope.get<{ Querystring: { 'api-version'?: string } }>('/metadata/endpoints', async (request) => {
    const baseUrl = baseUrlOf(request)
    const suffix = deps.storageSuffix ?? new URL(baseUrl).host
    return metadataEndpoints(baseUrl, request.query['api-version'] ?? '2022-09-01', suffix)
  })
}
