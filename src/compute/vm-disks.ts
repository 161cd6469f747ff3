import { findArmId } from '../base/arm-id.ts'
import { formatArmTime } from '../base/clock.ts'
import { isJsonObject, type Json, type JsonObject } from '../base/json.ts'
import { randomUuid } from '../base/random.ts'
import { GiB } from '../base/units.ts'
import type { Tx } from '../db/tables.ts'
import { holdEncryptionSets } from '../gallery/encryption-rules.ts'
import type { Change, RequestContext } from '../resources/behaviour.ts'
import { findResource, insertResource, lockResource } from '../resources/resource.rows.ts'
import type { Resource } from '../resources/resource.ts'
import { diskType, factsMember } from './dependencies.ts'
import { encryptedWith } from './disk-encryption.ts'
import { diskProperties, findDiskFacts, formatDiskFacts, type DiskFacts } from './disk-facts.ts'
import { deleteRow, editForeignRow } from './facts.rows.ts'
import { computeProblems } from './problems.ts'
import { getVmFacts, type VmDiskFacts } from './vm-facts.ts'
import { namedSet, vmProperties, type DataDisk } from './vm-properties.ts'

/**
 * The disk resources of a machine. A disk that is attached is what rests under the machine's overlay and the overlay:
 * `bytes` of its row is what it was when it was attached or last captured. The rows of a machine's disks are written in
 * the machine's own transactions.
 */

/** The id of a disk that a machine brings with it: it lies in the machine's resource group. */
export function vmDiskId(vmId: string, diskName: string): string {
  const id = findArmId(vmId)
  return `/subscriptions/${id?.subscriptionId}/resourceGroups/${id?.resourceGroup}/providers/${diskType}/${diskName}`
}

/** In the transaction that writes a machine: disks it brings are made, existing ones become its own. */
export async function claimDisks(tx: Tx, change: Change, context: RequestContext): Promise<void> {
  const { after, before, id } = change
  const facts = getVmFacts({ ...after, id: id.id })
  const had = new Set(before ? getVmFacts(before).disks.map(({ diskKey }) => diskKey) : [])
  const vm = { id: before?.id ?? id.id, key: id.key }
  for (const disk of facts.disks) {
    if (disk.diskKey === undefined || had.has(disk.diskKey)) continue
    const shown = shownDisk(after, disk.lun)
    if (shown?.createOption === 'Attach') await attachDisk(tx, disk, vm)
    else {
      const setId = namedSet(shown)
      if (setId !== undefined) await holdEncryptionSets(tx, [setId], 'managedDisk.diskEncryptionSet.id')
      await createDisk(tx, disk, { change, context, shown, vm })
    }
  }
}

interface VmName {
  readonly id: string
  readonly key: string
}

async function attachDisk(tx: Tx, disk: VmDiskFacts, vm: VmName): Promise<void> {
  const key = disk.diskKey ?? ''
  const row = await lockResource(tx, key)
  if (!row || row.provisioningState === 'Deleting') throw computeProblems.DiskSourceNotFound({ id: key })
  checkFree(row, vm.id)
  await editForeignRow(tx, key, (now) => ({
    envelope: {
      ...now.envelope,
      managedBy: vm.id,
      [factsMember]: formatDiskFacts({ ...findDiskFacts(now), attached: { vmKey: vm.key, lun: disk.lun } }),
    },
  }))
}

/** Throws Azure's texts where a disk cannot be attached: it has an owner, or work goes on with it. */
export function checkFree(disk: Resource, vmId: string): void {
  const { attached } = findDiskFacts(disk)
  const owner = disk.envelope['managedBy']
  if (attached && attached.vmKey !== vmId.toLowerCase())
    throw computeProblems.DiskHasOwner({ disk: disk.id, owner: typeof owner === 'string' ? owner : attached.vmKey })
  if (disk.operationId !== undefined || disk.provisioningState !== 'Succeeded')
    throw computeProblems.DiskNotReady({
      name: disk.name,
      state: disk.provisioningState,
      needed: 'Wait until the operation on it has ended, then attach it.',
    })
}

interface Making {
  readonly change: Change
  readonly context: RequestContext
  readonly shown: ShownDisk | undefined
  readonly vm: VmName
}

