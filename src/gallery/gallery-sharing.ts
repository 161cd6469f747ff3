import type { JsonObject } from '../base/json.ts'
import { randomUuid } from '../base/random.ts'
import type { GalleryProperties, SharingUpdate } from '../contract/galleries.ts'
import type { ActionCall, ActionResult } from '../resources/behaviour.ts'
import { editResourceProperties } from '../resources/resource.rows.ts'
import type { Resource } from '../resources/resource.ts'
import type { GalleryDependencies } from './dependencies.ts'
import { listShares } from './share.rows.ts'
import { checkSharedContent } from './shared-content.ts'
import { granteesOf, planSharing, showSharingStatus } from './sharing-rules.ts'

/** POST share: what is wanted is written with the operation, which then makes it true in every region. */
export async function share(
  { resource, body }: ActionCall,
  deps: Pick<GalleryDependencies, 'db' | 'limits'>,
): Promise<ActionResult> {
  const properties: GalleryProperties = resource.properties
  const sharingProfile = planSharing({ name: resource.name, properties }, body as SharingUpdate, deps.limits)
  await checkSharedContent(deps.db, resource, { ...properties, sharingProfile })
  return {
    kind: 'started',
    start: { workflow: 'share-gallery', input: { update: body } },
    async inTransaction(tx) {
      await editResourceProperties(tx, resource.key, (now) => ({ ...now, sharingProfile }), randomUuid())
    },
  }
}

/** What a GET adds: sharingStatus. */
export async function showGallery(
  gallery: Resource,
  deps: Pick<GalleryDependencies, 'db' | 'regions'>,
): Promise<JsonObject> {
  if (gallery.properties['sharingProfile'] === undefined) return gallery.properties
  const published = new Map<string, Set<string>>()
  for (const { region, grantee } of await listShares(deps.db, gallery.key))
    published.set(region, (published.get(region) ?? new Set()).add(grantee))
  const wanted = granteesOf(gallery.properties)
  if (wanted.length === 0 && published.size === 0) return gallery.properties
  const sharingStatus = showSharingStatus({
    wanted,
    published,
    regions: deps.regions.all,
    isWorking: gallery.operationId !== undefined,
  })
  return { ...gallery.properties, sharingStatus }
}
