import { X509Certificate } from 'node:crypto'
import { decodeProtectedHeader, errors, jwtVerify } from 'jose'
import type { JWTPayload } from 'jose'
import type { Clock } from '../base/clock.ts'
import type { Directory, KeyCredential } from '../directory/directory.ts'
import { getAuthority } from './clients.ts'
import type { Authority, Client } from './clients.ts'
import { SignInError, findField } from './sign-in-error.ts'
import type { SignInState } from './sign-in-state.ts'

export interface ProofRequest {
  readonly client: Client
  readonly authority: Authority
  readonly fields: URLSearchParams
  /** Of an Authorization header of the Basic scheme. */
  readonly basic: { readonly id: string; readonly secret: string } | undefined
  readonly baseUrl: string
  readonly peer: string
}

export interface ProofDeps {
  readonly directory: Directory
  readonly state: SignInState
  readonly clock: Clock
}

/** How a client proved that it is who it says; `none`: it did not try. */
export type Proof = 'none' | 'secret' | 'certificate'

const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
/** What Entra ID takes. */
const assertionAlgorithms = ['RS256', 'PS256']
const clockToleranceSeconds = 300
/** MSAL makes assertions for ten minutes; longer than a day they would only be asking to be stolen. */
const longestAssertionSeconds = 86_400 + clockToleranceSeconds
const longestAssertion = 16_384

function invalidClient(code: number, message: string, cause?: unknown): SignInError {
  return new SignInError(401, 'invalid_client', code, message, { cause })
}

/** client_secret_basic: both halves are form-urlencoded first (RFC 6749 section 2.3.1). */
export function parseBasic(header: string | undefined): { id: string; secret: string } | undefined {
  const encoded = /^Basic +([A-Za-z0-9+/=]+)$/i.exec(header ?? '')?.[1]
  if (encoded === undefined) return undefined
  const pair = Buffer.from(encoded, 'base64').toString('utf8')
  const colon = pair.indexOf(':')
  if (colon < 0) return undefined
  const decode = (text: string): string => new URLSearchParams(`x=${text}`).get('x') ?? ''
  return { id: decode(pair.slice(0, colon)), secret: decode(pair.slice(colon + 1)) }
}

/** Checks what the client brings: a secret (body or Basic) or a signed assertion; throws AADSTS errors for a wrong one. */
export async function checkProof(deps: ProofDeps, request: ProofRequest): Promise<Proof> {
  const { fields, basic, client } = request
  const assertion = findField(fields, 'client_assertion')
  const secret = findField(fields, 'client_secret') ?? basic?.secret
  if (assertion !== undefined && secret !== undefined)
    throw new SignInError(400, 'invalid_request', 90023, 'Give either a client secret or a client assertion, not both.')
  if (assertion !== undefined) {
    await checkAssertion(deps, request, assertion)
    return 'certificate'
  }
  if (secret === undefined) return 'none'
  const tenantId = request.authority.tenantId ?? client.application?.tenantId
  if (!(await deps.directory.isClientSecret(client.application, secret, tenantId)))
    throw invalidClient(
      7000215,
      `Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '${client.appId}'.`,
    )
  return 'secret'
}

export function proofMissing(): SignInError {
  return invalidClient(
    7000218,
    `The request body must contain the following parameter: 'client_assertion' or 'client_secret'.`,
  )
}

/** A client assertion (RFC 7523) signed with one of the application's certificates. */
async function checkAssertion(deps: ProofDeps, request: ProofRequest, assertion: string): Promise<void> {
  const { client, fields, peer } = request
  if (findField(fields, 'client_assertion_type') !== assertionType)
    throw new SignInError(
      400,
      'invalid_request',
      900144,
      `The request body must contain the following parameter: 'client_assertion_type', with the value '${assertionType}'.`,
    )
  const nowMs = deps.clock.now()
  const key = await findCertificate(deps, request, assertion, nowMs)
  const payload = await verifyAssertion(assertion, key, client.appId, nowMs)
  await checkAssertionAudience(deps.directory, request, payload)
  const { jti, exp = 0 } = payload
  if (exp * 1000 - nowMs > longestAssertionSeconds * 1000)
    throw invalidClient(700024, 'Client assertion is not within its valid time range: it is valid for more than a day.')
  // MSAL uses one assertion again until it ends, so a repetition is not yet a replay: one from elsewhere is.
  const isOwn =
    typeof jti === 'string' &&
    (await deps.state.claim(`${client.appId}\n${jti}`, peer, (exp + clockToleranceSeconds) * 1000))
  if (!isOwn)
    throw invalidClient(
      700027,
      typeof jti === 'string'
        ? 'Client assertion was used before from another address. Sign a new one.'
        : "Client assertion must contain the claim 'jti'.",
    )
}

