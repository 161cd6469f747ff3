import { findArmId } from '../base/arm-id.ts'
import { isJsonObject, type JsonObject } from '../base/json.ts'
import { mapLimit } from '../base/map-limit.ts'
import { asProblem, Problem, type ProblemRecord } from '../base/problem.ts'
import { randomUuid } from '../base/random.ts'
import { permissionOf } from '../contract/permissions.ts'
import type { ResourceTypeDeclaration } from '../contract/resource-type.ts'
import { statusOfKind, toErrorBody } from '../http/problem-response.ts'
import type { CallerFacts } from '../resources/behaviour.ts'
import { resourceProblems } from '../resources/problems.ts'
import { listResourcesOfType, pageResources, setResourceState } from '../resources/resource.rows.ts'
import type { Resource } from '../resources/resource.ts'
import type { Operation, StepContext, Workflow } from '../work/workflow.ts'
import { param, requestContext, type Answer, type Call } from './call.ts'
import { checkConditions } from './conditions.ts'
import type { Engine } from './engine.ts'
import { getOperation } from './operations.ts'
import { armProblems } from './problems.ts'
import { providerRelativeId, removeResource } from './remove.ts'
import { admit, getTarget, resourceGroupType } from './target.ts'
import { markForRemoval } from './write.ts'

const workflowName = 'arm-delete-resource-group'

/**
 * A group's deletion holds one of the engine's places while the deletions in it run in others: more of them at once
 * than this could take all places and wait for each other for ever.
 */
const maxDeletionsAtOnce = 4
const atOnce = 4

interface DeletionInput extends JsonObject {
  readonly subscriptionId: string
  readonly resourceGroup: string
  readonly baseUrl: string
  readonly caller: JsonObject
}

/** DELETE of a group: 404 where there is none, else 202 with Location only (CLIENTS.md); a second DELETE joins the first. */
export async function deleteResourceGroup(engine: Engine, call: Call, type: ResourceTypeDeclaration): Promise<Answer> {
  const target = await admit(engine, call, type, permissionOf(type, 'delete'))
  const row = await getTarget(engine, target)
  checkConditions(call, row.id, row)
  await engine.checkLocks?.('delete', row.id)
  const { operationId } = row
  if (operationId !== undefined) return accepted(engine, call, row, operationId)
  const deleting = (await listResourcesOfType(engine.db, type.type)).filter((one) => one.operationId !== undefined)
  if (deleting.length >= maxDeletionsAtOnce) throw armProblems.TooManyGroupDeletions({ count: deleting.length })
  const { baseUrl } = call
  const { auxiliary: _others, ...caller } = call.caller
  const input: DeletionInput = {
    subscriptionId: row.subscriptionId,
    resourceGroup: row.name,
    baseUrl,
    caller: { ...caller },
  }
  if (!(await markForRemoval(engine, call, row, { workflow: workflowName, input })))
    throw resourceProblems.ResourceChanged({ id: row.id })
  return accepted(engine, call, row, call.requestId)
}

function accepted(engine: Engine, call: Call, row: Resource, operationId: string): Answer {
  const address = `${call.baseUrl}/subscriptions/${row.subscriptionId}/operationresults/${operationId}`
  const location = `${address}?api-version=${call.apiVersion}`
  return { status: 202, headers: { location, 'retry-after': String(engine.retryAfterSeconds) } }
}

/** GET …/operationresults/{id}: 202 while it runs, 200 when all is gone, 409 with what stood in the way. */
export async function readGroupDeletion(engine: Engine, call: Call): Promise<Answer> {
  const permission = 'Microsoft.Resources/subscriptions/resourceGroups/read'
  const operation = await getOperation(engine, call, param(call, 'operationId'), permission)
  if (operation.state === 'InProgress') {
    const location = `${call.baseUrl}${call.path}?api-version=${call.apiVersion}`
    return { status: 202, headers: { location, 'retry-after': String(engine.retryAfterSeconds) } }
  }
  if (!operation.error) return { status: 200 }
  return { status: statusOfKind(operation.error.kind ?? 'conflict'), body: capitalEnvelope(operation.error) }
}

/** ARM itself writes this one envelope with capitals (behaviour.md A, recording R6). */
function capitalEnvelope(record: ProblemRecord): JsonObject {
  const shown = (one: ProblemRecord): JsonObject => ({
    Code: one.code,
    Target: one.target ?? null,
    Message: one.message,
    Details: (one.details ?? []).map(shown),
    AdditionalInfo: null,
  })
  return { Error: shown(record) }
}

/**
 * The workflow behind it, to be registered with the work engine. `engine` is what registerArm answered: it is asked
 * for only when a step runs, as the work engine is made before it.
 */
export function deleteResourceGroupWorkflow(engine: () => Engine): Workflow {
  return {
    name: workflowName,
    steps: [{ name: 'empty', run: (context) => emptyGroup(engine(), context) }],
    // "The provisioning state of the resource group will be rolled back."
    async settle(tx, operation: Operation, outcome) {
      if (outcome.state !== 'Succeeded') await setResourceState(tx, operation.resourceKey, operation.id, 'Succeeded')
    },
  }
}

