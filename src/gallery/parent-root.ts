import type { DbOrTx } from '../db/tables.ts'
import { pageChildren } from '../resources/resource.rows.ts'
import type { Resource } from '../resources/resource.ts'
import { listReplicasOf } from './replica.rows.ts'
import type { Replica } from './replica.rows.ts'

/** How many neighbours are looked at, each way. */
const nearest = 20

/**
 * The root to compare with before any look-up: the nearest other version of the same definition whose same disk is
 * complete in the same store. Nearest below in number is most alike; else the lowest above.
 */
export async function findParentRoot(db: DbOrTx, version: Resource, replica: Replica): Promise<string | undefined> {
  const page = { parentKey: version.parentKey, type: version.type, afterName: version.name, limit: nearest }
  const below = await pageChildren(db, { ...page, descending: true })
  const siblings = [...below, ...(await pageChildren(db, page))].slice(0, nearest)
  const held = await listReplicasOf(
    db,
    siblings.map((sibling) => sibling.key),
  )
  for (const sibling of siblings) {
    const match = held.find(
      (other) =>
        other.versionKey === sibling.key &&
        other.lun === replica.lun &&
        other.region === replica.region &&
        other.storageClass === replica.storageClass &&
        other.state === 'Completed',
    )
    if (match?.root !== undefined) return match.root
  }
  return undefined
}
