import type Provider from 'oidc-provider'
import type { ResourceServer } from 'oidc-provider'
import { tokenAlgorithm } from './keys.ts'
import { armAudience, graphAudience, tokenLifetimeSeconds } from './token.ts'

/**
 * A sign-in is good for every resource of this server, as in Azure, where a refresh token gets tokens for any of them:
 * each grant holds all, and a request for a token names one.
 */
export const grantedResources: readonly string[] = [armAudience, graphAudience]
/** The one scope that resources have: act as the user. */
const resourceScope = 'user_impersonation'
/**
 * `offline_access` by a name of our own: OpenID Connect wants a consent page for it, Azure's clients ask for it always.
 */
export const offlineScope = 'offline'
export const openidScopes: readonly string[] = ['openid', 'profile', 'email', offlineScope]
/** Everything that there is to grant. */
export const grantedScopes = [...openidScopes, resourceScope].join(' ')

/** A resource as oidc-provider knows it: signed access tokens of an hour. */
export function resourceServerOf(resource: string): ResourceServer {
  return {
    scope: resourceScope,
    audience: resource,
    accessTokenTTL: tokenLifetimeSeconds,
    accessTokenFormat: 'jwt',
    jwt: { sign: { alg: tokenAlgorithm } },
  }
}

/** The grant of one sign-in: everything that comes of it is revoked together. */
export async function createGrant(
  provider: Provider,
  who: { readonly accountId: string; readonly clientId: string },
): Promise<{
  readonly grant: InstanceType<Provider['Grant']>
  readonly grantId: string
  readonly resources: string[]
}> {
  const grant = new provider.Grant(who)
  grant.addOIDCScope([...openidScopes])
  for (const resource of grantedResources) grant.addResourceScope(resource, resourceScope)
  return { grant, grantId: await grant.save(), resources: [...grantedResources] }
}

/** The scopes of a request, of those that a resource has and Azure's clients ask for by other names. */
export function requestedScopes(openid: readonly string[], isOffline: boolean): string {
  const asked = new Set(['openid', 'profile', ...openid.filter((scope) => scope !== 'offline_access')])
  return [...asked, ...(isOffline ? [offlineScope] : []), resourceScope].join(' ')
}
