import { findArmId } from '../base/arm-id.ts'
import { GiB } from '../base/units.ts'
import type { ImageProperties } from '../contract/images.ts'
import type { Tx } from '../db/tables.ts'
import { admitEncryptionSet, holdEncryptionSets } from '../gallery/encryption-rules.ts'
import type { ResolvedDisk, ResolvedImage } from '../gallery/resolve-image.ts'
import type { Behaviour, Change, RequestContext } from '../resources/behaviour.ts'
import { findResource, lockResource } from '../resources/resource.rows.ts'
import type { Draft, Resource } from '../resources/resource.ts'
import { factsMember, virtualMachineType, type ComputeDependencies } from './dependencies.ts'
import { findDiskType } from './disk-draft.ts'
import { diskProperties } from './disk-facts.ts'
import {
  findImageFacts,
  formatImageFacts,
  imagePropertiesOf,
  imageType,
  type ImageDiskFacts,
  type ImageFacts,
} from './image-facts.ts'
import { computeProblems } from './problems.ts'
import { getVmFacts } from './vm-facts.ts'
import { shownDisk } from './vm-disks.ts'
import { vmProperties } from './vm-properties.ts'

type Profile = NonNullable<ImageProperties['storageProfile']>
type OsDisk = NonNullable<Profile['osDisk']>
type DiskMember = Pick<OsDisk, 'snapshot' | 'managedDisk' | 'blobUri' | 'diskSizeGB' | 'diskEncryptionSet'>

/** What `images` mean: disks taken from a generalised machine, or one by one; 0 bytes are copied where a store has them. */
export function imagesBehaviour(deps: ComputeDependencies): Behaviour {
  return {
    type: imageType,
    prepare: (change, context) => prepareImage(change, context, deps),
    commit: (tx, change) => holdOrigins(tx, change),
    write: async ({ before }) =>
      before === undefined || before.provisioningState === 'Failed'
        ? { workflow: 'create-image', input: {} }
        : undefined,
    remove: async () => ({ workflow: 'delete-image', input: {} }),
  }
}

async function prepareImage(change: Change, context: RequestContext, deps: ComputeDependencies): Promise<Draft> {
  const { before, after } = change
  if (before) return withFacts(after, findImageFacts(before))
  const { sourceVirtualMachine, storageProfile } = imagePropertiesOf(after)
  const hasDisks = storageProfile?.osDisk !== undefined || (storageProfile?.dataDisks ?? []).length > 0
  if (sourceVirtualMachine?.id !== undefined) {
    if (hasDisks)
      throw computeProblems.InvalidParameterValue(
        {
          parameter: 'image.storageProfile',
          reason: 'Give either sourceVirtualMachine, or the disks in storageProfile, not both.',
        },
        { target: 'image.storageProfile' },
      )
    return fromMachine(sourceVirtualMachine.id, after, context, deps)
  }
  return fromDisks(storageProfile, change, context, deps)
}

function withFacts(draft: Draft, facts: ImageFacts): Draft {
  return { ...draft, envelope: { ...draft.envelope, [factsMember]: formatImageFacts(facts) } }
}

