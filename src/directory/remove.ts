import type { Tx } from '../db/tables.ts'
import type { DirectoryObject } from './directory.ts'
import { deleteObjectRows, findObjectRow, listGuestRows, listPrincipalRows } from './directory.rows.ts'
import { directoryProblems } from './problems.ts'
import type { DirectoryRoom } from './room.ts'

/**
 * Deletes an object with its secrets, memberships and whatever cannot be without it: an application takes its
 * principals with it, in every tenant; a user its guests. There is no recycle bin. Throws Request_ResourceNotFound and
 * OperatorIsProtected.
 */
export async function deleteObject(
  room: DirectoryRoom,
  tenantId: string,
  objectId: string,
  kind: DirectoryObject['kind'],
): Promise<void> {
  await room.db.transaction().execute(async (tx) => {
    const found = await findObjectRow(tx, tenantId, objectId.toLowerCase())
    if (found?.kind !== kind) throw directoryProblems.Request_ResourceNotFound({ id: objectId })
    const isOperators =
      found.objectId === room.operator.objectId || (found.kind === 'application' && found.appId === room.operator.appId)
    if (isOperators) throw directoryProblems.OperatorIsProtected({ what: `'${found.displayName}'` })
    await deleteWithDependents(room, tx, found)
  })
}

/** A principal whose resource goes, in that transaction; one that is gone already is fine. */
export async function deletePrincipal(room: DirectoryRoom, tx: Tx, tenantId: string, objectId: string): Promise<void> {
  const found = await findObjectRow(tx, tenantId, objectId)
  if (found?.kind === 'servicePrincipal' && found.servicePrincipalType === 'ManagedIdentity')
    await deleteWithDependents(room, tx, found)
}

/** Without asking whose it is. */
export async function deleteWithDependents(room: DirectoryRoom, tx: Tx, object: DirectoryObject): Promise<void> {
  for (const gone of [object, ...(await findDependents(tx, object))]) {
    await deleteObjectRows(tx, gone.tenantId, gone.objectId)
    await room.onDeleted(tx, gone.tenantId, [gone.objectId])
  }
}

async function findDependents(tx: Tx, object: DirectoryObject): Promise<readonly DirectoryObject[]> {
  if (object.kind === 'application') return listPrincipalRows(tx, object.appId)
  if (object.kind === 'user' && object.home === undefined) return listGuestRows(tx, object)
  return []
}
