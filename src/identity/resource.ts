import { addressesOf, azureCloud } from './clouds.ts'
import type { Cloud } from './clouds.ts'
import { SignInError, findField } from './sign-in-error.ts'
import { armAudience, armAudiences, graphAudience, graphAudiences } from './token.ts'

/** Which of Azure's token endpoints is spoken to: v1 answers numbers as strings and names `resource`. */
export type EndpointForm = 'v1' | 'v2'

/** What a token is asked for, taken out of Azure's `scope` (v2) or `resource` (v1). */
export interface Asked {
  /** As the client wrote it, without a scope's name; undefined: it named none. */
  readonly resource: string | undefined
  /** `management.azure.com` or `graph.microsoft.com`, in their first spelling. */
  readonly audience: string | undefined
  /** `openid`, `profile`, `email`, `offline_access`, as far as asked for. */
  readonly openid: readonly string[]
  /** The scopes that are a resource's, as written: they come back in the answer. */
  readonly scopes: readonly string[]
}

const openidScopes = new Set(['openid', 'profile', 'email', 'offline_access'])

/**
 * The audience that a resource's name stands for; the address under which the client reaches this server is ARM, and so
 * is that of the cloud's Resource Manager.
 */
export function findAudience(resource: string, baseUrl: string, cloud: Cloud = azureCloud): string | undefined {
  const name = resource.toLowerCase()
  const known = armAudiences.find((audience) => audience === name) ?? graphAudiences.find((one) => one === name)
  if (known !== undefined) return known
  const address = name.replace(/\/+$/, '')
  const { resourceManager, graph } = addressesOf(cloud, baseUrl.toLowerCase())
  if (address === resourceManager || address === baseUrl.toLowerCase()) return armAudience
  return address === graph ? graphAudience : undefined
}

/** Of the resources there are, the one that this audience belongs to. */
export function mainAudience(audience: string): string {
  return graphAudiences.includes(audience) ? graphAudience : armAudience
}

function resourceOfScope(scope: string): string {
  const slash = scope.lastIndexOf('/')
  // A scope without a resource is Microsoft Graph's (`User.Read`).
  return slash < 0 ? graphAudience : scope.slice(0, slash)
}

/** Throws invalid_resource for a resource that is unknown here, invalid_request for several in one request. */
export function parseAsked(fields: URLSearchParams, baseUrl: string, cloud?: Cloud): Asked {
  const words = findField(fields, 'scope')?.split(/\s+/).filter(Boolean) ?? []
  const scopes = words.filter((word) => !openidScopes.has(word))
  const named = findField(fields, 'resource')
  const resources = named === undefined ? scopes.map(resourceOfScope) : [named]
  const audiences = resources.map((resource) => {
    const audience = findAudience(resource, baseUrl, cloud)
    if (audience !== undefined) return audience
    throw new SignInError(
      400,
      'invalid_resource',
      500011,
      `The resource principal named ${resource} was not found in the tenant. Ask for ${armAudience}, for ${graphAudience}, or for the address of this server.`,
    )
  })
  if (new Set(audiences.map(mainAudience)).size > 1)
    throw new SignInError(
      400,
      'invalid_request',
      28000,
      'Provided value for the input parameter scope is not valid because it contains more than one resource. Ask for one at a time.',
    )
  return {
    resource: resources[0],
    audience: audiences[0],
    openid: words.filter((word) => openidScopes.has(word)),
    scopes,
  }
}
