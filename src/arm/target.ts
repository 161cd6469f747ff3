import { findArmId, parentKey, resourceGroupKey, type ArmId } from '../base/arm-id.ts'
import { resourceGroupType } from '../contract/resource-groups.ts'
import type { ResourceTypeDeclaration } from '../contract/resource-type.ts'
import { noMemo } from '../db/read-memo.ts'
import { armPath, resourceProblems } from '../resources/problems.ts'
import { findResource } from '../resources/resource.rows.ts'
import type { Resource } from '../resources/resource.ts'
import { getSubscription, param, type Call } from './call.ts'
import { checkOwnVersion, checkVersion } from './check-version.ts'
import { splitType, type Engine } from './engine.ts'
import { armProblems } from './problems.ts'

/**
 * The resource that a request is about, whether it exists or not. Resource groups are stored like everything else; only
 * their address has another form.
 */
export interface Target {
  readonly type: ResourceTypeDeclaration
  /** In the canonical spelling of the type; names as the caller wrote them. */
  readonly id: ArmId
  readonly subscriptionId: string
  readonly parentKey: string
  readonly resourceGroup: string
  readonly resourceGroupKey: string
}

/**
 * Admits a request to a resource: subscription, api-version, permission, resource group, in the order in which Azure
 * complains. Throws SubscriptionNotFound, NoRegisteredProviderFound, AuthorizationFailed, ResourceGroupNotFound.
 */
export async function admit(
  engine: Engine,
  call: Call,
  type: ResourceTypeDeclaration,
  permission: string,
  /** Whose api-versions count, where that is another type: the list of children is asked of their parent. */
  versioned: ResourceTypeDeclaration = type,
): Promise<Target> {
  const { subscriptionId } = await getSubscription(engine, call)
  checkApiVersion(engine, versioned, call)
  const target = targetOf(type, subscriptionId, call)
  await engine.authorize(call.caller, permission, target.id.id)
  if (type.type !== resourceGroupType) await getResourceGroup(engine, target)
  return target
}

function targetOf(type: ResourceTypeDeclaration, subscriptionId: string, call: Call): Target {
  const resourceGroup = param(call, 'resourceGroup')
  const groupKey = resourceGroupKey(subscriptionId, resourceGroup)
  const group = { subscriptionId, resourceGroup, resourceGroupKey: groupKey }
  if (type.type === resourceGroupType) {
    const id = `/subscriptions/${subscriptionId}/resourceGroups/${resourceGroup}`
    const own = { id, key: groupKey, name: resourceGroup, names: [resourceGroup] }
    const kind = { type: type.type, namespace: 'Microsoft.Resources', types: ['resourceGroups'] }
    return { type, id: { ...own, ...kind, subscriptionId, resourceGroup }, parentKey: subscriptionKey(group), ...group }
  }
  const [, path] = splitType(type.type)
  const names = path.split('/').map((_, index) => param(call, `name${index}`))
  const id = findArmId(
    `/subscriptions/${subscriptionId}/resourceGroups/${resourceGroup}/providers/${armPath({ type: type.type, names })}`,
  )
  if (!id) throw armProblems.InvalidResourceName({ name: names.join('/') })
  return { type, id, parentKey: parentKey(id), ...group }
}

function subscriptionKey({ subscriptionId }: { readonly subscriptionId: string }): string {
  return `/subscriptions/${subscriptionId}`.toLowerCase()
}

/** Throws ResourceGroupNotFound. */
export async function getResourceGroup(
  engine: Engine,
  group: { readonly resourceGroup: string; readonly resourceGroupKey: string },
): Promise<Resource> {
  const { memo = noMemo } = engine
  const found = await memo(`group ${group.resourceGroupKey}`, () => findResource(engine.db, group.resourceGroupKey))
  if (!found) throw resourceProblems.ResourceGroupNotFound({ resourceGroup: group.resourceGroup })
  return found
}

/** The row of the target, if it is there and of the right type. */
export async function findTarget(engine: Engine, target: Target): Promise<Resource | undefined> {
  const found = await findResource(engine.db, target.id.key)
  return found?.type === target.type.type ? found : undefined
}

/** The row of the target for whoever only shows it: read once as long as nothing is committed. */
export function findShownTarget(engine: Engine, target: Target): Promise<Resource | undefined> {
  const { memo = noMemo } = engine
  return memo(`shown ${target.type.type} ${target.id.key}`, () => findTarget(engine, target), sizeOfRow)
}

/** About how many characters a row holds. */
export function sizeOfRow(row: Resource | undefined): number {
  return row === undefined ? 0 : 2 * JSON.stringify(row).length
}

/** Throws ResourceNotFound, or ResourceGroupNotFound for a group. */
export async function getTarget(
  engine: Engine,
  target: Target,
  find: typeof findTarget = findTarget,
): Promise<Resource> {
  const found = await find(engine, target)
  if (found) return found
  const { resourceGroup, id } = target
  if (target.type.type === resourceGroupType) throw resourceProblems.ResourceGroupNotFound({ resourceGroup })
  throw resourceProblems.ResourceNotFound({ type: id.type, names: id.names, resourceGroup })
}

/** Throws NoRegisteredProviderFound naming what is supported; ARM's own types answer InvalidApiVersionParameter. */
export function checkApiVersion(engine: Engine, type: ResourceTypeDeclaration, call: Call): void {
  if (type.apiVersions.includes(call.apiVersion)) return
  const [namespace, path] = splitType(type.type)
  if (namespace.toLowerCase() === 'microsoft.resources') return checkOwnVersion(call, type.apiVersions)
  const wanted = bodyLocation(call.body)
  const location = (wanted === undefined ? undefined : engine.regions.find(wanted)?.name) ?? wanted
  checkVersion(engine, call, path, type.apiVersions, location)
}

function bodyLocation(body: unknown): string | undefined {
  if (typeof body !== 'object' || body === null || !('location' in body)) return undefined
  return typeof body.location === 'string' ? body.location.slice(0, 64) : undefined
}

export { resourceGroupType }
