import { Problem } from '../base/problem.ts'
import { findSubscriptionId } from '../base/scope.ts'
import type { CallerFacts } from '../resources/behaviour.ts'
import type { Engine } from './engine.ts'
import { armProblems } from './problems.ts'

interface Asked {
  readonly action: string
  readonly scope: string
}

/**
 * What a request links to needs a right of its own (behaviour.md A1, G2). In another tenant the caller's auxiliary
 * token of that tenant decides. Throws LinkedAuthorizationFailed with the one of Azure's two texts that fits; a
 * subscription that is not there is answered like one without rights.
 */
export async function authorizeLinked(
  engine: Pick<Engine, 'authorize'>,
  caller: CallerFacts,
  own: Asked,
  linked: Asked,
): Promise<void> {
  const { action, scope } = linked
  let refused: unknown
  let refusedCaller: CallerFacts | undefined
  for (const one of [caller, ...(caller.auxiliary ?? [])]) {
    try {
      return await engine.authorize(one, action, scope)
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      // Of another tenant: the next token may be of the right one.
      if (error.kind === 'unauthenticated') refused ??= error
      else if (error.kind === 'forbidden' || error.kind === 'absent') {
        refused = error
        refusedCaller = one
        break
      } else throw error
    }
  }
  if (refusedCaller) {
    const { name, objectId } = refusedCaller
    throw armProblems.LinkedAuthorizationFailed(
      { name, objectId, ownAction: own.action, ownScope: own.scope, action, scope },
      { cause: refused },
    )
  }
  throw armProblems.LinkedTenantNotAuthorized(
    { action, ownScope: own.scope, tenantId: caller.tenantId, subscriptionId: findSubscriptionId(scope) ?? '' },
    { cause: refused },
  )
}
