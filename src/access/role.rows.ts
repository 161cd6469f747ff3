import type { Selectable } from 'kysely'
import type { DbOrTx, RoleDefinitionTable } from '../db/tables.ts'
import { bumpAccessVersion } from './assignment.rows.ts'
import type { RoleDefinition, RolePermissions } from './role.ts'

export async function listCustomRoles(db: DbOrTx, tenantId: string): Promise<RoleDefinition[]> {
  const rows = await db
    .selectFrom('role_definition')
    .selectAll()
    .where('tenant_id', '=', tenantId)
    .orderBy('name_key')
    .execute()
  return rows.map(parseRole)
}

/** Creates or replaces; answers false where another role of the tenant has the name. */
export async function putCustomRole(tx: DbOrTx, tenantId: string, role: RoleDefinition): Promise<boolean> {
  const nameKey = role.roleName.toLowerCase()
  const taken = await tx
    .selectFrom('role_definition')
    .select('role_id')
    .where('tenant_id', '=', tenantId)
    .where('name_key', '=', nameKey)
    .where('role_id', '!=', role.roleId)
    .executeTakeFirst()
  if (taken) return false
  const changed = {
    role_name: role.roleName,
    name_key: nameKey,
    description: role.description,
    permissions: JSON.stringify(role.permissions),
    assignable_scopes: JSON.stringify(role.assignableScopes),
    updated_ms: role.updatedMs,
    updated_by: role.updatedBy,
  }
  await tx
    .insertInto('role_definition')
    .values({
      tenant_id: tenantId,
      role_id: role.roleId,
      created_ms: role.createdMs,
      created_by: role.createdBy,
      ...changed,
    })
    .onConflict((conflict) => conflict.columns(['tenant_id', 'role_id']).doUpdateSet(changed))
    .execute()
  await bumpAccessVersion(tx, tenantId)
  return true
}

export async function deleteCustomRole(tx: DbOrTx, tenantId: string, roleId: string): Promise<void> {
  await tx.deleteFrom('role_definition').where('tenant_id', '=', tenantId).where('role_id', '=', roleId).execute()
  await bumpAccessVersion(tx, tenantId)
}

function parseRole(row: Selectable<RoleDefinitionTable>): RoleDefinition {
  return {
    roleId: row.role_id,
    roleName: row.role_name,
    roleType: 'CustomRole',
    description: row.description,
    permissions: JSON.parse(row.permissions) as RolePermissions[],
    assignableScopes: JSON.parse(row.assignable_scopes) as string[],
    createdMs: row.created_ms,
    updatedMs: row.updated_ms,
    createdBy: row.created_by,
    updatedBy: row.updated_by,
  }
}
