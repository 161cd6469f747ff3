import type { JsonObject } from '../base/json.ts'
import { randomUuid } from '../base/random.ts'
import type { GalleryProperties, SharingUpdate } from '../contract/galleries.ts'
import type { ActionCall, ActionResult, RequestContext } from '../resources/behaviour.ts'
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

/** The first api-version that shows the sharing of a gallery without being asked (recorded: R6 does not, R4 does). */
const showsSharingSince = '2021-07-01'

/** What a GET adds and leaves out: sharingStatus; the whole profile where the api-version wants to be asked. */
export async function showGallery(
  gallery: Resource,
  context: RequestContext,
  deps: Pick<GalleryDependencies, 'db' | 'regions'>,
): Promise<JsonObject> {
  const { sharingProfile, ...rest } = gallery.properties
  if (sharingProfile === undefined) return rest
  const isAsked = (context.query['$select'] ?? '').toLowerCase().includes('permissions')
  if (context.apiVersion < showsSharingSince && !isAsked) return rest
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
