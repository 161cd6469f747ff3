import { contractProblems } from '../contract/problems.ts'
import { projectProxy, type ProxyTypeDeclaration } from '../contract/proxy-type.ts'
import type { ActionDeclaration } from '../contract/resource-type.ts'
import type { RequestContext } from '../resources/behaviour.ts'
import type { ProxyPlace } from '../resources/proxy.ts'
import { getSubscription, param, requestContext, type Answer, type Call } from './call.ts'
import { checkVersion } from './check-version.ts'
import { splitType, type Engine, type Proxy } from './engine.ts'
import { nextLink, pageByName, readAfterName } from './paging.ts'
import { armProblems } from './problems.ts'

/** Views that live in a region: `/subscriptions/{s}/providers/{namespace}/locations/{location}/{type}/{name}…`. */

/** Where an item of the type is found; its list is the same without the last segment. */
export function proxyPath(type: ProxyTypeDeclaration): string {
  const [namespace, path] = splitType(type.type)
  const [locations = '', ...segments] = path.split('/')
  const names = segments.map((segment, index) => `${segment}/:name${index}`)
  const base = type.scope === 'subscription' ? '/subscriptions/:subscriptionId' : ''
  return `${base}/providers/${namespace}/${locations}/:location/${names.join('/')}`
}

export async function readProxy(engine: Engine, call: Call, { type, behaviour }: Proxy): Promise<Answer> {
  const [place, context] = await admit(engine, call, type, `${type.type}/read`, type.getVersions ?? [])
  if (!behaviour.get) throw new Error(`'${type.type}' is declared to be read, but its behaviour cannot`)
  return { status: 200, body: projectProxy(type, call.apiVersion, await behaviour.get(place, context)) }
}

/** Ascending by name with numbers as numbers, as the lists of resources are. */
export async function listProxies(engine: Engine, call: Call, { type, behaviour }: Proxy): Promise<Answer> {
  const [place, context] = await admit(engine, call, type, `${type.type}/read`, type.listVersions ?? [])
  checkListQuery(type, call)
  const afterName = readAfterName(call, call.path)
  if (!behaviour.list) throw new Error(`'${type.type}' is declared to be listed, but its behaviour cannot`)
  const { page, isMore } = pageByName(await behaviour.list(place, context), afterName, engine.pageSize)
  const last = isMore ? page.at(-1)?.name : undefined
  const more = last === undefined ? {} : { nextLink: nextLink(call, `${call.path}/${last}`.toLowerCase()) }
  const value = page.map(({ body }) => projectProxy(type, call.apiVersion, body))
  return { status: 200, body: { value, ...more } }
}

export async function runProxyAction(
  engine: Engine,
  call: Call,
  { type, behaviour }: Proxy,
  action: ActionDeclaration,
): Promise<Answer> {
  const run = behaviour.actions?.[action.name]
  const [namespace] = splitType(type.type)
  if (!run || (action.since !== undefined && call.apiVersion < action.since))
    throw armProblems.InvalidResourceType({ namespace, apiVersion: call.apiVersion })
  await run(...(await admit(engine, call, type, action.permission)))
  return { status: 204 }
}

/** Subscription, api-version, permission, region: in the order in which Azure complains. */
async function admit(
  engine: Engine,
  call: Call,
  type: ProxyTypeDeclaration,
  permission: string,
  versions?: readonly string[],
): Promise<readonly [ProxyPlace, RequestContext]> {
  const subscription = type.scope === 'subscription' ? await getSubscription(engine, call) : undefined
  const [namespace, path] = splitType(type.type)
  const location = param(call, 'location')
  if (versions) checkVersion(engine, call, path, versions, location)
  const segments = path.split('/').slice(1)
  const names = segments.flatMap((_, index) =>
    call.params[`name${index}`] === undefined ? [] : [param(call, `name${index}`)],
  )
  // From the parts that were found, never from the path as it came: what is judged must be what is answered.
  const own = segments.flatMap((segment, index) => [segment, ...names.slice(index, index + 1)])
  const base = subscription ? `/subscriptions/${subscription.subscriptionId}` : ''
  const scope = [base, 'providers', namespace, 'locations', location, ...own].join('/')
  await engine.authorize(call.caller, permission, scope)
  const region = engine.regions.find(location)
  if (!region) {
    const available = engine.regions.all.map(({ name }) => name)
    throw contractProblems.LocationNotAvailableForResourceType({ location, type: type.type, available })
  }
  const tenantId = subscription?.tenantId ?? call.caller.tenantId
  const place = { subscriptionId: subscription?.subscriptionId, tenantId, region, names }
  return [place, requestContext(engine, call, { action: permission, scope })]
}

function checkListQuery(type: ProxyTypeDeclaration, call: Call): void {
  for (const [parameter, accepted] of Object.entries(type.listQuery ?? {})) {
    const value = call.query[parameter]
    if (value !== undefined && value !== '' && !accepted.includes(value.toLowerCase()))
      throw armProblems.InvalidExpand({ parameter, value, accepted })
  }
}
