import type { Compute } from '../compute/compute.ts'
import type { DbOrTx } from '../db/tables.ts'
import { isVaultInUse } from '../gallery/replica.rows.ts'
import { listResourcesOfType } from '../resources/resource.rows.ts'
import type { Resource } from '../resources/resource.ts'
import { vaultOf } from '../store/vault.ts'

/** What a disk encryption set encrypts, as a message names it: its key must stay as long as there is any. */
export async function findKeyUser(
  db: DbOrTx,
  set: Resource,
  vault: string,
  compute: Pick<Compute, 'liveRoots'> | undefined,
): Promise<string | undefined> {
  const quoted = JSON.stringify(set.key)
  for (const version of await listResourcesOfType(db, 'Microsoft.Compute/galleries/images/versions'))
    if (JSON.stringify(version.properties).toLowerCase().includes(quoted)) return `the image version '${version.id}'`
  if (await isVaultInUse(db, vault)) return 'an image version in a recycle bin'
  const roots = (await compute?.liveRoots()) ?? []
  const isUsed = roots.some(({ storageClass }) => vaultOf(storageClass) === vault)
  return isUsed ? 'disks, machines or images that were made of what it encrypts' : undefined
}
