import { formatArmTime } from '../base/clock.ts'
import { isJsonObject } from '../base/json.ts'
import { randomUuid } from '../base/random.ts'
import { GiB } from '../base/units.ts'
import type { VirtualMachineProperties } from '../contract/virtual-machines.ts'
import type { ResolvedDisk, ResolvedImage } from '../gallery/resolve-image.ts'
import type { Change, RequestContext } from '../resources/behaviour.ts'
import type { Draft, Resource } from '../resources/resource.ts'
import { factsMember, type ComputeDependencies } from './dependencies.ts'
import { computeProblems } from './problems.ts'
import { formatVmFacts, getVmFacts, type VmDiskFacts, type VmFacts } from './vm-facts.ts'

type StorageProfile = NonNullable<VirtualMachineProperties['storageProfile']>
type DataDisk = NonNullable<StorageProfile['dataDisks']>[number]

/** The row's JSON in the shape that the contract has checked. */
export function vmProperties(vm: Pick<Draft, 'properties'>): VirtualMachineProperties {
  return vm.properties
}

/**
 * Completes a machine: a new one gets its image resolved (once and for all), its disks planned and its id; of an
 * existing one the facts are taken over, whatever the request said. Throws Azure's texts (behaviour.md A2, D).
 */
export async function prepareVm(
  change: Change,
  context: RequestContext,
  deps: Pick<ComputeDependencies, 'resolveImage'>,
): Promise<Draft> {
  const after = withoutSecrets(change.after)
  return change.before ? updateVm(change.before, after) : createVm(change, after, context, deps)
}

async function createVm(
  change: Change,
  after: Draft,
  context: RequestContext,
  deps: Pick<ComputeDependencies, 'resolveImage'>,
): Promise<Draft> {
  const properties = vmProperties(after)
  const profile = properties.storageProfile ?? {}
  const image = await deps.resolveImage(imageIdOf(profile), after.location, context)
  checkOsProfile(image, properties)
  const vmId = randomUuid()
  const name = change.id.name
  const disks = planDisks(name, image, profile)
  const facts: VmFacts = {
    vmId,
    power: 'running',
    generation: image.hyperVGeneration === 'V2' ? 'V2' : 'V1',
    isGeneralized: false,
    disks,
  }
  return {
    ...after,
    properties: {
      ...after.properties,
      vmId,
      timeCreated: formatArmTime(context.nowMs),
      storageProfile: { ...profile, ...describeDisks(name, vmId, image, profile, disks) },
    },
    envelope: { ...after.envelope, [factsMember]: formatVmFacts(facts) },
  }
}

function updateVm(before: Resource, after: Draft): Draft {
  const facts = getVmFacts(before)
  const wanted = (vmProperties(after).storageProfile?.dataDisks ?? []).map((disk) => disk.lun)
  const had = facts.disks.flatMap(({ lun }) => (lun === 'os' ? [] : [lun]))
  if (wanted.length !== had.length || !wanted.every((lun) => had.includes(lun)))
    throw computeProblems.VmUnsupported(
      { what: 'Attaching or detaching data disks', instead: 'Create the virtual machine with its data disks.' },
      { target: 'dataDisks' },
    )
  // A failed creation is tried again by the same PUT.
  const power = before.provisioningState === 'Failed' ? 'running' : facts.power
  return { ...after, envelope: { ...after.envelope, [factsMember]: formatVmFacts({ ...facts, power }) } }
}

/** They are not handed to the guest yet, so they are not kept either. */
function withoutSecrets(draft: Draft): Draft {
  const { osProfile } = draft.properties
  if (!isJsonObject(osProfile)) return draft
  const { adminPassword: _password, customData: _data, secrets: _secrets, ...rest } = osProfile
  return { ...draft, properties: { ...draft.properties, osProfile: rest } }
}

