import { randomUuid } from '../base/random.ts'
import { userAssignedIdentityType } from '../contract/user-assigned-identities.ts'
import type { Tx } from '../db/tables.ts'
import { insertManagedIdentity } from '../directory/applications.ts'
import { deletePrincipal } from '../directory/remove.ts'
import type { DirectoryRoom } from '../directory/room.ts'
import type { Behaviour, Change, RequestContext } from '../resources/behaviour.ts'
import { findResource } from '../resources/resource.rows.ts'
import type { Draft, Resource } from '../resources/resource.ts'
import { findSubscription } from '../resources/subscription.rows.ts'
import { addressLifetimeMs, type HostAddresses } from './host-address.ts'
import { formatIdentity, readIdentity, type IdentityFacts, type UserAssigned } from './identity-facts.ts'
import { managedIdentityProblems } from './problems.ts'

const assignPermission = `${userAssignedIdentityType}/assign/action`

/**
 * Adds managed identities to a type that has the `identity` member: the principal of its own is made in the transaction
 * that writes the resource, and is gone in the one that removes it (`dropIdentityOf`).
 */
export function withManagedIdentity(behaviour: Behaviour, room: DirectoryRoom, addresses: HostAddresses): Behaviour {
  return {
    ...behaviour,
    actions: {
      ...behaviour.actions,
      async identityAddress({ resource }, { baseUrl, nowMs }) {
        const expiresMs = nowMs + addressLifetimeMs
        const address = `${baseUrl}${addresses.path(textOf(resource.properties['vmId']), expiresMs)}`
        return { kind: 'done', body: { address, expiresOn: new Date(expiresMs).toISOString() } }
      },
    },
    async prepare(change, context) {
      const after = behaviour.prepare ? await behaviour.prepare(change, context) : change.after
      return prepareIdentity({ ...change, after }, context, room)
    },
    async commit(tx, change, context) {
      await behaviour.commit?.(tx, change, context)
      await commitIdentity(tx, change, room)
    },
  }
}

/** Gives the draft its ids. Left out of a request, an identity stays as it was; `None` takes it away, as in Azure. */
async function prepareIdentity(change: Change, context: RequestContext, room: DirectoryRoom): Promise<Draft> {
  const { before, after } = change
  const { identity: given, ...rest } = after.envelope
  const had = readIdentity(before?.envelope)
  const wanted = readIdentity(given === undefined ? before?.envelope : after.envelope)
  checkKind(given, wanted, had)
  const users: UserAssigned[] = []
  for (const { id } of wanted.hasUsers ? wanted.users : [])
    users.push(await resolveUserAssigned(id, change, had, context, room))
  const facts: IdentityFacts = {
    hasSystem: wanted.hasSystem,
    hasUsers: wanted.hasUsers,
    principalId: wanted.hasSystem ? (had.principalId ?? randomUuid()) : undefined,
    users,
  }
  const identity = formatIdentity(facts, await tenantOf(change, room))
  return { ...after, envelope: { ...rest, ...(identity === undefined ? {} : { identity }) } }
}

/** A PATCH brings along what the machine has: only what it names anew must fit the type. */
function checkKind(given: unknown, { hasUsers, users }: IdentityFacts, had: IdentityFacts): void {
  if (given === undefined) return
  const target = { target: 'identity' }
  if (hasUsers && users.length === 0)
    throw managedIdentityProblems.IdentityMismatch(
      { reason: "Its type has 'UserAssigned', but userAssignedIdentities names none. Name one, or change the type." },
      target,
    )
  if (!hasUsers && !users.every((one) => hasUser(had, one.id)))
    throw managedIdentityProblems.IdentityMismatch(
      { reason: "userAssignedIdentities names some, but its type has no 'UserAssigned'. Add it, or name none." },
      target,
    )
}

function hasUser({ users }: IdentityFacts, id: string): boolean {
  return users.some((one) => one.id.toLowerCase() === id.toLowerCase())
}

/** Who gives an identity to a machine hands on its rights: that needs a right of its own, on the identity. */
async function resolveUserAssigned(
  id: string,
  change: Change,
  had: IdentityFacts,
  context: RequestContext,
  room: DirectoryRoom,
): Promise<UserAssigned> {
  const isNew = !hasUser(had, id)
  if (isNew) await context.authorize(assignPermission, id)
  const row = await findResource(room.db, id.toLowerCase())
  const { principalId, clientId } = row?.properties ?? {}
  if (row?.type !== userAssignedIdentityType || typeof principalId !== 'string' || typeof clientId !== 'string') {
    // One that has gone since stays named, as in Azure; it gives no tokens any more.
    if (!isNew) return { id, principalId: undefined, clientId: undefined }
    throw managedIdentityProblems.FailedIdentityOperation(
      { resource: change.id.id, identity: id },
      { target: 'identity' },
    )
  }
  return { id, principalId, clientId }
}

async function tenantOf(change: Change, room: DirectoryRoom): Promise<string> {
  return (await findSubscription(room.db, change.id.subscriptionId))?.tenantId ?? room.operator.tenantId
}

async function commitIdentity(tx: Tx, change: Change, room: DirectoryRoom): Promise<void> {
  const { before, after, id } = change
  const had = readIdentity(before?.envelope).principalId
  const has = readIdentity(after.envelope).principalId
  if (had === has) return
  const tenantId = (await findSubscription(tx, id.subscriptionId))?.tenantId ?? room.operator.tenantId
  if (had !== undefined) await deletePrincipal(room, tx, tenantId, had)
  if (has !== undefined)
    await insertManagedIdentity(room, tx, tenantId, {
      objectId: has,
      appId: randomUuid(),
      displayName: id.name,
      resourceId: before?.id ?? id.id,
      isExplicit: false,
    })
}

/**
 * Removes the principal that belonged to a resource, in the transaction that removes its row; `row` is what it was.
 * Other resources have none, and nothing happens.
 */
export async function dropIdentityOf(tx: Tx, row: Resource | undefined, room: DirectoryRoom): Promise<void> {
  if (!row) return
  const own =
    row.type === userAssignedIdentityType ? row.properties['principalId'] : readIdentity(row.envelope).principalId
  if (typeof own !== 'string') return
  const tenantId = (await findSubscription(tx, row.subscriptionId))?.tenantId ?? room.operator.tenantId
  await deletePrincipal(room, tx, tenantId, own)
}

/** What `Microsoft.ManagedIdentity/userAssignedIdentities` mean: a principal with the resource's name. */
export function userAssignedIdentitiesBehaviour(room: DirectoryRoom): Behaviour {
  return {
    type: userAssignedIdentityType,
    async prepare({ before, after, id }) {
      const { tenantId, principalId, clientId } = before?.properties ?? {
        tenantId: (await findSubscription(room.db, id.subscriptionId))?.tenantId ?? room.operator.tenantId,
        principalId: randomUuid(),
        clientId: randomUuid(),
      }
      return { ...after, properties: { ...after.properties, tenantId, principalId, clientId } }
    },
    async commit(tx, { kind, after, id }) {
      if (kind !== 'create') return
      const { tenantId, principalId, clientId } = after.properties
      await insertManagedIdentity(room, tx, textOf(tenantId), {
        objectId: textOf(principalId),
        appId: textOf(clientId),
        displayName: id.name,
        resourceId: id.id,
        isExplicit: true,
      })
    },
  }
}

/** A member that `prepare` wrote. */
function textOf(value: unknown): string {
  if (typeof value !== 'string') throw new Error('an id that the server writes itself is missing')
  return value
}