async function findCertificate(
  { directory }: ProofDeps,
  { client, authority }: ProofRequest,
  assertion: string,
  nowMs: number,
): Promise<KeyCredential> {
  const { application } = client
  let header: { readonly [member: string]: unknown } = {}
  try {
    if (assertion.length <= longestAssertion) header = decodeProtectedHeader(assertion)
  } catch (cause) {
    throw invalidClient(50027, 'Client assertion is not a JWT.', cause)
  }
  const principal =
    application === undefined
      ? undefined
      : await directory.findServicePrincipal(authority.tenantId ?? application.tenantId, application.appId)
  const keys = [...(application?.keyCredentials ?? []), ...(principal?.keyCredentials ?? [])]
  // MSAL for Python pads its base64url.
  const hint = (name: string): string | undefined => {
    const value = header[name]
    return typeof value === 'string' ? value.replace(/=+$/, '') : undefined
  }
  const named = (key: KeyCredential): boolean =>
    hint('x5t#S256') === undefined
      ? hint('x5t') === key.thumbprint || hint('kid') === key.thumbprint
      : hint('x5t#S256') === key.thumbprintSha256
  const found = keys.find(named)
  if (found === undefined)
    throw invalidClient(
      700027,
      `Client assertion failed signature validation: the certificate that its header names (x5t or x5t#S256) is not registered on application '${client.appId}'.`,
    )
  // A certificate made a moment ago on a machine whose clock is ahead is as good as its assertion.
  const toleranceMs = clockToleranceSeconds * 1000
  if (nowMs < Date.parse(found.startDateTime) - toleranceMs || nowMs >= Date.parse(found.endDateTime))
    throw invalidClient(
      700027,
      `Client assertion failed signature validation: the certificate ${found.keyId} is not valid now (${found.startDateTime} to ${found.endDateTime}).`,
    )
  return found
}

async function verifyAssertion(
  assertion: string,
  key: KeyCredential,
  appId: string,
  nowMs: number,
): Promise<JWTPayload> {
  try {
    const { publicKey } = new X509Certificate(Buffer.from(key.certificate, 'base64'))
    const { payload } = await jwtVerify(assertion, publicKey, {
      algorithms: assertionAlgorithms,
      currentDate: new Date(nowMs),
      clockTolerance: clockToleranceSeconds,
      requiredClaims: ['exp', 'iss', 'sub', 'aud'],
    })
    if (payload.iss?.toLowerCase() !== appId || payload.sub?.toLowerCase() !== appId)
      throw invalidClient(
        700021,
        `Client assertion application identifier doesn't match 'client_id' parameter '${appId}'.`,
      )
    return payload
  } catch (error) {
    if (error instanceof SignInError) throw error
    if (
      error instanceof errors.JWTExpired ||
      (error instanceof errors.JWTClaimValidationFailed && error.claim === 'nbf')
    )
      throw invalidClient(700024, 'Client assertion is not within its valid time range.', error)
    throw invalidClient(700027, 'Client assertion failed signature validation.', error)
  }
}

/** The token endpoint in any of its forms, or the issuer, of the tenant that is asked, under the host that is asked. */
async function checkAssertionAudience(
  directory: Directory,
  { authority, baseUrl }: ProofRequest,
  { aud }: JWTPayload,
): Promise<void> {
  const [audience] = Array.isArray(aud) ? aud : [aud]
  const path =
    audience !== undefined && (!Array.isArray(aud) || aud.length === 1)
      ? audience.toLowerCase().replaceAll(/(?<!:)\/{2,}/g, '/')
      : ''
  const form = /^\/([^/]+)(?:\/oauth2(?:\/v2\.0)?\/token|\/v2\.0|\/)?$/.exec(
    path.startsWith(baseUrl.toLowerCase()) ? path.slice(baseUrl.length) : '',
  )
  const named = form?.[1] === undefined ? undefined : await getAuthority(directory, form[1]).catch(() => undefined)
  if (named === undefined || named.tenantId !== authority.tenantId)
    throw invalidClient(
      700023,
      `Client assertion audience claim does not match Realm issuer. Sign it for '${baseUrl}/${authority.segment}/oauth2/v2.0/token'.`,
    )
}
