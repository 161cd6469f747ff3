import { join } from 'node:path'
import { grantOwner } from '../../src/access/grant.ts'
import { randomUuid } from '../../src/base/random.ts'
import { openDatabase } from '../../src/db/open.ts'
import { insertSubscription } from '../../src/resources/subscription.rows.ts'
import type { RunningGoldleaf } from './goldleaf.ts'

export interface NewSubscription {
  readonly tenantId: string
  readonly ownerId: string
}

/** Adds a subscription to a running server's database, with one owner; answers its id. */
export async function addSubscription(
  server: Pick<RunningGoldleaf, 'data'>,
  { tenantId, ownerId }: NewSubscription,
): Promise<string> {
  const database = await openDatabase({ path: join(server.data, 'goldleaf.db') })
  try {
    const subscriptionId = randomUuid()
    await insertSubscription(database.db, { subscriptionId, tenantId, displayName: 'another', state: 'Enabled' })
    const owner = { tenantId, principalId: ownerId, principalType: 'ServicePrincipal' as const, nowMs: Date.now() }
    await grantOwner(database.db, { ...owner, scope: `/subscriptions/${subscriptionId}` })
    return subscriptionId
  } finally {
    await database.close()
  }
}
