import type { GalleryProperties } from '../contract/galleries.ts'
import type { DbOrTx } from '../db/tables.ts'
import type { RegionDirectory } from '../base/region.ts'
import { findResource, findResources, listChildren } from '../resources/resource.rows.ts'
import type { Resource } from '../resources/resource.ts'
import { resolveLatest } from './latest.ts'
import { listReplicasBelow, listReplicasOf } from './replica.rows.ts'
import { listSharedKeys } from './share.rows.ts'
import { communityGrantee, granteesOf, type Grantee } from './sharing-rules.ts'
import { readableDisks, toCandidate } from './version-properties.ts'

/** What is to be seen of shared galleries in a region: only what is published, wanted still, and replicated there. */

export interface ViewDependencies {
  readonly db: DbOrTx
  readonly regions: RegionDirectory
}

const imageType = 'Microsoft.Compute/galleries/images'
const versionType = 'Microsoft.Compute/galleries/images/versions'

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
async function isInRegion(deps: ViewDependencies, gallery: Resource, region: string): Promise<boolean> {
  return gallery.location === region || (await listReadableVersions(deps.db, `${gallery.key}/images`, region)).size > 0
}

/** Keys of the versions below a gallery's images or one definition of which every disk is complete in the region. */
async function listReadableVersions(db: DbOrTx, below: string, region: string): Promise<ReadonlySet<string>> {
  const byVersion = Map.groupBy(await listReplicasBelow(db, `${below}/`), ({ versionKey }) => versionKey)
  return new Set([...byVersion].flatMap(([key, replicas]) => (readableDisks(replicas, region) ? [key] : [])))
}

/** Definitions of which the region has a version. */
export async function listSharedImages(
  deps: ViewDependencies,
  gallery: Resource,
  region: string,
): Promise<readonly Resource[]> {
  const readable = await listReadableVersions(deps.db, `${gallery.key}/images`, region)
  const withVersions = new Set([...readable].map((key) => key.slice(0, key.lastIndexOf('/versions/'))))
  return (await listChildren(deps.db, gallery.key, imageType)).filter(({ key }) => withVersions.has(key))
}

export async function findSharedImage(
  deps: ViewDependencies,
  gallery: Resource,
  name: string,
  region: string,
): Promise<Resource | undefined> {
  const image = await findResource(deps.db, `${gallery.key}/images/${name.toLowerCase()}`)
  if (image?.type !== imageType) return undefined
  return (await listReadableVersions(deps.db, image.key, region)).size > 0 ? image : undefined
}

export async function listSharedVersions(
  deps: ViewDependencies,
  image: Resource,
  region: string,
): Promise<readonly Resource[]> {
  const readable = await listReadableVersions(deps.db, image.key, region)
  const versions = await listChildren(deps.db, image.key, versionType)
  return versions.filter((version) => readable.has(version.key) && version.provisioningState !== 'Deleting')
}

/** A version by name, or without one (or by `latest`) the latest of the region. */
export async function findSharedVersion(
  deps: ViewDependencies,
  image: Resource,
  name: string | undefined,
  region: string,
): Promise<Resource | undefined> {
  const versions = await listSharedVersions(deps, image, region)
  const isNamed = name !== undefined && name.toLowerCase() !== 'latest'
  const wanted = isNamed ? name.toLowerCase() : await findLatestOf(deps, versions, region)
  return versions.find((version) => version.name.toLowerCase() === wanted)
}

async function findLatestOf(
  deps: ViewDependencies,
  versions: readonly Resource[],
  region: string,
): Promise<string | undefined> {
  const replicas = await listReplicasOf(
    deps.db,
    versions.map(({ key }) => key),
  )
  const candidates = versions.map((version) => toCandidate(version, replicas, deps.regions))
  return resolveLatest(candidates, region).name
}
