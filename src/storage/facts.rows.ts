import type { Json } from '../base/json.ts'
import { randomUuid } from '../base/random.ts'
import type { DbOrTx } from '../db/tables.ts'
import { findResource } from '../resources/resource.rows.ts'

/** Changes one member of a row's envelope; its etag changes, so that nobody writes the old one back. */
export async function editFacts(tx: DbOrTx, key: string, member: string, value: Json): Promise<void> {
  const row = await findResource(tx, key)
  if (!row) return
  await tx
    .updateTable('resource')
    .set({ envelope: JSON.stringify({ ...row.envelope, [member]: value }), etag: randomUuid() })
    .where('key', '=', key)
    .execute()
}
