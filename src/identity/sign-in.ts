import type { Clock } from '../base/clock.ts'
import type { Installation } from './installation.ts'
import { armAudience, armAudiences, tokenLifetimeSeconds } from './token.ts'
import type { TokenSigner } from './token.ts'

/** Which of Azure's token endpoints is spoken to: v1 answers numbers as strings and names `resource`. */
export type EndpointForm = 'v1' | 'v2'

export interface TokenRequest {
  readonly form: EndpointForm
  /** As in the path: a tenant id, or `adfs`, `common`, `organizations`. */
  readonly tenant: string
  /** Parsed from the urlencoded body. */
  readonly fields: URLSearchParams
  readonly authorizationHeader: string | undefined
  /** `scheme://host` as the client sees this server. */
  readonly baseUrl: string
  /** Where failed attempts are counted: the peer's address. */
  readonly peer: string
}

/** An answer of RFC 6749: `status` and JSON body; `retryAfterSeconds` with 429. */
export interface TokenAnswer {
  readonly status: 200 | 400 | 401 | 429
  readonly body: Readonly<Record<string, unknown>>
  readonly retryAfterSeconds?: number | undefined
}

export type SignIn = (request: TokenRequest) => Promise<TokenAnswer>

/** After so many failures of one peer in a window, further failures answer 429. */
const failuresPerWindow = 10
const windowMs = 60_000
/** Peers remembered at most: the oldest is forgotten, so that strangers cannot fill the memory. */
const peersRemembered = 10_000

/** Names that Azure accepts in the place of a tenant id; `adfs` is what az 2.45 needs (CLIENTS.md). */
const sharedTenants = new Set(['adfs', 'common', 'organizations'])

/** Whether the first segment of a sign-in address stands for this server's tenant. */
export function isTenant(installation: Pick<Installation, 'tenantId'>, segment: string): boolean {
  return segment.toLowerCase() === installation.tenantId || sharedTenants.has(segment.toLowerCase())
}

export function unknownTenant(segment: string): string {
  return `Tenant '${segment}' not found. This server's tenant is shown by 'goldleaf env'.`
}

/** Thrown inside only; the code numbers are Entra ID's, which clients' log parsers and people search for. */
class SignInError extends Error {
  readonly status: 400 | 401
  readonly error: string
  readonly code: number
  constructor(status: 400 | 401, error: string, code: number, message: string) {
    super(message)
    this.status = status
    this.error = error
    this.code = code
  }
}

/** One value or none; RFC 6749 section 3.2 forbids repeated parameters. */
function findField(fields: URLSearchParams, name: string): string | undefined {
  const values = fields.getAll(name)
  if (values.length > 1)
    throw new SignInError(
      400,
      'invalid_request',
      9000411,
      `The request is not properly formatted: '${name}' is given twice.`,
    )
  return values[0] === '' ? undefined : values[0]
}

function getField(fields: URLSearchParams, name: string): string {
  const value = findField(fields, name)
  if (value === undefined)
    throw new SignInError(
      400,
      'invalid_request',
      900144,
      `The request body must contain the following parameter: '${name}'.`,
    )
  return value
}

/** client_secret_basic: both halves are form-urlencoded first (RFC 6749 section 2.3.1). */
function parseBasic(header: string | undefined): { id: string; secret: string } | undefined {
  const encoded = /^Basic +([A-Za-z0-9+/=]+)$/i.exec(header ?? '')?.[1]
  if (encoded === undefined) return undefined
  const pair = Buffer.from(encoded, 'base64').toString('utf8')
  const colon = pair.indexOf(':')
  if (colon < 0) return undefined
  const decode = (text: string): string => new URLSearchParams(`x=${text}`).get('x') ?? ''
  return { id: decode(pair.slice(0, colon)), secret: decode(pair.slice(colon + 1)) }
}

/**
 * What the token is for. Azure Resource Manager is the only resource: by Azure's names for it, or by the address under
 * which the client reaches this server (`BASE/.default`, `BASE//.default`).
 */
function audienceOf(request: TokenRequest, appId: string): string {
  const scope = findField(request.fields, 'scope')
    ?.split(/\s+/)
    .find((word) => word.endsWith('/.default'))
  const resource = findField(request.fields, 'resource') ?? scope?.slice(0, -'/.default'.length)
  if (resource === undefined) {
    if (request.form === 'v1') return armAudience
    throw new SignInError(
      400,
      'invalid_scope',
      1002012,
      `The provided value for scope is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier, e.g. ${armAudience}/.default.`,
    )
  }
  const found = armAudiences.find((audience) => audience === resource.toLowerCase())
  if (found !== undefined) return found
  if (resource.replace(/\/+$/, '').toLowerCase() === request.baseUrl.toLowerCase()) return armAudience
  throw new SignInError(
    400,
    'invalid_resource',
    500011,
    `The resource principal named ${resource} was not found in the tenant. Ask for ${armAudience}, or for the address of this server; application ${appId} is known here for nothing else.`,
  )
}

