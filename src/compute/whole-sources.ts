import { isJsonObject } from '../base/json.ts'
import { findArmId } from '../base/arm-id.ts'
import type { Problem } from '../base/problem.ts'
import type { HeldWhole, WholeSource } from '../gallery/dependencies.ts'
import { findResource } from '../resources/resource.rows.ts'
import type { Resource } from '../resources/resource.ts'
import { holdMachineDisks, pinStored, type HeldDisk } from './capture-disk.ts'
import { virtualMachineType, type ComputeDependencies } from './dependencies.ts'
import { isUltra } from './disk-facts.ts'
import { sourceOf } from './disks.ts'
import { findImageFacts, imagePropertiesOf } from './image-facts.ts'
import { isManagedImageId } from './images.ts'
import type { MachineRunner } from './machine-runner.ts'
import { computeProblems } from './problems.ts'
import { findVmFacts, getVmFacts } from './vm-facts.ts'
import { vmProperties } from './vm-properties.ts'

// How the gallery numbers the OS disk.
const osLun = -1
const numberOf = (lun: 'os' | number): number => (lun === 'os' ? osLun : lun)

/** Members that are kept as sent, undeclared. */
type OpenMembers = Readonly<Record<string, unknown>>
type Dependencies = Pick<ComputeDependencies, 'db' | 'stores'>

/**
 * A machine or managed image as the source of an image version; undefined: there is none. Throws SourceNotReady, and what
 * keeps Azure from taking a machine's disks (behaviour.md A2).
 */
export async function findWholeSource(id: string, deps: Dependencies): Promise<WholeSource | undefined> {
  const row = await findSource(id, deps)
  if (!row) return undefined
  if (row.type !== virtualMachineType) return imageSource(row)
  const keys = getVmFacts(row).disks.flatMap(({ diskKey }) => diskKey ?? [])
  const disks = await Promise.all(keys.map((key) => findResource(deps.db, key)))
  const problem = machineProblem(
    row,
    disks.filter((disk) => disk !== undefined),
  )
  if (problem) throw problem
  return machineSource(row)
}

/** What the machine says of its disks counts, although this server keeps all of them alike. */
function machineProblem(vm: Resource, disks: readonly Resource[]): Problem | undefined {
  const { id } = vm
  const osDisk: OpenMembers = vmProperties(vm).storageProfile?.osDisk ?? {}
  if (isJsonObject(osDisk['diffDiskSettings'])) return computeProblems.SourceEphemeral({ id })
  if (isJsonObject(osDisk['vhd'])) return computeProblems.SourceUnmanaged({ id })
  const ultra = disks.find(isUltra)
  return ultra && computeProblems.SourceUltra({ id, disk: ultra.id })
}

async function findSource(id: string, deps: Dependencies): Promise<Resource | undefined> {
  const isMachine = findArmId(id)?.type.toLowerCase() === virtualMachineType.toLowerCase()
  if (!isMachine && !isManagedImageId(id)) return undefined
  const row = await findResource(deps.db, id.toLowerCase())
  if (!row || row.provisioningState === 'Deleting') return undefined
  if (
    row.provisioningState === 'Creating' ||
    row.provisioningState === 'Failed' ||
    (isMachine && !findVmFacts(row.envelope))
  )
    throw computeProblems.SourceNotReady({ id: row.id, state: row.provisioningState })
  return row
}

function machineSource(vm: Resource): WholeSource {
  const facts = getVmFacts(vm)
  const { plan } = vm.envelope
  return {
    location: vm.location,
    osState: facts.isGeneralized ? 'Generalized' : 'Specialized',
    osType: vmProperties(vm).storageProfile?.osDisk?.osType ?? 'Linux',
    hyperVGeneration: facts.generation,
    ...(isJsonObject(plan) ? { plan } : {}),
    disks: facts.disks.map(({ lun, virtualSizeBytes, base }) => ({
      lun: numberOf(lun),
      virtualSizeBytes,
      storedIn: base ?? { region: vm.location, storageClass: 'Standard_LRS' },
    })),
  }
}

function imageSource(image: Resource): WholeSource {
  const { storageProfile, hyperVGeneration } = imagePropertiesOf(image)
  return {
    location: image.location,
    osState: storageProfile?.osDisk?.osState ?? 'Generalized',
    osType: storageProfile?.osDisk?.osType ?? 'Linux',
    hyperVGeneration: hyperVGeneration ?? 'V1',
    disks: findImageFacts(image).disks.flatMap(({ lun, bytes }) =>
      bytes ? [{ lun: numberOf(lun), virtualSizeBytes: bytes.virtualSizeBytes, storedIn: bytes }] : [],
    ),
  }
}

/** Its disks' bytes at one moment, kept until they are let go of. */
export async function holdWholeSource(
  id: string,
  deps: Dependencies,
  runner: MachineRunner,
  signal: AbortSignal,
): Promise<HeldWhole | undefined> {
  const row = await findSource(id, deps)
  if (!row) return undefined
  using stack = new DisposableStack()
  const held: HeldDisk[] = []
  if (row.type === virtualMachineType) {
    const facts = getVmFacts(row)
    const { disks } = facts
    held.push(...(await holdMachineDisks({ facts, location: row.location, disks }, deps, runner, { signal })))
    for (const one of held) stack.use(one)
  } else
    for (const { lun, bytes } of findImageFacts(row).disks)
      if (bytes) held.push({ ...stack.use(await pinStored(bytes, deps)), lun })
  const pins = stack.move()
  return {
    disks: new Map(held.map((one) => [numberOf(one.lun), sourceOf(one)])),
    [Symbol.dispose]: () => pins[Symbol.dispose](),
  }
}
