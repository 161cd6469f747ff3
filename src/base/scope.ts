/**
 * Scopes are ids: `/` (the tenant's root), a management group, a subscription, a resource group, a resource. They are
 * compared in lower case; a right at a scope holds for everything below it.
 */

/** How scopes are compared: lower case, single slashes, none at the end; the root is `/`. */
export function scopeKey(scope: string): string {
  const key = scope
    .toLowerCase()
    .replaceAll(/\/{2,}/g, '/')
    .replace(/\/$/, '')
  return key === '' ? '/' : key.startsWith('/') ? key : `/${key}`
}

const groupPrefix = '/providers/microsoft.management/managementgroups/'

export function managementGroupScope(name: string): string {
  return `/providers/Microsoft.Management/managementGroups/${name}`
}

/** The lower-case name of the management group that a key is, or is in; undefined for any other. */
export function findManagementGroupKey(key: string): string | undefined {
  return key.startsWith(groupPrefix) ? key.slice(groupPrefix.length).split('/')[0] : undefined
}

/** The lower-case id of the subscription that a scope is in. */
export function findSubscriptionId(scope: string): string | undefined {
  return /^\/subscriptions\/([^/]+)/.exec(scopeKey(scope))?.[1]
}

/**
 * The key itself and everything above it, nearest first, the root last. Also parts that are no scopes
 * (`…/providers`): nothing can be assigned there, and leaving them in keeps this free of the grammar of ids.
 */
export function ancestorKeys(key: string): readonly string[] {
  const found: string[] = []
  for (let end = key.length; end > 0; end = key.lastIndexOf('/', end - 1)) found.push(key.slice(0, end))
  if (key !== '/') found.push('/')
  return found
}

/** Whether something at `key` holds at `below` as well. Management groups need more: who belongs to them. */
export function isAtOrBelow(below: string, key: string): boolean {
  return key === '/' || below === key || below.startsWith(`${key}/`)
}

export type ScopeKind = 'tenant' | 'managementGroup' | 'subscription' | 'resourceGroup' | 'resource'

/** What a key names; undefined where it is no scope. */
export function findScopeKind(key: string): ScopeKind | undefined {
  if (key === '/') return 'tenant'
  if (/^\/providers\/microsoft\.management\/managementgroups\/[^/]+$/.test(key)) return 'managementGroup'
  if (/^\/subscriptions\/[^/]+$/.test(key)) return 'subscription'
  if (/^\/subscriptions\/[^/]+\/resourcegroups\/[^/]+$/.test(key)) return 'resourceGroup'
  const resource = /^\/subscriptions\/[^/]+\/resourcegroups\/[^/]+\/providers\/[^/]+((?:\/[^/]+)+)$/.exec(key)?.[1]
  return resource !== undefined && resource.split('/').length % 2 === 1 ? 'resource' : undefined
}
