import type { Clock } from '../base/clock.ts'
import type { CallerFacts } from '../resources/behaviour.ts'
import type { Installation } from './installation.ts'
import { identityProblems } from './problems.ts'
import { createTokenVerifier } from './token.ts'

/** An authenticated caller. */
export interface Caller extends CallerFacts {
  /** The application (client) id. */
  readonly appId: string
}

/** Turns an Authorization header (or its absence) into a caller, or throws the Problem that ARM answers. */
export type Authenticator = (authorizationHeader: string | undefined) => Promise<Caller>

/** Longer than any token of ours: a header beyond it is refused before it is decoded. */
const longestHeader = 16_384

export function createAuthenticator(deps: { installation: Installation; clock: Clock }): Authenticator {
  const verifier = createTokenVerifier(deps.installation, deps.clock)
  return async (header) => {
    if (header === undefined || header.trim() === '') throw identityProblems.AuthenticationMissing({})
    const token = header.length > longestHeader ? undefined : /^Bearer +([^\s]+) *$/i.exec(header)?.[1]
    if (token === undefined) throw identityProblems.AuthenticationFailedInvalidHeader({})
    const { objectId, tenantId, appId } = await verifier.verify(token)
    // As Azure's createdBy shows a service principal: by its application id.
    return { objectId, tenantId, appId, name: appId }
  }
}
