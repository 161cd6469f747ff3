import type { DbOrTx, Tx } from '../db/tables.ts'
import type { Change } from '../resources/behaviour.ts'
import { countResources } from '../resources/resource.rows.ts'
import type { GalleryLimits } from './dependencies.ts'
import { galleryProblems } from './problems.ts'

const quotas = {
  'Microsoft.Compute/galleries': { limit: 'galleries', what: 'Galleries' },
  'Microsoft.Compute/galleries/images': { limit: 'imageDefinitions', what: 'GalleryImages' },
  'Microsoft.Compute/galleries/images/versions': { limit: 'imageVersions', what: 'GalleryImageVersions' },
  // Azure publishes no numbers for what follows: as many as of images.
  'Microsoft.Compute/galleries/applications': { limit: 'imageDefinitions', what: 'GalleryApplications' },
  'Microsoft.Compute/galleries/applications/versions': { limit: 'imageVersions', what: 'GalleryApplicationVersions' },
  'Microsoft.Compute/galleries/scripts': { limit: 'imageDefinitions', what: 'GalleryScripts' },
  'Microsoft.Compute/galleries/scripts/versions': { limit: 'imageVersions', what: 'GalleryScriptVersions' },
  'Microsoft.Compute/galleries/inVMAccessControlProfiles': {
    limit: 'imageDefinitions',
    what: 'GalleryInVMAccessControlProfiles',
  },
  'Microsoft.Compute/galleries/inVMAccessControlProfiles/versions': {
    limit: 'imageVersions',
    what: 'GalleryInVMAccessControlProfileVersions',
  },
} as const

export type LimitedType = keyof typeof quotas

/**
 * Refuses a creation beyond the limit of its type in the subscription and region. Call it in the transaction that
 * writes the row: two creations at once must not both take the last place.
 */
export async function checkQuota(tx: Tx, type: LimitedType, change: Change, limits: GalleryLimits): Promise<void> {
  if (change.kind !== 'create') return
  const { location } = change.after
  const limit = limits[quotas[type].limit]
  // The row is written before `commit` is asked, in the same transaction: it counts itself.
  const used = (await countResources(tx, { type, subscriptionId: change.id.subscriptionId, location })) - 1
  if (used >= limit) throw galleryProblems.QuotaExceeded({ what: quotas[type].what, location, limit, used })
}

/** Azure's names for what a subscription's quotas count (`az vm list-usage`). */
const usageNames = {
  'Microsoft.Compute/galleries': { name: 'Gallery', label: 'Gallery' },
  'Microsoft.Compute/galleries/images': { name: 'GalleryImage', label: 'Gallery Image' },
  'Microsoft.Compute/galleries/images/versions': { name: 'GalleryImageVersion', label: 'Gallery Image Version' },
} as const

/** How much of its quotas a subscription uses in a region. */
export async function readGalleryUsages(
  db: DbOrTx,
  place: { readonly subscriptionId: string; readonly location: string },
  limits: GalleryLimits,
): Promise<
  readonly { readonly name: string; readonly label: string; readonly used: number; readonly limit: number }[]
> {
  const types = [
    'Microsoft.Compute/galleries',
    'Microsoft.Compute/galleries/images',
    'Microsoft.Compute/galleries/images/versions',
  ] as const
  return Promise.all(
    types.map(async (type) => ({
      ...usageNames[type],
      used: await countResources(db, { type, ...place }),
      limit: limits[quotas[type].limit],
    })),
  )
}
