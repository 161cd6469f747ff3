import type { JsonObject } from '../base/json.ts'
import type { Region } from '../base/region.ts'
import { resourcesApiVersions, subscriptionsApiVersions } from '../contract/api-versions.ts'
import { listSubscriptions, type Subscription } from '../resources/subscription.rows.ts'
import { getSubscription, param, type Answer, type Call } from './call.ts'
import { splitType, type Engine } from './engine.ts'
import { armProblems } from './problems.ts'
import { resourceGroupType } from './target.ts'

/** ARM's own addresses above the resource groups. */

export async function readSubscriptions(engine: Engine, call: Call): Promise<Answer> {
  checkArmApiVersion(call, subscriptionsApiVersions)
  const all = await listSubscriptions(engine.db)
  const own = all.filter(({ tenantId }) => tenantId === call.caller.tenantId)
  return { status: 200, body: { value: own.map(showSubscription), count: { type: 'Total', value: own.length } } }
}

export async function readSubscription(engine: Engine, call: Call): Promise<Answer> {
  checkArmApiVersion(call, subscriptionsApiVersions)
  const subscription = await authorizedSubscription(engine, call, 'Microsoft.Resources/subscriptions/read')
  return { status: 200, body: showSubscription(subscription) }
}

export async function readLocations(engine: Engine, call: Call): Promise<Answer> {
  checkArmApiVersion(call, subscriptionsApiVersions)
  const subscription = await authorizedSubscription(engine, call, 'Microsoft.Resources/subscriptions/locations/read')
  return { status: 200, body: { value: engine.regions.all.map((region) => showRegion(subscription, region)) } }
}

export async function readTenants(engine: Engine, call: Call): Promise<Answer> {
  checkArmApiVersion(call, subscriptionsApiVersions)
  const { tenantId } = call.caller
  return {
    status: 200,
    body: { value: [{ id: `/tenants/${tenantId}`, tenantId, tenantCategory: 'Home', displayName: 'Goldleaf' }] },
  }
}

export async function readProviders(engine: Engine, call: Call): Promise<Answer> {
  checkArmApiVersion(call, resourcesApiVersions)
  const subscription = await scopeOf(engine, call)
  return { status: 200, body: { value: namespacesOf(engine).map((name) => showProvider(engine, name, subscription)) } }
}

/** One provider; POST …/register answers the same: every provider here is registered from the start. */
export async function readProvider(engine: Engine, call: Call): Promise<Answer> {
  checkArmApiVersion(call, resourcesApiVersions)
  const subscription = await scopeOf(engine, call)
  const namespace = param(call, 'namespace')
  const found = namespacesOf(engine).find((name) => name.toLowerCase() === namespace.toLowerCase())
  if (found === undefined) throw armProblems.InvalidResourceNamespace({ namespace })
  return { status: 200, body: showProvider(engine, found, subscription) }
}

/** Throws InvalidApiVersionParameter. */
function checkArmApiVersion(call: Call, supported: readonly string[]): void {
  const { apiVersion } = call
  if (!supported.includes(apiVersion)) throw armProblems.InvalidApiVersionParameter({ apiVersion, supported })
}

async function scopeOf(engine: Engine, call: Call): Promise<Subscription | undefined> {
  if (call.params['subscriptionId'] === undefined) return undefined
  const action = call.method === 'POST' ? 'register/action' : 'read'
  return authorizedSubscription(engine, call, `Microsoft.Resources/subscriptions/providers/${action}`)
}

async function authorizedSubscription(engine: Engine, call: Call, action: string): Promise<Subscription> {
  const subscription = await getSubscription(engine, call)
  await engine.authorize(call.caller, action, `/subscriptions/${subscription.subscriptionId}`)
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

function namespacesOf(engine: Engine): readonly string[] {
  return [...new Set(engine.types.map((type) => splitType(type.type)[0]))].sort()
}

/** az takes the newest api-version of a type from here when it handles resources by id. */
function showProvider(engine: Engine, namespace: string, subscription: Subscription | undefined): JsonObject {
  const base = subscription === undefined ? '' : `/subscriptions/${subscription.subscriptionId}`
  const locations = engine.regions.all.map((region) => region.displayName)
  const own = engine.types.filter((type) => splitType(type.type)[0] === namespace)
  const resourceTypes = own.map((type) => ({
    resourceType: splitType(type.type)[1],
    locations: type.type === resourceGroupType ? [] : locations,
    apiVersions: type.apiVersions.toReversed(),
    capabilities: type.tracked ? 'SupportsTags, SupportsLocation' : 'None',
  }))
  return {
    id: `${base}/providers/${namespace}`,
    namespace,
    registrationPolicy: 'RegistrationFree',
    registrationState: 'Registered',
    resourceTypes,
  }
}
