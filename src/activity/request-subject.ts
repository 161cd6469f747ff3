import type { EventSubject } from './event.ts'

const verbs: Readonly<Record<string, string>> = {
  PUT: 'write',
  PATCH: 'write',
  DELETE: 'delete',
  GET: 'read',
  HEAD: 'read',
}
const groupsType = 'Microsoft.Resources/subscriptions/resourceGroups'

/**
 * What a request is about, from its method and decoded path alone, so that refused ones can be told too: the operation's
 * name is the action string (behaviour.md L). `spell` answers the canonical spelling of a type, where there is one.
 */
export function subjectOf(
  method: string,
  path: string,
  spell: (type: string) => string = (type) => type,
): EventSubject {
  const segments = path.split('/').filter((segment) => segment !== '')
  const scope = scopeOf(segments)
  const at = segments.findLastIndex((segment) => segment.toLowerCase() === 'providers')
  if (at < 0) return { ...scope, ...subjectAbove(method, segments, scope) }
  const [namespace = '', ...rest] = segments.slice(at + 1)
  const names = rest.filter((_, index) => index % 2 === 0)
  // A path that ends in a type's name, not in that of a thing: an action on the thing before it, or a collection.
  const hasAction = rest.length % 2 === 1
  const isAction = hasAction && method === 'POST'
  const action = isAction ? names.pop() : undefined
  const type = names.length === 0 ? namespace : spell(`${namespace}/${names.join('/')}`)
  const resource = isAction ? segments.slice(0, -1) : segments
  const verb = action === undefined ? (verbs[method] ?? 'action') : `${action}/action`
  return {
    ...scope,
    operationName: `${type}/${verb}`,
    resourceId: `/${resource.join('/')}`,
    resourceType: type,
    resourceProvider: type.split('/', 1)[0] ?? namespace,
  }
}

function scopeOf(segments: readonly string[]): Pick<EventSubject, 'subscriptionId' | 'resourceGroup'> {
  const isIn = segments[0]?.toLowerCase() === 'subscriptions'
  const hasGroup = isIn && segments[2]?.toLowerCase() === 'resourcegroups'
  return {
    subscriptionId: isIn ? segments[1]?.toLowerCase() : undefined,
    resourceGroup: hasGroup ? segments[3] : undefined,
  }
}

/** Subscriptions and resource groups: ARM's own things, which no provider serves. */
function subjectAbove(
  method: string,
  segments: readonly string[],
  scope: Pick<EventSubject, 'resourceGroup'>,
): Pick<EventSubject, 'operationName' | 'resourceId' | 'resourceType' | 'resourceProvider'> {
  const type = scope.resourceGroup === undefined ? 'Microsoft.Resources/subscriptions' : groupsType
  const own = segments.slice(0, scope.resourceGroup === undefined ? 2 : 4)
  const action = method === 'POST' && segments.length > own.length ? `${segments.at(-1)}/action` : undefined
  return {
    operationName: `${type}/${action ?? verbs[method] ?? 'action'}`,
    resourceId: `/${own.join('/')}`,
    resourceType: type,
    resourceProvider: 'Microsoft.Resources',
  }
}
