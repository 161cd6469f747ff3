import type { Compute } from '../compute/compute.ts'
import type { Db, DbOrTx } from '../db/tables.ts'
import { isVaultInUse } from '../gallery/replica.rows.ts'
import type { DataKeys } from '../keys/data-keys.ts'
import type { KeyDependencies } from '../keys/disk-encryption-sets.ts'
import { listResourcesOfType } from '../resources/resource.rows.ts'
import type { Resource } from '../resources/resource.ts'
import { vaultOf } from '../store/vault.ts'

type Machines = Pick<Compute, 'liveRoots'>

/** What disk encryption sets stand on. */
export function keyDependencies(
  db: Db,
  dataKeys: DataKeys,
  keyVaults: readonly string[],
  compute: Machines,
): KeyDependencies {
  return { db, dataKeys, keyVaults, findUser: (from, set, vault) => findKeyUser(from, set, vault, compute) }
}

/** What names the sets that encrypt it, before there are bytes. */
const users = [
  ['Microsoft.Compute/galleries/images/versions', 'image version'],
  ['Microsoft.Compute/disks', 'disk'],
  ['Microsoft.Compute/snapshots', 'snapshot'],
  ['Microsoft.Compute/images', 'image'],
] as const

/** What a disk encryption set encrypts, as a message names it: its key must stay as long as there is any. */
async function findKeyUser(db: DbOrTx, set: Resource, vault: string, compute: Machines): Promise<string | undefined> {
  const quoted = JSON.stringify(set.key)
  for (const [type, what] of users)
    for (const { id, properties } of await listResourcesOfType(db, type))
      if (JSON.stringify(properties).toLowerCase().includes(quoted)) return `the ${what} '${id}'`
  if (await isVaultInUse(db, vault)) return 'an image version in a recycle bin'
  const isUsed = (await compute.liveRoots()).some(({ storageClass }) => vaultOf(storageClass) === vault)
  return isUsed ? 'disks, machines or images that were made of what it encrypts' : undefined
}
