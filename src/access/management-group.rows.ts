import type { DbOrTx } from '../db/tables.ts'
import { bumpAccessVersion } from './assignment.rows.ts'

export interface ManagementGroup {
  /** As it was written; compared by `key`, its lower case. */
  readonly name: string
  readonly key: string
  readonly displayName: string
  /** Undefined: directly below the tenant's root group. */
  readonly parentKey: string | undefined
  readonly updatedMs: number
  readonly updatedBy: string
}

export async function listManagementGroups(db: DbOrTx, tenantId: string): Promise<ManagementGroup[]> {
  const rows = await db
    .selectFrom('management_group')
    .selectAll()
    .where('tenant_id', '=', tenantId)
    .orderBy('name_key')
    .execute()
  return rows.map((row) => ({
    name: row.name,
    key: row.name_key,
    displayName: row.display_name,
    parentKey: row.parent_key ?? undefined,
    updatedMs: row.updated_ms,
    updatedBy: row.updated_by,
  }))
}

export async function putManagementGroup(tx: DbOrTx, tenantId: string, group: ManagementGroup): Promise<void> {
  const changed = {
    display_name: group.displayName,
    parent_key: group.parentKey ?? null,
    updated_ms: group.updatedMs,
    updated_by: group.updatedBy,
  }
  await tx
    .insertInto('management_group')
    .values({ tenant_id: tenantId, name_key: group.key, name: group.name, ...changed })
    .onConflict((conflict) => conflict.columns(['tenant_id', 'name_key']).doUpdateSet(changed))
    .execute()
  await bumpAccessVersion(tx, tenantId)
}

export async function deleteManagementGroup(tx: DbOrTx, tenantId: string, key: string): Promise<void> {
  await tx.deleteFrom('management_group').where('tenant_id', '=', tenantId).where('name_key', '=', key).execute()
  await bumpAccessVersion(tx, tenantId)
}

/** The group of each subscription that is not directly below the tenant's root group. */
export async function listGroupsOfSubscriptions(
  db: DbOrTx,
  tenantId: string,
): Promise<{ readonly subscriptionId: string; readonly groupKey: string }[]> {
  const rows = await db
    .selectFrom('management_group_subscription')
    .selectAll()
    .where('tenant_id', '=', tenantId)
    .orderBy('subscription_id')
    .execute()
  return rows.map((row) => ({ subscriptionId: row.subscription_id, groupKey: row.group_key }))
}

/** `groupKey` undefined moves it back to directly below the root group. */
export async function placeSubscription(
  tx: DbOrTx,
  tenantId: string,
  subscriptionId: string,
  groupKey: string | undefined,
): Promise<void> {
  await tx
    .deleteFrom('management_group_subscription')
    .where('subscription_id', '=', subscriptionId.toLowerCase())
    .execute()
  if (groupKey !== undefined)
    await tx
      .insertInto('management_group_subscription')
      .values({ subscription_id: subscriptionId.toLowerCase(), tenant_id: tenantId, group_key: groupKey })
      .execute()
  await bumpAccessVersion(tx, tenantId)
}
