import { createRemoteJWKSet, decodeJwt, errors, jwtVerify } from 'jose'
import type { JWTPayload, JWTVerifyGetKey } from 'jose'
import type { Clock } from '../base/clock.ts'
import { identityProblems } from './problems.ts'
import { claimProblem, clockToleranceSeconds } from './token.ts'
import type { Principal } from './token.ts'

/** An issuer of tokens that is not this server: Entra ID, Keycloak, any OpenID provider. */
export interface OutsideIssuer {
  /** As its tokens and its openid document spell it, to the letter. */
  readonly issuer: string
  /** What its tokens for this server are for; one of them must be the token's `aud`. */
  readonly audiences: readonly string[]
  /** The tenant of this server in which its callers act; default: the token's `tid`, which must be one. */
  readonly tenantId?: string | undefined
  /** Its keys; default: as its openid document says. */
  readonly jwksUri?: string | undefined
  /** Names of claims where they are not Entra ID's or Keycloak's. */
  readonly claims?: ClaimNames | undefined
}

export interface ClaimNames {
  readonly objectId?: string | undefined
  readonly appId?: string | undefined
  readonly name?: string | undefined
  readonly roles?: string | undefined
  readonly groups?: string | undefined
}

export interface OutsideVerifier {
  /** The principal of an outside issuer's token, verified; undefined: no configured issuer made it. */
  verify(token: string): Promise<Principal | undefined>
}

export interface OutsideVerifierDeps {
  readonly issuers: readonly OutsideIssuer[]
  readonly clock: Clock
  readonly isTenant: (tenantId: string) => Promise<boolean>
  /** Ids that are this server's own principals: an outside issuer must not speak for them. */
  readonly reservedObjectIds: ReadonlySet<string>
  readonly fetch?: typeof fetch | undefined
}

/** Only what is signed with a private key: nothing that an issuer publishes can make a signature. */
const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519']
const timeoutMs = 5_000
/** An unknown key id asks the issuer again at most so often. */
const cooldownMs = 30_000

/**
 * Verifies tokens of configured issuers. The issuer that a token names, unverified, only chooses whose keys it is held
 * against; then signature, issuer, audience, times and tenant are checked as for own tokens.
 */
export function createOutsideVerifier(deps: OutsideVerifierDeps): OutsideVerifier {
  const known = new Map(deps.issuers.map((one) => [one.issuer, { config: one, keys: createKeys(one, deps) }]))
  return {
    async verify(token) {
      const found = known.size === 0 ? undefined : known.get(issuerNamedBy(token) ?? '')
      if (found === undefined) return undefined
      const { config, keys } = found
      const nowMs = deps.clock.now()
      const findKey = await keys()
      const { payload } = await jwtVerify(token, findKey, {
        algorithms,
        issuer: config.issuer,
        audience: [...config.audiences],
        currentDate: new Date(nowMs),
        clockTolerance: clockToleranceSeconds,
        requiredClaims: ['exp', 'iat', 'sub'],
      }).catch((error: unknown) => {
        throw problemOf(error, config, nowMs)
      })
      if ((payload.iat ?? Infinity) > nowMs / 1000 + clockToleranceSeconds)
        throw identityProblems.InvalidAuthenticationToken({ reason: 'It was issued in the future.' })
      const principal = principalOf(payload, config)
      if (principal === undefined || deps.reservedObjectIds.has(principal.objectId))
        throw identityProblems.InvalidAuthenticationToken({
          reason: `Its issuer '${config.issuer}' is known, but it does not say which object and application it is for.`,
        })
      if (!(await deps.isTenant(principal.tenantId)))
        throw identityProblems.InvalidAuthenticationTokenTenant({
          issuer: config.issuer,
          expected: 'a tenant of this server',
        })
      return principal
    },
  }
}

function issuerNamedBy(token: string): string | undefined {
  try {
    return decodeJwt(token).iss
  } catch {
    return undefined
  }
}

/** Finds the keys at first use; a failure is forgotten, so that the next caller tries again. */
function createKeys(config: OutsideIssuer, deps: OutsideVerifierDeps): () => Promise<JWTVerifyGetKey> {
  let found: Promise<JWTVerifyGetKey> | undefined
  const find = async (): Promise<JWTVerifyGetKey> => {
    const jwksUri = config.jwksUri ?? (await discoverKeys(config, deps.fetch ?? fetch))
    return createRemoteJWKSet(new URL(jwksUri), { cooldownDuration: cooldownMs, timeoutDuration: timeoutMs })
  }
  return () => {
    found ??= find().catch((cause: unknown) => {
      found = undefined
      throw identityProblems.IssuerUnavailable({ issuer: config.issuer }, { cause })
    })
    return found
  }
}

async function discoverKeys({ issuer }: OutsideIssuer, get: typeof fetch): Promise<string> {
  const answer = await get(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`, {
    signal: AbortSignal.timeout(timeoutMs),
    redirect: 'error',
  })
  if (!answer.ok) throw new Error(`the openid document answered ${answer.status}`)
  const document = (await answer.json()) as { readonly issuer?: unknown; readonly jwks_uri?: unknown }
  if (document.issuer !== issuer || typeof document.jwks_uri !== 'string')
    throw new Error('the openid document is of another issuer, or names no keys')
  return document.jwks_uri
}

function problemOf(error: unknown, { issuer, audiences }: OutsideIssuer, nowMs: number): Error {
  const problem = claimProblem(error, nowMs, audiences)
  if (problem) return problem
  if (error instanceof errors.JWKSTimeout || (error instanceof Error && !(error instanceof errors.JOSEError)))
    return identityProblems.IssuerUnavailable({ issuer }, { cause: error })
  return identityProblems.InvalidAuthenticationToken({}, { cause: error })
}

/** Undefined for a token that does not say who it is for. */
function principalOf(payload: JWTPayload, { claims = {}, tenantId }: OutsideIssuer): Principal | undefined {
  const read = (own: string | undefined, ...usual: string[]): string | undefined => {
    for (const name of own === undefined ? usual : [own]) {
      const value = payload[name]
      if (typeof value === 'string' && value !== '') return value
    }
    return undefined
  }
  const objectId = read(claims.objectId, 'oid', 'sub')?.toLowerCase()
  const appId = read(claims.appId, 'appid', 'azp', 'client_id')
  const tenant = tenantId ?? read(undefined, 'tid')
  if (objectId === undefined || appId === undefined || tenant === undefined) return undefined
  const upn = read(claims.name, 'upn', 'preferred_username', 'email')
  // Entra ID marks programs by `idtyp`, Keycloak by the name of their account; neither has people without a name.
  const isProgram = payload['idtyp'] === 'app' || upn === undefined || upn === `service-account-${appId}`
  const groupIds = textsOf(payload[claims.groups ?? 'groups'])
  return {
    kind: isProgram ? 'servicePrincipal' : 'user',
    objectId,
    tenantId: tenant.toLowerCase(),
    appId,
    roles: textsOf(payload[claims.roles ?? 'roles']) ?? [],
    ...(isProgram ? {} : { upn }),
    ...(groupIds === undefined ? {} : { groupIds }),
  }
}

function textsOf(value: unknown): readonly string[] | undefined {
  if (!Array.isArray(value)) return undefined
  return value.filter((one): one is string => typeof one === 'string')
}
