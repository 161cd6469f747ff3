import { SignJWT, errors, jwtVerify } from 'jose'
import { Type } from 'typebox'
import type { Static } from 'typebox'
import { Value } from 'typebox/value'
import type { Clock } from '../base/clock.ts'
import { Problem } from '../base/problem.ts'
import { randomUuid } from '../base/random.ts'
import type { CallerFacts, CallerKind } from '../resources/behaviour.ts'
import type { Installation } from './installation.ts'
import { tokenAlgorithm } from './keys.ts'
import { identityProblems } from './problems.ts'

/** How long an access token is good for. */
export const tokenLifetimeSeconds = 3_600
/** How far two clocks may be apart. */
export const clockToleranceSeconds = 60

/** What a client asks a token for when it names this server by the address it knows; Azure's own name for ARM. */
export const armAudience = 'https://management.azure.com'
/** The spellings that Azure's clients use for ARM; the verifier takes these and no others. */
export const armAudiences: readonly string[] = [
  armAudience,
  `${armAudience}/`,
  'https://management.core.windows.net',
  'https://management.core.windows.net/',
  // What clients set to a sovereign cloud call it.
  ...['chinacloudapi.cn', 'core.chinacloudapi.cn', 'usgovcloudapi.net', 'core.usgovcloudapi.net'].flatMap((domain) => [
    `https://management.${domain}`,
    `https://management.${domain}/`,
  ]),
]

/** Microsoft Graph, as far as the directory speaks it. */
export const graphAudience = 'https://graph.microsoft.com'
export const graphAudiences: readonly string[] = [
  graphAudience,
  `${graphAudience}/`,
  '00000003-0000-0000-c000-000000000000',
  'https://graph.windows.net',
  'https://graph.windows.net/',
]

/** Who a token speaks for: a caller, but for the name by which it is shown. */
export type Principal = Omit<CallerFacts, 'name'>

/** What signing needs; `kind` and `roles` default to a service principal without app roles. */
export interface TokenSubject extends Pick<Principal, 'objectId' | 'tenantId' | 'appId' | 'upn'> {
  readonly kind?: CallerKind | undefined
  readonly roles?: readonly string[] | undefined
  /** Of a managed identity: the ARM id of the resource that it belongs to (`xms_mirid`). */
  readonly resourceId?: string | undefined
  /** How the application proved itself (`appidacr`): it did not, by secret, by certificate. */
  readonly proof?: 'none' | 'secret' | 'certificate' | undefined
}

export interface IssuedToken {
  readonly token: string
  readonly notBeforeSeconds: number
  readonly expiresSeconds: number
}

export interface TokenSigner {
  /** Signs an access token for one of `armAudiences` or `graphAudiences`, good for an hour from now. */
  sign(subject: TokenSubject, audience: string): Promise<IssuedToken>
}

export interface TokenVerifier {
  /** Throws the Problem that ARM answers for this token; the messages never quote the token. */
  verify(token: string): Promise<Principal>
}

/**
 * A name, not an address: clients reach one server under several hosts, and a token must hold under all of them. No
 * client compares it with the openid document's `issuer`, which is made from the request's own host.
 */
export function issuerOf(tenantId: string): string {
  return `urn:goldleaf:tenant:${tenantId}`
}

const proofNumbers = { none: '0', secret: '1', certificate: '2' } as const

/**
 * The claims by which Azure's clients and this server know a principal. `idtyp` is only there for programs, as Entra ID
 * writes it; a managed identity is a program with `xms_mirid`.
 */
export function principalClaims(subject: TokenSubject): Record<string, unknown> {
  const { kind = 'servicePrincipal', roles = [] } = subject
  return {
    appid: subject.appId,
    appidacr:
      proofNumbers[subject.proof ?? (kind === 'user' ? 'none' : kind === 'managedIdentity' ? 'certificate' : 'secret')],
    ...(kind === 'user' ? {} : { idtyp: 'app' }),
    oid: subject.objectId,
    tid: subject.tenantId,
    ...(subject.upn === undefined ? {} : { upn: subject.upn, unique_name: subject.upn }),
    ...(roles.length === 0 ? {} : { roles }),
    ...(kind === 'managedIdentity' ? { xms_mirid: subject.resourceId ?? '' } : {}),
    ver: '1.0',
  }
}

export function createTokenSigner(installation: Installation, clock: Clock): TokenSigner {
  return {
    async sign(subject, audience) {
      const nowSeconds = Math.floor(clock.now() / 1000)
      const expiresSeconds = nowSeconds + tokenLifetimeSeconds
      const { publicJwk, signingKey } = installation.keys.current()
      const token = await new SignJWT(principalClaims(subject))
        .setProtectedHeader({ alg: tokenAlgorithm, typ: 'JWT', kid: publicJwk.kid })
        .setIssuer(issuerOf(subject.tenantId))
        .setSubject(subject.objectId)
        .setAudience(audience)
        .setIssuedAt(nowSeconds)
        .setNotBefore(nowSeconds)
        .setExpirationTime(expiresSeconds)
        .setJti(randomUuid())
        .sign(signingKey)
      return { token, notBeforeSeconds: nowSeconds, expiresSeconds }
    },
  }
}

const claimsSchema = Type.Object({
  oid: Type.String({ minLength: 1 }),
  tid: Type.String({ minLength: 1 }),
  appid: Type.String({ minLength: 1 }),
  iat: Type.Number(),
  exp: Type.Number(),
  iss: Type.String(),
  idtyp: Type.Optional(Type.Literal('app')),
  upn: Type.Optional(Type.String()),
  roles: Type.Optional(Type.Array(Type.String())),
  xms_mirid: Type.Optional(Type.String()),
})

