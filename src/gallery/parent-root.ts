import type { DbOrTx } from '../db/tables.ts'
import { listChildNames } from '../resources/resource.rows.ts'
import type { Resource } from '../resources/resource.ts'
import { listReplicasOf } from './replica.rows.ts'
import type { Replica } from './replica.rows.ts'
import { compareVersionNames } from '../contract/names.ts'

/**
 * The root to compare with before any look-up: the nearest other version of the same definition whose same disk is
 * complete in the same store. Nearest below in number is most alike; else the lowest above.
 */
export async function findParentRoot(db: DbOrTx, version: Resource, replica: Replica): Promise<string | undefined> {
  const siblings = (await listChildNames(db, version.parentKey, version.type))
    .filter((sibling) => sibling.key !== version.key)
    .toSorted((a, b) => nearness(a.name, b.name, version.name))
    .slice(0, 20)
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

/** Sorts versions below `name` first, the highest of them in front; then those above, the lowest in front. */
function nearness(a: string, b: string, name: string): number {
  const isBelow = (candidate: string): boolean => compareVersionNames(candidate, name) < 0
  if (isBelow(a) !== isBelow(b)) return isBelow(a) ? -1 : 1
  return isBelow(a) ? compareVersionNames(b, a) : compareVersionNames(a, b)
}
