import type { JsonObject } from '../base/json.ts'
import { randomUuid } from '../base/random.ts'
import type { DbOrTx } from '../db/tables.ts'
import { lockResource } from '../resources/resource.rows.ts'
import type { Resource } from '../resources/resource.ts'

/** The part of a row that this room may change outside of a request. */
export interface RowEdit {
  readonly properties?: JsonObject
  readonly envelope?: JsonObject
}

/**
 * Changes properties or envelope of a row from a workflow or a running machine; etag, state and operation stay. Call it
 * in a transaction. Answers undefined where the row is gone.
 */
export async function editRow(
  tx: DbOrTx,
  key: string,
  edit: (row: Resource) => RowEdit,
): Promise<Resource | undefined> {
  const before = await lockResource(tx, key)
  if (!before) return undefined
  const { properties = before.properties, envelope = before.envelope } = edit(before)
  await tx
    .updateTable('resource')
    .set({ properties: JSON.stringify(properties), envelope: JSON.stringify(envelope) })
    .where('key', '=', key)
    .execute()
  return { ...before, properties, envelope }
}

/**
 * The same for a row that no operation of ours holds: its etag changes, so that a request that read it before must read
 * it again instead of writing it back as it was.
 */
export async function editForeignRow(tx: DbOrTx, key: string, edit: (row: Resource) => RowEdit): Promise<void> {
  if (await editRow(tx, key, edit))
    await tx.updateTable('resource').set({ etag: randomUuid() }).where('key', '=', key).execute()
}

/** Removes a row that belongs to another one of this room. */
export async function deleteRow(tx: DbOrTx, key: string): Promise<void> {
  await tx.deleteFrom('resource').where('key', '=', key).execute()
}
