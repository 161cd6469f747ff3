import type { CallerFacts } from '../resources/behaviour.ts'
import { resourceProblems } from '../resources/problems.ts'
import { issuerOf } from './token.ts'
import { identityProblems } from './problems.ts'

/** Returns if `caller` may do `action` on `scope` (an ARM id, or `/`), throws the Problem that ARM answers otherwise. */
export type Authorizer = (caller: CallerFacts, action: string, scope: string) => Promise<void>

/**
 * Today's rule: every authenticated caller of a tenant is Owner of the tenant's subscriptions, and of nothing else.
 * Roles and assignments are a later issue; they replace this function behind the same type.
 * `findTenantOf` answers the tenant of a subscription id (lower case), or undefined where there is no such.
 */
export function createAuthorizer(deps: {
  findTenantOf(subscriptionId: string): Promise<string | undefined>
}): Authorizer {
  return async (caller, _action, scope) => {
    const match = /^\/+subscriptions\/+([^/]+)/i.exec(scope)
    const subscriptionId = match?.[1]?.toLowerCase()
    // Tenant level (/, /subscriptions, /providers/…): what a caller sees there is its own tenant.
    if (subscriptionId === undefined) return
    const tenantId = await deps.findTenantOf(subscriptionId)
    if (tenantId === undefined) throw resourceProblems.SubscriptionNotFound({ subscriptionId })
    if (tenantId !== caller.tenantId)
      throw identityProblems.InvalidAuthenticationTokenTenant({
        issuer: issuerOf(caller.tenantId),
        expected: issuerOf(tenantId),
      })
  }
}