async function fromMachine(id: string, after: Draft, context: RequestContext, deps: ComputeDependencies) {
  const target = 'image.sourceVirtualMachine.id'
  if (findArmId(id)?.type.toLowerCase() !== virtualMachineType.toLowerCase())
    throw computeProblems.InvalidParameterValue(
      { parameter: target, reason: 'Give the id of a virtual machine.' },
      { target },
    )
  await context.authorize(`${virtualMachineType}/write`, id)
  const vm = await findResource(deps.db, id.toLowerCase())
  if (!vm || vm.provisioningState === 'Deleting' || vm.location !== after.location)
    throw computeProblems.ImageSourceNotFound({ id, location: after.location }, { target })
  const facts = getVmFacts(vm)
  if (!facts.isGeneralized) throw computeProblems.VmNotGeneralized({ name: vm.name }, { target })
  const disks = facts.disks.map(({ lun }): ImageDiskFacts => ({ lun, origin: { kind: 'machine' } }))
  const describe = (lun: 'os' | number) => {
    const { managedDisk, caching = 'None', diskSizeGB } = shownDisk(vm, lun) ?? {}
    return {
      ...(managedDisk?.id === undefined ? {} : { managedDisk: { id: managedDisk.id } }),
      caching,
      ...(diskSizeGB === undefined ? {} : { diskSizeGB }),
      storageAccountType: managedDisk?.storageAccountType ?? 'Standard_LRS',
    }
  }
  const { osType } = vmProperties(vm).storageProfile?.osDisk ?? {}
  const storageProfile = {
    zoneResilient: false,
    ...imagePropertiesOf(after).storageProfile,
    osDisk: { osType: osType ?? 'Linux', osState: 'Generalized', ...describe('os') },
    dataDisks: facts.disks.flatMap(({ lun }) => (lun === 'os' ? [] : [{ lun, ...describe(lun) }])),
  }
  return withFacts(
    { ...after, properties: { ...after.properties, storageProfile, hyperVGeneration: facts.generation } },
    { machineKey: vm.key, disks },
  )
}

async function fromDisks(
  profile: Profile | undefined,
  { after, id: { subscriptionId } }: Change,
  context: RequestContext,
  deps: ComputeDependencies,
): Promise<Draft> {
  const { osDisk, dataDisks = [] } = profile ?? {}
  if (!osDisk)
    throw computeProblems.RequiredParameterMissing(
      { parameter: 'image.storageProfile.osDisk' },
      { target: 'image.storageProfile.osDisk' },
    )
  const origins = { after, subscriptionId, context, deps }
  const os = await originOf(osDisk, 'image.storageProfile.osDisk', origins)
  const disks: ImageDiskFacts[] = [{ lun: 'os', ...os.facts }]
  for (const [index, disk] of dataDisks.entries()) {
    const { facts } = await originOf(disk, `image.storageProfile.dataDisks[${index}]`, origins)
    disks.push({ lun: disk.lun, ...facts })
  }
  const given = imagePropertiesOf(after).hyperVGeneration
  if (given !== undefined && os.hyperVGeneration !== undefined && given !== os.hyperVGeneration)
    throw computeProblems.InvalidParameterValue(
      {
        parameter: 'image.hyperVGeneration',
        reason: `The source of the OS disk is of generation ${os.hyperVGeneration}.`,
      },
      { target: 'image.hyperVGeneration' },
    )
  return withFacts(
    { ...after, properties: { ...after.properties, hyperVGeneration: given ?? os.hyperVGeneration ?? 'V1' } },
    { disks },
  )
}

interface Origins {
  readonly after: Draft
  readonly subscriptionId: string
  readonly context: RequestContext
  readonly deps: ComputeDependencies
}

