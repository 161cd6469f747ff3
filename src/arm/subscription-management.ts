import { isUuid } from '../base/uuid.ts'
import { grantOwner } from '../access/grant.ts'
import { formatArmTime } from '../base/clock.ts'
import { isJsonObject } from '../base/json.ts'
import type { JsonObject } from '../base/json.ts'
import { randomUuid } from '../base/random.ts'
import { subscriptionManagementApiVersions } from '../contract/api-versions.ts'
import type { Tx } from '../db/tables.ts'
import {
  deleteAlias,
  findAlias,
  findSubscription,
  insertAlias,
  insertSubscription,
  listAliases,
  updateSubscription,
} from '../resources/subscription.rows.ts'
import type { Subscription, SubscriptionAlias } from '../resources/subscription.rows.ts'
import { getSubscription, param, type Answer, type Call } from './call.ts'
import { checkOwnVersion } from './check-version.ts'
import type { Engine } from './engine.ts'
import { armProblems } from './problems.ts'
import { subscriptionPath } from './routes.ts'
import type { Routes } from './routes.ts'

/**
 * Microsoft.Subscription: subscriptions are asked for by an alias, renamed, cancelled and enabled again. Azure asks a
 * billing account who may; here it is the rights at the tenant's root.
 */

const aliasName = /^[A-Za-z0-9_().-]{1,63}$/

export function addSubscriptionManagement(engine: Engine, route: Routes): void {
  const alias = '/providers/Microsoft.Subscription/aliases/:alias'
  const actions = `${subscriptionPath}/providers/Microsoft.Subscription`
  route('GET', '/providers/Microsoft.Subscription/aliases', (call) => listSubscriptionAliases(engine, call))
  route('GET', alias, (call) => readSubscriptionAlias(engine, call))
  route('PUT', alias, (call) => writeSubscriptionAlias(engine, call))
  route('DELETE', alias, (call) => deleteSubscriptionAlias(engine, call))
  for (const verb of ['cancel', 'enable'] as const)
    route('POST', `${actions}/${verb}`, (call) => switchSubscription(engine, call, verb))
  route('POST', `${actions}/rename`, (call) => renameSubscription(engine, call))
}

async function authorizeAlias(engine: Engine, call: Call, verb: 'read' | 'write' | 'delete'): Promise<void> {
  checkOwnVersion(call, subscriptionManagementApiVersions)
  await engine.authorize(call.caller, `Microsoft.Subscription/aliases/${verb}`, '/')
}

async function listSubscriptionAliases(engine: Engine, call: Call): Promise<Answer> {
  await authorizeAlias(engine, call, 'read')
  const found = await listAliases(engine.db, call.caller.tenantId)
  const value = await Promise.all(found.map((alias) => showAlias(engine, alias)))
  return { status: 200, body: { value } }
}

async function readSubscriptionAlias(engine: Engine, call: Call): Promise<Answer> {
  await authorizeAlias(engine, call, 'read')
  const name = param(call, 'alias')
  const alias = await findAlias(engine.db, call.caller.tenantId, name)
  if (!alias) throw armProblems.SubscriptionAliasNotFound({ name })
  return { status: 200, body: await showAlias(engine, alias) }
}

/** The subscription stays: only the name goes. */
async function deleteSubscriptionAlias(engine: Engine, call: Call): Promise<Answer> {
  await authorizeAlias(engine, call, 'delete')
  const wasThere = await deleteAlias(engine.db, call.caller.tenantId, param(call, 'alias'))
  return { status: wasThere ? 200 : 204 }
}

interface AliasRequest {
  readonly displayName: string
  readonly workload: string
  /** An existing one gets the name. */
  readonly subscriptionId: string | undefined
  /** Object id of its first Owner. */
  readonly ownerId: string | undefined
}

function refuse(message: string, target: string): never {
  throw armProblems.SubscriptionRequestInvalid({ message }, { target })
}

function textOf(from: JsonObject, name: string): string | undefined {
  const value = from[name]
  if (value === undefined || value === null || value === '') return undefined
  return typeof value === 'string' ? value : refuse(`'${name}' is not a text.`, `properties.${name}`)
}

function parseRequest({ body, caller }: Call, name: string): AliasRequest {
  if (!aliasName.test(name)) refuse(`The alias '${name}' is not made of 1 to 63 letters, digits and _().-`, 'aliasName')
  const properties = isJsonObject(body) && isJsonObject(body['properties']) ? body['properties'] : {}
  const more = isJsonObject(properties['additionalProperties']) ? properties['additionalProperties'] : {}
  const tenantId = textOf(more, 'subscriptionTenantId')
  if (tenantId !== undefined && tenantId.toLowerCase() !== caller.tenantId)
    refuse('A subscription is made in the tenant of the token. Sign in to the other tenant.', 'properties')
  if (textOf(more, 'managementGroupId') !== undefined)
    refuse('Make the subscription first, then move it under the management group.', 'properties.managementGroupId')
  const displayName = textOf(properties, 'displayName') ?? name
  if (displayName.length > 64) refuse('The displayName has more than 64 characters.', 'properties.displayName')
  const workload = textOf(properties, 'workload') ?? 'Production'
  if (!['Production', 'DevTest'].includes(workload))
    refuse(`The workload '${workload}' is neither Production nor DevTest.`, 'properties.workload')
  const ownerId = textOf(more, 'subscriptionOwnerId')
  if (ownerId !== undefined && !isUuid(ownerId)) refuse('The owner is not an object id.', 'properties')
  return { displayName, workload, subscriptionId: textOf(properties, 'subscriptionId')?.toLowerCase(), ownerId }
}