/**
 * Removes what lies in the group, leaves first, in rounds: what another resource still uses is refused by its domain in
 * one round and goes in a later one. A round without any success ends it: ResourceGroupDeletionBlocked.
 */
async function emptyGroup(engine: Engine, context: StepContext<JsonObject>): Promise<void> {
  const input = parseInput(context.input)
  for (let round = 1; ; round++) {
    const rows = await listContents(engine, input.subscriptionId, context.resourceKey)
    context.report({ resourcesLeft: rows.length })
    if (rows.length === 0) return
    const parents = new Set(rows.map((row) => row.parentKey))
    const leaves = rows.filter((row) => !parents.has(row.key))
    const refusals = await mapLimit(leaves, atOnce, (row) => removeOne(engine, input, row, context.signal))
    context.signal.throwIfAborted()
    const blocking = leaves.flatMap((row, index) => {
      const refusal = refusals[index]
      return refusal === undefined ? [] : [{ row, refusal }]
    })
    if (blocking.length < leaves.length) continue
    throw armProblems.ResourceGroupDeletionBlocked(
      {
        name: input.resourceGroup,
        blocking: blocking.map(({ row }) => providerRelativeId(row)),
        trackingId: randomUuid(),
      },
      { details: blocking.map(({ row, refusal }) => blockingDetail(row, refusal)) },
    )
  }
}

/** As R6 shows it: the provider's own error as text inside the message. */
function blockingDetail(row: Resource, refusal: ProblemRecord): ProblemRecord {
  return { code: refusal.code, target: row.id, message: JSON.stringify({ error: toErrorBody(refusal) }) }
}

async function listContents(engine: Engine, subscriptionId: string, groupKey: string): Promise<Resource[]> {
  const found: Resource[] = []
  for (let afterKey: string | undefined; ;) {
    const page = await pageResources(engine.db, {
      subscriptionId,
      resourceGroupKey: groupKey,
      exceptType: resourceGroupType,
      afterKey,
      limit: 500,
    })
    found.push(...page)
    afterKey = page.at(-1)?.key
    if (page.length < 500) return found
  }
}

/** Answers why it could not be removed, or undefined when it is gone. */
async function removeOne(
  engine: Engine,
  input: DeletionInput,
  row: Resource,
  signal: AbortSignal,
): Promise<ProblemRecord | undefined> {
  const type = engine.findType(row.type)
  if (!type) return { code: 'InvalidResourceType', message: `The type '${row.type}' is not known to this server.` }
  const caller = parseCaller(input.caller)
  const apiVersion = type.apiVersions.at(-1) ?? ''
  const nowMs = engine.clock.now()
  const facts = { caller, apiVersion, baseUrl: input.baseUrl, nowMs, query: {}, signal }
  const context = requestContext(engine, facts, { action: permissionOf(type, 'delete'), scope: row.id })
  try {
    const request = { key: row.key, type, context, requestId: randomUuid(), caller, nowMs, headers: {}, signal }
    const removal = await removeResource(engine, request)
    if (removal.kind !== 'started') return undefined
    return (await engine.work.wait(removal.operationId, signal)).error
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof Problem)) throw error
    return asProblem(error).toRecord()
  }
}

function parseInput(input: JsonObject): DeletionInput {
  const { subscriptionId, resourceGroup, baseUrl, caller } = input
  if (!isJsonObject(caller)) throw new Error('the input of a group deletion names no caller')
  return {
    subscriptionId: textOf(subscriptionId),
    resourceGroup: textOf(resourceGroup),
    baseUrl: textOf(baseUrl),
    caller,
  }
}

/** Groups are asked for anew: the deletion may run long after the token was made. */
function parseCaller(caller: JsonObject): CallerFacts {
  const { kind, roles } = caller
  return {
    objectId: textOf(caller['objectId']),
    tenantId: textOf(caller['tenantId']),
    name: textOf(caller['name']),
    kind: kind === 'user' || kind === 'managedIdentity' ? kind : 'servicePrincipal',
    appId: textOf(caller['appId']),
    upn: typeof caller['upn'] === 'string' ? caller['upn'] : undefined,
    roles: Array.isArray(roles) ? roles.map(textOf) : [],
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

/** Azure moves no galleries, and this server moves nothing: the answer names what was to be moved (behaviour.md C). */
export async function refuseMove(
  engine: Engine,
  call: Call,
  type: ResourceTypeDeclaration,
  verb: string,
): Promise<Answer> {
  await getTarget(engine, await admit(engine, call, type, permissionOf(type, { action: verb })))
  const named = isJsonObject(call.body) && Array.isArray(call.body['resources']) ? call.body['resources'] : []
  const types = named.flatMap((id) => (typeof id === 'string' ? (findArmId(id)?.type ?? []) : []))
  throw armProblems.ResourceMoveNotSupported({ types: [...new Set(types)] })
}