async function originOf(
  { snapshot, managedDisk, blobUri, diskSizeGB, diskEncryptionSet }: DiskMember,
  target: string,
  { after, subscriptionId, context, deps }: Origins,
): Promise<{ readonly facts: Omit<ImageDiskFacts, 'lun'>; readonly hyperVGeneration?: string | undefined }> {
  const named = [snapshot?.id, managedDisk?.id, blobUri].filter((one) => one !== undefined)
  if (named.length !== 1)
    throw computeProblems.InvalidParameterValue(
      { parameter: target, reason: 'Give one of snapshot.id, managedDisk.id and blobUri.' },
      { target },
    )
  const { id: setId = '' } = diskEncryptionSet ?? {}
  const use = { setId, parameter: `${target}.diskEncryptionSet.id`, subscriptionId, region: after.location }
  const { vault } = setId === '' ? {} : await admitEncryptionSet({ ...use, user: 'image' }, context, deps.db)
  const size = { ...(diskSizeGB === undefined ? {} : { sizeBytes: diskSizeGB * GiB }), vault }
  if (blobUri !== undefined) {
    await deps.blobs.admit(blobUri, context)
    return { facts: { origin: { kind: 'blob', uri: blobUri }, ...size } }
  }
  const id = named[0] ?? ''
  const type = findDiskType(id)
  if (type === undefined)
    throw computeProblems.InvalidParameterValue(
      { parameter: target, reason: 'Its source is not the id of a managed disk or snapshot.' },
      { target },
    )
  await context.authorize(`${type}/read`, id)
  const disk = await findResource(deps.db, id.toLowerCase())
  if (!disk || disk.provisioningState === 'Deleting' || disk.location !== after.location)
    throw computeProblems.ImageSourceNotFound({ id, location: after.location }, { target })
  const { diskSizeGB: sourceGB = 0, hyperVGeneration } = diskProperties(disk)
  if (diskSizeGB !== undefined && diskSizeGB < sourceGB)
    throw computeProblems.DiskSizeTooSmall({ name: disk.name, askedGB: diskSizeGB, neededGB: sourceGB }, { target })
  return { facts: { origin: { kind: 'disk', key: disk.key }, ...size }, hyperVGeneration }
}

/** In the transaction that writes the row: what it is made of is still there. */
async function holdOrigins(tx: Tx, change: Change): Promise<void> {
  if (change.before) return
  const { machineKey, disks } = findImageFacts({ envelope: change.after.envelope })
  const keys = disks.flatMap(({ origin }) => (origin.kind === 'disk' ? [origin.key] : []))
  for (const key of machineKey === undefined ? keys : [machineKey]) {
    const row = await lockResource(tx, key)
    if (!row || row.provisioningState === 'Deleting')
      throw computeProblems.ImageSourceNotFound({ id: key, location: change.after.location })
  }
  const { osDisk, dataDisks = [] } = imagePropertiesOf(change.after).storageProfile ?? {}
  const sets = [osDisk, ...dataDisks].flatMap((disk) => disk?.diskEncryptionSet?.id ?? [])
  await holdEncryptionSets(tx, sets, 'image.storageProfile')
}

/** A managed image as a new machine or disk needs it; throws Azure's text where it is not in that region. */
export async function resolveManagedImage(
  imageId: string,
  location: string,
  context: Pick<RequestContext, 'authorize'>,
  deps: Pick<ComputeDependencies, 'db'>,
): Promise<ResolvedImage> {
  await context.authorize(`${imageType}/read`, imageId)
  const image = await findResource(deps.db, imageId.toLowerCase())
  if (!image || image.location !== location || image.provisioningState !== 'Succeeded')
    throw computeProblems.ManagedImageNotFound({ id: imageId, location }, { target: 'imageReference' })
  const { storageProfile, hyperVGeneration } = imagePropertiesOf(image)
  return {
    versionId: image.id,
    osState: storageProfile?.osDisk?.osState ?? 'Generalized',
    osType: storageProfile?.osDisk?.osType ?? 'Linux',
    hyperVGeneration: hyperVGeneration ?? 'V1',
    disks: imageDisks(image),
  }
}

function imageDisks(image: Resource): ResolvedDisk[] {
  const { storageProfile } = imagePropertiesOf(image)
  return findImageFacts(image).disks.flatMap(({ lun, bytes }): ResolvedDisk[] => {
    if (!bytes) return []
    const shown = lun === 'os' ? storageProfile?.osDisk : storageProfile?.dataDisks?.find((disk) => disk.lun === lun)
    return [{ lun, ...bytes, ...(lun === 'os' ? {} : { caching: shown?.caching }) }]
  })
}

export function isManagedImageId(id: string): boolean {
  return findArmId(id)?.type.toLowerCase() === imageType.toLowerCase()
}
