import { defineProblems } from '../base/problem.ts'

/** Failures of the protocol itself, in Azure's codes and texts (behaviour.md A1; ARM's own where it is silent). */
export const armProblems = defineProblems({
  MissingApiVersionParameter: {
    kind: 'invalid',
    say: () => 'The api-version query parameter (?api-version=) is required for all requests.',
  },
  InvalidApiVersionParameter: {
    kind: 'invalid',
    say: (f: { apiVersion: string; supported: readonly string[] }) =>
      `The api-version '${f.apiVersion}' is invalid. The supported versions are '${f.supported.toReversed().join(',')}'.`,
  },
  NoRegisteredProviderFound: {
    kind: 'invalid',
    say: (f: {
      location: string
      apiVersion: string
      type: string
      supported: readonly string[]
      locations: readonly string[]
    }) =>
      `No registered resource provider found for location '${f.location}' and API version '${f.apiVersion}' ` +
      `for type '${f.type}'. The supported api-versions are '${f.supported.join(', ')}'. ` +
      `The supported locations are '${f.locations.join(', ')}'.`,
  },
  SubscriptionAliasNotFound: {
    kind: 'absent',
    say: (f: { name: string }) =>
      `The subscription alias '${f.name}' does not exist in the tenant. List them at /providers/Microsoft.Subscription/aliases.`,
  },
  SubscriptionRequestInvalid: { kind: 'invalid', say: (f: { message: string }) => f.message },
  InvalidResourceNamespace: {
    kind: 'absent',
    say: (f: { namespace: string }) => `The resource namespace '${f.namespace}' is invalid.`,
  },
  InvalidResourceType: {
    kind: 'absent',
    say: (f: { namespace: string; apiVersion: string }) =>
      `The resource type could not be found in the namespace '${f.namespace}' for api version '${f.apiVersion}'.`,
  },
  MethodNotAllowed: {
    kind: 'methodNotAllowed',
    say: (f: { method: string; path: string }) =>
      `The method ${f.method} is not allowed at '${f.path}'. Check the API's reference for the methods of this address.`,
  },
  PatchNotInVersion: {
    kind: 'methodNotAllowed',
    code: 'MethodNotAllowed',
    say: (f: { type: string; apiVersion: string; since: string }) =>
      `The method PATCH is not allowed for '${f.type}' with api-version '${f.apiVersion}'. ` +
      `Use api-version '${f.since}' or later, or send the whole resource with PUT.`,
  },
  NotFound: {
    kind: 'absent',
    say: (f: { path: string }) => `Nothing is served at '${f.path}'. Check the address against the API's reference.`,
  },
  LinkedAuthorizationFailed: {
    kind: 'forbidden',
    say: (f: { name: string; objectId: string; ownAction: string; ownScope: string; action: string; scope: string }) =>
      `The client '${f.name}' with object id '${f.objectId}' has permission to perform action '${f.ownAction}' on scope ` +
      `'${f.ownScope}'; however, it does not have permission to perform action '${f.action}' on the linked scope(s) ` +
      `'${f.scope}' or the linked scope(s) are invalid.`,
  },
  LinkedTenantNotAuthorized: {
    kind: 'forbidden',
    code: 'LinkedAuthorizationFailed',
    say: (f: { action: string; ownScope: string; tenantId: string; subscriptionId: string }) =>
      `The client has permission to perform action '${f.action}' on scope '${f.ownScope}', however the current tenant ` +
      `'${f.tenantId}' is not authorized to access linked subscription '${f.subscriptionId}'.`,
  },
  TooManyAuxiliaryTokens: {
    kind: 'invalid',
    code: 'InvalidAuxiliaryTokens',
    say: (f: { most: number }) =>
      `The header 'x-ms-authorization-auxiliary' has more than ${f.most} tokens. Send those of the tenants that are needed.`,
  },
  EntityNameMismatch: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: () => 'Entity name does not match the name in the request URL.',
  },
  InvalidResourceName: {
    kind: 'invalid',
    say: (f: { name: string }) =>
      `The name '${f.name}' in the address of the request is not valid: it has a slash or a control character. Correct it.`,
  },
  InvalidSkipToken: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: () => "The value of parameter '$skiptoken' is invalid. Follow the 'nextLink' of the previous page as it is.",
  },
  InvalidExpand: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { parameter: string; value: string; accepted: readonly string[] }) =>
      `The value '${f.value}' of parameter '${f.parameter}' is invalid. Accepted are '${f.accepted.join(', ')}'.`,
  },
  InvalidFilterInQueryString: {
    kind: 'invalid',
    say: (f: { filter: string }) =>
      `Invalid $filter '${f.filter}' specified in the query string. Supported are "resourceType eq '…'", ` +
      `"resourceGroup eq '…'", "location eq '…'", "name eq '…'", "tagName eq '…'" and "tagValue eq '…'", joined by ` +
      `"and"; for resource groups the last two.`,
  },
  ResourceMoveNotSupported: {
    kind: 'invalid',
    say: (f: { types: readonly string[] }) =>
      `Resource move is not supported for resource types '${f.types.join(', ')}'. Create the resource anew in the other resource group and delete this one.`,
  },
  InvalidLocationFilter: {
    kind: 'invalid',
    code: 'InvalidFilterInQueryString',
    say: (f: { filter: string }) =>
      `Invalid $filter '${f.filter}' specified in the query string. Supported is "location eq '…'".`,
  },
  NoSuchLocation: {
    kind: 'invalid',
    code: 'LocationNotAvailableForResourceType',
    say: (f: { location: string; locations: readonly string[] }) =>
      `The location '${f.location}' is not one of this server's. Its locations are '${f.locations.join(', ')}'.`,
  },
  MissingSubscriptionRegistration: {
    kind: 'conflict',
    say: (f: { namespace: string }) =>
      `The subscription is not registered to use namespace '${f.namespace}'. See https://aka.ms/rps-not-found for how ` +
      'to register subscriptions.',
  },
  CannotUnregisterProvider: {
    kind: 'conflict',
    code: 'CannotUnregisterProvider',
    say: (f: { namespace: string; isFree: boolean }) =>
      `The subscription cannot be unregistered from resource namespace '${f.namespace}'. ` +
      (f.isFree ? 'Every subscription has it.' : 'Please delete existing resources for the provider.'),
  },
  SubscriptionRequestsThrottled: {
    kind: 'throttled',
    say: (f: { kind: string; subscriptionId: string; objectId: string; seconds: number }) =>
      `Number of '${f.kind}' requests for subscription '${f.subscriptionId}' actor '${f.objectId}' exceeded. Please try ` +
      `again after '${f.seconds}' seconds after additional tokens are available. Refer to ` +
      'https://aka.ms/arm-throttling for additional information.',
  },
  ComputeThrottled: {
    kind: 'throttled',
    code: 'OperationNotAllowed',
    say: () => 'The server rejected the request because too many requests have been received for this subscription.',
  },
  FeatureNotFound: {
    kind: 'absent',
    say: (f: { feature: string; namespace: string }) =>
      `The feature '${f.feature}' of '${f.namespace}' could not be found, or is not registered. 'az feature list' shows ` +
      'what there is.',
  },
  ResourceGroupDeletionBlocked: {
    kind: 'conflict',
    say: (f: { name: string; blocking: readonly string[]; trackingId: string }) =>
      `Deletion of resource group '${f.name}' failed as resources with identifiers '${f.blocking.join(',')}' could not ` +
      `be deleted. The provisioning state of the resource group will be rolled back. The tracking Id is ` +
      `'${f.trackingId}'. Please check audit logs for more details.`,
  },
  TooManyGroupDeletions: {
    kind: 'throttled',
    code: 'TooManyRequests',
    say: (f: { count: number }) =>
      `${f.count} resource groups are being deleted already. Wait for one of these deletions to end, then try again.`,
  },
  OperationNotFound: {
    kind: 'absent',
    code: 'NotFound',
    say: (f: { operationId: string }) =>
      `The operation '${f.operationId}' was not found in this subscription. Use the address that the first answer gave.`,
  },
})
