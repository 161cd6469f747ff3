import type { FastifyRequest } from 'fastify'
import type { Clock } from '../base/clock.ts'
import type { Authenticator } from '../identity/authenticator.ts'
import type { Authorizer } from '../identity/authorizer.ts'
import type { Account } from './account.ts'
import { transferProblems } from './problems.ts'
import { checkSharedAccess, type Wanted } from './shared-access.ts'
import { checkSharedKey } from './shared-key.ts'
import { isSignedQuery } from './signed-address.ts'

export interface AccountGate {
  readonly clock: Clock
  readonly authenticate: Authenticator
  readonly authorize: Authorizer
}

export interface AccountNeed extends Pick<Wanted, 'level' | 'container' | 'blob' | 'anyOf'> {
  /** Last words of the RBAC action, below the account: `blobServices/containers/blobs/read`. */
  readonly action: string
}

/** Lets a request into an account: by a shared access signature, by the account's key, or by a token with the right. */
export async function admitToAccount(
  gate: AccountGate,
  request: FastifyRequest,
  account: Account,
  query: URLSearchParams,
  need: AccountNeed,
): Promise<void> {
  const nowMs = gate.clock.now()
  if (isSignedQuery(query))
    return checkSharedAccess(query, account, { ...need, nowMs, isSecure: request.protocol === 'https' })
  const { authorization } = request.headers
  if (authorization === undefined) throw transferProblems.NoAuthenticationInformation({})
  if (/^SharedKey /i.test(authorization)) {
    const url = request.raw.url ?? '/'
    const [path = '/'] = url.split('?', 1)
    const { method, headers } = request
    return checkSharedKey(authorization, { method, path, query, headers }, account, nowMs)
  }
  const caller = await gate.authenticate(authorization)
  await gate.authorize(caller, `Microsoft.Storage/storageAccounts/${need.action}`, account.id)
}
