import type { ActionCall, ActionResult, Behaviour, RequestContext } from '../resources/behaviour.ts'
import type { GalleryDependencies } from './dependencies.ts'
import { galleryProblems } from './problems.ts'
import { listReplicas, osDiskLun } from './replica.rows.ts'
import { lunName } from './version-properties.ts'

/** Our extensions on a version: read its bytes, check its bytes. Azure's clients never call them. */
export function versionActions(deps: GalleryDependencies): NonNullable<Behaviour['actions']> {
  return {
    beginGetAccess: (call, context) => beginGetAccess(call, context, deps),
    verify: async () => ({ kind: 'started', start: { workflow: 'verify-version', input: {} } }),
  }
}

/** A signed address of one disk's bytes from its replica in a region (default: the version's own). */
async function beginGetAccess(
  call: ActionCall,
  context: RequestContext,
  deps: GalleryDependencies,
): Promise<ActionResult> {
  const wanted = text(call.body['region']) ?? call.resource.location
  const region = deps.regions.find(wanted)?.name ?? wanted
  const lun = number(call.body['lun']) ?? osDiskLun
  const replicas = await listReplicas(deps.db, call.resource.key)
  const replica = replicas.find((r) => r.region === region && r.lun === lun && r.state === 'Completed')
  if (replica?.root === undefined)
    throw galleryProblems.ReplicaNotHere({ id: call.resource.id, region, disk: lunName(lun) })
  const accessSAS = await deps.signDiskAddress({
    region,
    storageClass: replica.storageClass,
    root: replica.root,
    format: call.body['format'] === 'vhd' ? 'vhd' : 'raw',
    durationSeconds: number(call.body['durationInSeconds']) ?? 3600,
    baseUrl: context.baseUrl,
  })
  return {
    kind: 'done',
    body: { accessSAS, region, root: replica.root, virtualSizeBytes: replica.virtualSizeBytes },
  }
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

function number(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined
}
