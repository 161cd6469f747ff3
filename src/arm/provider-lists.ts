import { readFilterClauses } from '../base/filter-clauses.ts'
import type { Region } from '../base/region.ts'
import type { ProviderList } from '../resources/provider-list.ts'
import { getSubscription, param, type Answer, type Call } from './call.ts'
import { checkVersion } from './check-version.ts'
import { splitType, type Engine } from './engine.ts'
import { armProblems } from './problems.ts'
import type { Routes } from './routes.ts'
import { subscriptionPath } from './routes.ts'

/** The computed lists of providers: `…/providers/Microsoft.Compute/locations/{l}/usages`, `…/skus`. */
export function addProviderLists(engine: Engine, route: Routes): void {
  for (const list of engine.lists ?? []) {
    const [namespace, path] = splitType(list.type)
    const url = `${subscriptionPath}/providers/${namespace}/${path.replace(/^locations\//, 'locations/:location/')}`
    route('GET', url, (call) => readList(engine, call, list))
  }
}

async function readList(engine: Engine, call: Call, list: ProviderList): Promise<Answer> {
  const { subscriptionId } = await getSubscription(engine, call)
  const [, type] = splitType(list.type)
  checkVersion(engine, call, type, list.apiVersions, call.params['location'])
  await engine.authorize(call.caller, list.permission, `/subscriptions/${subscriptionId}`)
  const region = call.params['location'] === undefined ? undefined : getRegion(engine, param(call, 'location'))
  const filterRegion = list.filtersByLocation === true ? readFilter(engine, call) : undefined
  if (filterRegion === 'elsewhere') return { status: 200, body: { value: [] } }
  const withEdgeZones = call.query['includeextendedlocations']?.toLowerCase() === 'true'
  const value = await list.list({ subscriptionId, region, filterRegion, withEdgeZones, nowMs: call.nowMs })
  return { status: 200, body: { value } }
}

function getRegion(engine: Engine, location: string): Region {
  const region = engine.regions.find(location)
  if (region) return region
  throw armProblems.NoSuchLocation({ location, locations: engine.regions.all.map(({ name }) => name) })
}

/** `location eq 'westus'`; a region that this server does not have has nothing in it. */
function readFilter(engine: Engine, call: Call): Region | 'elsewhere' | undefined {
  const filter = call.query['$filter']?.trim() ?? ''
  const [clause, more] = readFilterClauses(filter)
  if (clause === undefined) return undefined
  const { name, operator, quoted } = clause
  if (name !== 'location' || operator !== 'eq' || quoted === undefined || more !== undefined)
    throw armProblems.InvalidLocationFilter({ filter })
  return engine.regions.find(quoted) ?? 'elsewhere'
}
