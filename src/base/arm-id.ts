/**
 * Azure resource ids. Ids are compared case-insensitively everywhere (`key`), shown as they were written (`id`).
 * Shape: `/subscriptions/{s}/resourceGroups/{rg}/providers/{namespace}/{type}/{name}[/{type}/{name}…]`.
 */
export interface ArmId {
  readonly id: string
  /** The lower-case form: the identity of the resource in every table. */
  readonly key: string
  readonly subscriptionId: string
  readonly resourceGroup: string
  /** `Microsoft.Compute/galleries/images/versions`, in the caller's spelling. */
  readonly type: string
  readonly namespace: string
  readonly types: readonly string[]
  readonly names: readonly string[]
  /** The last name. */
  readonly name: string
}

/** Answers undefined for anything that is not a well-formed id of a resource inside a resource group. */
export function findArmId(text: string): ArmId | undefined {
  const parts = text.split('/')
  if (parts[0] !== '' || parts.length < 9 || parts.length % 2 === 0) return undefined
  const segments = parts.slice(1)
  if (segments.some((segment) => segment === '')) return undefined
  const [a, subscriptionId, b, resourceGroup, c, namespace, ...rest] = segments
  if (a?.toLowerCase() !== 'subscriptions' || b?.toLowerCase() !== 'resourcegroups') return undefined
  if (c?.toLowerCase() !== 'providers' || !subscriptionId || !resourceGroup || !namespace) return undefined
  const types = rest.filter((_, index) => index % 2 === 0)
  const names = rest.filter((_, index) => index % 2 === 1)
  if (types.length !== names.length || names.length === 0) return undefined
  return {
    id: text,
    key: armKey(text),
    subscriptionId,
    resourceGroup,
    namespace,
    types,
    names,
    type: [namespace, ...types].join('/'),
    name: names.at(-1) ?? '',
  }
}

function armKey(id: string): string {
  return id.toLowerCase()
}

/** The key of the enclosing resource, or of the resource group for a top-level resource. */
export function parentKey(id: ArmId): string {
  const segments = id.key.split('/')
  return id.types.length > 1 ? segments.slice(0, -2).join('/') : segments.slice(0, 5).join('/')
}

export function resourceGroupKey(subscriptionId: string, resourceGroup: string): string {
  return `/subscriptions/${subscriptionId}/resourcegroups/${resourceGroup}`.toLowerCase()
}
