import type { Clock } from '../base/clock.ts'
import type { GalleryProperties } from '../contract/galleries.ts'
import type { DbOrTx } from '../db/tables.ts'
import type { RegionDirectory } from '../base/region.ts'
import { findResource, findResources, listChildren } from '../resources/resource.rows.ts'
import type { Resource } from '../resources/resource.ts'
import { findLatest } from './images.ts'
import { isConsumable } from './soft-delete.ts'
import { findSoftDeleted, listSoftDeletedOf } from './recycle-bin.rows.ts'
import type { SoftDeleted } from './recycle-bin.rows.ts'
import { listReplicas } from './replica.rows.ts'
import { listSharedKeys } from './share.rows.ts'
import { hasVersionIn, listVersionKeysIn } from './shared-view.rows.ts'
import { communityGrantee, granteesOf, type Grantee } from './sharing-rules.ts'
import { readableDisks } from './version-properties.ts'

/** What is to be seen of shared galleries in a region: only what is published, wanted still, and replicated there. */

export interface ViewDependencies {
  readonly db: DbOrTx
  readonly regions: RegionDirectory
  readonly clock: Pick<Clock, 'now'>
}

/** A version as its gallery's guests have it. */
export interface SharedVersion {
  readonly version: Resource
  /** It was deleted: it is still there for who names it, until then, and never the latest. */
  readonly consumptionEndMs?: number
}

const imageType = 'Microsoft.Compute/galleries/images'

/** Galleries that these see in the region: the publication says where, the gallery's row whether it still holds. */
export async function listSharedGalleries(
  deps: ViewDependencies,
  grantees: readonly Grantee[],
  region: string,
): Promise<readonly Resource[]> {
  // An edge zone (`westus/losangeles`) belongs to its region: sharing is published there.
  const shares = await listSharedKeys(deps.db, grantees, region.split('/', 1)[0] ?? region)
  const keys = [...new Set(shares.map(({ galleryKey }) => galleryKey))]
  const found: Resource[] = []
  for (const gallery of await findResources(deps.db, keys)) {
    const wanted: readonly string[] = granteesOf(gallery.properties)
    const holds = shares.some((share) => share.galleryKey === gallery.key && wanted.includes(share.grantee))
    if (holds && (await isInRegion(deps, gallery, region))) found.push(gallery)
  }
  return found
}

/** `{subscription}-{NAME}`: the name under which it is shared (behaviour.md B2). */
export function uniqueNameOf(gallery: Resource): string {
  return (gallery.properties as GalleryProperties).identifier?.uniqueName ?? gallery.name
}

export async function findSharedGallery(
  deps: ViewDependencies,
  uniqueName: string,
  grantees: readonly Grantee[],
  region: string,
): Promise<Resource | undefined> {
  const all = await listSharedGalleries(deps, grantees, region)
  return all.find((gallery) => uniqueNameOf(gallery).toLowerCase() === uniqueName.toLowerCase())
}

export async function findCommunityGallery(
  deps: ViewDependencies,
  publicName: string,
  region: string,
): Promise<Resource | undefined> {
  return (await listSharedGalleries(deps, [communityGrantee(publicName)], region))[0]
}

/** Where the gallery lies, or where some version of it can be read. */
async function isInRegion({ db, clock }: ViewDependencies, gallery: Resource, region: string): Promise<boolean> {
  return gallery.location === region || hasVersionIn(db, `${gallery.key}/images`, region, clock.now())
}

/** Definitions of which the region has a version. */
export async function listSharedImages(
  { db, clock }: ViewDependencies,
  gallery: Resource,
  region: string,
): Promise<readonly Resource[]> {
  const found: Resource[] = []
  for (const image of await listChildren(db, gallery.key, imageType))
    if (await hasVersionIn(db, `${image.key}/versions`, region, clock.now())) found.push(image)
  return found
}

export async function findSharedImage(
  { db, clock }: ViewDependencies,
  gallery: Resource,
  name: string,
  region: string,
): Promise<Resource | undefined> {
  const image = await findResource(db, `${gallery.key}/images/${name.toLowerCase()}`)
  if (image?.type !== imageType) return undefined
  return (await hasVersionIn(db, `${image.key}/versions`, region, clock.now())) ? image : undefined
}

export async function listSharedVersions(
  { db, clock }: ViewDependencies,
  image: Resource,
  region: string,
): Promise<readonly SharedVersion[]> {
  const keys = await listVersionKeysIn(db, image.key, region, clock.now())
  const versions = (await findResources(db, keys)).filter(({ provisioningState }) => provisioningState !== 'Deleting')
  const deleted = (await listSoftDeletedOf(db, image.key)).filter(({ resource }) => keys.includes(resource.key))
  return [...versions.map((version) => ({ version })), ...deleted.map(fromBin)]
}

/** A version by name, or without one (or by `latest`) the latest of the region. */
export async function findSharedVersion(
  deps: ViewDependencies,
  image: Resource,
  name: string | undefined,
  region: string,
): Promise<SharedVersion | undefined> {
  const isNamed = name !== undefined && name.toLowerCase() !== 'latest'
  const wanted = isNamed ? name.toLowerCase() : (await findLatest(image.key, region, deps)).name
  const found = wanted === undefined ? undefined : await findConsumable(deps, `${image.key}/versions/${wanted}`)
  if (!found || found.version.provisioningState === 'Deleting') return undefined
  return readableDisks(await listReplicas(deps.db, found.version.key), region) ? found : undefined
}

/** What an explicit id may be consumed by: the version, or until its `consumptionEndTime` what is left of it in the bin. */
export async function findConsumable(
  { db, clock }: Pick<ViewDependencies, 'db' | 'clock'>,
  versionKey: string,
): Promise<SharedVersion | undefined> {
  const version = await findResource(db, versionKey)
  if (version) return { version }
  const item = await findSoftDeleted(db, versionKey)
  return item && isConsumable(item, clock.now()) ? fromBin(item) : undefined
}

function fromBin({ resource, consumptionEndMs }: SoftDeleted): SharedVersion {
  return { version: resource, consumptionEndMs }
}
