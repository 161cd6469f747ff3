import { findArmId, parentKey, type ArmId } from '../base/arm-id.ts'
import { formatArmTime } from '../base/clock.ts'
import type { JsonObject } from '../base/json.ts'
import { softDeletedVersionType } from '../contract/soft-deleted-versions.ts'
import type { Tx } from '../db/tables.ts'
import type { Behaviour, Change, RequestContext, StartWork } from '../resources/behaviour.ts'
import { armPath, resourceProblems } from '../resources/problems.ts'
import { findResource } from '../resources/resource.rows.ts'
import type { Draft, Resource } from '../resources/resource.ts'
import type { Workflow } from '../work/workflow.ts'
import type { GalleryDependencies } from './dependencies.ts'
import { galleryProblems } from './problems.ts'
import {
  findSoftDeleted,
  insertSoftDeleted,
  listOverdue,
  listSoftDeletedIn,
  listSoftDeletedOf,
  takeSoftDeleted,
} from './recycle-bin.rows.ts'
import type { SoftDeleted } from './recycle-bin.rows.ts'
import { deleteReplicas, listReplicas } from './replica.rows.ts'
import { asksForRestore, findSoftDeletePolicy, recycleTimes, saysRestore } from './soft-delete.ts'
import type { SoftDeletePolicy } from './soft-delete.ts'

/**
 * The recycle bin of a gallery (behaviour.md I): a deleted version's row moves there in the transaction that ends its
 * deletion, and back in the one that restores it. Its replica rows never move: they keep the bytes alive meanwhile.
 */
interface RecycleInput extends JsonObject {
  readonly retentionDays: number
  readonly graceDays: number
}
interface PurgeInput extends JsonObject {
  readonly versionKey: string
}

const purgeBatch = 100
const artifactType = 'Images'
/** Azure names at most five nested resources in its refusal. */
const namedItems = 5

/** How a version is removed: into the recycle bin where its gallery has one and there are bytes to bring back. */
export async function planRemoval(
  version: Resource,
  context: RequestContext,
  deps: GalleryDependencies,
): Promise<StartWork> {
  const policy = await policyOn(version, context, deps)
  return policy
    ? { workflow: 'recycle-version', input: { ...policy } }
    : { workflow: 'retire-version', input: { versionId: version.id } }
}

/** What failed cannot be brought back as it was, so it does not go into a recycle bin (documentation of soft delete). */
export async function checkRecyclable(
  version: Resource,
  context: RequestContext,
  deps: GalleryDependencies,
): Promise<void> {
  if (version.provisioningState === 'Failed' && (await policyOn(version, context, deps)))
    throw galleryProblems.FailedVersionKept({ id: version.id })
}

/** The policy that keeps this version when it is deleted; undefined: it goes for good. */
async function policyOn(
  version: Resource,
  context: RequestContext,
  deps: GalleryDependencies,
): Promise<SoftDeletePolicy | undefined> {
  if (bypassesSoftDelete(context)) return undefined
  const policy = findSoftDeletePolicy(await findResource(deps.db, galleryKeyOf(version.key)))
  const hasBytes = policy && (await listReplicas(deps.db, version.key)).some(({ state }) => state === 'Completed')
  return hasBytes ? policy : undefined
}

/** `bypassSoftDelete` of a DELETE, from 2026-03-03 on (azure-rest-api-specs pull request 46100). */
function bypassesSoftDelete({ apiVersion, query }: RequestContext): boolean {
  const value = query['bypasssoftdelete']?.toLowerCase() ?? ''
  if (apiVersion < '2026-03-03' || value === '' || value === 'false') return false
  if (value !== 'true') throw galleryProblems.BypassInvalid({ value }, { target: 'bypassSoftDelete' })
  return true
}

/** Moves the row of a version into the recycle bin; the engine removes it from its old place in the same transaction. */
export function recycleVersion(): Workflow<RecycleInput> {
  return {
    name: 'recycle-version',
    steps: [],
    async settle(tx, operation, outcome) {
      if (outcome.state !== 'Succeeded') return
      const version = await findResource(tx, operation.resourceKey)
      if (!version) return
      const { retentionDays, graceDays } = operation.input as RecycleInput
      await insertSoftDeleted(tx, {
        galleryKey: galleryKeyOf(version.key),
        resource: { ...version, provisioningState: 'Succeeded', operationId: undefined },
        deletedMs: operation.createdMs,
        deletedBy: operation.createdBy,
        ...recycleTimes(operation.createdMs, { retentionDays, graceDays }),
      })
    },
  }
}

/** Removes a version from the recycle bin for good. */
export function purgeVersion(deps: GalleryDependencies): Workflow<PurgeInput> {
  return {
    name: 'purge-version',
    steps: [],
    async settle(tx, operation, outcome) {
      if (outcome.state === 'Succeeded') await purge(tx, (operation.input as PurgeInput).versionKey, deps)
    },
  }
}

/** Removes what has been in a recycle bin for its whole time. Run it now and then; it bears company. */
export async function purgeOverdue(deps: GalleryDependencies, signal: AbortSignal): Promise<void> {
  for (;;) {
    const keys = await listOverdue(deps.db, deps.clock.now(), purgeBatch)
    for (const key of keys) {
      signal.throwIfAborted()
      await deps.db.transaction().execute((tx) => purge(tx, key, deps))
      deps.logger.info({ version: key }, 'the retention of a deleted version is over: it was removed for good')
    }
    if (keys.length < purgeBatch) return
  }
}

/** The row first; its bytes go with the next sweep. What was restored meanwhile is left alone. */
async function purge(tx: Tx, versionKey: string, deps: Pick<GalleryDependencies, 'requestSweep'>): Promise<void> {
  if (!(await takeSoftDeleted(tx, versionKey))) return
  await deleteReplicas(tx, versionKey)
  deps.requestSweep()
}

