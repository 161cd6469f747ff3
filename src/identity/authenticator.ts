import type { Clock } from '../base/clock.ts'
import type { CallerFacts } from '../resources/behaviour.ts'
import type { Installation } from './installation.ts'
import { createOutsideVerifier } from './outside-issuers.ts'
import type { OutsideIssuer } from './outside-issuers.ts'
import { identityProblems } from './problems.ts'
import { createTokenVerifier } from './token.ts'

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
  /** Whose tokens are taken; default: Azure Resource Manager's. */
  readonly audiences?: readonly string[] | undefined
  /** Issuers besides this server whose tokens are taken. */
  readonly issuers?: readonly OutsideIssuer[] | undefined
}

export function createAuthenticator(deps: AuthenticatorDeps): Authenticator {
  const { installation, clock } = deps
  const isTenant = deps.isTenant ?? (async (tenantId: string) => tenantId === installation.tenantId)
  const verifier = createTokenVerifier({ installation, clock, isTenant, audiences: deps.audiences })
  const outside = createOutsideVerifier({
    issuers: deps.issuers ?? [],
    clock,
    isTenant,
    reservedObjectIds: new Set([installation.objectId]),
  })
  return async (header) => {
    if (header === undefined || header.trim() === '') throw identityProblems.AuthenticationMissing({})
    const token = header.length > longestHeader ? undefined : /^Bearer +([^\s]+) *$/i.exec(header)?.[1]
    if (token === undefined) throw identityProblems.AuthenticationFailedInvalidHeader({})
    const principal = (await outside.verify(token)) ?? (await verifier.verify(token))
    // As Azure's createdBy shows them: a user by its principal name, a program by its application id.
    return { ...principal, name: principal.upn ?? principal.appId }
  }
}
