import type { Adapter } from 'oidc-provider'
import type { Directory } from '../directory/directory.ts'
import { findClient } from './clients.ts'

const never = async (): Promise<never> => {
  throw new Error('clients are kept by the directory')
}

/**
 * Clients as oidc-provider sees them: all of them public, since each has proved itself before its request gets there
 * (Azure's ways of doing so, client-proof.ts, are more than oidc-provider has). Native, so that loopback addresses
 * match with any port.
 */
export function clientAdapter(directory: Directory): Adapter {
  return {
    async find(id) {
      const client = await findClient(directory, id)
      if (client === undefined) return undefined
      const redirectUris = client.redirectUris.filter(isUsable)
      return {
        client_id: client.appId,
        client_name: client.displayName,
        application_type: 'native',
        token_endpoint_auth_method: 'none',
        redirect_uris: redirectUris,
        post_logout_redirect_uris: redirectUris,
        response_types: redirectUris.length === 0 ? [] : ['code'],
        grant_types: [
          ...(redirectUris.length === 0 ? [] : ['authorization_code']),
          'refresh_token',
          'urn:ietf:params:oauth:grant-type:device_code',
        ],
        goldleaf_confidential: !client.isPublic,
      }
    },
    upsert: never,
    findByUid: never,
    findByUserCode: never,
    consume: never,
    destroy: never,
    revokeByGrantId: never,
  }
}

/** oidc-provider refuses a whole client for one address that it does not like. Plain http only goes to this machine. */
function isUsable(redirectUri: string): boolean {
  const url = URL.parse(redirectUri)
  if (url === null || url.hash !== '' || redirectUri.endsWith('#')) return false
  return url.protocol !== 'http:' || ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname)
}
