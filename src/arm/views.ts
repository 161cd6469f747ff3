import { permissionOf } from '../contract/permissions.ts'
import type { ResourceTypeDeclaration } from '../contract/resource-type.ts'
import type { RequestContext, ResourceView } from '../resources/behaviour.ts'
import { resourceProblems } from '../resources/problems.ts'
import { requestContext, type Answer, type Call } from './call.ts'
import type { Engine } from './engine.ts'
import { operationHeaders } from './operation-answers.ts'
import { pageByName, readAfterName } from './paging.ts'
import { listAnswer } from './read.ts'
import { showResource } from './show-resource.ts'
import { admit, type Target } from './target.ts'
import { addressOf, startWork } from './write.ts'

/** Resources that are seen through others (`Behaviour.view`): the same protocol without rows, etags and writes. */
export async function readView(
  engine: Engine,
  call: Call,
  type: ResourceTypeDeclaration,
  view: ResourceView,
): Promise<Answer> {
  const { target, context } = await admitView(engine, call, type, 'read')
  const found = await view.find(target.id, context)
  if (!found) {
    const { resourceGroup, id } = target
    throw resourceProblems.ResourceNotFound({ type: id.type, names: id.names, resourceGroup })
  }
  return { status: 200, body: showResource(type, call.apiVersion, found, undefined, call.query) }
}

export async function listView(
  engine: Engine,
  call: Call,
  type: ResourceTypeDeclaration,
  view: ResourceView,
): Promise<Answer> {
  // The collection's address ends one name earlier; nothing but the path of the type is asked of its parent.
  const above = { ...type, type: type.type.slice(0, type.type.lastIndexOf('/')) }
  const permission = permissionOf(type, 'read')
  const parent = await admit(engine, call, above, permission, type)
  const context = requestContext(engine, call, { action: permission, scope: parent.id.id })
  const afterName = readAfterName(call, parent.id.key)
  const { page, isMore } = pageByName(await view.list(parent.id, context), afterName, engine.pageSize)
  return listAnswer(engine, call, type, page, isMore ? page.at(-1)?.key : undefined)
}

/** DELETE: 204 for what is not there, else 202; a second one answers the first one's operation. */
export async function removeView(
  engine: Engine,
  call: Call,
  type: ResourceTypeDeclaration,
  view: ResourceView,
): Promise<Answer> {
  const { target, context } = await admitView(engine, call, type, 'delete')
  await engine.checkLocks?.('delete', target.id.id)
  const found = await view.find(target.id, context)
  if (!found || !view.remove) return { status: 204 }
  const running = await engine.work.findRunning(found.key)
  if (!running) {
    const start = await view.remove(found, context)
    await engine.db.transaction().execute((tx) => startWork(engine, tx, call, found, 'delete', start))
    engine.work.wake()
  }
  const at = addressOf(engine, found, running?.id ?? call.requestId)
  return { status: 202, headers: operationHeaders(engine, call, at, true) }
}

async function admitView(
  engine: Engine,
  call: Call,
  type: ResourceTypeDeclaration,
  operation: 'read' | 'delete',
): Promise<{ readonly target: Target; readonly context: RequestContext }> {
  const permission = permissionOf(type, operation)
  const target = await admit(engine, call, type, permission)
  return { target, context: requestContext(engine, call, { action: permission, scope: target.id.id }) }
}
