import type { JsonObject } from '../base/json.ts'
import { resourcesApiVersions } from '../contract/api-versions.ts'
import { versionsOf } from '../contract/proxy-type.ts'
import { registrationFree } from '../contract/services.ts'
import { pageResources } from '../resources/resource.rows.ts'
import type { Subscription } from '../resources/subscription.rows.ts'
import { getSubscription, param, type Answer, type Call } from './call.ts'
import { checkOwnVersion } from './check-version.ts'
import { splitType, type Engine } from './engine.ts'
import { armProblems } from './problems.ts'
import { findRegistration, listRegistrations, putRegistration } from './registration.rows.ts'
import { isUsable, registrationState, type Registration, type RegistrationState } from './registration.ts'
import type { Routes } from './routes.ts'
import { subscriptionPath } from './routes.ts'
import { sightOf } from './sight.ts'
import { resourceGroupType } from './target.ts'

/** Resource providers: what they serve, and whether a subscription has registered them. */
export function addProviderRoutes(engine: Engine, route: Routes): void {
  for (const base of ['', subscriptionPath]) {
    route('GET', `${base}/providers`, (call) => readProviders(engine, call))
    route('GET', `${base}/providers/:namespace`, (call) => readProvider(engine, call))
  }
  route('GET', `${subscriptionPath}/providers/:namespace/providerPermissions`, async (call) => {
    await readProvider(engine, call)
    // What a provider's own applications are to be given in a subscription: the server itself does their work.
    return { status: 200, body: { value: [] } }
  })
  for (const [action, isWanted] of [
    ['register', true],
    ['unregister', false],
  ] as const)
    route('POST', `${subscriptionPath}/providers/:namespace/${action}`, (call) =>
      changeProvider(engine, call, action, isWanted),
    )
}

async function readProviders(engine: Engine, call: Call): Promise<Answer> {
  const subscription = await scopeOf(engine, call, 'read')
  const all = subscription === undefined ? undefined : await listRegistrations(engine.db, subscription.subscriptionId)
  const value = namespacesOf(engine).map((name) =>
    showProvider(engine, name, subscription, stateOf(engine, name, all?.get(name.toLowerCase()), call.nowMs)),
  )
  return { status: 200, body: { value } }
}

async function readProvider(engine: Engine, call: Call): Promise<Answer> {
  const subscription = await scopeOf(engine, call, 'read')
  const namespace = getNamespace(engine, call)
  const registration =
    subscription === undefined ? undefined : await findRegistration(engine.db, subscription.subscriptionId, namespace)
  const state = stateOf(engine, namespace, registration, call.nowMs)
  return { status: 200, body: showProvider(engine, namespace, subscription, state) }
}

async function changeProvider(
  engine: Engine,
  call: Call,
  action: 'register' | 'unregister',
  isWanted: boolean,
): Promise<Answer> {
  const subscription = await scopeOf(engine, call, `${action}/action`)
  const namespace = getNamespace(engine, call)
  if (subscription === undefined) throw armProblems.NotFound({ path: call.path })
  const { subscriptionId } = subscription
  const isFree = registrationFree.includes(namespace)
  if (!isWanted && (isFree || (await isInUse(engine, subscriptionId, namespace))))
    throw armProblems.CannotUnregisterProvider({ namespace, isFree })
  const known = await findRegistration(engine.db, subscriptionId, namespace)
  if (isFree || (known === undefined && isWanted === isUsable(stateOf(engine, namespace, known, call.nowMs))))
    return readProvider(engine, call)
  await putRegistration(engine.db, subscriptionId, namespace, { isWanted, changedMs: call.nowMs })
  return readProvider(engine, call)
}

/** Throws MissingSubscriptionRegistration: a namespace that the subscription has not registered takes no writes. */
export async function checkRegistered(
  engine: Engine,
  call: Pick<Call, 'nowMs'>,
  target: { readonly subscriptionId: string; readonly type: { readonly type: string } },
): Promise<void> {
  const [namespace] = splitType(target.type.type)
  if (registrationFree.includes(namespace)) return
  const registration = await findRegistration(engine.db, target.subscriptionId, namespace)
  if (isUsable(stateOf(engine, namespace, registration, call.nowMs))) return
  const problem = armProblems.MissingSubscriptionRegistration({ namespace })
  const { code, message } = problem
  throw armProblems.MissingSubscriptionRegistration({ namespace }, { details: [{ code, message, target: namespace }] })
}

