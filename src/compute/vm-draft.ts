import { findArmId } from '../base/arm-id.ts'
import { formatArmTime } from '../base/clock.ts'
import { randomUuid } from '../base/random.ts'
import { GiB } from '../base/units.ts'
import { diskNameRule } from '../contract/names.ts'
import type { ImageReference, ResolvedDisk, ResolvedImage } from '../gallery/resolve-image.ts'
import type { Change, RequestContext } from '../resources/behaviour.ts'
import { findResource } from '../resources/resource.rows.ts'
import type { Draft, Resource } from '../resources/resource.ts'
import { diskType, factsMember, type ComputeDependencies } from './dependencies.ts'
import { diskProperties } from './disk-facts.ts'
import { namesImage } from './image-reference.ts'
import { placeOf } from './place.ts'
import { computeProblems } from './problems.ts'
import { takeSecrets, type Provision } from './seed.ts'
import { attachableFacts, checkFree, vmDiskId } from './vm-disks.ts'
import { withVaults } from './vm-encryption.ts'
import { formatVmFacts, getVmFacts, type VmDiskFacts, type VmFacts } from './vm-facts.ts'
import { vmProperties, type DataDisk, type StorageProfile } from './vm-properties.ts'
import { checkOsProfile, checkPlan, checkVmSecurity } from './vm-rules.ts'

export type VmDraftDependencies = Pick<ComputeDependencies, 'db' | 'resolveImage'>

/**
 * Completes a machine: a new one gets its image resolved (once and for all), its disks planned and its id; of an
 * existing one the facts are taken over, whatever the request said, and data disks come and go. Throws Azure's texts
 * (behaviour.md A2, D).
 */
export async function prepareVm(change: Change, context: RequestContext, deps: VmDraftDependencies): Promise<Draft> {
  checkVmSecurity(change.after)
  const { draft: after, provision } = takeSecrets(change.after)
  return change.before
    ? updateVm(change.before, change, after, context, deps)
    : createVm(change, after, provision, context, deps)
}

async function createVm(
  change: Change,
  after: Draft,
  provision: Provision,
  context: RequestContext,
  deps: VmDraftDependencies,
): Promise<Draft> {
  const properties = vmProperties(after)
  const profile = properties.storageProfile ?? {}
  const { image, os } = await originOf(profile, { change, after, context, deps })
  checkOsProfile(image, properties)
  checkPlan(change.id.id, image.plan, after.envelope['plan'])
  const vmId = randomUuid()
  const planned = [...os, ...planDisks(change.id.name, image, profile)]
  const attached = await planAttached(profile.dataDisks ?? [], change, after, context, deps)
  const named = nameDisks(change.id.name, vmId, image, profile, [...planned, ...attached])
  const all = [...planned, ...attached].map((disk): VmDiskFacts => {
    if (disk.diskKey !== undefined) return disk
    const { name } = (disk.lun === 'os' ? named.osDisk : named.dataDisks.find(({ lun }) => lun === disk.lun)) ?? {}
    return { ...disk, diskKey: newDiskId(change.id.id, name).toLowerCase() }
  })
  const disks = await withVaults(all, { id: change.id, after }, context, deps)
  const facts: VmFacts = {
    vmId,
    power: 'running',
    generation: image.hyperVGeneration === 'V2' ? 'V2' : 'V1',
    isGeneralized: false,
    disks,
    provision,
  }
  return {
    ...after,
    properties: {
      ...after.properties,
      vmId,
      timeCreated: formatArmTime(context.nowMs),
      storageProfile: {
        ...profile,
        ...describeImage(profile, image),
        osDisk: withId(change.id.id, named.osDisk),
        dataDisks: named.dataDisks.map((disk) => withId(change.id.id, disk)),
      },
    },
    envelope: { ...after.envelope, [factsMember]: formatVmFacts(facts) },
  }
}

/** The id of a disk that comes with the machine; its name must be one that a disk may have. */
function newDiskId(vmId: string, name: string | undefined): string {
  const problem = diskNameRule.check(name ?? '')
  if (problem) throw problem
  return vmDiskId(vmId, name ?? '')
}

/** Every disk of a machine is a resource of its own: clients read `managedDisk.id` (packer ends without). */
function withId<D extends Pick<DataDisk, 'name' | 'createOption' | 'managedDisk'>>(vmId: string, disk: D): D {
  if (disk.createOption === 'Attach') return disk
  const managedDisk = { storageAccountType: 'Standard_LRS', ...disk.managedDisk, id: newDiskId(vmId, disk.name) }
  return { ...disk, managedDisk }
}

