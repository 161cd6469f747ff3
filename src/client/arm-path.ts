import { subscriptionsApiVersions } from '../contract/api-versions.ts'
import { resourceGroups } from '../contract/resource-groups.ts'
import { findResourceType } from '../contract/resource-types.ts'
import type { ResourceTypeDeclaration } from '../contract/resource-type.ts'

/** Of what stands outside the declared types: subscriptions, tenants, locations, providers. */
const resourceManagerApiVersion = subscriptionsApiVersions.at(-1) ?? '2022-12-01'

/** `/subscriptions/{id}`. */
export function subscriptionPath(subscriptionId: string): string {
  return `/subscriptions/${encodeURIComponent(subscriptionId)}`
}

export function resourceGroupPath(subscriptionId: string, resourceGroup: string): string {
  return `${subscriptionPath(subscriptionId)}/resourceGroups/${encodeURIComponent(resourceGroup)}`
}

/**
 * The path of a resource of a declared type: one name for each level of the type. With one name less it is the path of
 * the collection.
 */
export function resourcePath(
  type: ResourceTypeDeclaration,
  at: { readonly subscriptionId: string; readonly resourceGroup: string },
  names: readonly string[],
): string {
  const [namespace = '', ...levels] = type.type.split('/')
  if (names.length !== levels.length && names.length !== levels.length - 1)
    throw new RangeError(`${type.type} has ${levels.length} names`)
  const segments = levels.flatMap((level, index) => {
    const name = names[index]
    return name === undefined ? [level] : [level, encodeURIComponent(name)]
  })
  return `${resourceGroupPath(at.subscriptionId, at.resourceGroup)}/providers/${namespace}/${segments.join('/')}`
}

/** The newest api-version that the contract declares for what a path names: a resource, a collection or an action. */
export function apiVersionOf(path: string): string {
  const inGroup = /\/providers\/([^/?]+)\/([^?]+)/i.exec(path)
  if (inGroup === null) {
    const isGroup = /\/resourcegroups(\/|$|\?)/i.test(path)
    return (isGroup ? resourceGroups.apiVersions.at(-1) : undefined) ?? resourceManagerApiVersion
  }
  const [, namespace = '', rest = ''] = inGroup
  const levels = rest.split('/').filter((_, index) => index % 2 === 0)
  // An action or a list is one level more than a type: fall back to the type above it.
  for (let depth = levels.length; depth > 0; depth--) {
    const found = findResourceType([namespace, ...levels.slice(0, depth)].join('/'))
    const newest = found?.apiVersions.at(-1)
    if (newest !== undefined) return newest
  }
  return resourceManagerApiVersion
}
