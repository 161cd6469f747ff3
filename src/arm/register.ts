import type { FastifyInstance, HTTPMethods } from 'fastify'
import { operationsReadPermission } from '../contract/permissions.ts'
import type { ResourceTypeDeclaration } from '../contract/resource-type.ts'
import { runAction } from './action.ts'
import { addActivityRoutes } from './activity-log.ts'
import { handler, type Call } from './call.ts'
import { createEngine, splitType, type ArmOptions, type Engine, type Proxy } from './engine.ts'
import { addFeatureRoutes } from './features.ts'
import { serveExtension } from './extensions.ts'
import { listGenericResources, listResourceGroups } from './generic-list.ts'
import { allOperationSegments } from './operation-answers.ts'
import { readOperation } from './operations.ts'
import { armProblems } from './problems.ts'
import { addProviderActions } from './provider-actions.ts'
import { addProviderLists } from './provider-lists.ts'
import { addProviderQuestions } from './provider-questions.ts'
import { addProviderRoutes, namespacesOf } from './providers.ts'
import { listProxies, proxyPath, readProxy, runProxyAction } from './proxies.ts'
import { checkExistence, findParentType, listByType, listEverywhere, listUnderParent, readResource } from './read.ts'
import { deleteTarget } from './remove.ts'
import { deleteResourceGroup, refuseMove, readGroupDeletion } from './resource-groups.ts'
import { subscriptionPath } from './routes.ts'
import type { Routes } from './routes.ts'
import { readLocations, readSubscription, readSubscriptions, readTenants } from './subscriptions.ts'
import { addSubscriptionManagement } from './subscription-management.ts'
import { resourceGroupType } from './target.ts'
import { listView, readView, removeView } from './views.ts'
import { writeResource } from './write.ts'

const groupPath = `${subscriptionPath}/resourceGroups/:resourceGroup`

/**
 * Registers every route of Azure Resource Manager that follows from the declared types, on the instance that
 * createHttpServer made. Answers the engine, which deleteResourceGroupWorkflow needs.
 */
export function registerArm(app: FastifyInstance, options: ArmOptions): Engine {
  const engine = createEngine(options)
  const route: Routes = (method, url, run, isRead) => {
    app.route({ method: typeof method === 'string' ? method : [...method], url, handler: handler(engine, run, isRead) })
  }
  addSubscriptionRoutes(engine, route)
  for (const add of [
    addProviderRoutes,
    addFeatureRoutes,
    addActivityRoutes,
    addProviderActions,
    addProviderLists,
    addProviderQuestions,
    addSubscriptionManagement,
  ])
    add(engine, route)
  for (const type of engine.types) {
    if (type.type === resourceGroupType) addGroupRoutes(engine, type, route)
    else addTypeRoutes(engine, type, route)
  }
  for (const proxy of engine.proxies) addProxyRoutes(engine, proxy, route)
  addOperationRoutes(engine, route)
  const methods: HTTPMethods[] = ['GET', 'HEAD', 'PUT', 'PATCH', 'POST', 'DELETE', 'OPTIONS']
  for (const url of ['/subscriptions/*', '/providers/*', '/tenants/*'])
    route(methods, url, async (call) => {
      const answer = await serveExtension(engine, call)
      if (answer) return answer
      throw explainMissing(engine, call)
    })
  return engine
}

function addSubscriptionRoutes(engine: Engine, route: Routes): void {
  route('GET', '/subscriptions', (call) => readSubscriptions(engine, call))
  route('GET', '/tenants', (call) => readTenants(engine, call))
  route('GET', subscriptionPath, (call) => readSubscription(engine, call))
  route('GET', `${subscriptionPath}/locations`, (call) => readLocations(engine, call))
  route('GET', `${subscriptionPath}/resources`, (call) => listGenericResources(engine, call))
  route('GET', `${groupPath}/resources`, (call) => listGenericResources(engine, call))
  route('GET', `${subscriptionPath}/operationresults/:operationId`, (call) => readGroupDeletion(engine, call))
}

function addGroupRoutes(engine: Engine, type: ResourceTypeDeclaration, route: Routes): void {
  addItemRoutes(engine, type, groupPath, route)
  route('DELETE', groupPath, (call) => deleteResourceGroup(engine, call, type))
  route('GET', `${subscriptionPath}/resourceGroups`, (call) => listResourceGroups(engine, call, type))
  for (const verb of ['moveResources', 'validateMoveResources'])
    route('POST', `${groupPath}/${verb}`, (call) => refuseMove(engine, call, type, verb))
}

