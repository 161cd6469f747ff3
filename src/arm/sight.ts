import { Problem } from '../base/problem.ts'
import type { Call } from './call.ts'
import type { Engine } from './engine.ts'

/**
 * What of a list the caller may see. With the right at the list's scope: everything. Without it, but with some right in
 * the scope: what it may read there, as Azure shows lists. Throws AuthorizationFailed for whom the scope is none of
 * its business.
 */
export async function sightOf(
  engine: Engine,
  call: Call,
  permission: string,
  scope: string,
): Promise<(id: string) => boolean> {
  try {
    await engine.authorize(call.caller, permission, scope)
    return () => true
  } catch (error) {
    if (!(error instanceof Problem) || error.kind !== 'forbidden') throw error
    const rights = await engine.rightsOf(call.caller)
    if (!rights.touches(scope)) throw error
    return (id) => rights.can(permission, id)
  }
}
