import type { RequestContext } from '../resources/behaviour.ts'
import type { ProxyBehaviour, ProxyPlace } from '../resources/proxy.ts'
import { listResourcesOfType } from '../resources/resource.rows.ts'
import type { GalleryDependencies } from './dependencies.ts'
import { isShared, putAnswer } from './share.rows.ts'
import { sharingProblems } from './sharing-problems.ts'
import { granteesOf, subscriptionGrantee, tenantGrantee } from './sharing-rules.ts'
import { uniqueNameOf } from './shared-view.ts'

type Dependencies = Pick<GalleryDependencies, 'db' | 'clock'>

/**
 * What a subscription or tenant answers to a gallery that was shared with it (SDK 2025-12-03; no documentation,
 * behaviour.md G6). Without an answer a gallery is seen; one that was rejected is not, until it is accepted.
 */
export function inviteBehaviours(deps: Dependencies): readonly ProxyBehaviour[] {
  return ['sharedGallerySubscriptions', 'tenantLevelSharedGallerySubscriptions'].map((segment) => ({
    type: `Microsoft.Compute/locations/${segment}/sharedGalleries`,
    actions: {
      accept: (place, context) => answer(place, context, 'accepted', deps),
      reject: (place, context) => answer(place, context, 'rejected', deps),
    },
  }))
}

/** `names`: the publisher's subscription, and the gallery by its own or its unique name. */
async function answer(
  { names, region, subscriptionId, tenantId }: ProxyPlace,
  context: RequestContext,
  state: 'accepted' | 'rejected',
  deps: Dependencies,
): Promise<void> {
  const [publisher = '', name = ''] = names
  const grantee = subscriptionId === undefined ? tenantGrantee(tenantId) : subscriptionGrantee(subscriptionId)
  const galleries = await listResourcesOfType(deps.db, 'Microsoft.Compute/galleries', publisher)
  const gallery = galleries.find((one) =>
    [one.name, uniqueNameOf(one)].some((own) => own.toLowerCase() === name.toLowerCase()),
  )
  const share = gallery && { galleryKey: gallery.key, region: region.name, grantee }
  // Nobody learns here of a gallery that is not shared with him.
  if (!share || !granteesOf(gallery.properties).includes(grantee) || !(await isShared(deps.db, share)))
    throw sharingProblems.SharedGalleryNotFound({ name, region: region.displayName.replaceAll(' ', '') })
  const decision = { decidedBy: context.caller.objectId, decidedMs: deps.clock.now() }
  await putAnswer(deps.db, { grantee, galleryKey: gallery.key, state, ...decision })
}
