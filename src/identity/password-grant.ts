import type Provider from 'oidc-provider'
import type { User } from '../directory/directory.ts'
import { formatAccountId } from './accounts.ts'
import { createGrant, grantedScopes } from './grants.ts'

/**
 * User name and password (RFC 6749 section 4.3), which oidc-provider does not bring: a checked password becomes a
 * refresh token made with its models, which the request then redeems in the usual way. So rotation, revocation and the
 * answer are those of every other grant, and nothing is signed beside it.
 */
export async function createPasswordRefreshToken(
  provider: Provider,
  clientId: string,
  user: User,
  nowMs: number,
): Promise<string> {
  const client = await provider.Client.find(clientId)
  if (client === undefined) throw new Error('the client was found before, and is gone')
  const accountId = formatAccountId(user)
  const { grantId, resources } = await createGrant(provider, { accountId, clientId: client.clientId })
  const token = new provider.RefreshToken({
    accountId,
    client,
    grantId,
    gty: 'password',
    authTime: Math.floor(nowMs / 1000),
    resource: resources,
    scope: grantedScopes,
  })
  return token.save()
}
