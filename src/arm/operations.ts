import { Problem, problemFromRecord } from '../base/problem.ts'
import type { CallerFacts } from '../resources/behaviour.ts'
import { findResource } from '../resources/resource.rows.ts'
import type { Operation } from '../work/workflow.ts'
import { getSubscription, param, type Answer, type Call } from './call.ts'
import { showResource } from './show-resource.ts'
import type { Engine } from './engine.ts'
import { operationDocument } from './operation-answers.ts'
import { armProblems } from './problems.ts'

/**
 * GET …/locations/{location}/capsOperations/{id}: the status document, or with `monitor=true` the final answer (202
 * while it runs). `permission` is judged on the resource, so that a role on it alone suffices to poll.
 */
export async function readOperation(engine: Engine, call: Call, permission: string): Promise<Answer> {
  const operation = await getOperation(engine, call, param(call, 'operationId'), permission)
  const retry = { 'retry-after': String(engine.retryAfterSeconds) }
  if (call.query['monitor']?.toLowerCase() !== 'true') {
    const body = operationDocument(operation)
    return operation.state === 'InProgress' ? { status: 200, headers: retry, body } : { status: 200, body }
  }
  if (operation.state === 'InProgress')
    return { status: 202, headers: { ...retry, location: `${call.baseUrl}${call.path}${monitorQuery(call)}` } }
  if (operation.error) throw problemFromRecord({ kind: 'conflict', ...operation.error })
  return finalAnswer(engine, call, operation)
}

/** Throws NotFound where there is no such operation in the subscription of the path. */
export async function getOperation(
  engine: Engine,
  call: Call,
  operationId: string,
  permission: string,
): Promise<Operation> {
  const { subscriptionId, tenantId } = await getSubscription(engine, call)
  const { caller } = call
  const found = await engine.work.find(operationId.toLowerCase())
  const operation = found?.subscriptionId.toLowerCase() === subscriptionId.toLowerCase() ? found : undefined
  // The rights to what was deleted ended with it: who deletes may see it end.
  const isOwn = operation?.createdBy === caller.objectId && tenantId === caller.tenantId
  if (operation && isOwn && operation.intent === 'delete') return operation
  if (operation && (await isAllowed(engine, caller, permission, operation.resourceKey))) return operation
  // Without a right to it the answer is that for one that is not there: ids are no secrets, names of resources are.
  await engine.authorize(caller, permission, `/subscriptions/${subscriptionId}`)
  throw armProblems.OperationNotFound({ operationId })
}

async function isAllowed(engine: Engine, caller: CallerFacts, permission: string, scope: string): Promise<boolean> {
  try {
    await engine.authorize(caller, permission, scope)
    return true
  } catch (error) {
    if (error instanceof Problem && error.kind === 'forbidden') return false
    throw error
  }
}

/** What clients read from Location at the end: the resource of a PUT, the result of an action, nothing of a DELETE. */
async function finalAnswer(engine: Engine, call: Call, operation: Operation): Promise<Answer> {
  if (operation.intent === 'action')
    return operation.result === undefined || operation.result === null
      ? { status: 200 }
      : { status: 200, body: operation.result }
  if (operation.intent === 'delete') return { status: 200 }
  const resource = await findResource(engine.db, operation.resourceKey)
  const type = resource && engine.findType(resource.type)
  return resource && type
    ? { status: 200, body: showResource(type, call.apiVersion, resource, undefined, call.query) }
    : { status: 200 }
}

function monitorQuery(call: Call): string {
  return `?monitor=true&api-version=${encodeURIComponent(call.apiVersion)}`
}