async function updateVm(
  before: Resource,
  change: Change,
  after: Draft,
  context: RequestContext,
  deps: VmDraftDependencies,
): Promise<Draft> {
  const facts = getVmFacts(before)
  const wanted = vmProperties(after).storageProfile?.dataDisks ?? []
  const leaving = facts.disks.filter(({ lun }) => lun !== 'os' && !wanted.some((disk) => disk.lun === lun))
  const coming = wanted.filter(({ lun }) => !facts.disks.some((disk) => disk.lun === lun))
  const old = leaving.find(({ diskKey }) => diskKey === undefined)
  if (old)
    throw computeProblems.VmUnsupported(
      {
        what: `Detaching disk ${old.lun} of a virtual machine that an older release created`,
        instead: 'Publish the machine as an image version and create a new one.',
      },
      { target: 'dataDisks' },
    )
  const attached = await planAttached(coming, change, after, context, deps)
  const empty = coming.filter(({ createOption }) => createOption !== 'Attach').map((disk) => emptyDisk(disk))
  const vmId = before.id
  const described = coming.map((disk) => withId(vmId, describeNewDisk(change.id.name, facts.vmId, disk, attached)))
  const named = [...attached, ...empty].map((disk): VmDiskFacts => {
    const name = described.find(({ lun }) => lun === disk.lun)?.name
    return { ...disk, diskKey: disk.diskKey ?? newDiskId(vmId, name).toLowerCase(), overlay: randomUuid() }
  })
  const added = await withVaults(named, { id: change.id, after }, context, deps)
  // A failed creation is tried again by the same PUT.
  const power = before.provisioningState === 'Failed' && !facts.hasRun ? 'running' : facts.power
  const disks = [...facts.disks.filter((disk) => !leaving.includes(disk)), ...added]
  const next: VmFacts = { ...facts, power, disks, leaving: [...(facts.leaving ?? []), ...leaving] }
  const { storageProfile } = vmProperties(after)
  const dataDisks = wanted.map((disk) => described.find(({ lun }) => lun === disk.lun) ?? disk)
  return {
    ...after,
    ...(coming.length === 0
      ? {}
      : { properties: { ...after.properties, storageProfile: { ...storageProfile, dataDisks } } }),
    envelope: { ...after.envelope, [factsMember]: formatVmFacts(next) },
  }
}

/** Whether an update brings or takes disks: then there is work to do. */
export function changesDisks(before: Resource, after: Draft): boolean {
  const keys = (vm: Pick<Resource, 'envelope' | 'id'>): string =>
    JSON.stringify(getVmFacts(vm).disks.map(({ diskKey, lun }) => [diskKey, lun]))
  return keys(before) !== keys({ ...after, id: before.id }) || (getVmFacts(before).leaving ?? []).length > 0
}

/** Existing disks that a machine takes as its own; the transaction checks again that they are free. */
async function planAttached(
  wanted: readonly DataDisk[],
  change: Change,
  after: Draft,
  context: RequestContext,
  deps: VmDraftDependencies,
): Promise<VmDiskFacts[]> {
  const found: VmDiskFacts[] = []
  for (const { lun, createOption, managedDisk } of wanted)
    if (createOption === 'Attach') {
      const disk = await findAttachable(managedDisk?.id, 'dataDisks', { change, after, context, deps })
      found.push({ lun, ...attachableFacts(disk), diskKey: disk.key, overlay: randomUuid() })
    }
  if (new Set(found.map(({ diskKey }) => diskKey)).size < found.length)
    throw computeProblems.InvalidParameterValue(
      {
        parameter: 'dataDisk.managedDisk.id',
        reason: 'A disk can be attached once. Give every LUN a disk of its own.',
      },
      { target: 'dataDisks' },
    )
  return found
}

interface Attaching {
  readonly change: Change
  readonly after: Draft
  readonly context: RequestContext
  readonly deps: VmDraftDependencies
}

async function findAttachable(
  id: string | undefined,
  target: string,
  { change, after, context, deps }: Attaching,
): Promise<Resource> {
  const parameter = `${target === 'dataDisks' ? 'dataDisk' : 'osDisk'}.managedDisk.id`
  if (id === undefined) throw computeProblems.RequiredParameterMissing({ parameter }, { target })
  if (findArmId(id)?.type.toLowerCase() !== diskType.toLowerCase())
    throw computeProblems.InvalidParameterValue({ parameter, reason: 'Give the id of a managed disk.' }, { target })
  await context.authorize(`${diskType}/write`, id)
  const disk = await findResource(deps.db, id.toLowerCase())
  if (!disk || disk.provisioningState === 'Deleting') throw computeProblems.DiskSourceNotFound({ id }, { target })
  if (disk.location !== after.location)
    throw computeProblems.InvalidParameterValue(
      { parameter, reason: `The disk is in '${disk.location}', the virtual machine in '${after.location}'.` },
      { target },
    )
  checkFree(disk, change.id.key)
  return disk
}