/** PUT: makes a subscription with the caller (or `subscriptionOwnerId`) as Owner. The same name again answers the same. */
async function writeSubscriptionAlias(engine: Engine, call: Call): Promise<Answer> {
  await authorizeAlias(engine, call, 'write')
  const { caller, nowMs } = call
  const { tenantId } = caller
  const name = param(call, 'alias')
  const request = parseRequest(call, name)
  const known = await findAlias(engine.db, tenantId, name)
  if (known) return { status: 200, body: await showAlias(engine, known) }
  const owner = await findOwner(engine, call, request.ownerId)
  const alias = await engine.db.transaction().execute(async (tx) => {
    const subscriptionId = request.subscriptionId ?? randomUuid()
    const made: SubscriptionAlias = {
      tenantId,
      name,
      subscriptionId,
      workload: request.workload,
      createdMs: nowMs,
      createdBy: caller.name,
    }
    if (!(await insertAlias(tx, made))) return undefined
    if (request.subscriptionId !== undefined) await mustBeOwn(tx, request.subscriptionId, tenantId)
    else {
      const { displayName } = request
      await insertSubscription(tx, { subscriptionId, tenantId, displayName, state: 'Enabled' })
      const scope = `/subscriptions/${subscriptionId}`
      await grantOwner(tx, { tenantId, ...owner, scope, nowMs, grantedBy: caller.objectId })
    }
    return made
  })
  const stands = alias ?? (await findAlias(engine.db, tenantId, name))
  if (!stands) throw armProblems.SubscriptionAliasNotFound({ name })
  return { status: alias ? 201 : 200, body: await showAlias(engine, stands) }
}

async function mustBeOwn(tx: Tx, subscriptionId: string, tenantId: string): Promise<void> {
  const subscription = await findSubscription(tx, subscriptionId)
  if (subscription?.tenantId !== tenantId)
    refuse(`The subscription '${subscriptionId}' does not exist in the tenant.`, 'properties.subscriptionId')
}

async function findOwner(engine: Engine, { caller }: Call, ownerId: string | undefined) {
  if (ownerId === undefined || ownerId.toLowerCase() === caller.objectId)
    return {
      principalId: caller.objectId,
      principalType: caller.kind === 'user' ? ('User' as const) : ('ServicePrincipal' as const),
    }
  const kind = await engine.findPrincipalKind(caller.tenantId, ownerId.toLowerCase())
  if (kind === undefined) return refuse(`There is no principal '${ownerId}' in the tenant.`, 'properties')
  const types = { user: 'User', group: 'Group', servicePrincipal: 'ServicePrincipal' } as const
  return { principalId: ownerId.toLowerCase(), principalType: types[kind] }
}

async function showAlias(engine: Engine, alias: SubscriptionAlias): Promise<JsonObject> {
  const subscription = await findSubscription(engine.db, alias.subscriptionId)
  const at = formatArmTime(alias.createdMs)
  return {
    id: `/providers/Microsoft.Subscription/aliases/${alias.name}`,
    name: alias.name,
    type: 'Microsoft.Subscription/aliases',
    properties: {
      subscriptionId: alias.subscriptionId,
      displayName: subscription?.displayName ?? '',
      provisioningState: 'Succeeded',
      workload: alias.workload,
      createdTime: at,
    },
    systemData: { createdBy: alias.createdBy, createdAt: at, lastModifiedBy: alias.createdBy, lastModifiedAt: at },
  }
}

async function changeable(engine: Engine, call: Call, verb: string): Promise<Subscription> {
  checkOwnVersion(call, subscriptionManagementApiVersions)
  const subscription = await getSubscription(engine, call)
  const scope = `/subscriptions/${subscription.subscriptionId}`
  await engine.authorize(call.caller, `Microsoft.Subscription/${verb}/action`, scope)
  return subscription
}

/** POST …/cancel and …/enable: a cancelled subscription can be read and emptied, nothing else. */
async function switchSubscription(engine: Engine, call: Call, verb: 'cancel' | 'enable'): Promise<Answer> {
  const { subscriptionId } = await changeable(engine, call, verb)
  await updateSubscription(engine.db, subscriptionId, { state: verb === 'cancel' ? 'Disabled' : 'Enabled' })
  return { status: 200, body: { subscriptionId } }
}

/** POST …/rename `{ subscriptionName }`. */
async function renameSubscription(engine: Engine, call: Call): Promise<Answer> {
  const { subscriptionId } = await changeable(engine, call, 'rename')
  const name = isJsonObject(call.body) ? textOf(call.body, 'subscriptionName') : undefined
  if (name === undefined || name.length > 64)
    return refuse('Give subscriptionName, a text of 1 to 64 characters.', 'subscriptionName')
  await updateSubscription(engine.db, subscriptionId, { displayName: name })
  return { status: 200, body: { subscriptionId } }
}
