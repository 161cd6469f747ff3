import type { Tx } from '../db/tables.ts'

/** What settling needs to know of an operation (`work` has the whole of it). */
export interface SettledOperation {
  readonly id: string
  readonly resourceKey: string
  readonly intent: 'create' | 'update' | 'delete' | 'action'
}

/**
 * Ends an operation's hold on its resource, in the transaction that ends the operation: created or updated becomes
 * Succeeded or Failed, a deletion that succeeded removes the row, an action leaves the state alone. A row that another
 * operation holds by now is not touched. The etag stays: a client's If-Match of its own write must still hold.
 */
export async function settleResource(
  tx: Tx,
  operation: SettledOperation,
  outcome: { readonly state: 'Succeeded' | 'Failed' | 'Canceled' },
): Promise<void> {
  const { id, resourceKey, intent } = operation
  if (intent === 'delete' && outcome.state === 'Succeeded') {
    await tx.deleteFrom('resource').where('key', '=', resourceKey).where('operation_id', '=', id).execute()
    return
  }
  const state = outcome.state === 'Succeeded' ? 'Succeeded' : 'Failed'
  await tx
    .updateTable('resource')
    .set(intent === 'action' ? { operation_id: null } : { operation_id: null, provisioning_state: state })
    .where('key', '=', resourceKey)
    .where('operation_id', '=', id)
    .execute()
}
