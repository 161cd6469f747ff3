import { findArmId, parentKey } from '../base/arm-id.ts'
import { formatArmTime } from '../base/clock.ts'
import { isJsonObject, type JsonObject } from '../base/json.ts'
import type { GalleryImageProperties } from '../contract/gallery-images.ts'
import type { Behaviour, Change, RequestContext } from '../resources/behaviour.ts'
import type { Draft, Resource } from '../resources/resource.ts'
import { findResource } from '../resources/resource.rows.ts'
import type { GalleryDependencies, SourceFacts, StoredIn } from './dependencies.ts'
import { admitDiskSource, checkSize, diskNotFound } from './disk-sources.ts'
import { checkEncryptionSets, commitEncryptionSets, isEncrypted } from './encryption-rules.ts'
import { galleryProblems } from './problems.ts'
import { checkRecyclable, commitRecall, planRemoval, recallVersion, restoredDraft } from './recycle-bin.ts'
import { listReplicas, osDiskLun } from './replica.rows.ts'
import type { Replica } from './replica.rows.ts'
import { checkPlacement } from './placement-rules.ts'
import { namedPlaces } from './placement.ts'
import { checkQuota } from './quota.ts'
import { sourceVersionKey, withCommunitySource } from './community-source.ts'
import { showReplicationStatus } from './replication-status.ts'
import { checkFitsGallery, contentOfVersion } from './shared-content.ts'
import { checkUefiSettings } from './uefi-rules.ts'
import { versionActions } from './version-actions.ts'
import { isShallow, versionProperties } from './version-properties.ts'
import { admitWholeSource, checkWholeFits } from './whole-sources.ts'
import { sourceLuns } from './source-luns.ts'
import { parseVersionSource, wholeSourcePath } from './version-sources.ts'

const versionRead = 'Microsoft.Compute/galleries/images/versions/read'
const profilePath = 'galleryImageVersion.properties.publishingProfile'

/** What `galleries/images/versions` mean: their rules, and the workflows that make a change true. */
export function imageVersionsBehaviour(deps: GalleryDependencies): Behaviour {
  return {
    type: 'Microsoft.Compute/galleries/images/versions',
    recall: (id, body, context) => recallVersion(id, body, context, deps),
    async prepare(change, context) {
      const after = change.recalled ? restoredDraft(change) : withPublishedDate(change, context.nowMs)
      return withCommunitySource({ ...change, after }, deps)
    },
    async check(change, context) {
      checkPublishingProfile(change, context.nowMs, deps)
      const { securityProfile } = versionProperties(change.after)
      checkUefiSettings(securityProfile, (await definitionOf(change, deps))?.hyperVGeneration)
      const galleryKey = parentKey(change.id).split('/images/', 1)[0] ?? ''
      await checkFitsGallery(deps.db, galleryKey, contentOfVersion(change.id.name, change.after))
      if (change.kind === 'create' || change.before?.provisioningState === 'Failed')
        await checkSource(change, context, deps)
      await checkEncryptionSets(change, context, { ...deps, findDataLuns: () => findDataLuns(change, deps) })
    },
    async commit(tx, change) {
      if (change.recalled) await commitRecall(tx, change)
      const counted = change.recalled ? { ...change, kind: 'create' as const } : change
      await checkQuota(tx, 'Microsoft.Compute/galleries/images/versions', counted, deps.limits)
      await commitEncryptionSets(tx, change)
    },
    write: async (change) =>
      changesReplicas(change, deps) || (await hasFailedReplica(change, deps))
        ? { workflow: 'publish-version', input: { versionId: change.id.id } }
        : undefined,
    async checkRemove(version, context) {
      const properties = versionProperties(version)
      const endOfLife = properties.publishingProfile?.endOfLifeDate
      const isBlocked = properties.safetyProfile?.blockDeletionBeforeEndOfLife === true && endOfLife !== undefined
      if (isBlocked && Date.parse(endOfLife) > context.nowMs) throw galleryProblems.BlockedBeforeEndOfLife({})
      await checkRecyclable(version, context, deps)
    },
    remove: (version, context) => planRemoval(version, context, deps),
    show: (version, context) => showWithReplication(version, context, deps),
    actions: versionActions(deps),
  }
}

