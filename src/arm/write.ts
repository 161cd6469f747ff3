import { isJsonObject } from '../base/json.ts'
import { randomUuid } from '../base/random.ts'
import { draftOfPatch, draftOfPut } from '../contract/draft.ts'
import { permissionOf } from '../contract/permissions.ts'
import type { ResourceTypeDeclaration } from '../contract/resource-type.ts'
import type { Tx } from '../db/tables.ts'
import type { Change, RequestContext, StartWork } from '../resources/behaviour.ts'
import { resourceProblems } from '../resources/problems.ts'
import { findResource, insertResource, lockResource, updateResource } from '../resources/resource.rows.ts'
import type { Draft, Resource } from '../resources/resource.ts'
import { requestContext, type Answer, type Call } from './call.ts'
import { completeAtOnce } from './complete-at-once.ts'
import { checkConditions, quoteEtag } from './conditions.ts'
import { showResource } from './show-resource.ts'
import type { Engine } from './engine.ts'
import { operationHeaders } from './operation-answers.ts'
import { armProblems } from './problems.ts'
import { checkRegistered } from './providers.ts'
import { admit, findTarget, getTarget, resourceGroupType, type Target } from './target.ts'

/** Somebody else wrote the row between our reading and our writing; the transaction rolled back. */
class LostRace extends Error {}

const maxRaces = 5

/** PUT and PATCH of any type: validate, let the domain decide, then ONE transaction { row, commit, work }. */
export async function writeResource(engine: Engine, call: Call, type: ResourceTypeDeclaration): Promise<Answer> {
  const permission = permissionOf(type, 'write')
  const target = await admit(engine, call, type, permission)
  checkPatch(call, type)
  await engine.checkLocks?.('write', target.id.id)
  await checkRegistered(engine, call, target)
  const context = requestContext(engine, call, { action: permission, scope: target.id.id })
  for (let race = 1; ; race++) {
    try {
      return await writeOnce(engine, call, target, context)
    } catch (error) {
      if (!(error instanceof LostRace)) throw error
      if (race >= maxRaces) throw resourceProblems.ResourceChanged({ id: target.id.id })
    }
  }
}

function checkPatch({ method, apiVersion }: Call, { type, patchSince }: ResourceTypeDeclaration): void {
  if (method !== 'PATCH' || patchSince === undefined || apiVersion >= patchSince) return
  throw armProblems.PatchNotInVersion({ type, apiVersion, since: patchSince })
}

async function writeOnce(engine: Engine, call: Call, target: Target, context: RequestContext): Promise<Answer> {
  const { type, id } = target
  const behaviour = engine.behaviour(type.type)
  const method = call.method === 'PATCH' ? 'PATCH' : 'PUT'
  const found = method === 'PATCH' ? await getTarget(engine, target) : await findTarget(engine, target)
  const recalled = found ? undefined : await behaviour?.recall?.(id, call.body, context)
  const before = found ?? recalled
  checkConditions(call, id.id, before)
  await checkParent(engine, target, (key) => findResource(engine.db, key))
  if (before) await checkIdle(engine, target, before, method)
  else checkName(target)
  checkNameOfBody(call, target)
  const draft = draftOf(engine, call, target, before, method)
  const kind = before ? 'update' : 'create'
  let change: Change = { kind, id, before, after: draft, method, recalled: recalled !== undefined }
  if (behaviour?.prepare) change = { ...change, after: await behaviour.prepare(change, context) }
  await behaviour?.check?.(change, context)
  const started = await behaviour?.write?.(change, context)
  const timing = method === 'PUT' ? type.put : type.patch
  const start = started ?? (timing === 'async' ? completeAtOnce : undefined)
  const next = nextRow(call, target, change, start !== undefined)
  await engine.db.transaction().execute(async (tx) => {
    await checkParent(engine, target, (key) => lockResource(tx, key))
    const written = found ? await updateResource(tx, next, found) : await insertResource(tx, next)
    if (!written) throw new LostRace()
    await behaviour?.commit?.(tx, change, context)
    if (start) await startWork(engine, tx, call, next, change.kind, start)
  })
  if (start) engine.work.wake()
  return answerWrite(engine, call, target, change, next)
}

function draftOf(
  engine: Engine,
  call: Call,
  target: Target,
  before: Resource | undefined,
  method: 'PUT' | 'PATCH',
): Draft {
  const facts = { type: target.type, apiVersion: call.apiVersion, regions: engine.regions }
  return method === 'PATCH' && before ? draftOfPatch(facts, call.body, before) : draftOfPut(facts, call.body, before)
}

/** Starts the work of a change with the id of the request: clients rely on that (contract.md section 3, item 5). */
export async function startWork(
  engine: Engine,
  tx: Tx,
  call: Pick<Call, 'requestId' | 'caller'>,
  resource: Pick<Resource, 'key' | 'subscriptionId' | 'location'>,
  intent: 'create' | 'update' | 'delete' | 'action',
  start: StartWork,
): Promise<void> {
  const { work } = engine
  const request = {
    id: call.requestId,
    workflow: start.workflow,
    resourceKey: resource.key,
    intent,
    subscriptionId: resource.subscriptionId,
    location: resource.location,
    createdBy: call.caller.objectId,
    input: start.input,
  }
  await (start === completeAtOnce ? work.startDone(tx, request) : work.start(tx, request))
}

/**
 * ONE transaction { row becomes Deleting, work }; `check` runs in it, with the row held. Answers false where somebody
 * else wrote the row meanwhile.
 */
