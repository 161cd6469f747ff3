import type { Clock } from '../base/clock.ts'
import type { CallerFacts } from '../resources/behaviour.ts'
import type { Installation } from './installation.ts'
import { createOutsideVerifier } from './outside-issuers.ts'
import type { OutsideIssuer } from './outside-issuers.ts'
import { identityProblems } from './problems.ts'
import { createTokenVerifier } from './token.ts'
import type { Principal } from './token.ts'

/** An authenticated caller. */
export type Caller = CallerFacts

/** Turns an Authorization header (or its absence) into a caller, or throws the Problem that ARM answers. */
export type Authenticator = (authorizationHeader: string | undefined) => Promise<Caller>

/** Longer than any token of ours: a header beyond it is refused before it is decoded. */
const longestHeader = 16_384

export interface AuthenticatorDeps {
  readonly installation: Installation
  readonly clock: Clock
  /** Whether a tenant is one of this server's; default: the installation's own tenant only. */
  readonly isTenant?: ((tenantId: string) => Promise<boolean>) | undefined
  /** Whether whom an own token was issued to may still use it; default: for as long as it is good. */
  readonly isActive?: ((principal: Pick<Caller, 'tenantId' | 'objectId'>) => Promise<boolean>) | undefined
  /** Whose tokens are taken; default: Azure Resource Manager's. */
  readonly audiences?: readonly string[] | undefined
  /** Issuers besides this server whose tokens are taken. */
  readonly issuers?: readonly OutsideIssuer[] | undefined
}

export function createAuthenticator(deps: AuthenticatorDeps): Authenticator {
  const { installation, clock, isActive = async () => true } = deps
  const isTenant = deps.isTenant ?? (async (tenantId: string) => tenantId === installation.tenantId)
  const verifier = createTokenVerifier({ installation, clock, isTenant, audiences: deps.audiences })
  const outside = createOutsideVerifier({
    issuers: deps.issuers ?? [],
    clock,
    isTenant,
    reservedObjectIds: new Set([installation.objectId]),
  })
  const verifyOwn = async (token: string): Promise<Principal> => {
    const principal = await verifier.verify(token)
    if (await isActive(principal)) return principal
    throw identityProblems.InvalidAuthenticationToken({ reason: 'Its account is disabled, or is not here any more.' })
  }
  return async (header) => {
    if (header === undefined || header.trim() === '') throw identityProblems.AuthenticationMissing({})
    const token = header.length > longestHeader ? undefined : /^Bearer +([^\s]+) *$/i.exec(header)?.[1]
    if (token === undefined) throw identityProblems.AuthenticationFailedInvalidHeader({})
    const principal = (await outside.verify(token)) ?? (await verifyOwn(token))
    // As Azure's createdBy shows them: a user by its principal name, a program by its application id.
    return { ...principal, name: principal.upn ?? principal.appId }
  }
}