/** What a PUT of a deleted version's name brings back; throws where it wants another version of that name. */
export async function recallVersion(
  id: ArmId,
  body: unknown,
  context: RequestContext,
  deps: Pick<GalleryDependencies, 'db'>,
): Promise<Resource | undefined> {
  const item = await findSoftDeleted(deps.db, id.key)
  if (!item) {
    if (saysRestore(body)) throw galleryProblems.NothingToRestore({ id: id.id }, { target: 'galleryImageVersion' })
    return undefined
  }
  if (asksForRestore(body, context.apiVersion)) return item.resource
  throw galleryProblems.VersionInRecycleBin({ id: id.id, purgeId: itemIdOf(item.resource) })
}

/** A version that comes back is what it was; only tags may be given anew. */
export function restoredDraft({ before, after }: Change): Draft {
  const isSilent = after.tags === undefined || Object.keys(after.tags).length === 0
  return before ? { ...before, tags: isSilent ? before.tags : after.tags } : after
}

/** Takes the version out of the recycle bin, in the transaction that writes its row again. */
export async function commitRecall(tx: Tx, change: Change): Promise<void> {
  if (!(await takeSoftDeleted(tx, change.id.key))) throw resourceProblems.ResourceChanged({ id: change.id.id })
}

/**
 * A definition or gallery cannot go while its recycle bin holds something; once its policy is off, the rest goes with it
 * (documentation of soft delete, FAQ).
 */
export async function emptyWith(
  tx: Tx,
  resource: Resource,
  deps: Pick<GalleryDependencies, 'requestSweep'>,
): Promise<void> {
  const isGallery = resource.type === 'Microsoft.Compute/galleries'
  const items = isGallery ? await listSoftDeletedIn(tx, resource.key) : await listSoftDeletedOf(tx, resource.key)
  if (items.length === 0) return
  const gallery = isGallery ? resource : await findResource(tx, resource.parentKey)
  if (findSoftDeletePolicy(gallery)) {
    const nested = items.slice(0, namedItems).map((item) => relativeId(itemIdOf(item.resource)))
    throw resourceProblems.CannotDeleteResource({ nested })
  }
  for (const item of items) await purge(tx, item.resource.key, deps)
}

/** The listing of a recycle bin: `galleries/g/softDeletedArtifactTypes/Images/artifacts/d/versions`. */
export function recycleBinBehaviour(deps: GalleryDependencies): Behaviour {
  return {
    type: softDeletedVersionType,
    view: {
      async find(id) {
        const [gallery = '', kind = '', definition = '', version = ''] = id.names
        checkArtifactType(kind)
        const key = definitionKeyOf(id, gallery, definition)
        const item = await findSoftDeleted(deps.db, `${key}/versions/${version.toLowerCase()}`)
        return item && toShown(item)
      },
      async list(parent) {
        const [gallery = '', kind = '', definition = ''] = parent.names
        checkArtifactType(kind)
        const key = definitionKeyOf(parent, gallery, definition)
        if (!(await findResource(deps.db, key)))
          throw resourceProblems.ResourceNotFound({
            type: 'Microsoft.Compute/galleries/images',
            names: [gallery, definition],
            resourceGroup: parent.resourceGroup,
          })
        return (await listSoftDeletedOf(deps.db, key)).map(toShown)
      },
      async remove(resource) {
        const { resourceArmId: versionId } = resource.properties
        const versionKey = typeof versionId === 'string' ? versionId.toLowerCase() : ''
        return { workflow: 'purge-version', input: { versionKey } }
      },
    },
  }
}

function toShown(item: SoftDeleted): Resource {
  const { resource } = item
  const id = itemIdOf(resource)
  const parsed = findArmId(id)
  return {
    ...resource,
    id,
    key: id.toLowerCase(),
    type: softDeletedVersionType,
    parentKey: parsed ? parentKey(parsed) : '',
    properties: {
      resourceArmId: resource.id,
      softDeletedArtifactType: artifactType,
      softDeletedTime: formatArmTime(item.deletedMs),
      consumptionEndTime: formatArmTime(item.consumptionEndMs),
      hardDeletionTargetTime: formatArmTime(item.hardDeleteMs),
    },
    envelope: {},
    changedMs: item.deletedMs,
    changedBy: item.deletedBy,
  }
}

function checkArtifactType(kind: string): void {
  if (kind.toLowerCase() !== artifactType.toLowerCase())
    throw galleryProblems.ArtifactTypeUnknown({ value: kind }, { target: 'artifactType' })
}

/** `…/galleries/g/images/d/versions/1.0.0` -> `…/galleries/g/softDeletedArtifactTypes/Images/artifacts/d/versions/1.0.0`. */
function itemIdOf({ id }: Pick<Resource, 'id'>): string {
  const parts = id.split('/')
  const definition = parts.at(-3) ?? ''
  return [
    ...parts.slice(0, -4),
    'softDeletedArtifactTypes',
    artifactType,
    'artifacts',
    definition,
    ...parts.slice(-2),
  ].join('/')
}

function relativeId(id: string): string {
  const parsed = findArmId(id)
  return parsed ? armPath(parsed) : id
}

function definitionKeyOf(id: ArmId, gallery: string, definition: string): string {
  const group = id.key.split('/').slice(0, 5).join('/')
  return `${group}/providers/microsoft.compute/galleries/${gallery}/images/${definition}`.toLowerCase()
}

/** The key of the gallery that holds a version's definition. */
function galleryKeyOf(versionKey: string): string {
  return versionKey.split('/').slice(0, -4).join('/')
}
