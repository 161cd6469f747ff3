import type { JsonObject } from '../base/json.ts'
import type { Region } from '../base/region.ts'
import { subscriptionsApiVersions } from '../contract/api-versions.ts'
import { listSubscriptions, type Subscription } from '../resources/subscription.rows.ts'
import { getSubscription, type Answer, type Call } from './call.ts'
import { checkOwnVersion } from './check-version.ts'
import type { Engine } from './engine.ts'
import { sightOf } from './sight.ts'

/** ARM's own addresses above the resource groups. */

export async function readSubscriptions(engine: Engine, call: Call): Promise<Answer> {
  checkOwnVersion(call, subscriptionsApiVersions)
  const all = await listSubscriptions(engine.db)
  const rights = await engine.rightsOf(call.caller)
  const own = all.filter(
    ({ tenantId, subscriptionId }) =>
      tenantId === call.caller.tenantId && rights.touches(`/subscriptions/${subscriptionId}`),
  )
  return { status: 200, body: { value: own.map(showSubscription), count: { type: 'Total', value: own.length } } }
}

export async function readSubscription(engine: Engine, call: Call): Promise<Answer> {
  checkOwnVersion(call, subscriptionsApiVersions)
  const subscription = await authorizedSubscription(engine, call, 'Microsoft.Resources/subscriptions/read')
  return { status: 200, body: showSubscription(subscription) }
}

export async function readLocations(engine: Engine, call: Call): Promise<Answer> {
  checkOwnVersion(call, subscriptionsApiVersions)
  const subscription = await authorizedSubscription(engine, call, 'Microsoft.Resources/subscriptions/locations/read')
  return { status: 200, body: { value: engine.regions.all.map((region) => showRegion(subscription, region)) } }
}

export async function readTenants(engine: Engine, call: Call): Promise<Answer> {
  checkOwnVersion(call, subscriptionsApiVersions)
  const found = await engine.listTenantsOf(call.caller)
  const value = found.map(({ tenantId, displayName, defaultDomain, isHome }) => ({
    id: `/tenants/${tenantId}`,
    tenantId,
    countryCode: null,
    displayName,
    domains: [defaultDomain],
    tenantCategory: isHome ? 'Home' : 'ProjectedBy',
    defaultDomain,
    tenantType: 'AAD',
  }))
  return { status: 200, body: { value } }
}

async function authorizedSubscription(engine: Engine, call: Call, action: string): Promise<Subscription> {
  const subscription = await getSubscription(engine, call)
  const scope = `/subscriptions/${subscription.subscriptionId}`
  // Whoever has a right to anything in a subscription may know of it: az asks these before everything else.
  if (call.method === 'GET') await sightOf(engine, call, action, scope)
  else await engine.authorize(call.caller, action, scope)
  return subscription
}

function showSubscription({ subscriptionId, tenantId, displayName, state }: Subscription): JsonObject {
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

function showRegion({ subscriptionId }: Subscription, region: Region): JsonObject {
  const idOf = (name: string): string => `/subscriptions/${subscriptionId}/locations/${name}`
  const { name, displayName, geographyGroup, pairedRegion, zones } = region
  const paired = pairedRegion === undefined ? [] : [{ name: pairedRegion, id: idOf(pairedRegion) }]
  const zoneMappings = zones.map((zone, index) => ({ logicalZone: String(index + 1), physicalZone: `${name}-${zone}` }))
  return {
    id: idOf(name),
    name,
    type: 'Region',
    displayName,
    regionalDisplayName: geographyGroup === '' ? displayName : `(${geographyGroup}) ${displayName}`,
    metadata: { regionType: 'Physical', regionCategory: 'Recommended', geographyGroup, pairedRegion: paired },
    ...(zoneMappings.length === 0 ? {} : { availabilityZoneMappings: zoneMappings }),
  }
}