function addTypeRoutes(engine: Engine, type: ResourceTypeDeclaration, route: Routes): void {
  const [namespace, path] = splitType(type.type)
  const segments = path.split('/')
  const item = segments.map((segment, index) => `${segment}/:name${index}`).join('/')
  const itemUrl = `${groupPath}/providers/${namespace}/${item}`
  const view = engine.behaviour(type.type)?.view
  if (view) {
    route('GET', itemUrl, (call) => readView(engine, call, type, view))
    route('GET', itemUrl.slice(0, itemUrl.lastIndexOf('/')), (call) => listView(engine, call, type, view))
    if (type.delete !== undefined) route('DELETE', itemUrl, (call) => removeView(engine, call, type, view))
    return
  }
  addItemRoutes(engine, type, itemUrl, route)
  if (type.delete !== undefined) route('DELETE', itemUrl, (call) => deleteTarget(engine, call, type))
  const parent = findParentType(engine, type)
  const listUrl = itemUrl.slice(0, itemUrl.lastIndexOf('/'))
  route('GET', listUrl, (call) =>
    parent ? listUnderParent(engine, call, type, parent) : listByType(engine, call, type),
  )
  if (type.listInSubscription && segments.length === 1) {
    route('GET', `${subscriptionPath}/providers/${namespace}/${path}`, (call) => listByType(engine, call, type))
    route('GET', `/providers/${namespace}/${path}`, (call) => listEverywhere(engine, call, type))
  }
  for (const action of type.actions) {
    const isRead = action.permission.endsWith('/read')
    route(action.method ?? 'POST', `${itemUrl}/${action.name}`, (call) => runAction(engine, call, type, action), isRead)
  }
}

function addProxyRoutes(engine: Engine, proxy: Proxy, route: Routes): void {
  const { type } = proxy
  const item = proxyPath(type)
  if (type.getVersions) route('GET', item, (call) => readProxy(engine, call, proxy))
  if (type.listVersions) route('GET', item.slice(0, item.lastIndexOf('/')), (call) => listProxies(engine, call, proxy))
  for (const action of type.actions)
    route('POST', `${item}/${action.name}`, (call) => runProxyAction(engine, call, proxy, action))
}

function addItemRoutes(engine: Engine, type: ResourceTypeDeclaration, itemUrl: string, route: Routes): void {
  route('GET', itemUrl, (call) => readResource(engine, call, type))
  route('HEAD', itemUrl, (call) => checkExistence(engine, call, type))
  if (type.put !== undefined) route('PUT', itemUrl, (call) => writeResource(engine, call, type))
  if (type.patch !== undefined) route('PATCH', itemUrl, (call) => writeResource(engine, call, type))
}

function addOperationRoutes(engine: Engine, route: Routes): void {
  const namespaces = new Set(engine.types.map((type) => splitType(type.type)[0]))
  for (const namespace of namespaces)
    for (const segment of allOperationSegments)
      route('GET', `${subscriptionPath}/providers/${namespace}/locations/:location/${segment}/:operationId`, (call) =>
        readOperation(engine, call, operationsReadPermission.replace('Microsoft.Compute', namespace)),
      )
}

/** Why nothing is served at an address below ARM's roots, as Azure explains it. */
function explainMissing(engine: Engine, call: Call): Error {
  const { method, path, apiVersion } = call
  const [before, after] = splitAtProviders(path)
  if (after === undefined) {
    const isGroup = /^\/+subscriptions\/+[^/]+(?:\/+resourcegroups(?:\/+[^/]+)?)?\/*$/i.test(before)
    return isGroup ? armProblems.MethodNotAllowed({ method, path }) : armProblems.NotFound({ path })
  }
  const [namespace = '', ...rest] = after.split('/').filter((segment) => segment !== '')
  if (!namespacesOf(engine).some((name) => name.toLowerCase() === namespace.toLowerCase()))
    return armProblems.InvalidResourceNamespace({ namespace })
  const asked = rest.filter((_, index) => index % 2 === 0).join('/')
  const isKnown =
    engine.findType(`${namespace}/${asked}`) ??
    engine.proxies.find(({ type }) => type.type.toLowerCase() === `${namespace}/${asked}`.toLowerCase())
  return isKnown
    ? armProblems.MethodNotAllowed({ method, path })
    : armProblems.InvalidResourceType({ namespace, apiVersion })
}

function splitAtProviders(path: string): readonly [string, string | undefined] {
  const at = path.toLowerCase().lastIndexOf('/providers/')
  return at < 0 ? [path, undefined] : [path.slice(0, at), path.slice(at + '/providers/'.length)]
}