export async function markForRemoval(
  engine: Engine,
  request: Pick<Call, 'requestId' | 'caller' | 'nowMs'>,
  row: Resource,
  start: StartWork,
  check?: (tx: Tx) => Promise<void>,
): Promise<boolean> {
  const { requestId, caller, nowMs } = request
  const marked: Resource = {
    ...row,
    provisioningState: 'Deleting',
    operationId: requestId,
    etag: randomUuid(),
    changedMs: nowMs,
    changedBy: caller.objectId,
  }
  const isMarked = await engine.db.transaction().execute(async (tx) => {
    await lockResource(tx, row.key)
    await check?.(tx)
    if (!(await updateResource(tx, marked, row))) return false
    await startWork(engine, tx, request, marked, 'delete', start)
    return true
  })
  if (isMarked) engine.work.wake()
  return isMarked
}

/** Throws ParentResourceNotFound, and refuses what lies in something that is being deleted. */
async function checkParent(
  engine: Engine,
  target: Target,
  read: (key: string) => Promise<Resource | undefined>,
): Promise<void> {
  if (target.type.type === resourceGroupType) return
  const { id, resourceGroup } = target
  const parent = await read(target.parentKey)
  if (id.types.length > 1) {
    const name = id.names.slice(0, -1).join('/')
    if (!parent) throw resourceProblems.ParentResourceNotFound({ parent: name })
    if (parent.provisioningState === 'Deleting') throw resourceProblems.ParentBeingDeleted({ parent: name })
  } else {
    if (!parent) throw resourceProblems.ResourceGroupNotFound({ resourceGroup })
    if (parent.provisioningState === 'Deleting') throw resourceProblems.ResourceGroupBeingDeleted({ resourceGroup })
  }
}

/** A resource on which work goes on takes no other write but DELETE (behaviour.md A2, B12). */
async function checkIdle(engine: Engine, target: Target, before: Resource, method: string): Promise<void> {
  if (before.operationId === undefined) return
  const name = target.id.names.join('/')
  if (target.type.type === resourceGroupType && before.provisioningState === 'Deleting')
    throw resourceProblems.ResourceGroupBeingDeleted({ resourceGroup: target.resourceGroup })
  if (before.provisioningState === 'Deleting')
    throw resourceProblems.MarkedForDeletion({
      operation: `Update ${spaced(target.type.errorName)}`,
      name: target.id.name,
    })
  const operation = await engine.work.find(before.operationId)
  // It ended between our two reads: the next reading will show it.
  if (operation === undefined || operation.state !== 'InProgress') throw new LostRace()
  throw resourceProblems.OperationInProgress({ operation: method, name, operationId: before.operationId })
}

/** `galleryImageVersion` -> `Gallery Image Version`, as Azure's message writes it. */
function spaced(errorName: string): string {
  const words = errorName.replaceAll(/([A-Z])/g, ' $1')
  return words.charAt(0).toUpperCase() + words.slice(1)
}

function checkName(target: Target): void {
  const problem = target.type.name.check(target.id.name, target.id.names.join('/'))
  if (problem) throw problem
}

function checkNameOfBody({ body }: Call, { type, id }: Target): void {
  if (type.checksName !== true || !isJsonObject(body)) return
  const { name } = body
  if (typeof name !== 'string' || name === '' || name.toLowerCase() === id.name.toLowerCase()) return
  throw armProblems.EntityNameMismatch({}, { target: 'name' })
}

function nextRow(call: Call, target: Target, change: Change, isWorking: boolean): Resource {
  const { id } = target
  const { before, after } = change
  const working = before ? 'Updating' : 'Creating'
  return {
    key: id.key,
    id: before?.id ?? id.id,
    type: target.type.type,
    name: before?.name ?? id.name,
    parentKey: target.parentKey,
    subscriptionId: target.subscriptionId,
    resourceGroupKey: target.resourceGroupKey,
    location: after.location,
    tags: after.tags,
    properties: after.properties,
    envelope: after.envelope,
    provisioningState: isWorking ? working : 'Succeeded',
    etag: randomUuid(),
    createdMs: before?.createdMs ?? call.nowMs,
    changedMs: call.nowMs,
    createdBy: before?.createdBy ?? call.caller.objectId,
    changedBy: call.caller.objectId,
    operationId: isWorking ? call.requestId : undefined,
  }
}

function answerWrite(engine: Engine, call: Call, target: Target, change: Change, next: Resource): Answer {
  const { type } = target
  const status = change.before ? type.updateStatus : type.createStatus
  const body = showResource(type, call.apiVersion, next, undefined, call.query)
  const etag = { etag: quoteEtag(next.etag) }
  if (next.operationId === undefined) return { status: status === 202 ? 200 : status, headers: etag, body }
  const at = addressOf(engine, next, next.operationId)
  return { status, headers: { ...etag, ...operationHeaders(engine, call, at, status === 202) }, body }
}

/** Where the operation of a resource is polled; a type without location polls in the first region. */
export function addressOf(
  engine: Engine,
  resource: Pick<Resource, 'type' | 'subscriptionId' | 'location'>,
  operationId: string,
): { type: string; subscriptionId: string; location: string; operationId: string } {
  const location = resource.location === '' ? (engine.regions.all[0]?.name ?? 'global') : resource.location
  return { type: resource.type, subscriptionId: resource.subscriptionId, location, operationId }
}
