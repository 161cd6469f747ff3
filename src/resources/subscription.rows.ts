import type { DbOrTx, SubscriptionAliasTable, SubscriptionTable } from '../db/tables.ts'

export interface Subscription {
  /** Lower case. */
  readonly subscriptionId: string
  readonly tenantId: string
  readonly displayName: string
  readonly state: string
}

export async function findSubscription(db: DbOrTx, subscriptionId: string): Promise<Subscription | undefined> {
  const row = await db
    .selectFrom('subscription')
    .selectAll()
    .where('subscription_id', '=', subscriptionId.toLowerCase())
    .executeTakeFirst()
  return row && parseSubscription(row)
}

export async function listSubscriptions(db: DbOrTx): Promise<Subscription[]> {
  return (await db.selectFrom('subscription').selectAll().orderBy('subscription_id').execute()).map(parseSubscription)
}

/** Adds a subscription, or leaves the one that has this id as it is. */
export async function insertSubscription(db: DbOrTx, subscription: Subscription): Promise<void> {
  await db
    .insertInto('subscription')
    .values({
      subscription_id: subscription.subscriptionId.toLowerCase(),
      tenant_id: subscription.tenantId,
      display_name: subscription.displayName,
      state: subscription.state,
    })
    .onConflict((conflict) => conflict.column('subscription_id').doNothing())
    .execute()
}

export type SubscriptionState = 'Enabled' | 'Disabled'

/** Whatever is undefined stays as it is. */
export async function updateSubscription(
  db: DbOrTx,
  subscriptionId: string,
  change: { readonly displayName?: string; readonly state?: SubscriptionState },
): Promise<void> {
  const { displayName, state } = change
  await db
    .updateTable('subscription')
    .set({
      ...(displayName === undefined ? {} : { display_name: displayName }),
      ...(state === undefined ? {} : { state }),
    })
    .where('subscription_id', '=', subscriptionId.toLowerCase())
    .execute()
}

/** With the names under which it was asked for. */
export async function deleteSubscription(tx: DbOrTx, subscriptionId: string): Promise<void> {
  await tx.deleteFrom('subscription_alias').where('subscription_id', '=', subscriptionId).execute()
  await tx.deleteFrom('subscription').where('subscription_id', '=', subscriptionId).execute()
}

/** Whether anything is in it, resource groups included. */
export async function hasResources(db: DbOrTx, subscriptionId: string): Promise<boolean> {
  const row = await db
    .selectFrom('resource')
    .select('key')
    .where('subscription_id', '=', subscriptionId.toLowerCase())
    .limit(1)
    .executeTakeFirst()
  return row !== undefined
}

/** A name under which a subscription was asked for (Microsoft.Subscription/aliases). */
export interface SubscriptionAlias {
  readonly tenantId: string
  readonly name: string
  readonly subscriptionId: string
  readonly workload: string
  readonly createdMs: number
  readonly createdBy: string
}

function parseAlias(row: SubscriptionAliasTable): SubscriptionAlias {
  return {
    tenantId: row.tenant_id,
    name: row.name,
    subscriptionId: row.subscription_id,
    workload: row.workload,
    createdMs: row.created_ms,
    createdBy: row.created_by,
  }
}

export async function findAlias(db: DbOrTx, tenantId: string, name: string): Promise<SubscriptionAlias | undefined> {
  const row = await db
    .selectFrom('subscription_alias')
    .selectAll()
    .where('tenant_id', '=', tenantId)
    .where('name_key', '=', name.toLowerCase())
    .executeTakeFirst()
  return row && parseAlias(row)
}

export async function listAliases(db: DbOrTx, tenantId: string): Promise<SubscriptionAlias[]> {
  const rows = await db
    .selectFrom('subscription_alias')
    .selectAll()
    .where('tenant_id', '=', tenantId)
    .orderBy('name_key')
    .execute()
  return rows.map(parseAlias)
}

/** Answers false where the name is taken. */
export async function insertAlias(tx: DbOrTx, alias: SubscriptionAlias): Promise<boolean> {
  const done = await tx
    .insertInto('subscription_alias')
    .values({
      tenant_id: alias.tenantId,
      name_key: alias.name.toLowerCase(),
      name: alias.name,
      subscription_id: alias.subscriptionId,
      workload: alias.workload,
      created_ms: alias.createdMs,
      created_by: alias.createdBy,
    })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst()
  return (done.numInsertedOrUpdatedRows ?? 0n) > 0n
}

/** Answers false where there was none. */
export async function deleteAlias(db: DbOrTx, tenantId: string, name: string): Promise<boolean> {
  const done = await db
    .deleteFrom('subscription_alias')
    .where('tenant_id', '=', tenantId)
    .where('name_key', '=', name.toLowerCase())
    .executeTakeFirst()
  return done.numDeletedRows > 0n
}

function parseSubscription(row: SubscriptionTable): Subscription {
  return {
    subscriptionId: row.subscription_id,
    tenantId: row.tenant_id,
    displayName: row.display_name,
    state: row.state,
  }
}
