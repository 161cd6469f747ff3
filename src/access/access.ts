import type { Clock } from '../base/clock.ts'
import type { Problem } from '../base/problem.ts'
import { noMemo } from '../db/read-memo.ts'
import type { ReadMemo } from '../db/read-memo.ts'
import type { Db } from '../db/tables.ts'
import type { Directory } from '../directory/directory.ts'
import type { CallerFacts } from '../resources/behaviour.ts'
import type { RightAttributes } from '../resources/extension.ts'
import { resourceProblems } from '../resources/problems.ts'
import { findSubscription } from '../resources/subscription.rows.ts'
import { isDataAction } from './data-actions.ts'
import { decide } from './decide.ts'
import type { Decision } from './decide.ts'
import { accessProblems } from './problems.ts'
import { findSubscriptionId, scopeKey } from '../base/scope.ts'
import { assignmentsAt, createIndexes, hasAnyRole, placeOfRights } from './tenant-index.ts'
import type { FindIndex, TenantIndex } from './tenant-index.ts'

export interface AccessDependencies {
  readonly db: Db
  readonly clock: Clock
  readonly directory: Pick<Directory, 'findObject' | 'findUserByName' | 'findServicePrincipal' | 'listGroupIdsOf'>
  /** Keeps what every question reads until something is committed; default: reads it every time. */
  readonly memo?: ReadMemo | undefined
  /** How a tenant's issuer is called in tokens; named where a token is of the wrong tenant. */
  issuerOf(tenantId: string): string
}

/** What one caller may in the tenant of its token, as of one moment: for lists, which ask often. */
export interface Rights {
  can(action: string, scope: string): boolean
  /** Any role at the scope, above it, or on something in it: then the scope itself is no secret to the caller. */
  touches(scope: string): boolean
}

/** Who may: the decision over what is stored. Reads the database at every question, writes nothing. */
export interface Access {
  /**
   * Returns if the caller may do `action` on `scope`; throws SubscriptionNotFound, InvalidAuthenticationTokenTenant
   * where the scope is another tenant's, AuthorizationFailed otherwise. Never looks whether the scope exists.
   * `attributes`: what conditions may ask of the request; without them a condition on them is not met.
   */
  authorize(caller: CallerFacts, action: string, scope: string, attributes?: RightAttributes): Promise<void>
  rightsOf(caller: CallerFacts): Promise<Rights>
}

export interface AccessParts extends AccessDependencies {
  readonly memo: ReadMemo
  readonly findIndex: FindIndex
}

export function createAccess(deps: AccessDependencies): Access & { readonly parts: AccessParts } {
  const { memo = noMemo } = deps
  const parts: AccessParts = { ...deps, memo, findIndex: createIndexes(deps.db, memo) }
  return {
    parts,
    async authorize(caller, action, scope, attributes) {
      await checkTenant(parts, caller, scope)
      const { tenantId, objectId, groupIds } = caller
      const index = await parts.findIndex(tenantId)
      const place = placeOfRights(index, scopeKey(scope))
      const ask = async (): Promise<boolean> =>
        decideAt(index, await principalIdsOf(parts, caller), action, place, { attributes }).allowed
      // Groups that the token states are not in the database; what a request says is of that request.
      const isAllowed = await (groupIds || attributes
        ? ask()
        : memo(`may ${tenantId} ${objectId} ${action} ${place}`, ask))
      if (!isAllowed)
        throw accessProblems.AuthorizationFailed({ name: caller.name, objectId: caller.objectId, action, scope })
    },
    async rightsOf(caller) {
      const index = await parts.findIndex(caller.tenantId)
      const principalIds = await principalIdsOf(parts, caller)
      return {
        can: (action, scope) => decideAt(index, principalIds, action, scope).allowed,
        touches: (scope) => hasAnyRole(index, principalIds, scopeKey(scope)),
      }
    },
  }
}

interface DecisionOptions {
  readonly isData?: boolean
  readonly attributes?: RightAttributes | undefined
}

export function decideAt(
  index: TenantIndex,
  principalIds: ReadonlySet<string>,
  action: string,
  scope: string,
  { isData = isDataAction(action), attributes }: DecisionOptions = {},
): Decision {
  const assignments = assignmentsAt(index, scopeKey(scope))
  return decide({ assignments, roles: index.roles, principalIds, action, isDataAction: isData, attributes })
}

/** The caller itself and its groups: those that its token states (outside issuers), else those of the directory. */
export async function principalIdsOf(
  { directory, memo = noMemo }: Pick<AccessDependencies, 'directory' | 'memo'>,
  { tenantId, objectId, groupIds }: Pick<CallerFacts, 'tenantId' | 'objectId' | 'groupIds'>,
): Promise<ReadonlySet<string>> {
  const groups =
    groupIds ?? (await memo(`groups ${tenantId} ${objectId}`, () => directory.listGroupIdsOf(tenantId, objectId)))
  return new Set([objectId, ...groups].map((id) => id.toLowerCase()))
}

/** Above subscriptions a caller is always in its own tenant: there is no address of another's. */
async function checkTenant(deps: AccessParts, caller: CallerFacts, scope: string): Promise<void> {
  const subscriptionId = findSubscriptionId(scope)
  if (subscriptionId === undefined) return
  const subscription = await deps.memo(`subscription ${subscriptionId}`, () =>
    findSubscription(deps.db, subscriptionId),
  )
  if (!subscription) throw resourceProblems.SubscriptionNotFound({ subscriptionId })
  if (subscription.tenantId !== caller.tenantId) throw wrongTenant(deps, caller, subscription.tenantId)
}

function wrongTenant(deps: AccessDependencies, caller: CallerFacts, tenantId: string): Problem {
  return accessProblems.WrongTenant({ issuer: deps.issuerOf(caller.tenantId), expected: deps.issuerOf(tenantId) })
}