async function createDisk(tx: Tx, disk: VmDiskFacts, { change, context, shown, vm }: Making): Promise<void> {
  const id = vmDiskId(vm.id, shown?.name ?? '')
  const { nowMs, caller } = context
  const { base, virtualSizeBytes } = disk
  const { plan } = change.after.envelope
  const facts: DiskFacts = {
    grants: [],
    attached: { vmKey: vm.key, lun: disk.lun },
    ...(base ? { bytes: { ...base, virtualSizeBytes } } : {}),
    vault: disk.vault,
  }
  const group = id.toLowerCase().split('/').slice(0, 5).join('/')
  const made = await insertResource(tx, {
    key: id.toLowerCase(),
    id,
    type: diskType,
    name: shown?.name ?? '',
    parentKey: group,
    subscriptionId: group.split('/')[2] ?? '',
    resourceGroupKey: group,
    location: change.after.location,
    tags: change.after.tags,
    properties: {
      ...(disk.lun === 'os'
        ? { osType: shown?.osType ?? 'Linux', hyperVGeneration: getVmFacts({ ...change.after, id }).generation }
        : {}),
      ...(disk.lun === 'os' && isJsonObject(plan) ? { purchasePlan: plan } : {}),
      creationData: creationOf(change, disk),
      diskSizeGB: Math.ceil(virtualSizeBytes / GiB),
      diskSizeBytes: virtualSizeBytes,
      timeCreated: formatArmTime(nowMs),
      uniqueId: randomUuid(),
      diskState: 'Attached',
      encryption: encryptedWith(namedSet(shown)),
      networkAccessPolicy: 'AllowAll',
      publicNetworkAccess: 'Enabled',
    },
    envelope: {
      sku: { name: shown?.managedDisk?.storageAccountType ?? 'Standard_LRS' },
      ...(change.after.envelope['zones'] === undefined ? {} : { zones: change.after.envelope['zones'] }),
      managedBy: vm.id,
      [factsMember]: formatDiskFacts(facts),
    },
    provisioningState: 'Succeeded',
    etag: randomUuid(),
    createdMs: nowMs,
    changedMs: nowMs,
    createdBy: caller.objectId,
    changedBy: caller.objectId,
    operationId: undefined,
  })
  if (!made) throw computeProblems.DiskExists({ name: shown?.name ?? '', group: findArmId(id)?.resourceGroup ?? '' })
}

function creationOf({ after }: Change, { lun, base }: VmDiskFacts): JsonObject {
  if (!base) return { createOption: 'Empty' }
  const id = vmProperties(after).storageProfile?.imageReference?.id
  const reference: Json = { ...(id === undefined ? {} : { id }), ...(lun === 'os' ? {} : { lun }) }
  return { createOption: 'FromImage', imageReference: reference }
}

export type ShownDisk = Partial<DataDisk> & { readonly osType?: string }

/** What a machine says of one of its disks. */
export function shownDisk(vm: Pick<Resource, 'properties'>, lun: 'os' | number): ShownDisk | undefined {
  const profile = vmProperties(vm).storageProfile
  return lun === 'os' ? profile?.osDisk : profile?.dataDisks?.find((disk) => disk.lun === lun)
}

/** A disk's own life goes on: `bytes` is what it holds now. */
export async function releaseDisk(tx: Tx, disk: VmDiskFacts, bytes: DiskFacts['bytes']): Promise<void> {
  if (disk.diskKey === undefined) return
  await editForeignRow(tx, disk.diskKey, (row) => {
    const { attached: _gone, ...facts } = findDiskFacts(row)
    const { managedBy: _owner, ...envelope } = row.envelope
    return {
      properties: { ...row.properties, diskState: 'Unattached' },
      envelope: { ...envelope, [factsMember]: formatDiskFacts({ ...facts, ...(bytes ? { bytes } : {}) }) },
    }
  })
}

/** A machine that went takes the disks along that were marked so (`deleteOption`). */
export async function deleteOwnedDisks(tx: Tx, vm: Resource): Promise<void> {
  for (const { diskKey, lun } of getVmFacts(vm).disks)
    if (diskKey !== undefined && goesWithMachine(vm, lun)) {
      const row = await findResource(tx, diskKey)
      if (row && findDiskFacts(row).attached?.vmKey === vm.key) await deleteRow(tx, diskKey)
    }
}

export function goesWithMachine(vm: Pick<Resource, 'properties'>, lun: 'os' | number): boolean {
  return shownDisk(vm, lun)?.deleteOption === 'Delete'
}

/** `Attached`, or `Reserved` while its machine is deallocated; otherwise undefined. */
export async function attachedState(
  disk: Resource,
  find: (key: string) => Promise<Resource | undefined>,
): Promise<'Attached' | 'Reserved' | undefined> {
  const { attached } = findDiskFacts(disk)
  if (!attached) return undefined
  const vm = await find(attached.vmKey)
  return vm && getVmFacts(vm).power === 'deallocated' ? 'Reserved' : 'Attached'
}

/** Size and place of a disk that is to be attached. */
export function attachableFacts(disk: Resource): Pick<VmDiskFacts, 'base' | 'virtualSizeBytes'> {
  const { bytes } = findDiskFacts(disk)
  if (!bytes)
    throw computeProblems.DiskNotReady({
      name: disk.name,
      state: diskProperties(disk).diskState ?? disk.provisioningState,
      needed:
        'It has no bytes yet: upload them (beginGetAccess with Write, PUT the VHD, endGetAccess), then attach it.',
    })
  const { virtualSizeBytes, ...base } = bytes
  return { base, virtualSizeBytes }
}
