import type { GalleryImageProperties } from '../contract/gallery-images.ts'
import type { GalleryProperties } from '../contract/galleries.ts'
import type { DbOrTx } from '../db/tables.ts'
import { findResource, listChildren } from '../resources/resource.rows.ts'
import type { Draft, Resource } from '../resources/resource.ts'
import { contentProblem, granteesOf, type Content } from './sharing-rules.ts'
import { versionProperties } from './version-properties.ts'

/** What a definition or version is to the rules of sharing. */
export function contentOfImage(name: string, image: Pick<Draft, 'location' | 'properties'>): Content {
  const { features, purchasePlan } = image.properties as GalleryImageProperties
  const security = features?.find((feature) => feature.name?.toLowerCase() === 'securitytype')
  return { name, location: image.location, securityType: security?.value, hasPlan: purchasePlan !== undefined }
}

export function contentOfVersion(name: string, version: Pick<Draft, 'location' | 'properties'>): Content {
  const targets = versionProperties(version).publishingProfile?.targetRegions ?? []
  const isEncrypted = targets.some(({ encryption }) => JSON.stringify(encryption ?? {}).includes('ncryptionSetId'))
  return { name, location: version.location, isEncrypted }
}

/** Refuses what a gallery that is open for sharing cannot hold, when it is created there. */
export async function checkFitsGallery(db: DbOrTx, galleryKey: string, content: Content): Promise<void> {
  const gallery = await findResource(db, galleryKey)
  const problem = gallery && contentProblem(gallery, content)
  if (problem) throw problem
}

/** Before a gallery is shared: nothing that may not be shared is in it. What was private may hold such things. */
export async function checkSharedContent(db: DbOrTx, gallery: Resource, properties: GalleryProperties): Promise<void> {
  if (granteesOf(properties).length > 0) await checkContent(db, gallery, properties)
}

/** That all there is in a gallery fits what it is to become. */
export async function checkContent(
  db: DbOrTx,
  gallery: Pick<Resource, 'key' | 'location'>,
  properties: GalleryProperties,
): Promise<void> {
  const facts = { location: gallery.location, properties }
  for (const image of await listChildren(db, gallery.key, 'Microsoft.Compute/galleries/images')) {
    const problem = contentProblem(facts, contentOfImage(image.name, image))
    if (problem) throw problem
    for (const version of await listChildren(db, image.key, 'Microsoft.Compute/galleries/images/versions')) {
      const why = contentProblem(facts, contentOfVersion(`${image.name}/${version.name}`, version))
      if (why) throw why
    }
  }
}