function imageIdOf(profile: StorageProfile): string {
  const createOption = profile.osDisk?.createOption ?? 'FromImage'
  if (createOption !== 'FromImage')
    throw computeProblems.VmUnsupported(
      {
        what: `An OS disk with createOption '${createOption}'`,
        instead: "Use createOption 'FromImage' with imageReference.id of a gallery image.",
      },
      { target: 'osDisk.createOption' },
    )
  const reference = profile.imageReference
  if (reference?.id !== undefined) return reference.id
  if (reference === undefined || Object.keys(reference).length === 0)
    throw computeProblems.RequiredParameterMissing({ parameter: 'imageReference' }, { target: 'imageReference' })
  throw computeProblems.VmUnsupported(
    {
      what: 'An imageReference without id (marketplace, shared or community image)',
      instead: 'Give the id of a gallery image definition or version as imageReference.id.',
    },
    { target: 'imageReference' },
  )
}

/** Generalised images need an osProfile, specialised ones must not have one (behaviour.md D). */
function checkOsProfile(image: ResolvedImage, properties: VirtualMachineProperties): void {
  const parameter = 'osProfile'
  const isGiven = properties.osProfile !== undefined
  if (image.osState === 'Generalized' && !isGiven)
    throw computeProblems.RequiredParameterMissing({ parameter }, { target: parameter })
  if (image.osState === 'Specialized' && isGiven)
    throw computeProblems.ParameterNotAllowed({ parameter }, { target: parameter })
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
  if (wanted.diskSizeGB === undefined)
    throw computeProblems.RequiredParameterMissing({ parameter: 'dataDisk.diskSizeGB' }, { target: 'dataDisks' })
  return { lun: wanted.lun, virtualSizeBytes: wanted.diskSizeGB * GiB, base: undefined }
}

function badDataDisk(wanted: DataDisk, inImage: boolean): Error {
  const { createOption, lun } = wanted
  const target = { target: 'dataDisks' }
  if (createOption === 'Empty' || createOption === 'FromImage') {
    const reason = inImage
      ? `The image has a data disk at LUN ${lun}: use createOption 'FromImage' there, or another LUN.`
      : `The image has no data disk at LUN ${lun}: use createOption 'Empty' there, or a LUN of the image.`
    return computeProblems.InvalidParameterValue({ parameter: 'dataDisk.createOption', reason }, target)
  }
  const what = `A data disk with createOption '${createOption}'`
  return computeProblems.VmUnsupported({ what, instead: "Use 'FromImage' or 'Empty'." }, target)
}

/** What Azure adds to the storage profile: names, sizes, the version that was chosen. The reference stays as written. */
function describeDisks(
  name: string,
  vmId: string,
  image: ResolvedImage,
  profile: StorageProfile,
  disks: readonly VmDiskFacts[],
): Partial<StorageProfile> {
  const tag = vmId.replaceAll('-', '')
  const dataDisks = disks.flatMap((disk): DataDisk[] => {
    if (disk.lun === 'os') return []
    const given = profile.dataDisks?.find((wanted) => wanted.lun === disk.lun)
    return [
      {
        name: `${name}_disk${disk.lun + 2}_${tag}`,
        caching: 'None',
        managedDisk: { storageAccountType: 'Standard_LRS' },
        deleteOption: 'Delete',
        ...given,
        lun: disk.lun,
        createOption: disk.base ? 'FromImage' : 'Empty',
        diskSizeGB: Math.ceil(disk.virtualSizeBytes / GiB),
      },
    ]
  })
  const os = disks.find((disk) => disk.lun === 'os')
  return {
    imageReference: { ...profile.imageReference, exactVersion: image.versionId.split('/').at(-1) ?? '' },
    osDisk: {
      name: `${name}_OsDisk_1_${tag}`,
      caching: 'ReadWrite',
      managedDisk: { storageAccountType: 'Standard_LRS' },
      deleteOption: 'Delete',
      ...profile.osDisk,
      osType: image.osType,
      createOption: 'FromImage',
      diskSizeGB: Math.ceil((os?.virtualSizeBytes ?? 0) / GiB),
    },
    dataDisks,
  }
}
