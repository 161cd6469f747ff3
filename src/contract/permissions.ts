import { extensionPermissions } from './extension-types.ts'
import { resourceGroupType } from './resource-groups.ts'
import { resourceTypes } from './resource-types.ts'
import { proxyTypes } from './shared-galleries.ts'
import type { ActionDeclaration, ResourceTypeDeclaration } from './resource-type.ts'

/** What a request does, as far as role assignments see it. */
export type Operation = 'read' | 'write' | 'delete' | { readonly action: string }

/** A client without this cannot poll its own operations (behaviour.md H). */
export const operationsReadPermission = 'Microsoft.Compute/locations/capsOperations/read'

/** Resource groups live under subscriptions in the names of actions. */
const permissionPrefix = (type: ResourceTypeDeclaration): string =>
  type.type === resourceGroupType ? 'Microsoft.Resources/subscriptions/resourceGroups' : type.type

export const findAction = (type: ResourceTypeDeclaration, name: string): ActionDeclaration | undefined =>
  type.actions.find((action) => action.name.toLowerCase() === name.toLowerCase())

/**
 * The RBAC action an operation needs: `Microsoft.Compute/galleries/images/versions/write`. PUT and PATCH are `write`.
 * An action that is not declared gets the name it would have, which no narrow role holds.
 */
export function permissionOf(type: ResourceTypeDeclaration, operation: Operation): string {
  if (typeof operation === 'string') return `${permissionPrefix(type)}/${operation}`
  return findAction(type, operation.action)?.permission ?? `${permissionPrefix(type)}/${operation.action}/action`
}

/**
 * What addresses beside the declared types ask for: subscriptions, providers, features, computed lists, operations. A
 * test walks over every address of the server and compares.
 */
const routePermissions: readonly string[] = [
  ...['read', 'locations/read', 'resources/read', 'providers/read'].map(
    (action) => `Microsoft.Resources/subscriptions/${action}`,
  ),
  ...['Microsoft.Resources', 'Microsoft.Storage', 'Microsoft.ManagedIdentity'].map((namespace) =>
    operationsReadPermission.replace('Microsoft.Compute', namespace),
  ),
  ...['moveResources', 'validateMoveResources'].map(
    (verb) => `Microsoft.Resources/subscriptions/resourceGroups/${verb}/action`,
  ),
  ...['register', 'unregister'].flatMap((verb) => [
    `Microsoft.Compute/${verb}/action`,
    `Microsoft.Features/providers/features/${verb}/action`,
  ]),
  'Microsoft.Features/providers/features/read',
  ...['read', 'write', 'delete'].flatMap((verb) => [
    `Microsoft.Features/featureProviders/subscriptionFeatureRegistrations/${verb}`,
    `Microsoft.Subscription/aliases/${verb}`,
  ]),
  ...['cancel', 'enable', 'rename'].map((verb) => `Microsoft.Subscription/${verb}/action`),
  'Microsoft.Insights/eventtypes/values/read',
  'Microsoft.Compute/locations/usages/read',
  'Microsoft.Compute/locations/vmSizes/read',
  'Microsoft.Compute/skus/read',
  'Microsoft.Storage/checknameavailability/read',
]

/** Every action string there is, for the test matrix and the listing of provider operations. */
export function allPermissions(): readonly string[] {
  const own = resourceTypes.flatMap((type) => [
    permissionOf(type, 'read'),
    ...(type.put === undefined ? [] : [permissionOf(type, 'write')]),
    ...(type.delete === undefined ? [] : [permissionOf(type, 'delete')]),
    ...type.actions.map(({ permission }) => permission),
  ])
  const proxies = proxyTypes.flatMap((type) => [
    ...(type.getVersions === undefined ? [] : [`${type.type}/read`]),
    ...type.actions.map(({ permission }) => permission),
  ])
  return [...new Set([...own, ...proxies, ...extensionPermissions(), operationsReadPermission, ...routePermissions])]
}
