import { randomUuid } from '../base/random.ts'
import type { Db, DbOrTx } from '../db/tables.ts'
import { countAssignmentsOf, insertAssignment } from './assignment.rows.ts'
import { ownerRoleId, storageBlobDataOwnerRoleId, userAccessAdministratorRoleId } from './built-in-roles.ts'
import type { PrincipalType } from './role.ts'
import { scopeKey } from '../base/scope.ts'

export interface Grant {
  readonly tenantId: string
  readonly principalId: string
  readonly principalType: PrincipalType
  /** `/` for the tenant's root. */
  readonly scope: string
  readonly roleId: string
  readonly nowMs: number
  /** Who is named as its maker; default: the principal itself. */
  readonly grantedBy?: string
}

/** Assigns a role without asking who wants it: for the server's own steps. Once is enough: a second time does nothing. */
export async function grantRole(tx: DbOrTx, grant: Grant): Promise<void> {
  const { tenantId, scope, roleId, principalType, nowMs } = grant
  const principalId = grant.principalId.toLowerCase()
  const by = grant.grantedBy ?? principalId
  await insertAssignment(tx, tenantId, {
    name: randomUuid(),
    scope,
    scopeKey: scopeKey(scope),
    principalId,
    principalType,
    roleId,
    description: undefined,
    createdMs: nowMs,
    updatedMs: nowMs,
    createdBy: by,
    updatedBy: by,
  })
}

/**
 * Makes a principal the owner of a tenant (`scope: '/'`) or of a subscription that was just made: Owner for resources
 * and rights, and Storage Blob Data Owner for the bytes of blobs, which Owner does not reach.
 */
export async function grantOwner(tx: DbOrTx, grant: Omit<Grant, 'roleId'>): Promise<void> {
  await grantRole(tx, { ...grant, roleId: ownerRoleId })
  await grantRole(tx, { ...grant, roleId: storageBlobDataOwnerRoleId })
}

/**
 * At every start: a tenant in which nobody may give rights at the root gets its first owner (again). So a new or
 * upgraded installation works, and nobody can lock himself out for longer than until the next start.
 */
export async function ensureOwner(db: Db, grant: Omit<Grant, 'roleId' | 'scope'>): Promise<void> {
  await db.transaction().execute(async (tx) => {
    for (const roleId of [ownerRoleId, userAccessAdministratorRoleId])
      if ((await countAssignmentsOf(tx, grant.tenantId, { roleId, scopeKey: '/' })) > 0) return
    await grantOwner(tx, { ...grant, scope: '/' })
  })
}
