import { randomUuid } from '../base/random.ts'
import type { GalleryProperties } from '../contract/galleries.ts'
import type { Tx } from '../db/tables.ts'
import type { Behaviour, Change, RequestContext } from '../resources/behaviour.ts'
import { checkQuota } from './quota.ts'
import { listResourcesOfType } from '../resources/resource.rows.ts'
import type { GalleryDependencies } from './dependencies.ts'
import { galleryProblems } from './problems.ts'
import { emptyWith } from './recycle-bin.ts'
import { findSoftDeletePolicy, withPolicyPeriods } from './soft-delete.ts'
import { deleteSharing } from './share.rows.ts'
import { checkContent } from './shared-content.ts'
import { share, showGallery } from './gallery-sharing.ts'
import { sharingProblems } from './sharing-problems.ts'
import { checkSharingProfile, stillSharedTo, withPublicName } from './sharing-rules.ts'

const longestPeriodDays = 365

/** What `galleries` mean: a name of their own in the subscription, and a unique name for sharing (behaviour.md B1, B2). */
export function galleriesBehaviour(
  deps: Pick<GalleryDependencies, 'db' | 'limits' | 'regions' | 'requestSweep'>,
): Behaviour {
  return {
    type: 'Microsoft.Compute/galleries',
    async prepare(change, context) {
      const identifier = { uniqueName: `${change.id.subscriptionId}-${change.id.name.toUpperCase()}` }
      const properties = withPolicyPeriods(change.after.properties, context.apiVersion)
      return { ...change.after, properties: withPublicName({ ...properties, identifier }, randomUuid) }
    },
    async check(change, context) {
      const properties = change.after.properties as GalleryProperties
      checkSharingProfile(change.before?.properties, properties)
      await checkSoftDelete(change, context, deps)
    },
    async commit(tx, change) {
      await checkQuota(tx, 'Microsoft.Compute/galleries', change, deps.limits)
      if (change.kind === 'create') await checkNameIsFree(tx, change)
    },
    async commitRemove(tx, gallery) {
      await emptyWith(tx, gallery, deps)
      await deleteSharing(tx, gallery.key)
    },
    async checkRemove(gallery) {
      const permissions = stillSharedTo(gallery.properties)
      if (permissions !== undefined) throw sharingProblems.StillShared({ permissions })
    },
    show: (gallery) => showGallery(gallery, deps),
    actions: { share: (call) => share(call, deps) },
  }
}

/** Turning it on needs the right to share (behaviour.md H); its periods are days of a calendar. */
async function checkSoftDelete(
  change: Change,
  context: RequestContext,
  { db }: Pick<GalleryDependencies, 'db'>,
): Promise<void> {
  const { before, after } = change
  const policy = findSoftDeletePolicy(after)
  if (!policy) return
  if (!findSoftDeletePolicy(before)) {
    await context.authorize('Microsoft.Compute/galleries/share/action', change.id.id)
    if (before) await checkContent(db, before, after.properties)
  }
  const periods = [
    { parameter: 'retentionPeriodInDays', value: policy.retentionDays, minimum: 1 },
    { parameter: 'gracePeriodInDays', value: policy.graceDays, minimum: 0 },
  ]
  for (const { parameter: member, value, minimum } of periods) {
    const parameter = `gallery.properties.softDeletePolicy.${member}`
    if (value < minimum || value > longestPeriodDays)
      throw galleryProblems.OutOfRange({ value, parameter, minimum, maximum: longestPeriodDays }, { target: parameter })
  }
}

async function checkNameIsFree(tx: Tx, change: Change): Promise<void> {
  const all = await listResourcesOfType(tx, 'Microsoft.Compute/galleries', change.id.subscriptionId)
  const name = change.id.name.toLowerCase()
  if (all.some((gallery) => gallery.name.toLowerCase() === name && gallery.key !== change.id.key))
    throw galleryProblems.GalleryNameNotUnique({ name: change.id.name, subscriptionId: change.id.subscriptionId })
}
