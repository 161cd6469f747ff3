import type { HeldSource, SourceFacts } from '../gallery/dependencies.ts'
import type { ActionCall, ActionResult, Behaviour, RequestContext } from '../resources/behaviour.ts'
import { findResource } from '../resources/resource.rows.ts'
import type { Draft, Resource } from '../resources/resource.ts'
import { holdDisk, type HeldDisk } from './capture-disk.ts'
import type { diskTypes, ComputeDependencies } from './dependencies.ts'
import { findDiskType, getBytes, holdCopySource, prepareDisk } from './disk-draft.ts'
import { holdEncryptionSet, isRekeyed } from './disk-encryption.ts'
import { diskProperties, editDisk, effectiveState, findDiskFacts, isUltra } from './disk-facts.ts'
import type { MachineRunner } from './machine-runner.ts'
import { computeProblems } from './problems.ts'
import { attachedState } from './vm-disks.ts'

/** What `disks` and `snapshots` mean: the same, but for their names. See README.md for the states. */
export function diskBehaviour(type: (typeof diskTypes)[number], deps: ComputeDependencies): Behaviour {
  const stateOf = async (disk: Resource, nowMs: number): Promise<string> => {
    const held = effectiveState(disk, nowMs)
    return held === 'ActiveSAS' ? held : ((await attachedState(disk, (key) => findResource(deps.db, key))) ?? held)
  }
  return {
    type,
    prepare: (change, context) => prepareDisk(change, context, deps),
    async commit(tx, change) {
      await holdCopySource(tx, change)
      await holdEncryptionSet(tx, change)
    },
    async check({ before, after }, context) {
      if (!before || !needsWork(before, after)) return
      const state = await stateOf(before, context.nowMs)
      const needed = growNeeds[state]
      if (needed !== undefined) throw computeProblems.DiskNotReady({ name: before.name, state, needed })
    },
    async write({ before, after }) {
      if (before === undefined || before.provisioningState === 'Failed') return { workflow: 'create-disk', input: {} }
      return needsWork(before, after) ? { workflow: 'resize-disk', input: {} } : undefined
    },
    async checkRemove(disk, context) {
      const state = effectiveState(disk, context.nowMs)
      const { attached } = findDiskFacts(disk)
      const { managedBy } = disk.envelope
      if (attached)
        throw computeProblems.DiskAttached({
          disk: disk.name,
          vm: typeof managedBy === 'string' ? managedBy : attached.vmKey,
        })
      if (state === 'ActiveSAS') throw computeProblems.DiskInUse({ name: disk.name, state, action: 'delete' })
    },
    remove: async () => ({ workflow: 'delete-disk', input: {} }),
    show: async (disk, context) => ({ ...disk.properties, diskState: await stateOf(disk, context.nowMs) }),
    actions: {
      beginGetAccess: async (call, context) => grantAccess(call, context, await stateOf(call.resource, context.nowMs)),
      endGetAccess: async () => ({ kind: 'started', start: { workflow: 'end-disk-access', input: {} } }),
    },
  }
}

const growNeeds: Readonly<Record<string, string>> = {
  Attached: 'This server lets a disk grow, or gives it another key, while no virtual machine has it: detach it first.',
  Reserved: 'This server lets a disk grow, or gives it another key, while no virtual machine has it: detach it first.',
  ActiveSAS: 'Call endGetAccess first.',
  ReadyToUpload: 'Upload its bytes first.',
  ActiveUpload: 'Finish the upload first (endGetAccess).',
}

function needsWork(before: Resource, after: Draft): boolean {
  const isLarger = (diskProperties(after).diskSizeGB ?? 0) > (diskProperties(before).diskSizeGB ?? 0)
  return isLarger || isRekeyed(before, after)
}

async function grantAccess(
  { resource, body }: ActionCall,
  context: RequestContext,
  state: string,
): Promise<ActionResult> {
  const { access, durationInSeconds } = body
  if (access !== 'Read' && access !== 'Write')
    throw computeProblems.InvalidParameterValue(
      { parameter: 'grantAccessData.access', reason: "Give 'Read' or 'Write'." },
      { target: 'grantAccessData.access' },
    )
  const isUpload = findDiskFacts(resource).bytes === undefined
  const { name } = resource
  if (access === 'Write' && !isUpload)
    throw computeProblems.DiskNotReady({
      name,
      state,
      needed: "Only a disk with createOption 'Upload' that still waits for its bytes can be written to.",
    })
  if (access === 'Read' && state === 'Attached')
    throw computeProblems.DiskNotReady({
      name,
      state,
      needed: 'Its virtual machine writes to it: deallocate that first, or export a snapshot of the disk.',
    })
  if (access === 'Read' && state !== 'Reserved') getBytes(resource)
  const expiresMs = context.nowMs + Number(durationInSeconds) * 1000
  return {
    kind: 'started',
    start: { workflow: 'grant-disk-access', input: { access, expiresMs, baseUrl: context.baseUrl } },
    inTransaction: (tx) =>
      editDisk(tx, resource.key, () => ({
        properties: { diskState: access === 'Write' ? 'ActiveUpload' : 'ActiveSAS' },
      })),
  }
}

/**
 * What a disk or snapshot is as a source, without reading it. Undefined: there is no such disk. Throws DiskNotReady where
 * its bytes have not come yet.
 */
export async function findDiskSource(
  id: string,
  deps: Pick<ComputeDependencies, 'db'>,
): Promise<SourceFacts | undefined> {
  if (findDiskType(id) === undefined) return undefined
  const disk = await findResource(deps.db, id.toLowerCase())
  if (!disk || disk.provisioningState === 'Deleting') return undefined
  if (isUltra(disk)) throw computeProblems.SourceIsUltraDisk({ id })
  const { osType, hyperVGeneration, diskSizeBytes = 0 } = diskProperties(disk)
  const { attached, bytes } = findDiskFacts(disk)
  const virtualSizeBytes = attached ? diskSizeBytes : getBytes(disk).virtualSizeBytes
  const storedIn = bytes ?? { region: disk.location, storageClass: 'Standard_LRS' }
  return { virtualSizeBytes, location: disk.location, storedIn, osType, hyperVGeneration }
}

/** The same disk's bytes, captured where a machine writes to it and kept until they are let go of. */
export async function holdDiskSource(
  id: string,
  deps: ComputeDependencies,
  runner: MachineRunner,
  signal: AbortSignal,
): Promise<HeldSource | undefined> {
  if (findDiskType(id) === undefined) return undefined
  const disk = await findResource(deps.db, id.toLowerCase())
  if (!disk || disk.provisioningState === 'Deleting') return undefined
  const held = await holdDisk(disk, deps, runner, { signal })
  return {
    ...sourceOf(held),
    [Symbol.dispose]: () => held[Symbol.dispose](),
  }
}

export function sourceOf({ bytes, bytesRead }: HeldDisk): Omit<HeldSource, keyof Disposable> {
  const { virtualSizeBytes, region, storageClass, root } = bytes
  return { place: { kind: 'stored', region, storageClass, root }, virtualSizeBytes, bytesRead }
}
