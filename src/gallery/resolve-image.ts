import { findArmId, parentKey } from '../base/arm-id.ts'
import type { GalleryImageProperties } from '../contract/gallery-images.ts'
import type { RequestContext } from '../resources/behaviour.ts'
import { findResource } from '../resources/resource.rows.ts'
import type { Resource } from '../resources/resource.ts'
import { findSubscription } from '../resources/subscription.rows.ts'
import type { StorageClass } from '../store/disk-store.ts'
import type { GalleryDependencies } from './dependencies.ts'
import { findLatest } from './images.ts'
import { encryptedDisks, isEncrypted } from './encryption-rules.ts'
import { galleryProblems } from './problems.ts'
import { listReplicas, osDiskLun } from './replica.rows.ts'
import {
  findCommunityGallery,
  findConsumable,
  findSharedGallery,
  findSharedImage,
  findSharedVersion,
} from './shared-view.ts'
import { sharingProblems } from './sharing-problems.ts'
import { subscriptionGrantee, tenantGrantee, type Grantee } from './sharing-rules.ts'
import { readableDisks, versionProperties } from './version-properties.ts'

export interface ResolvedDisk {
  readonly lun: number | 'os'
  readonly region: string
  readonly storageClass: StorageClass
  readonly root: string
  readonly virtualSizeBytes: number
  readonly caching?: 'None' | 'ReadOnly' | 'ReadWrite' | undefined
}

/** An image as a consumer needs it: the exact version and where its disks can be read in the consumer's region. */
export interface ResolvedImage {
  readonly versionId: string
  readonly osState: 'Generalized' | 'Specialized'
  readonly osType: 'Windows' | 'Linux'
  readonly hyperVGeneration: string
  /** What a machine made of it must name; undefined: none. */
  readonly plan?: ImagePlan | undefined
  readonly disks: readonly ResolvedDisk[]
}

export interface ImagePlan {
  readonly name?: string | undefined
  readonly publisher?: string | undefined
  readonly product?: string | undefined
}

/** How an image is named: by its resource id, or by the id of what is shared directly or with everyone. */
export interface ImageReference {
  readonly id?: string | undefined
  readonly sharedGalleryImageId?: string | undefined
  readonly communityGalleryImageId?: string | undefined
}

/** For whom and where an image is resolved: the subscription, and the region or edge zone, of what is made of it. */
export interface ImageConsumer {
  readonly subscriptionId: string
  readonly location: string
}

type ResolveDependencies = Pick<GalleryDependencies, 'db' | 'regions' | 'clock'>

/**
 * Resolves an image for a region (behaviour.md B3): a version, or of a definition, named with or without the word
 * `latest`, the latest. A resource id needs the right to read it; a shared or community id needs no role, but that the
 * gallery is shared with the consumer's subscription or tenant, or is public. Throws GalleryImageNotFound where nothing
 * fits, with the id as it was given: what is not shared looks like what is not there.
 */
export async function resolveImage(
  reference: ImageReference,
  consumer: ImageConsumer,
  context: Pick<RequestContext, 'authorize'>,
  deps: ResolveDependencies,
): Promise<ResolvedImage> {
  const { subscriptionId, location } = consumer
  const region = deps.regions.find(location)?.name ?? location
  const given = [reference.id, reference.sharedGalleryImageId, reference.communityGalleryImageId]
  const [id = '', ...others] = given.filter((one) => one !== undefined && one !== '')
  if (others.length > 0) throw sharingProblems.OneImageReferenceOnly({}, { target: 'imageReference' })
  const found =
    reference.id === id
      ? await findOwn(id, region, context, deps)
      : await findShared(parseSharedImageId(id, reference), subscriptionId, region, deps)
  const resolved = found && (await withDisks(found, subscriptionId, region, deps))
  if (!resolved) throw galleryProblems.GalleryImageNotFound({ id, region }, { target: 'imageReference' })
  return resolved
}

interface FoundVersion {
  readonly definition: Resource
  readonly version: Resource
}