/** What the machine's OS disk is made of: an image, or a disk that exists and keeps its state. */
async function originOf(
  profile: StorageProfile,
  attaching: Attaching,
): Promise<{ readonly image: ResolvedImage; readonly os: readonly VmDiskFacts[] }> {
  const { change, after, context, deps } = attaching
  const consumer = { subscriptionId: change.id.subscriptionId, location: placeOf(after) }
  const createOption = profile.osDisk?.createOption ?? 'FromImage'
  switch (createOption) {
    case 'FromImage':
      return { image: await deps.resolveImage(imageOf(profile), consumer, context), os: [] }
    case 'Attach':
      return attachedOs(profile, attaching)
    default:
      throw computeProblems.VmUnsupported(
        {
          what: `An OS disk with createOption '${createOption}'`,
          instead: "Use createOption 'FromImage' with imageReference.id, or 'Attach' with managedDisk.id.",
        },
        { target: 'osDisk.createOption' },
      )
  }
}

/** An OS disk that exists is a specialised one: it has its users and its name. */
async function attachedOs(
  profile: StorageProfile,
  attaching: Attaching,
): Promise<{ readonly image: ResolvedImage; readonly os: readonly VmDiskFacts[] }> {
  if (profile.imageReference !== undefined && Object.keys(profile.imageReference).length > 0)
    throw computeProblems.ParameterNotAllowed({ parameter: 'imageReference' }, { target: 'imageReference' })
  const disk = await findAttachable(profile.osDisk?.managedDisk?.id, 'osDisk', attaching)
  const { osType, hyperVGeneration, purchasePlan } = diskProperties(disk)
  const wanted = profile.osDisk?.osType ?? osType
  if (wanted === undefined)
    throw computeProblems.RequiredParameterMissing({ parameter: 'osDisk.osType' }, { target: 'osDisk.osType' })
  const image: ResolvedImage = {
    versionId: '',
    osState: 'Specialized',
    osType: wanted,
    hyperVGeneration: hyperVGeneration ?? 'V1',
    plan: purchasePlan,
    disks: [],
  }
  return { image, os: [{ lun: 'os', ...attachableFacts(disk), diskKey: disk.key }] }
}

function imageOf(profile: StorageProfile): ImageReference {
  const reference = profile.imageReference
  if (namesImage(reference)) return reference
  if (reference === undefined || Object.keys(reference).length === 0)
    throw computeProblems.RequiredParameterMissing({ parameter: 'imageReference' }, { target: 'imageReference' })
  throw computeProblems.VmUnsupported(
    {
      what: 'A marketplace image (an imageReference without id)',
      instead:
        'Give the id of a gallery image definition or version as imageReference.id, or as sharedGalleryImageId or communityGalleryImageId.',
    },
    { target: 'imageReference' },
  )
}

/** The OS disk, the image's data disks, then empty ones that the request adds. */
function planDisks(name: string, image: ResolvedImage, profile: StorageProfile): VmDiskFacts[] {
  const disks = image.disks.map((disk): VmDiskFacts => {
    const asked =
      disk.lun === 'os'
        ? profile.osDisk?.diskSizeGB
        : profile.dataDisks?.find((wanted) => wanted.lun === disk.lun)?.diskSizeGB
    const { region, storageClass, root } = disk
    const base = { region, storageClass, root }
    return { lun: disk.lun, virtualSizeBytes: sizeOf(name, disk, asked), base }
  })
  for (const wanted of profile.dataDisks ?? []) {
    const inImage = image.disks.some((disk) => disk.lun === wanted.lun)
    if (wanted.createOption === 'Attach' && !inImage) continue
    if (wanted.createOption === 'Empty' && !inImage) disks.push(emptyDisk(wanted))
    else if (wanted.createOption !== 'FromImage' || !inImage) throw badDataDisk(wanted, inImage)
  }
  return disks
}

