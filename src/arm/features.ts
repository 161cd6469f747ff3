import type { JsonObject } from '../base/json.ts'
import { formatArmTime } from '../base/clock.ts'
import { featureApiVersions, previewFeatures } from '../contract/services.ts'
import type { Subscription } from '../resources/subscription.rows.ts'
import { getSubscription, param, type Answer, type Call } from './call.ts'
import { checkOwnVersion } from './check-version.ts'
import type { Engine } from './engine.ts'
import { armProblems } from './problems.ts'
import { findRegistration, listRegistrations, putRegistration } from './registration.rows.ts'
import { registrationState, type Registration } from './registration.ts'
import type { Routes } from './routes.ts'
import { subscriptionPath } from './routes.ts'

type Feature = (typeof previewFeatures)[number]
interface Shown extends Feature {
  readonly registration: Registration | undefined
}

const home = `${subscriptionPath}/providers/Microsoft.Features`

/** Microsoft.Features: preview features, and the same in the newer form of subscriptionFeatureRegistrations. */
export function addFeatureRoutes(engine: Engine, route: Routes): void {
  const one = `${home}/providers/:namespace/features/:feature`
  route('GET', `${home}/features`, (call) => listFeatures(engine, call, showFeature))
  route('GET', `${home}/providers/:namespace/features`, (call) => listFeatures(engine, call, showFeature))
  route('GET', one, (call) => readFeature(engine, call, showFeature))
  route('POST', `${one}/register`, (call) => changeFeature(engine, call, true, showFeature))
  route('POST', `${one}/unregister`, (call) => changeFeature(engine, call, false, showFeature))

  const registrations = `${home}/featureProviders/:namespace/subscriptionFeatureRegistrations`
  const registration = `${registrations}/:feature`
  route('GET', `${home}/subscriptionFeatureRegistrations`, (call) => listFeatures(engine, call, showRegistration))
  route('GET', registrations, (call) => listFeatures(engine, call, showRegistration))
  route('GET', registration, (call) => readFeature(engine, call, showRegistration))
  route('PUT', registration, (call) => changeFeature(engine, call, true, showRegistration))
  route('DELETE', registration, async (call) => {
    await changeFeature(engine, call, false, showRegistration)
    return { status: 200 }
  })
}

type Show = (feature: Shown, subscription: Subscription, nowMs: number) => JsonObject

async function listFeatures(engine: Engine, call: Call, show: Show): Promise<Answer> {
  const subscription = await admitFeature(engine, call, show, 'read')
  const namespace = call.params['namespace']?.toLowerCase()
  const all = await listRegistrations(engine.db, subscription.subscriptionId)
  const value = previewFeatures
    .filter((feature) => namespace === undefined || feature.namespace.toLowerCase() === namespace)
    .map((feature) => ({ ...feature, registration: all.get(nameOf(feature).toLowerCase()) }))
    // Registrations are what the subscription has, features are all that there are.
    .filter(({ registration }) => show !== showRegistration || registration?.isWanted === true)
    .map((feature) => show(feature, subscription, call.nowMs))
  return { status: 200, body: { value } }
}

async function readFeature(engine: Engine, call: Call, show: Show): Promise<Answer> {
  const subscription = await admitFeature(engine, call, show, 'read')
  const feature = getFeature(call)
  const registration = await findRegistration(engine.db, subscription.subscriptionId, nameOf(feature))
  if (show === showRegistration && registration?.isWanted !== true) throw notFound(call)
  return { status: 200, body: show({ ...feature, registration }, subscription, call.nowMs) }
}

async function changeFeature(engine: Engine, call: Call, isWanted: boolean, show: Show): Promise<Answer> {
  const action = show === showRegistration ? (isWanted ? 'write' : 'delete') : `${isWanted ? '' : 'un'}register/action`
  const { subscriptionId, ...rest } = await admitFeature(engine, call, show, action)
  const feature = getFeature(call)
  const known = await findRegistration(engine.db, subscriptionId, nameOf(feature))
  if (isWanted || known !== undefined)
    await putRegistration(engine.db, subscriptionId, nameOf(feature), { isWanted, changedMs: call.nowMs })
  const registration = await findRegistration(engine.db, subscriptionId, nameOf(feature))
  return { status: 200, body: show({ ...feature, registration }, { subscriptionId, ...rest }, call.nowMs) }
}

async function admitFeature(engine: Engine, call: Call, show: Show, action: string): Promise<Subscription> {
  checkOwnVersion(call, show === showRegistration ? ['2021-07-01'] : featureApiVersions)
  const subscription = await getSubscription(engine, call)
  const type = show === showRegistration ? 'featureProviders/subscriptionFeatureRegistrations' : 'providers/features'
  await engine.authorize(
    call.caller,
    `Microsoft.Features/${type}/${action}`,
    `/subscriptions/${subscription.subscriptionId}`,
  )
  return subscription
}

function getFeature(call: Call): Feature {
  const wanted = nameOf({ namespace: param(call, 'namespace'), name: param(call, 'feature') }).toLowerCase()
  const found = previewFeatures.find((feature) => nameOf(feature).toLowerCase() === wanted)
  if (!found) throw notFound(call)
  return found
}

function notFound(call: Call): Error {
  return armProblems.FeatureNotFound({ feature: param(call, 'feature'), namespace: param(call, 'namespace') })
}

const nameOf = ({ namespace, name }: Feature): string => `${namespace}/${name}`

function stateOf({ registration }: Shown, nowMs: number): string {
  return registrationState(registration, nowMs, 'NotRegistered')
}

function showFeature(feature: Shown, { subscriptionId }: Subscription, nowMs: number): JsonObject {
  const { namespace, name } = feature
  return {
    properties: { state: stateOf(feature, nowMs) },
    id: `/subscriptions/${subscriptionId}/providers/Microsoft.Features/providers/${namespace}/features/${name}`,
    type: 'Microsoft.Features/providers/features',
    name: nameOf(feature),
  }
}

function showRegistration(feature: Shown, { subscriptionId, tenantId }: Subscription, nowMs: number): JsonObject {
  const { namespace, name, registration } = feature
  const base = `/subscriptions/${subscriptionId}/providers/Microsoft.Features/featureProviders/${namespace}`
  return {
    id: `${base}/subscriptionFeatureRegistrations/${name}`,
    name,
    type: 'Microsoft.Features/featureProviders/subscriptionFeatureRegistrations',
    properties: {
      tenantId,
      subscriptionId,
      featureName: name,
      displayName: name,
      providerNamespace: namespace,
      state: stateOf(feature, nowMs),
      approvalType: 'AutoApproval',
      ...(registration === undefined ? {} : { registrationDate: formatArmTime(registration.changedMs) }),
    },
  }
}
