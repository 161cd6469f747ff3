import { SignJWT, errors, jwtVerify } from 'jose'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import type { Clock } from '../base/clock.ts'
import { Problem } from '../base/problem.ts'
import { randomUuid } from '../base/random.ts'
import { tokenAlgorithm } from './installation.ts'
import type { Installation } from './installation.ts'
import { identityProblems } from './problems.ts'

/** How long an access token is good for. */
export const tokenLifetimeSeconds = 3_600
/** How far two clocks may be apart. */
const clockToleranceSeconds = 60

/** What a client asks a token for when it names this server by the address it knows; Azure's own name for ARM. */
export const armAudience = 'https://management.azure.com'
/** The spellings that Azure's clients use for ARM; the verifier takes these and no others. */
export const armAudiences: readonly string[] = [
  armAudience,
  `${armAudience}/`,
  'https://management.core.windows.net',
  'https://management.core.windows.net/',
]

/** Who a token speaks for. */
export interface Principal {
  readonly objectId: string
  readonly tenantId: string
  /** The application (client) id; packer and Terraform read it. */
  readonly appId: string
}

export interface IssuedToken {
  readonly token: string
  readonly notBeforeSeconds: number
  readonly expiresSeconds: number
}

export interface TokenSigner {
  /** Signs a token for one of `armAudiences`. */
  sign(principal: Principal, audience: string): Promise<IssuedToken>
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

export function createTokenSigner(installation: Installation, clock: Clock): TokenSigner {
  return {
    async sign(principal, audience) {
      const nowSeconds = Math.floor(clock.now() / 1000)
      const expiresSeconds = nowSeconds + tokenLifetimeSeconds
      const token = await new SignJWT({
        appid: principal.appId,
        appidacr: '1',
        idtyp: 'app',
        oid: principal.objectId,
        tid: principal.tenantId,
        ver: '1.0',
      })
        .setProtectedHeader({ alg: tokenAlgorithm, typ: 'JWT', kid: installation.publicJwk.kid })
        .setIssuer(issuerOf(principal.tenantId))
        .setSubject(principal.objectId)
        .setAudience(audience)
        .setIssuedAt(nowSeconds)
        .setNotBefore(nowSeconds)
        .setExpirationTime(expiresSeconds)
        .setJti(randomUuid())
        .sign(installation.signingKey)
      return { token, notBeforeSeconds: nowSeconds, expiresSeconds }
    },
  }
}

const claimsSchema = Type.Object({
  oid: Type.String({ minLength: 1 }),
  tid: Type.String({ minLength: 1 }),
  appid: Type.String({ minLength: 1 }),
  iat: Type.Number(),
})

function formatUtc(seconds: unknown): string {
  return typeof seconds === 'number' ? new Date(seconds * 1000).toISOString() : 'unknown'
}

function problemOf(error: unknown, installation: Installation, nowMs: number): Problem {
  if (error instanceof Problem) return error
  if (error instanceof errors.JWTExpired)
    return identityProblems.ExpiredAuthenticationToken(
      { expired: formatUtc(error.payload.exp), now: formatUtc(nowMs / 1000) },
      { cause: error },
    )
  if (error instanceof errors.JWTClaimValidationFailed) {
    const { payload, claim } = error
    if (claim === 'iss')
      return identityProblems.InvalidAuthenticationTokenTenant(
        { issuer: String(payload.iss), expected: issuerOf(installation.tenantId) },
        { cause: error },
      )
    if (claim === 'aud')
      return identityProblems.InvalidAuthenticationTokenAudience(
        { audience: String(payload.aud), allowed: armAudiences },
        { cause: error },
      )
    if (claim === 'nbf')
      return identityProblems.InvalidAuthenticationToken({ reason: 'It is not valid yet.' }, { cause: error })
  }
  return identityProblems.InvalidAuthenticationToken({}, { cause: error })
}

/**
 * Checks, in this order: form, algorithm (pinned: `none` and HMAC confusion end here), signature, issuer, audience,
 * times, tenant. What an unsigned or foreign-signed token claims is never looked at.
 */
export function createTokenVerifier(installation: Installation, clock: Clock): TokenVerifier {
  return {
    async verify(token) {
      const nowMs = clock.now()
      try {
        const { payload } = await jwtVerify(token, installation.verifyingKey, {
          algorithms: [tokenAlgorithm],
          typ: 'JWT',
          issuer: issuerOf(installation.tenantId),
          audience: [...armAudiences],
          currentDate: new Date(nowMs),
          clockTolerance: clockToleranceSeconds,
          requiredClaims: ['exp', 'nbf', 'iat', 'oid', 'tid', 'appid'],
        })
        if (!Value.Check(claimsSchema, payload)) throw identityProblems.InvalidAuthenticationToken({})
        if (payload.iat > nowMs / 1000 + clockToleranceSeconds)
          throw identityProblems.InvalidAuthenticationToken({ reason: 'It was issued in the future.' })
        if (payload.tid !== installation.tenantId)
          throw identityProblems.InvalidAuthenticationTokenTenant({
            issuer: issuerOf(payload.tid),
            expected: issuerOf(installation.tenantId),
          })
        return { objectId: payload.oid, tenantId: payload.tid, appId: payload.appid }
      } catch (error) {
        throw problemOf(error, installation, nowMs)
      }
    },
  }
}
