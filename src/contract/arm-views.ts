import type { JsonObject } from '../base/json.ts'
import type { Region } from '../base/region.ts'
import { operationsReadPermission } from './permissions.ts'
import { resourceTypes } from './resource-types.ts'

/** What ARM itself shows, beside resources: subscriptions, tenants, locations, providers. Pure shapes. */

export interface SubscriptionFacts {
  readonly subscriptionId: string
  readonly tenantId: string
  readonly displayName: string
  readonly state: string
}

export function subscriptionView(subscription: SubscriptionFacts): JsonObject {
  const { subscriptionId, tenantId, displayName, state } = subscription
  return {
    id: `/subscriptions/${subscriptionId}`,
    authorizationSource: 'RoleBased',
    managedByTenants: [],
    subscriptionId,
    tenantId,
    displayName,
    state,
    subscriptionPolicies: {
      locationPlacementId: 'Internal_2014-09-01',
      quotaId: 'Internal_2014-09-01',
      spendingLimit: 'Off',
    },
  }
}

export function tenantView(tenant: { readonly tenantId: string; readonly displayName: string }): JsonObject {
  const { tenantId, displayName } = tenant
  return { id: `/tenants/${tenantId}`, tenantId, displayName, tenantCategory: 'Home', domains: [] }
}

export function locationView(subscriptionId: string, region: Region): JsonObject {
  const idOf = (name: string): string => `/subscriptions/${subscriptionId}/locations/${name}`
  const { name, displayName, geographyGroup, pairedRegion, zones } = region
  return {
    id: idOf(name),
    name,
    type: 'Region',
    displayName,
    regionalDisplayName: geographyGroup === '' ? displayName : `(${geographyGroup}) ${displayName}`,
    metadata: {
      regionType: 'Physical',
      regionCategory: 'Recommended',
      geographyGroup,
      pairedRegion: pairedRegion === undefined ? [] : [{ name: pairedRegion, id: idOf(pairedRegion) }],
    },
    ...(zones.length === 0
      ? {}
      : {
          availabilityZoneMappings: zones.map((physicalZone, index) => ({
            logicalZone: String(index + 1),
            physicalZone,
          })),
        }),
  }
}

/** Namespaces of the declared types: `Microsoft.Compute`, `Microsoft.Resources`. */
export function providerNamespaces(): readonly string[] {
  return [...new Set(resourceTypes.map(({ type }) => type.slice(0, type.indexOf('/'))))]
}

/**
 * A provider with its types. The api-versions come newest first: az takes the first for `resource show`, and its
 * template for scale sets asks for `apiVersions[0]`. Undefined for a namespace that is not here.
 */
export function providerView(
  subscriptionId: string | undefined,
  namespace: string,
  regions: readonly Region[],
): JsonObject | undefined {
  const canonical = providerNamespaces().find((known) => known.toLowerCase() === namespace.toLowerCase())
  if (canonical === undefined) return undefined
  const own = resourceTypes.filter(({ type }) => type.startsWith(`${canonical}/`))
  const locations = regions.map(({ displayName }) => displayName)
  const entries = own.map((declaration) => ({
    resourceType: declaration.type.slice(canonical.length + 1),
    locations: declaration.tracked ? locations : [],
    apiVersions: declaration.apiVersions.toReversed(),
    defaultApiVersion: declaration.apiVersions.at(-1) ?? '',
    capabilities: declaration.tracked ? 'SupportsTags, SupportsLocation' : 'None',
  }))
  // Operations are polled in the api-version of whatever started them.
  const operations = operationsReadPermission.startsWith(canonical)
    ? [
        {
          resourceType: 'locations/capsOperations',
          locations,
          apiVersions: [...new Set(own.flatMap(({ apiVersions }) => apiVersions))].sort().toReversed(),
          capabilities: 'None',
        },
      ]
    : []
  return {
    id: `${subscriptionId === undefined ? '' : `/subscriptions/${subscriptionId}`}/providers/${canonical}`,
    namespace: canonical,
    resourceTypes: [...entries, ...operations],
    registrationState: 'Registered',
    registrationPolicy: 'RegistrationRequired',
  }
}
