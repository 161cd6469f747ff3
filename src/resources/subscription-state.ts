import type { DbOrTx } from '../db/tables.ts'
import { resourceProblems } from './problems.ts'
import { findSubscription } from './subscription.rows.ts'

/** What a cancelled subscription still permits: reading, emptying it, and managing itself and the rights to it. */
const permitted = /\/(?:read|delete)$|^Microsoft\.(?:Subscription|Authorization)\//i

/** Throws Azure's ReadOnlyDisabledSubscription for an action that a cancelled subscription does not permit. */
export async function checkSubscriptionState(db: DbOrTx, action: string, scope: string): Promise<void> {
  const subscriptionId = /^\/+subscriptions\/+([^/]+)/i.exec(scope)?.[1]
  if (subscriptionId === undefined || permitted.test(action)) return
  const subscription = await findSubscription(db, subscriptionId)
  if (subscription !== undefined && subscription.state !== 'Enabled')
    throw resourceProblems.ReadOnlyDisabledSubscription({ subscriptionId })
}
