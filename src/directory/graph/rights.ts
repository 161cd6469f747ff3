import type { DbOrTx } from '../../db/tables.ts'
import type { CallerFacts } from '../../resources/behaviour.ts'
import type { DirectoryObject } from '../directory.ts'
import { findObjectRow, listLinksOf, listPrincipalRows } from '../directory.rows.ts'
import { directoryProblems } from '../problems.ts'
import { directoryRoles } from '../roles.ts'
import type { DirectoryRole } from '../roles.ts'

/**
 * Who may do what in a tenant's directory, decided from the caller's directory roles and from what it owns:
 *
 * | | needs |
 * |---|---|
 * | read | being a user of the tenant, or an application's principal in its home tenant, or any role; others see themselves |
 * | users, groups | User Administrator |
 * | applications, principals | Application Administrator, or owning the one in question |
 * | the tenant, its roles, whoever holds one | Global Administrator, who may everything else too |
 */
export interface Rights {
  readonly caller: CallerFacts
  /** Undefined for a token of somebody whom the directory does not know. */
  readonly self: DirectoryObject | undefined
  readonly roleIds: readonly string[]
  canRead(objectId?: string): boolean
  has(role: DirectoryRole): boolean
}

export async function readRights(db: DbOrTx, caller: CallerFacts): Promise<Rights> {
  const self = await findObjectRow(db, caller.tenantId, caller.objectId)
  const isActive = self !== undefined && !('accountEnabled' in self && !self.accountEnabled)
  const roleIds = isActive ? await listLinksOf(db, caller.tenantId, 'role', [caller.objectId]) : []
  const isMember =
    (self?.kind === 'user' && self.userType === 'Member') ||
    (self?.kind === 'servicePrincipal' && self.appOwnerTenantId === self.tenantId)
  return {
    caller,
    self,
    roleIds,
    canRead: (objectId) => isActive && (isMember || roleIds.length > 0 || objectId === caller.objectId),
    has: (role) => roleIds.includes(role.id) || roleIds.includes(directoryRoles.globalAdministrator.id),
  }
}

function deny(need: string): never {
  throw directoryProblems.Authorization_RequestDenied({ need })
}

/** Throws Authorization_RequestDenied. `objectId`: of the one object that is asked for. */
export function mustRead(rights: Rights, objectId?: string): void {
  if (!rights.canRead(objectId))
    deny("being a member of the tenant, or one of its directory roles, e.g. 'Directory Readers'")
}

export function mustHave(rights: Rights, role: DirectoryRole): void {
  if (!rights.has(role)) deny(`the directory role '${role.displayName}' or 'Global Administrator'`)
}

const roleOfKind: Readonly<Record<DirectoryObject['kind'], DirectoryRole>> = {
  user: directoryRoles.userAdministrator,
  group: directoryRoles.userAdministrator,
  application: directoryRoles.applicationAdministrator,
  servicePrincipal: directoryRoles.applicationAdministrator,
}

/** To make an object of a kind. */
export function mustCreate(rights: Rights, kind: DirectoryObject['kind']): void {
  mustHave(rights, roleOfKind[kind])
}

/**
 * To change or delete an object. One that holds a directory role is for Global Administrators only: with its password
 * or secret one would have its role.
 */
export async function mustChange(db: DbOrTx, rights: Rights, object: DirectoryObject): Promise<void> {
  if (await isPrivileged(db, object)) return mustHave(rights, directoryRoles.globalAdministrator)
  if (rights.has(roleOfKind[object.kind])) return
  if (rights.self !== undefined && rights.canRead(rights.self.objectId)) {
    const owned = await listLinksOf(db, object.tenantId, 'owner', [rights.self.objectId])
    if (owned.includes(object.objectId)) return
  }
  return mustHave(rights, roleOfKind[object.kind])
}

async function isPrivileged(db: DbOrTx, object: DirectoryObject): Promise<boolean> {
  const holders = object.kind === 'application' ? await listPrincipalRows(db, object.appId) : [object]
  for (const { tenantId, objectId } of holders)
    if ((await listLinksOf(db, tenantId, 'role', [objectId])).length > 0) return true
  return false
}