function sizeOf(name: string, disk: ResolvedDisk, askedGB: number | undefined): number {
  const neededGB = Math.ceil(disk.virtualSizeBytes / GiB)
  if (askedGB === undefined || askedGB === neededGB) return disk.virtualSizeBytes
  if (askedGB < neededGB)
    throw computeProblems.DiskSizeTooSmall(
      { name, askedGB, neededGB },
      { target: disk.lun === 'os' ? 'osDisk.diskSizeGB' : 'dataDisks' },
    )
  return askedGB * GiB
}

function emptyDisk(wanted: DataDisk): VmDiskFacts {
  if (wanted.createOption !== 'Empty') throw badDataDisk(wanted, false)
  if (wanted.diskSizeGB === undefined)
    throw computeProblems.RequiredParameterMissing({ parameter: 'dataDisk.diskSizeGB' }, { target: 'dataDisks' })
  return { lun: wanted.lun, virtualSizeBytes: wanted.diskSizeGB * GiB, base: undefined }
}

function badDataDisk(wanted: DataDisk, inImage: boolean): Error {
  const { createOption, lun } = wanted
  const target = { target: 'dataDisks' }
  if (createOption === 'Empty' || createOption === 'FromImage' || createOption === 'Attach') {
    const reason = inImage
      ? `The image has a data disk at LUN ${lun}: use createOption 'FromImage' there, or another LUN.`
      : `The image has no data disk at LUN ${lun}: use createOption 'Empty' there, or a LUN of the image.`
    return computeProblems.InvalidParameterValue({ parameter: 'dataDisk.createOption', reason }, target)
  }
  const what = `A data disk with createOption '${createOption}'`
  return computeProblems.VmUnsupported({ what, instead: "Use 'FromImage', 'Empty' or 'Attach'." }, target)
}

/** The version that was chosen; the reference stays as written. */
function describeImage(profile: StorageProfile, image: ResolvedImage): Partial<StorageProfile> {
  const { imageReference } = profile
  if (image.versionId === '') return {}
  const isVersion = /\/versions\/[^/]+$/i.test(image.versionId)
  const exactVersion = image.versionId.split('/').at(-1) ?? ''
  return { imageReference: { ...imageReference, ...(isVersion ? { exactVersion } : {}) } }
}

/** What Azure adds to the disks of a machine: names, sizes, caching. */
function nameDisks(
  name: string,
  vmId: string,
  image: ResolvedImage,
  profile: StorageProfile,
  disks: readonly VmDiskFacts[],
) {
  const dataDisks = disks.flatMap((disk): DataDisk[] => {
    if (disk.lun === 'os') return []
    const given = profile.dataDisks?.find((wanted) => wanted.lun === disk.lun)
    const createOption = given?.createOption ?? (disk.base ? 'FromImage' : 'Empty')
    const caching = image.disks.find(({ lun }) => lun === disk.lun)?.caching
    return [
      {
        ...describeNewDisk(
          name,
          vmId,
          { ...(caching ? { caching } : {}), ...given, lun: disk.lun, createOption },
          disks,
        ),
        diskSizeGB: Math.ceil(disk.virtualSizeBytes / GiB),
      },
    ]
  })
  const os = disks.find((disk) => disk.lun === 'os')
  const ownName =
    profile.osDisk?.createOption === 'Attach' ? profile.osDisk.managedDisk?.id?.split('/').at(-1) : undefined
  const osDisk = {
    name: ownName ?? `${name}_OsDisk_1_${vmId.replaceAll('-', '')}`,
    caching: 'ReadWrite' as const,
    deleteOption: 'Detach' as const,
    createOption: 'FromImage' as const,
    ...profile.osDisk,
    osType: image.osType,
    diskSizeGB: Math.ceil((os?.virtualSizeBytes ?? 0) / GiB),
  }
  return { osDisk, dataDisks }
}

/** An attached disk is called as it is called; one that comes with the machine as the client says, or as Azure would. */
function describeNewDisk(name: string, vmId: string, given: DataDisk, disks: readonly VmDiskFacts[]): DataDisk {
  const facts = disks.find(({ lun }) => lun === given.lun)
  const isAttached = given.createOption === 'Attach'
  const ownName = isAttached ? given.managedDisk?.id?.split('/').at(-1) : undefined
  return {
    name: `${name}_disk${given.lun + 2}_${vmId.replaceAll('-', '')}`,
    caching: 'None',
    deleteOption: 'Detach',
    ...given,
    ...(ownName === undefined ? {} : { name: ownName }),
    ...(isAttached && facts ? { diskSizeGB: Math.ceil(facts.virtualSizeBytes / GiB) } : {}),
  }
}