/** The properties of a version, with its replication where the caller asks for it. */
export async function showWithReplication(
  version: Resource,
  context: RequestContext,
  deps: Pick<GalleryDependencies, 'db' | 'regions'>,
): Promise<JsonObject> {
  const words = (context.query['$expand'] ?? '').split(',').map((word) => word.trim().toLowerCase())
  if (!words.includes('replicationstatus')) return version.properties
  const places = namedPlaces(versionProperties(version).publishingProfile, deps.regions)
  const replicas = await listReplicas(deps.db, version.key)
  const isDetailed = words.includes('transfers')
  return {
    ...version.properties,
    replicationStatus: showReplicationStatus(replicas, places, isDetailed),
  }
}

/** Set at the first PUT and never changed afterwards (behaviour.md B10). */
export function withPublishedDate(change: Change, nowMs: number): Draft {
  const before = change.before && versionProperties(change.before).publishingProfile?.publishedDate
  const profile = change.after.properties['publishingProfile']
  return {
    ...change.after,
    properties: {
      ...change.after.properties,
      publishingProfile: {
        ...(isJsonObject(profile) ? profile : {}),
        publishedDate: before ?? formatArmTime(nowMs),
      },
    },
  }
}

function checkPublishingProfile(change: Change, nowMs: number, deps: GalleryDependencies): void {
  const after = versionProperties(change.after)
  const before = change.before && versionProperties(change.before)
  const profile = after.publishingProfile
  if (profile?.storageAccountType !== undefined && profile.storageAccountStrategy !== undefined)
    throw galleryProblems.StorageTypeAndStrategy({}, { target: `${profilePath}.storageAccountStrategy` })
  const endOfLife = profile?.endOfLifeDate
  if (
    endOfLife !== undefined &&
    endOfLife !== before?.publishingProfile?.endOfLifeDate &&
    Date.parse(endOfLife) <= nowMs
  )
    throw galleryProblems.EndOfLifeInPast({}, { target: `${profilePath}.endOfLifeDate` })
  checkPlacement(change, deps.limits.maximumReplicas, profilePath, deps.regions, true)
}

async function findDataLuns({ before, after }: Change, deps: GalleryDependencies): Promise<readonly number[]> {
  const have = before ? (await listReplicas(deps.db, before.key)).map(({ lun }) => lun) : []
  const luns = have.length > 0 ? [...new Set(have)] : await sourceLuns(after, deps)
  return luns.filter((lun) => lun !== osDiskLun)
}

/** The source must exist, be readable as a disk, fit the definition and be within the size limit. */
async function checkSource(change: Change, context: RequestContext, deps: GalleryDependencies): Promise<void> {
  const { storageProfile = {} } = versionProperties(change.after)
  const source = parseVersionSource(storageProfile, context.apiVersion)
  const definition = await definitionOf(change, deps)
  const home = deps.regions.find(change.after.location)?.name ?? change.after.location
  if (source.kind === 'version' || source.kind === 'community') {
    const target = { target: wholeSourcePath(storageProfile, context.apiVersion) }
    // A community image needs no right: that it is public was found when it was resolved.
    if (source.kind === 'version') await context.authorize(versionRead, source.id)
    const version = await findResource(deps.db, sourceVersionKey(change.after, source))
    const replicas = version ? await listReplicas(deps.db, version.key) : []
    const isUsable = (replica: Replica): boolean =>
      // Without a copy the bytes must be where the version is.
      replica.state === 'Completed' && (!isShallow(change.after) || replica.region === home)
    if (!version || !replicas.some(isUsable)) throw galleryProblems.SourceNotFound({ id: source.id }, target)
    for (const { virtualSizeBytes } of replicas) checkSize(virtualSizeBytes, change.after, deps)
    if (replicas.some(isEncrypted)) throw galleryProblems.EncryptedSource({ id: source.id }, target)
    const from = await findResource(deps.db, version.parentKey)
    if (from) checkDefinitionFits(source.id, from.properties as GalleryImageProperties, definition)
    return
  }
  if (source.kind === 'whole') {
    const found = await admitWholeSource(source.id, change, context, deps)
    for (const { virtualSizeBytes, storedIn } of found.disks) {
      checkSize(virtualSizeBytes, change.after, deps)
      checkReadableHere(source.id, storedIn, change)
    }
    checkFits(source.id, found, definition)
    checkWholeFits(source.id, found, definition)
    return
  }
  for (const disk of source.disks) {
    const found = await admitDiskSource(disk, change, context, deps)
    checkSize(found.virtualSizeBytes, change.after, deps)
    const id = disk.from.kind === 'disk' ? disk.from.id : disk.from.uri
    const region = isShallow(change.after) ? (found.storedIn?.region ?? found.location) : found.location
    if (region !== undefined && region !== home) throw diskNotFound(disk)
    checkReadableHere(id, found.storedIn, change)
    checkFits(id, found, definition)
  }
}

