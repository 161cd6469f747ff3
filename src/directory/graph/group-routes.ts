import type { Group } from '../directory.ts'
import { findObjectRow, findObjectRows, listLinkedIds } from '../directory.rows.ts'
import { addMember, addOwner, createGroup, removeMember, removeOwner, updateGroup } from '../groups.ts'
import { directoryProblems } from '../problems.ts'
import { deleteObject } from '../remove.ts'
import { getObject } from '../room.ts'
import { bodies, parseBody, parseReference } from './bodies.ts'
import { param } from './call.ts'
import type { GraphAnswer, GraphCall, GraphRoute } from './call.ts'
import { answerObject, answerTyped, checkOptions, listObjects } from './list.ts'
import { mustChange, mustCreate, mustRead } from './rights.ts'

export function addGroupRoutes(route: GraphRoute): void {
  route('GET', '/groups', async (call) => {
    mustRead(call.rights)
    return listObjects(call, 'group', 'groups')
  })
  route('POST', '/groups', create)
  route('GET', '/groups/:id', async (call) => {
    checkOptions(call)
    mustRead(call.rights)
    return answerObject(call, await getGroup(call), 'groups')
  })
  route('PATCH', '/groups/:id', async (call) => {
    const group = await changeableGroup(call)
    const body = parseGroup(call)
    await updateGroup(call.room, call.tenantId, group.objectId, {
      displayName: body.displayName ?? undefined,
      mailNickname: body.mailNickname ?? undefined,
      description: body.description ?? undefined,
    })
    return { status: 204 }
  })
  route('DELETE', '/groups/:id', async (call) => {
    const group = await changeableGroup(call)
    await deleteObject(call.room, call.tenantId, group.objectId, 'group')
    return { status: 204 }
  })
  route('GET', '/groups/:id/members', (call) => listMembers(call, false))
  route('GET', '/groups/:id/transitiveMembers', (call) => listMembers(call, true))
  route('POST', '/groups/:id/members/$ref', async (call) => {
    const group = await changeableGroup(call)
    await addMember(call.room, call.tenantId, group.objectId, parseReference(call.body))
    return { status: 204 }
  })
  route('DELETE', '/groups/:id/members/:memberId/$ref', async (call) => {
    const group = await changeableGroup(call)
    await removeMember(call.room, call.tenantId, group.objectId, param(call, 'memberId'))
    return { status: 204 }
  })
  for (const collection of ['groups', 'applications', 'servicePrincipals']) addOwnerRoutes(route, collection)
}

function getGroup(call: GraphCall): Promise<Group> {
  return getObject(call.room.db, call.tenantId, param(call, 'id'), 'group')
}

async function changeableGroup(call: GraphCall): Promise<Group> {
  mustRead(call.rights)
  const group = await getGroup(call)
  await mustChange(call.room.db, call.rights, group)
  return group
}

function parseGroup(call: GraphCall) {
  const body = parseBody(bodies.group, call.body)
  if (body.mailEnabled === true || body.securityEnabled === false || (body.groupTypes ?? []).length > 0)
    throw directoryProblems.Request_BadRequest({
      message: 'Only security groups are served here: mailEnabled false, securityEnabled true, no groupTypes.',
    })
  return body
}

async function create(call: GraphCall): Promise<GraphAnswer> {
  mustCreate(call.rights, 'group')
  const body = parseGroup(call)
  if (typeof body.mailNickname !== 'string' || !/^[^\s@()\\[\]";:<>,]{1,64}$/.test(body.mailNickname))
    throw directoryProblems.Request_BadRequest({
      message:
        "Invalid value specified for property 'mailNickname' of resource 'Group'. Give 1 to 64 characters without blanks.",
    })
  const group = await createGroup(call.room, call.tenantId, {
    displayName: body.displayName ?? '',
    mailNickname: body.mailNickname,
    description: body.description ?? undefined,
  })
  const idOf = (address: string): string => parseReference({ '@odata.id': address })
  for (const address of body['members@odata.bind'] ?? [])
    await addMember(call.room, call.tenantId, group.objectId, idOf(address))
  for (const address of body['owners@odata.bind'] ?? [])
    await addOwner(call.room, call.tenantId, group.objectId, idOf(address))
  return answerObject(call, group, 'groups', 201)
}

async function listMembers(call: GraphCall, isTransitive: boolean): Promise<GraphAnswer> {
  checkOptions(call)
  mustRead(call.rights)
  const group = await getGroup(call)
  const { db } = call.room
  const found = new Set<string>()
  let edge: readonly string[] = [group.objectId]
  while (edge.length > 0) {
    const next = await Promise.all(edge.map((id) => listLinkedIds(db, call.tenantId, 'member', id)))
    edge = next.flat().filter((id) => !found.has(id))
    for (const id of edge) found.add(id)
    if (!isTransitive) break
  }
  return answerTyped(call, await findObjectRows(db, call.tenantId, [...found]))
}

/** Owners of groups, applications and service principals. */
function addOwnerRoutes(route: GraphRoute, collection: string): void {
  const owned = async (call: GraphCall) => {
    mustRead(call.rights)
    const id = param(call, 'id')
    const object = await findObjectRow(call.room.db, call.tenantId, id.toLowerCase())
    if (object === undefined || `${object.kind}s` !== collection)
      throw directoryProblems.Request_ResourceNotFound({ id })
    return object
  }
  route('GET', `/${collection}/:id/owners`, async (call) => {
    const { objectId } = await owned(call)
    const ids = await listLinkedIds(call.room.db, call.tenantId, 'owner', objectId)
    return answerTyped(call, await findObjectRows(call.room.db, call.tenantId, ids))
  })
  route('POST', `/${collection}/:id/owners/$ref`, async (call) => {
    const object = await owned(call)
    await mustChange(call.room.db, call.rights, object)
    await addOwner(call.room, call.tenantId, object.objectId, parseReference(call.body))
    return { status: 204 }
  })
  route('DELETE', `/${collection}/:id/owners/:ownerId/$ref`, async (call) => {
    const object = await owned(call)
    await mustChange(call.room.db, call.rights, object)
    await removeOwner(call.room, call.tenantId, object.objectId, param(call, 'ownerId'))
    return { status: 204 }
  })
}
