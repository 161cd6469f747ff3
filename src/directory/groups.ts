import type { JsonObject } from '../base/json.ts'
import { randomUuid } from '../base/random.ts'
import type { Group } from './directory.ts'
import { deleteLinkRow, findObjectRow, insertLinkRow } from './directory.rows.ts'
import { directoryProblems } from './problems.ts'
import { changeObject, checkDisplayName, getObject, insertObject } from './room.ts'
import type { Changes, DirectoryRoom } from './room.ts'

export interface GroupDraft {
  readonly displayName: string
  readonly mailNickname: string
  readonly description?: string | undefined
  readonly details?: JsonObject | undefined
}

/** Group names need not be unique, as in Graph. */
export async function createGroup(room: DirectoryRoom, tenantId: string, draft: GroupDraft): Promise<Group> {
  const nowMs = room.clock.now()
  const group: Group = {
    kind: 'group',
    tenantId,
    objectId: randomUuid(),
    displayName: checkDisplayName('group', draft.displayName),
    mailNickname: draft.mailNickname,
    description: draft.description,
    createdDateTime: new Date(nowMs).toISOString(),
    details: draft.details,
  }
  return room.db
    .transaction()
    .execute((tx) => insertObject(tx, group, nowMs, () => new Error('a group has a random id only')))
}

export function updateGroup(
  room: DirectoryRoom,
  tenantId: string,
  objectId: string,
  change: Changes<GroupDraft>,
): Promise<Group> {
  const given = Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined))
  if (change.displayName !== undefined) checkDisplayName('group', change.displayName)
  return changeObject(room, tenantId, objectId, 'group', (group) => ({
    ...group,
    ...given,
    details: { ...group.details, ...change.details },
  }))
}

/** Users, groups and service principals may be members. Throws Request_BadRequest where it is one already. */
export async function addMember(room: DirectoryRoom, tenantId: string, groupId: string, objectId: string) {
  await room.db.transaction().execute(async (tx) => {
    const group = await getObject(tx, tenantId, groupId, 'group')
    const member = await findObjectRow(tx, tenantId, objectId.toLowerCase())
    if (member === undefined || member.kind === 'application')
      throw directoryProblems.Request_ResourceNotFound({ id: objectId })
    if (member.objectId === group.objectId)
      throw directoryProblems.Request_BadRequest({ message: `The group '${objectId}' cannot be a member of itself.` })
    const link = { tenantId, kind: 'member', ofId: group.objectId, objectId: member.objectId } as const
    if (!(await insertLinkRow(tx, link))) throw directoryProblems.ReferenceExists({ property: 'members' })
  })
}

/** Throws Request_ResourceNotFound where it is none. */
export async function removeMember(room: DirectoryRoom, tenantId: string, groupId: string, objectId: string) {
  const link = { tenantId, kind: 'member', ofId: groupId.toLowerCase(), objectId: objectId.toLowerCase() } as const
  if (!(await deleteLinkRow(room.db, link))) throw directoryProblems.Request_ResourceNotFound({ id: objectId })
}

/** Of a group, an application or a service principal. Owners may change what they own. */
export async function addOwner(room: DirectoryRoom, tenantId: string, ownedId: string, objectId: string) {
  await room.db.transaction().execute(async (tx) => {
    const owned = await findObjectRow(tx, tenantId, ownedId.toLowerCase())
    if (owned === undefined || owned.kind === 'user') throw directoryProblems.Request_ResourceNotFound({ id: ownedId })
    const owner = await findObjectRow(tx, tenantId, objectId.toLowerCase())
    if (owner?.kind !== 'user' && owner?.kind !== 'servicePrincipal')
      throw directoryProblems.Request_ResourceNotFound({ id: objectId })
    const link = { tenantId, kind: 'owner', ofId: owned.objectId, objectId: owner.objectId } as const
    if (!(await insertLinkRow(tx, link))) throw directoryProblems.ReferenceExists({ property: 'owners' })
  })
}

export async function removeOwner(room: DirectoryRoom, tenantId: string, ownedId: string, objectId: string) {
  const link = { tenantId, kind: 'owner', ofId: ownedId.toLowerCase(), objectId: objectId.toLowerCase() } as const
  if (!(await deleteLinkRow(room.db, link))) throw directoryProblems.Request_ResourceNotFound({ id: objectId })
}