/** What is encrypted can be read in the subscription of its disk encryption set alone (behaviour.md A2). */
function checkReadableHere(id: string, storedIn: StoredIn | undefined, { id: version }: Change): void {
  if (storedIn === undefined || !isEncrypted(storedIn)) return
  const [own, other] = [version.subscriptionId, findArmId(id)?.subscriptionId ?? '']
  if (own.toLowerCase() !== other.toLowerCase()) throw galleryProblems.EncryptedSourceElsewhere({ id, own, other })
}

/** What the definition says must be true of the source, as far as the source knows it of itself. */
function checkFits(
  id: string,
  source: Pick<SourceFacts, 'osType' | 'hyperVGeneration'>,
  definition: GalleryImageProperties | undefined,
): void {
  const generation = definition?.hyperVGeneration ?? 'V1'
  if (source.hyperVGeneration !== undefined && source.hyperVGeneration !== generation)
    throw galleryProblems.SourceGenerationDiffers({ id, source: source.hyperVGeneration, wanted: generation })
  if (source.osType !== undefined && definition && source.osType !== definition.osType)
    throw galleryProblems.SourceOsTypeDiffers({ id, source: source.osType, wanted: definition.osType })
}

/** A version of one definition becomes one of another only where both are the same kind of image. */
function checkDefinitionFits(id: string, from: GalleryImageProperties, definition: GalleryImageProperties | undefined) {
  checkFits(id, from, definition)
  checkWholeFits(id, { osState: from.osState, plan: from.purchasePlan }, definition)
  const [source, wanted] = [from.architecture ?? 'x64', definition?.architecture ?? 'x64']
  if (source !== wanted) throw galleryProblems.SourceArchitectureDiffers({ id, source, wanted })
}

async function definitionOf(change: Change, deps: GalleryDependencies): Promise<GalleryImageProperties | undefined> {
  return (await findResource(deps.db, parentKey(change.id)))?.properties as GalleryImageProperties | undefined
}

/** `verify` found a replica of a version damaged: any update takes it again. */
export async function hasFailedReplica({ before }: Change, deps: GalleryDependencies): Promise<boolean> {
  if (!before) return false
  return (await listReplicas(deps.db, before.key)).some((replica) => replica.state === 'Failed')
}

/** Tags, dates and exclusion are true as soon as they are written; replicas need work. */
export function changesReplicas(change: Change, deps: GalleryDependencies): boolean {
  if (!change.before || change.before.provisioningState === 'Failed') return true
  const replicated = (draft: Pick<Draft, 'properties'>): string => {
    const places = namedPlaces(versionProperties(draft).publishingProfile, deps.regions)
    const wanted = places.flatMap(({ place, copies }) => copies.map((copy) => JSON.stringify([place, copy])))
    return wanted.toSorted((a, b) => (a < b ? -1 : 1)).join()
  }
  return replicated(change.before) !== replicated(change.after)
}
