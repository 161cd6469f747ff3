import type { DbOrTx, SubscriptionTable } from '../db/tables.ts'

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

function parseSubscription(row: SubscriptionTable): Subscription {
  return {
    subscriptionId: row.subscription_id,
    tenantId: row.tenant_id,
    displayName: row.display_name,
    state: row.state,
  }
}