interface SignInDeps {
  readonly installation: Installation
  readonly signer: TokenSigner
  readonly clock: Clock
}

async function grant({ installation, signer }: SignInDeps, request: TokenRequest): Promise<TokenAnswer> {
  const { fields, form, tenant } = request
  if (!isTenant(installation, tenant)) throw new SignInError(400, 'invalid_request', 90002, unknownTenant(tenant))
  const grantType = getField(fields, 'grant_type')
  if (grantType !== 'client_credentials')
    throw new SignInError(
      400,
      'unsupported_grant_type',
      70003,
      `The app requested an unsupported grant type '${grantType}'. Only 'client_credentials' is served.`,
    )
  const basic = parseBasic(request.authorizationHeader)
  const clientId = findField(fields, 'client_id') ?? basic?.id ?? getField(fields, 'client_id')
  if (clientId.toLowerCase() !== installation.clientId)
    throw new SignInError(
      400,
      'unauthorized_client',
      700016,
      `Application with identifier '${clientId}' was not found in the directory '${installation.tenantId}'.`,
    )
  const secret = findField(fields, 'client_secret') ?? basic?.secret
  if (secret === undefined)
    throw new SignInError(
      401,
      'invalid_client',
      7000218,
      `The request body must contain the following parameter: 'client_secret'.`,
    )
  if (!installation.isClientSecret(secret))
    throw new SignInError(
      401,
      'invalid_client',
      7000215,
      `Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '${installation.clientId}'.`,
    )
  const audience = audienceOf(request, installation.clientId)
  const principal = {
    objectId: installation.objectId,
    tenantId: installation.tenantId,
    appId: installation.clientId,
  }
  const { token, notBeforeSeconds, expiresSeconds } = await signer.sign(principal, audience)
  if (form === 'v2')
    return {
      status: 200,
      body: {
        token_type: 'Bearer',
        expires_in: tokenLifetimeSeconds,
        ext_expires_in: tokenLifetimeSeconds,
        access_token: token,
      },
    }
  return {
    status: 200,
    body: {
      token_type: 'Bearer',
      expires_in: String(tokenLifetimeSeconds),
      ext_expires_in: String(tokenLifetimeSeconds),
      expires_on: String(expiresSeconds),
      not_before: String(notBeforeSeconds),
      resource: findField(fields, 'resource') ?? audience,
      access_token: token,
    },
  }
}

/** Counts failures per peer in fixed windows; answers how long to wait, 0 while there are few. */
function failureCounter(clock: Clock): (peer: string) => number {
  const counts = new Map<string, { startedMs: number; failures: number }>()
  return (peer) => {
    const nowMs = clock.now()
    const found = counts.get(peer)
    const entry = found && nowMs - found.startedMs < windowMs ? found : { startedMs: nowMs, failures: 0 }
    entry.failures += 1
    counts.delete(peer)
    counts.set(peer, entry)
    const [oldest] = counts.keys()
    if (counts.size > peersRemembered && oldest !== undefined) counts.delete(oldest)
    return entry.failures > failuresPerWindow ? Math.ceil((entry.startedMs + windowMs - nowMs) / 1000) : 0
  }
}

/**
 * The client-credentials grant. Right secrets are always served, also while a peer's failures are slowed down: the
 * secret has 256 random bits, so that slowing only keeps the log and the processor quiet.
 */
export function createSignIn(deps: SignInDeps): SignIn {
  const countFailure = failureCounter(deps.clock)
  return async (request) => {
    try {
      return await grant(deps, request)
    } catch (error) {
      if (!(error instanceof SignInError)) throw error
      const waitSeconds = countFailure(request.peer)
      const body = {
        error: error.error,
        error_description: `AADSTS${error.code}: ${error.message}`,
        error_codes: [error.code],
        timestamp: new Date(deps.clock.now())
          .toISOString()
          .replace('T', ' ')
          .replace(/\.\d+Z$/, 'Z'),
      }
      if (waitSeconds === 0) return { status: error.status, body }
      return {
        status: 429,
        retryAfterSeconds: waitSeconds,
        body: {
          ...body,
          error: 'temporarily_unavailable',
          error_description: `AADSTS50196: Too many failed sign-ins from this address. Wait ${waitSeconds} seconds, then correct the request; the last failure was: ${error.message}`,
          error_codes: [50196],
        },
      }
    }
  }
}
