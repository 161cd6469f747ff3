import type { JsonObject } from '../base/json.ts'
import { GiB } from '../base/units.ts'
import { findResource } from '../resources/resource.rows.ts'
import type { Resource } from '../resources/resource.ts'
import { inVault } from '../store/vault.ts'
import type { StepContext, Workflow } from '../work/workflow.ts'
import { growDisk, holdDisk, holdMachineDisks, pinStored, type HeldDisk } from './capture-disk.ts'
import { factsMember, type ComputeDependencies } from './dependencies.ts'
import { editRow } from './facts.rows.ts'
import {
  findImageFacts,
  formatImageFacts,
  imagePropertiesOf,
  type ImageDiskFacts,
  type ImageFacts,
} from './image-facts.ts'
import type { MachineRunner } from './machine-runner.ts'
import { computeProblems } from './problems.ts'
import { keepInVault, takeFileInto } from './receive-disk.ts'
import { getVmFacts } from './vm-facts.ts'

type Step = StepContext<JsonObject>

/** The work behind managed images. */
export function imageWorkflows(deps: ComputeDependencies, runner: MachineRunner): Workflow[] {
  return [
    { name: 'create-image', steps: [{ name: 'bytes', run: (step) => takeDisks(step, deps, runner) }] },
    {
      name: 'delete-image',
      steps: [],
      async settle(_tx, _operation, outcome) {
        if (outcome.state === 'Succeeded') deps.requestSweep()
      },
    },
  ]
}

/** Takes all disks and notes them at once: a run that stops in between leaves nothing, and begins anew. */
async function takeDisks(step: Step, deps: ComputeDependencies, runner: MachineRunner): Promise<void> {
  const image = await findResource(deps.db, step.resourceKey)
  if (!image) return
  const facts = findImageFacts(image)
  if (facts.disks.every(({ bytes }) => bytes !== undefined)) return
  using stack = new DisposableStack()
  const held = await holdAll(step, image, facts, deps, runner, stack)
  const disks: ImageDiskFacts[] = []
  for (const [index, disk] of facts.disks.entries()) {
    const found = held[index]
    if (!found) throw computeProblems.ImageSourceNotFound({ id: facts.machineKey ?? '', location: image.location })
    const own = stack.use(await keepInVault(found, disk.vault, step, deps))
    const grown = stack.use(await growDisk(own, disk.sizeBytes ?? 0, deps, { signal: step.signal }))
    disks.push({ ...disk, bytes: grown.bytes })
  }
  await deps.db.transaction().execute((tx) =>
    editRow(tx, image.key, (row) => ({
      properties: withSizes(row, disks),
      envelope: { ...row.envelope, [factsMember]: formatImageFacts({ ...facts, disks }) },
    })),
  )
}

async function holdAll(
  step: Step,
  image: Resource,
  facts: ImageFacts,
  deps: ComputeDependencies,
  runner: MachineRunner,
  stack: DisposableStack,
): Promise<readonly HeldDisk[]> {
  const { signal } = step
  if (facts.machineKey !== undefined) {
    const vm = await findResource(deps.db, facts.machineKey)
    if (!vm) throw computeProblems.ImageSourceNotFound({ id: facts.machineKey, location: image.location })
    const { disks } = getVmFacts(vm)
    const held = await holdMachineDisks({ facts: getVmFacts(vm), location: vm.location, disks }, deps, runner, {
      signal,
    })
    for (const one of held) stack.use(one)
    return facts.disks.flatMap(({ lun }) => held.find((one) => one.lun === lun) ?? [])
  }
  const all: HeldDisk[] = []
  for (const disk of facts.disks) all.push(stack.use(await holdOrigin(step, image, disk, deps, runner)))
  return all
}

async function holdOrigin(
  step: Step,
  image: Resource,
  { origin, vault }: ImageDiskFacts,
  deps: ComputeDependencies,
  runner: MachineRunner,
): Promise<HeldDisk> {
  const { signal } = step
  if (origin.kind === 'blob') {
    const { place } = await deps.blobs.find(origin.uri)
    if (place.kind === 'stored') return pinStored({ ...place, virtualSizeBytes: 0 }, deps)
    const store = deps.stores.store(image.location, inVault('Standard_LRS', vault))
    return takeFileInto(store, { path: place.path, format: place.format }, step)
  }
  const disk = origin.kind === 'disk' ? await findResource(deps.db, origin.key) : undefined
  if (!disk)
    throw computeProblems.ImageSourceNotFound({
      id: origin.kind === 'disk' ? origin.key : image.id,
      location: image.location,
    })
  return holdDisk(disk, deps, runner, { signal })
}

/** What Azure shows once it knows. */
function withSizes(image: Resource, disks: readonly ImageDiskFacts[]): JsonObject {
  const { storageProfile } = imagePropertiesOf(image)
  const sizeOf = (lun: 'os' | number): { readonly diskSizeGB: number } => ({
    diskSizeGB: Math.max(1, Math.ceil((disks.find((disk) => disk.lun === lun)?.bytes?.virtualSizeBytes ?? 0) / GiB)),
  })
  return {
    ...image.properties,
    storageProfile: {
      ...storageProfile,
      osDisk: { ...storageProfile?.osDisk, ...sizeOf('os') },
      dataDisks: (storageProfile?.dataDisks ?? []).map((disk) => ({ ...disk, ...sizeOf(disk.lun) })),
    },
  }
}
