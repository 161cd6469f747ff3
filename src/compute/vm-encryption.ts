import type { JsonObject } from '../base/json.ts'
import { admitEncryptionSet } from '../gallery/encryption-rules.ts'
import type { Change, RequestContext } from '../resources/behaviour.ts'
import { findResource } from '../resources/resource.rows.ts'
import { vaultOf } from '../store/vault.ts'
import type { StepContext } from '../work/workflow.ts'
import type { ComputeDependencies } from './dependencies.ts'
import { encryptionSetOf } from './disk-encryption.ts'
import { keepInVault } from './receive-disk.ts'
import { editDisk } from './disk-facts.ts'
import { computeProblems } from './problems.ts'
import { pinStored } from './capture-disk.ts'
import { shownDisk } from './vm-disks.ts'
import { editVmFacts, getVmFacts, type VmDiskFacts } from './vm-facts.ts'
import { namedSet } from './vm-properties.ts'

/**
 * The disk encryption sets that a machine names for disks which it brings: what lies under them rests in the sets'
 * vaults, and so does what is taken of them later. What the guest writes meanwhile does not (docs/adr/0006).
 */

/** Disks that come with a machine learn the vaults of the sets that it names for them. */
export async function withVaults(
  disks: readonly VmDiskFacts[],
  { id, after }: Pick<Change, 'id' | 'after'>,
  context: Pick<RequestContext, 'authorize'>,
  deps: Pick<ComputeDependencies, 'db'>,
): Promise<VmDiskFacts[]> {
  const known: VmDiskFacts[] = []
  for (const disk of disks) {
    const shown = shownDisk(after, disk.lun)
    const setId = namedSet(shown)
    if (setId === undefined) known.push(disk)
    else if (shown?.createOption === 'Attach') known.push(await checkAttached(disk, setId, deps))
    else {
      const parameter = `${disk.lun === 'os' ? 'osDisk' : 'dataDisk'}.managedDisk.diskEncryptionSet.id`
      const place = { subscriptionId: id.subscriptionId, region: after.location, user: 'disk' }
      const { vault } = await admitEncryptionSet({ setId, parameter, ...place }, context, deps.db)
      known.push({ ...disk, vault })
    }
  }
  return known
}

/** A disk that exists is encrypted as it is. */
async function checkAttached(
  disk: VmDiskFacts,
  setId: string,
  { db }: Pick<ComputeDependencies, 'db'>,
): Promise<VmDiskFacts> {
  const row = disk.diskKey === undefined ? undefined : await findResource(db, disk.diskKey)
  if (row && encryptionSetOf(row)?.toLowerCase() === setId.toLowerCase()) return disk
  throw computeProblems.InvalidParameterValue(
    {
      parameter: 'managedDisk.diskEncryptionSet.id',
      reason: 'The disk is not encrypted with it: update the disk first, or leave it out.',
    },
    { target: 'managedDisk.diskEncryptionSet.id' },
  )
}

/** What lies under a machine's disks comes into their vaults. May run twice. */
export async function encryptBases(step: StepContext<JsonObject>, deps: ComputeDependencies): Promise<void> {
  const vm = await findResource(deps.db, step.resourceKey)
  for (const disk of vm ? getVmFacts(vm).disks : []) {
    const { base, vault, lun, virtualSizeBytes, diskKey } = disk
    if (base === undefined || vault === undefined || vaultOf(base.storageClass) === vault) continue
    // What has gone is told by `prepareDisks`.
    if (!(await deps.stores.store(base.region, base.storageClass).has(base.root))) continue
    using held = await pinStored({ ...base, virtualSizeBytes }, deps)
    using own = await keepInVault(held, vault, step, deps)
    const { virtualSizeBytes: _whole, ...place } = own.bytes
    await deps.db.transaction().execute(async (tx) => {
      await editVmFacts(tx, step.resourceKey, (facts) => ({
        ...facts,
        disks: facts.disks.map((one) => (one.lun === lun ? { ...one, base: place } : one)),
      }))
      if (diskKey !== undefined)
        await editDisk(tx, diskKey, (facts) => ({ facts: { ...facts, bytes: { ...place, virtualSizeBytes } } }))
    })
  }
}