type Claims = Static<typeof claimsSchema>

function principalOf(claims: Claims): Principal {
  const { oid, tid, appid, idtyp, upn, roles = [], xms_mirid: machine } = claims
  const kind = idtyp === undefined ? 'user' : machine === undefined ? 'servicePrincipal' : 'managedIdentity'
  return { objectId: oid, tenantId: tid, appId: appid, kind, roles, ...(upn === undefined ? {} : { upn }) }
}

function formatUtc(seconds: unknown): string {
  return typeof seconds === 'number' ? new Date(seconds * 1000).toISOString() : 'unknown'
}

/** What jose says of a token's time or audience; undefined for anything else. */
export function claimProblem(error: unknown, nowMs: number, allowed: readonly string[]): Problem | undefined {
  const cause = { cause: error }
  if (error instanceof errors.JWTExpired) {
    const times = { expired: formatUtc(error.payload.exp), now: formatUtc(nowMs / 1000) }
    return identityProblems.ExpiredAuthenticationToken(times, cause)
  }
  if (error instanceof errors.JWTClaimValidationFailed && error.claim === 'aud')
    return identityProblems.InvalidAuthenticationTokenAudience({ audience: String(error.payload.aud), allowed }, cause)
  return undefined
}

function problemOf(error: unknown, nowMs: number, allowed: readonly string[]): Problem {
  if (error instanceof Problem) return error
  const isEarly = error instanceof errors.JWTClaimValidationFailed && error.claim === 'nbf'
  const reason = isEarly ? { reason: 'It is not valid yet.' } : {}
  return claimProblem(error, nowMs, allowed) ?? identityProblems.InvalidAuthenticationToken(reason, { cause: error })
}

/** How many tokens are remembered, and for how long. */
const tokensRemembered = 1_000
const rememberedMs = 60_000

/**
 * A client sends the same token with every request: its signature is checked once a minute (an RSA signature costs more
 * than the rest of a GET). Only whole tokens that were good are remembered, until the keys change (`keys`: those by which one
 * was checked); the tenant is asked for every time.
 */
function createCheckedTokens() {
  const known = new Map<string, { readonly claims: Claims; readonly keys: unknown; readonly untilMs: number }>()
  return {
    find(token: string, keys: unknown, nowMs: number): Claims | undefined {
      const found = known.get(token)
      if (found === undefined) return undefined
      const isInTime = nowMs < found.untilMs && nowMs >= found.untilMs - rememberedMs
      if (isInTime && found.keys === keys) return found.claims
      known.delete(token)
      return undefined
    },
    keep(token: string, keys: unknown, claims: Claims, nowMs: number): Claims {
      const oldest = known.size < tokensRemembered ? undefined : known.keys().next().value
      if (oldest !== undefined) known.delete(oldest)
      // A token that is nearly over is checked every time, so that it ends when it says.
      if (nowMs + rememberedMs < claims.exp * 1000) known.set(token, { claims, keys, untilMs: nowMs + rememberedMs })
      return claims
    },
  }
}

interface VerifierDeps {
  readonly installation: Installation
  readonly clock: Clock
  readonly isTenant: (tenantId: string) => Promise<boolean>
  /** Whose tokens are taken; default: Azure Resource Manager's. */
  readonly audiences?: readonly string[] | undefined
}

/**
 * Checks, in this order: form, algorithm (pinned: `none` and HMAC confusion end here), signature, audience, times,
 * issuer and tenant, which must name the same tenant of this server. What an unsigned or foreign-signed token claims is
 * never looked at.
 */
export function createTokenVerifier({
  installation,
  clock,
  isTenant,
  audiences = armAudiences,
}: VerifierDeps): TokenVerifier {
  const findKey = ({ kid }: { readonly kid?: string | undefined }): CryptoKey => {
    const key = installation.keys.find(kid)
    if (key === undefined) throw identityProblems.InvalidAuthenticationToken({})
    return key.verifyingKey
  }
  const checkToken = async (token: string, nowMs: number): Promise<Claims> => {
    const { payload } = await jwtVerify(token, findKey, {
      algorithms: [tokenAlgorithm],
      typ: 'JWT',
      audience: [...audiences],
      currentDate: new Date(nowMs),
      clockTolerance: clockToleranceSeconds,
      requiredClaims: ['exp', 'nbf', 'iat', 'iss', 'oid', 'tid', 'appid'],
    })
    if (!Value.Check(claimsSchema, payload)) throw identityProblems.InvalidAuthenticationToken({})
    if (payload.iat > nowMs / 1000 + clockToleranceSeconds)
      throw identityProblems.InvalidAuthenticationToken({ reason: 'It was issued in the future.' })
    return payload
  }
  const checked = createCheckedTokens()
  return {
    async verify(token) {
      const nowMs = clock.now()
      try {
        const keys = installation.keys.all()
        const payload =
          checked.find(token, keys, nowMs) ?? checked.keep(token, keys, await checkToken(token, nowMs), nowMs)
        if (payload.iss !== issuerOf(payload.tid) || !(await isTenant(payload.tid)))
          throw identityProblems.InvalidAuthenticationTokenTenant({
            issuer: payload.iss,
            expected: issuerOf(installation.tenantId),
          })
        return principalOf(payload)
      } catch (error) {
        throw problemOf(error, nowMs, audiences)
      }
    },
  }
}
