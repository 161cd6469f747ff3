import { ComputeManagementClient } from '@azure/arm-compute'
import { ClientSecretCredential } from '@azure/identity'
import type { RunningGoldleaf } from './goldleaf.ts'

/** Azure's newest SDK, signed in at a test server over HTTPS. */
export function computeClient({ env }: Pick<RunningGoldleaf, 'env'>): ComputeManagementClient {
  const { endpoint, tenantId, clientId, clientSecret, subscriptionId } = env
  const credential = new ClientSecretCredential(tenantId, clientId, clientSecret, {
    authorityHost: endpoint,
    disableInstanceDiscovery: true,
  })
  const credentials = { scopes: [`${endpoint}/.default`] }
  return new ComputeManagementClient(credential, subscriptionId, { endpoint, credentials })
}
