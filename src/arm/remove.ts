import { permissionOf } from '../contract/permissions.ts'
import type { ResourceTypeDeclaration } from '../contract/resource-type.ts'
import type { DbOrTx, Tx } from '../db/tables.ts'
import type { CallerFacts, RequestContext } from '../resources/behaviour.ts'
import { armPath, resourceProblems } from '../resources/problems.ts'
import { deleteResource, findResource, listSomeChildren, lockResource } from '../resources/resource.rows.ts'
import type { Resource } from '../resources/resource.ts'
import { requestContext, type Answer, type Call } from './call.ts'
import { completeAtOnce } from './complete-at-once.ts'
import { checkConditions } from './conditions.ts'
import type { Engine } from './engine.ts'
import { operationHeaders } from './operation-answers.ts'
import { admit } from './target.ts'
import { addressOf, markForRemoval } from './write.ts'

/** Azure names at most five nested resources in its refusal. */
const namedChildren = 5
const maxRaces = 5

export type Removal =
  | { readonly kind: 'absent' }
  | { readonly kind: 'done' }
  /** The operation at work on it: this call's, or that of an earlier DELETE. */
  | { readonly kind: 'started'; readonly operationId: string; readonly resource: Resource }

/** DELETE of any type: 204 for what is not there, else 202 with both addresses (contract.md section 3). */
export async function deleteTarget(engine: Engine, call: Call, type: ResourceTypeDeclaration): Promise<Answer> {
  const permission = permissionOf(type, 'delete')
  const target = await admit(engine, call, type, permission)
  const context = requestContext(engine, call, { action: permission, scope: target.id.id })
  const removal = await removeResource(engine, { ...call, key: target.id.key, type, context })
  if (removal.kind !== 'started') return { status: removal.kind === 'absent' ? 204 : 200 }
  const at = addressOf(engine, removal.resource, removal.operationId)
  return { status: 202, headers: operationHeaders(engine, call, at, true) }
}

export interface RemovalRequest {
  readonly key: string
  readonly type: ResourceTypeDeclaration
  readonly context: RequestContext
  /** Id of the operation it may start. */
  readonly requestId: string
  readonly caller: CallerFacts
  readonly nowMs: number
  readonly headers: Call['headers']
  readonly signal: AbortSignal
}

/**
 * Removes a resource: cancels what runs on it, refuses while it has children or its domain objects, then ONE
 * transaction { row becomes Deleting, work } or, without work, the row goes. Also what the deletion of a group does.
 */
export async function removeResource(engine: Engine, request: RemovalRequest): Promise<Removal> {
  for (let race = 1; race <= maxRaces; race++) {
    const row = await findResource(engine.db, request.key)
    if (!row || row.type !== request.type.type) return { kind: 'absent' }
    checkConditions(request, row.id, row)
    if (row.operationId !== undefined && row.provisioningState === 'Deleting')
      return { kind: 'started', operationId: row.operationId, resource: row }
    await engine.checkLocks?.('delete', row.id)
    await checkNoChildren(engine.db, row)
    const behaviour = engine.behaviour(row.type)
    await behaviour?.checkRemove?.(row, request.context)
    if (row.operationId !== undefined) {
      await cancelAndWait(engine, row, row.operationId, request.signal)
      continue
    }
    const removal = await removeOnce(engine, request, row)
    if (removal) return removal
  }
  throw resourceProblems.ResourceChanged({ id: request.key })
}

/** Answers undefined where somebody else wrote the row meanwhile. */
async function removeOnce(engine: Engine, request: RemovalRequest, row: Resource): Promise<Removal | undefined> {
  const behaviour = engine.behaviour(row.type)
  const started = await behaviour?.remove?.(row, request.context)
  const check = async (tx: Tx): Promise<void> => {
    await checkNoChildren(tx, row)
    await behaviour?.commitRemove?.(tx, row, request.context)
  }
  const start = started ?? (request.type.delete === 'async' ? completeAtOnce : undefined)
  if (start) {
    const isMarked = await markForRemoval(engine, request, row, start, check)
    return isMarked ? { kind: 'started', operationId: request.requestId, resource: row } : undefined
  }
  const isGone = await engine.db.transaction().execute(async (tx) => {
    await lockResource(tx, row.key)
    await check(tx)
    const isDeleted = await deleteResource(tx, row.key, row)
    if (isDeleted) await engine.onRemoved?.(tx, row.key, row)
    return isDeleted
  })
  return isGone ? { kind: 'done' } : undefined
}

async function checkNoChildren(db: DbOrTx, row: Resource): Promise<void> {
  const children = await listSomeChildren(db, row.key, namedChildren)
  if (children.length === 0) return
  throw resourceProblems.CannotDeleteResource({ nested: children.map(providerRelativeId) })
}

/** `Microsoft.Compute/galleries/g/images/i`. */
export function providerRelativeId(resource: Pick<Resource, 'id' | 'type'>): string {
  const [, ...parts] = resource.id.split('/').slice(6)
  return armPath({ type: resource.type, names: parts.filter((_, index) => index % 2 === 1) })
}

/**
 * A step of the cancelled operation may still be writing: the deletion starts only when it has ended, so that nothing
 * of it can come after the removal.
 */
async function cancelAndWait(engine: Engine, row: Resource, operationId: string, signal: AbortSignal): Promise<void> {
  await engine.work.cancel(engine.db, operationId)
  engine.work.wake()
  const limit = new AbortController()
  const tooLate = (): void => limit.abort(new Error('the cancelled operation did not end in time'))
  const stop = new AbortController()
  void engine.clock.sleep(engine.cancelTimeoutMs, stop.signal).then(tooLate, () => undefined)
  try {
    await engine.work.wait(operationId, AbortSignal.any([limit.signal, signal]))
  } catch (error) {
    if (!limit.signal.aborted) throw error
    throw resourceProblems.OperationInProgress(
      { operation: 'DELETE', name: row.name, operationId },
      { cause: limit.signal.reason },
    )
  } finally {
    stop.abort()
  }
}
