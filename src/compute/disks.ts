import type { FoundSource } from '../gallery/dependencies.ts'
import type { ActionCall, ActionResult, Behaviour, RequestContext } from '../resources/behaviour.ts'
import { findResource } from '../resources/resource.rows.ts'
import type { diskTypes, ComputeDependencies } from './dependencies.ts'
import { findDiskType, getBytes, holdCopySource, prepareDisk } from './disk-draft.ts'
import { diskProperties, editDisk, effectiveState, findDiskFacts } from './disk-facts.ts'
import { computeProblems } from './problems.ts'

/** What `disks` and `snapshots` mean: the same, but for their names. See README.md for the states. */
export function diskBehaviour(type: (typeof diskTypes)[number], deps: ComputeDependencies): Behaviour {
  return {
    type,
    prepare: (change, context) => prepareDisk(change, context, deps),
    commit: (tx, change) => holdCopySource(tx, change),
    write: async ({ before }) =>
      before === undefined || before.provisioningState === 'Failed'
        ? { workflow: 'create-disk', input: {} }
        : undefined,
    async checkRemove(disk, context) {
      const state = effectiveState(disk, context.nowMs)
      if (state === 'ActiveSAS') throw computeProblems.DiskInUse({ name: disk.name, state, action: 'delete' })
    },
    remove: async () => ({ workflow: 'delete-disk', input: {} }),
    show: async (disk, context) => ({ ...disk.properties, diskState: effectiveState(disk, context.nowMs) }),
    actions: {
      beginGetAccess: (call, context) => grantAccess(call, context),
      endGetAccess: async () => ({ kind: 'started', start: { workflow: 'end-disk-access', input: {} } }),
    },
  }
}

async function grantAccess({ resource, body }: ActionCall, context: RequestContext): Promise<ActionResult> {
  const { access, durationInSeconds } = body
  if (access !== 'Read' && access !== 'Write')
    throw computeProblems.InvalidParameterValue(
      { parameter: 'grantAccessData.access', reason: "Give 'Read' or 'Write'." },
      { target: 'grantAccessData.access' },
    )
  const state = effectiveState(resource, context.nowMs)
  const isUpload = findDiskFacts(resource).bytes === undefined
  const { name } = resource
  if (access === 'Write' && !isUpload)
    throw computeProblems.DiskNotReady({
      name,
      state,
      needed: "Only a disk with createOption 'Upload' that still waits for its bytes can be written to.",
    })
  if (access === 'Read') getBytes(resource)
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
 * Where the bytes of a disk or snapshot are, for the gallery's ingest. Undefined: there is no such disk. Throws
 * DiskNotReady where its bytes have not come yet.
 */
export async function findDiskSource(
  id: string,
  deps: Pick<ComputeDependencies, 'db'>,
): Promise<FoundSource | undefined> {
  if (findDiskType(id) === undefined) return undefined
  const disk = await findResource(deps.db, id.toLowerCase())
  if (!disk || disk.provisioningState === 'Deleting') return undefined
  const { virtualSizeBytes, ...stored } = getBytes(disk)
  const { osType, hyperVGeneration } = diskProperties(disk)
  return { place: { kind: 'stored', ...stored }, virtualSizeBytes, osType, hyperVGeneration }
}