async function findOwn(
  imageId: string,
  region: string,
  context: Pick<RequestContext, 'authorize'>,
  deps: ResolveDependencies,
): Promise<FoundVersion | undefined> {
  const id = findArmId(imageId.replace(/\/versions\/latest$/i, ''))
  const type = id?.type.toLowerCase()
  if (!id || (type !== 'microsoft.compute/galleries/images' && type !== 'microsoft.compute/galleries/images/versions'))
    return undefined
  const isVersion = type.endsWith('/versions')
  await context.authorize(`Microsoft.Compute/galleries/images/${isVersion ? 'versions/' : ''}read`, id.id)
  const definitionKey = isVersion ? parentKey(id) : id.key
  const definition = await findResource(deps.db, definitionKey)
  if (!definition) return undefined
  const name = isVersion ? id.name : (await findLatest(definitionKey, region, deps)).name
  const found = name === undefined ? undefined : await findConsumable(deps, `${definitionKey}/versions/${name}`)
  return found && { definition, version: found.version }
}

interface SharedImageId {
  readonly road: 'shared' | 'community'
  readonly gallery: string
  readonly image: string
  readonly version: string | undefined
}

/** `/SharedGalleries/{unique name}/Images/{i}[/Versions/{v}]`, `/CommunityGalleries/{public name}/…`, in any case. */
function parseSharedImageId(id: string, reference: ImageReference): SharedImageId {
  const road = reference.sharedGalleryImageId === id ? 'shared' : 'community'
  const member = road === 'shared' ? 'sharedGalleryImageId' : 'communityGalleryImageId'
  const first = road === 'shared' ? 'SharedGalleries' : 'CommunityGalleries'
  const match = new RegExp(`^/${first}/([^/]+)/images/([^/]+)(?:/versions/([^/]+))?$`, 'i').exec(id)
  const [, gallery, image, version] = match ?? []
  if (gallery === undefined || image === undefined)
    throw sharingProblems.SharedImageIdInvalid({ member, id, first }, { target: `imageReference.${member}` })
  return { road, gallery, image, version }
}

async function findShared(
  { road, gallery: name, image: imageName, version: versionName }: SharedImageId,
  subscriptionId: string,
  region: string,
  deps: ResolveDependencies,
): Promise<FoundVersion | undefined> {
  const gallery =
    road === 'community'
      ? await findCommunityGallery(deps, name, region)
      : await findSharedGallery(deps, name, await granteesOfSubscription(subscriptionId, deps), region)
  const definition = gallery && (await findSharedImage(deps, gallery, imageName, region))
  const found = definition && (await findSharedVersion(deps, definition, versionName, region))
  return found && { definition, version: found.version }
}

/** The tenant is that of the subscription in which something is made, not that of whoever makes it. */
async function granteesOfSubscription(subscriptionId: string, deps: ResolveDependencies): Promise<readonly Grantee[]> {
  const subscription = await findSubscription(deps.db, subscriptionId)
  return [subscriptionGrantee(subscriptionId), ...(subscription ? [tenantGrantee(subscription.tenantId)] : [])]
}

/** A community image as the source of a version: which version it is, now. Throws GalleryImageNotFound. */
export async function resolveCommunityVersion(
  communityGalleryImageId: string,
  location: string,
  deps: ResolveDependencies,
): Promise<Resource> {
  const region = deps.regions.find(location)?.name ?? location
  const named = parseSharedImageId(communityGalleryImageId, { communityGalleryImageId })
  const found = await findShared(named, '', region, deps)
  if (found) return found.version
  throw galleryProblems.GalleryImageNotFound(
    { id: communityGalleryImageId, region },
    { target: 'galleryImageVersion.properties.storageProfile.source.communityGalleryImageId' },
  )
}

async function withDisks(
  { definition, version }: FoundVersion,
  subscriptionId: string,
  region: string,
  deps: ResolveDependencies,
): Promise<ResolvedImage | undefined> {
  if (version.provisioningState === 'Deleting') return undefined
  const disks = readableDisks(await listReplicas(deps.db, version.key), region)
  if (disks === undefined) return undefined
  const own = version.subscriptionId.toLowerCase()
  if (own !== subscriptionId.toLowerCase() && disks.some(isEncrypted)) {
    const set = encryptedDisks(versionProperties(version).publishingProfile)[0]?.setId ?? ''
    throw galleryProblems.EncryptedInOtherSubscription({ set, version: version.id, own, other: subscriptionId })
  }
  const facts = definition.properties as GalleryImageProperties
  return {
    versionId: version.id,
    osState: facts.osState,
    osType: facts.osType,
    hyperVGeneration: facts.hyperVGeneration ?? 'V1',
    plan: facts.purchasePlan,
    disks: disks.map(({ lun, storageClass, root, virtualSizeBytes }) => ({
      lun: lun === osDiskLun ? ('os' as const) : lun,
      region,
      storageClass,
      root,
      virtualSizeBytes,
    })),
  }
}
