import type { Selectable } from 'kysely'
import type { DbOrTx, RoleAssignmentTable, Tx } from '../db/tables.ts'
import { parseCondition } from './condition.ts'
import type { PrincipalType, RoleAssignment } from './role.ts'
import { scopeKey } from '../base/scope.ts'

/** Every change of what a tenant's index is made from ends with this, in the same transaction. */
export async function bumpAccessVersion(tx: DbOrTx, tenantId: string): Promise<void> {
  await tx
    .insertInto('access_version')
    .values({ tenant_id: tenantId, version: 1 })
    .onConflict((conflict) =>
      conflict.column('tenant_id').doUpdateSet((row) => ({ version: row('access_version.version', '+', 1) })),
    )
    .execute()
}

export async function findAccessVersion(db: DbOrTx, tenantId: string): Promise<number> {
  const row = await db
    .selectFrom('access_version')
    .select('version')
    .where('tenant_id', '=', tenantId)
    .executeTakeFirst()
  return row?.version ?? 0
}

export async function findAssignment(db: DbOrTx, tenantId: string, name: string): Promise<RoleAssignment | undefined> {
  const row = await db
    .selectFrom('role_assignment')
    .selectAll()
    .where('tenant_id', '=', tenantId)
    .where('name', '=', name.toLowerCase())
    .executeTakeFirst()
  return row && parseAssignment(row)
}

/** A page of a tenant's assignments in the order of their names. */
export async function pageAssignments(
  db: DbOrTx,
  tenantId: string,
  afterName: string,
  limit: number,
): Promise<RoleAssignment[]> {
  const rows = await db
    .selectFrom('role_assignment')
    .selectAll()
    .where('tenant_id', '=', tenantId)
    .where('name', '>', afterName)
    .orderBy('name')
    .limit(limit)
    .execute()
  return rows.map(parseAssignment)
}

/** Answers false where the name, or the same right of the same principal at the same scope, is there already. */
export async function insertAssignment(tx: DbOrTx, tenantId: string, assignment: RoleAssignment): Promise<boolean> {
  const done = await tx
    .insertInto('role_assignment')
    .values({
      tenant_id: tenantId,
      name: assignment.name,
      scope: assignment.scope,
      scope_key: assignment.scopeKey,
      principal_id: assignment.principalId,
      principal_type: assignment.principalType,
      role_id: assignment.roleId,
      description: assignment.description ?? null,
      condition: assignment.condition?.text ?? null,
      created_ms: assignment.createdMs,
      updated_ms: assignment.updatedMs,
      created_by: assignment.createdBy,
      updated_by: assignment.updatedBy,
    })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst()
  if ((done.numInsertedOrUpdatedRows ?? 0n) === 0n) return false
  await bumpAccessVersion(tx, tenantId)
  return true
}

/** Only what is said about it, and when it counts, may change. */
export async function describeAssignment(
  tx: DbOrTx,
  tenantId: string,
  name: string,
  change: Pick<RoleAssignment, 'description' | 'condition' | 'updatedMs' | 'updatedBy'>,
): Promise<void> {
  await tx
    .updateTable('role_assignment')
    .set({
      description: change.description ?? null,
      condition: change.condition?.text ?? null,
      updated_ms: change.updatedMs,
      updated_by: change.updatedBy,
    })
    .where('tenant_id', '=', tenantId)
    .where('name', '=', name)
    .execute()
  await bumpAccessVersion(tx, tenantId)
}

export async function deleteAssignment(tx: DbOrTx, tenantId: string, name: string): Promise<boolean> {
  const done = await tx
    .deleteFrom('role_assignment')
    .where('tenant_id', '=', tenantId)
    .where('name', '=', name)
    .executeTakeFirst()
  if (done.numDeletedRows === 0n) return false
  await bumpAccessVersion(tx, tenantId)
  return true
}

export async function countAssignmentsOf(
  db: DbOrTx,
  tenantId: string,
  where: { readonly roleId?: string; readonly scopeKey?: string; readonly belowKey?: string },
): Promise<number> {
  let query = db
    .selectFrom('role_assignment')
    .select((count) => count.fn.countAll().as('count'))
    .where('tenant_id', '=', tenantId)
  const { roleId, scopeKey: at, belowKey } = where
  // Who has the role under a condition cannot be counted on.
  if (roleId !== undefined) query = query.where('role_id', '=', roleId).where('condition', 'is', null)
  if (at !== undefined) query = query.where('scope_key', '=', at)
  if (belowKey !== undefined)
    query = query.where((row) =>
      row.or([
        row('scope_key', '=', belowKey),
        row.and([row('scope_key', '>', `${belowKey}/`), row('scope_key', '<', `${belowKey}0`)]),
      ]),
    )
  const found = await query.executeTakeFirst()
  return Number(found?.count ?? 0)
}

/** What was assigned to a principal ends with the principal. */
export async function dropAssignmentsOfPrincipal(tx: Tx, tenantId: string, principalId: string): Promise<void> {
  const done = await tx
    .deleteFrom('role_assignment')
    .where('tenant_id', '=', tenantId)
    .where('principal_id', '=', principalId.toLowerCase())
    .executeTakeFirst()
  if (done.numDeletedRows > 0n) await bumpAccessVersion(tx, tenantId)
}

/**
 * What was assigned or locked at a scope, or below it, ends with the scope: who makes something of the same name later
 * must not inherit the rights to the old one. `0` is the character behind `/`.
 */
export async function dropAccessBelow(tx: Tx, scope: string): Promise<void> {
  const key = scopeKey(scope)
  const rows = await tx
    .selectFrom('role_assignment')
    .select('tenant_id')
    .distinct()
    .where((row) =>
      row.or([
        row('scope_key', '=', key),
        row.and([row('scope_key', '>', `${key}/`), row('scope_key', '<', `${key}0`)]),
      ]),
    )
    .execute()
  for (const { tenant_id: tenantId } of rows) await bumpAccessVersion(tx, tenantId)
  for (const table of ['role_assignment', 'management_lock'] as const)
    await tx
      .deleteFrom(table)
      .where((row) =>
        row.or([
          row('scope_key', '=', key),
          row.and([row('scope_key', '>', `${key}/`), row('scope_key', '<', `${key}0`)]),
        ]),
      )
      .execute()
}

function parseAssignment(row: Selectable<RoleAssignmentTable>): RoleAssignment {
  return {
    name: row.name,
    scope: row.scope,
    scopeKey: row.scope_key,
    principalId: row.principal_id,
    principalType: row.principal_type as PrincipalType,
    roleId: row.role_id,
    description: row.description ?? undefined,
    condition: row.condition === null ? undefined : parseCondition(row.condition),
    createdMs: row.created_ms,
    updatedMs: row.updated_ms,
    createdBy: row.created_by,
    updatedBy: row.updated_by,
  }
}
