import { normalizeActionBody } from '../contract/normalize.ts'
import type { ActionDeclaration, ResourceTypeDeclaration } from '../contract/resource-type.ts'
import type { ActionResult } from '../resources/behaviour.ts'
import { resourceProblems } from '../resources/problems.ts'
import { updateResource } from '../resources/resource.rows.ts'
import type { Resource } from '../resources/resource.ts'
import { requestContext, type Answer, type Call } from './call.ts'
import { splitType, type Engine } from './engine.ts'
import { operationHeaders } from './operation-answers.ts'
import { armProblems } from './problems.ts'
import { admit, getTarget } from './target.ts'
import { addressOf, startWork } from './write.ts'

/** POST (or GET) `{resource}/{action}`: 200 when it is done at once, else 202 with both addresses. */
export async function runAction(
  engine: Engine,
  call: Call,
  type: ResourceTypeDeclaration,
  action: ActionDeclaration,
): Promise<Answer> {
  const run = engine.behaviour(type.type)?.actions?.[action.name]
  const target = await admit(engine, call, type, action.permission)
  const [namespace] = splitType(type.type)
  if (!run || (action.since !== undefined && call.apiVersion < action.since))
    throw armProblems.InvalidResourceType({ namespace, apiVersion: call.apiVersion })
  const resource = await getTarget(engine, target)
  if (action.method !== 'GET' && resource.provisioningState === 'Deleting')
    throw resourceProblems.MarkedForDeletion({ operation: action.name, name: target.id.name })
  if (action.method !== 'GET') await engine.checkLocks?.('write', target.id.id)
  const context = requestContext(engine, call, { action: action.permission, scope: target.id.id })
  const body = normalizeActionBody(action, call.apiVersion, call.body, engine.regions)
  const result = await run({ id: target.id, resource, body }, context)
  if (result.kind === 'done') return result.body === undefined ? { status: 200 } : { status: 200, body: result.body }
  await startAction(engine, call, resource, action, result)
  return {
    status: 202,
    headers: operationHeaders(engine, call, addressOf(engine, resource, call.requestId), true),
  }
}

/** The row only notes who works on it: an action changes neither the resource's state nor its etag. */
async function startAction(
  engine: Engine,
  call: Call,
  resource: Resource,
  action: ActionDeclaration,
  result: Extract<ActionResult, { kind: 'started' }>,
): Promise<void> {
  const { operationId } = resource
  if (operationId !== undefined)
    throw resourceProblems.OperationInProgress({ operation: action.name, name: resource.name, operationId })
  await engine.db.transaction().execute(async (tx) => {
    const held = await updateResource(tx, { ...resource, operationId: call.requestId }, resource)
    if (!held) throw resourceProblems.ResourceChanged({ id: resource.id })
    await result.inTransaction?.(tx)
    await startWork(engine, tx, call, resource, 'action', result.start)
  })
  engine.work.wake()
}