function stateOf(
  engine: Engine,
  namespace: string,
  registration: Registration | undefined,
  nowMs: number,
): RegistrationState {
  if (registrationFree.includes(namespace)) return 'Registered'
  return registrationState(registration, nowMs, engine.providersRegistered === 'none' ? 'NotRegistered' : 'Registered')
}

async function isInUse(engine: Engine, subscriptionId: string, namespace: string): Promise<boolean> {
  for (const { type } of engine.types) {
    if (splitType(type)[0] !== namespace) continue
    if ((await pageResources(engine.db, { subscriptionId, type, limit: 1 })).length > 0) return true
  }
  return false
}

async function scopeOf(engine: Engine, call: Call, action: string): Promise<Subscription | undefined> {
  checkOwnVersion(call, resourcesApiVersions)
  if (call.params['subscriptionId'] === undefined) return undefined
  const subscription = await getSubscription(engine, call)
  // `register/action` is the provider's own right; reading is one over all of them.
  const permission =
    action === 'read' ? 'Microsoft.Resources/subscriptions/providers/read' : `${param(call, 'namespace')}/${action}`
  const scope = `/subscriptions/${subscription.subscriptionId}`
  // What providers there are is no secret to whom the subscription is none: az asks before it reads anything by id.
  if (action === 'read') await sightOf(engine, call, permission, scope)
  else await engine.authorize(call.caller, permission, scope)
  return subscription
}

function getNamespace(engine: Engine, call: Call): string {
  const namespace = param(call, 'namespace')
  const found = namespacesOf(engine).find((name) => name.toLowerCase() === namespace.toLowerCase())
  if (found === undefined) throw armProblems.InvalidResourceNamespace({ namespace })
  return found
}

/** Every provider that this server has, in any of its forms. */
export function namespacesOf(engine: Engine): readonly string[] {
  return [
    ...new Set(
      [...engine.types, ...(engine.services ?? []), ...(engine.actions ?? [])].map(({ type }) => splitType(type)[0]),
    ),
  ].sort()
}

/** az takes the newest api-version of a type from here when it handles resources by id. */
function showProvider(
  engine: Engine,
  namespace: string,
  subscription: Subscription | undefined,
  registrationState: RegistrationState,
): JsonObject {
  const base = subscription === undefined ? '' : `/subscriptions/${subscription.subscriptionId}`
  const locations = engine.regions.all.map((region) => region.displayName)
  const isOwn = ({ type }: { readonly type: string }): boolean => splitType(type)[0] === namespace
  const resourceTypes = engine.types.filter(isOwn).map((type) => ({
    resourceType: splitType(type.type)[1],
    locations: type.type === resourceGroupType ? [] : locations,
    apiVersions: type.apiVersions.toReversed(),
    capabilities: type.tracked ? 'SupportsTags, SupportsLocation' : 'None',
  }))
  const others = [...(engine.services ?? []), ...(engine.actions ?? [])].filter(isOwn).map(({ type, apiVersions }) => ({
    resourceType: splitType(type)[1],
    locations: [],
    apiVersions: apiVersions.toReversed(),
    capabilities: 'None',
  }))
  const proxies = engine.proxies
    .map(({ type }) => type)
    .filter((type) => isOwn(type) && versionsOf(type).length > 0)
    .map((type) => ({
      resourceType: splitType(type.type)[1],
      locations,
      apiVersions: versionsOf(type).toReversed(),
      capabilities: 'None',
    }))
  return {
    id: `${base}/providers/${namespace}`,
    namespace,
    registrationPolicy: registrationFree.includes(namespace) ? 'RegistrationFree' : 'RegistrationRequired',
    ...(subscription === undefined ? {} : { registrationState }),
    resourceTypes: [...resourceTypes, ...proxies, ...others],
  }
}
