import type { DbOrTx, Tx } from '../db/tables.ts'
import type { Change } from '../resources/behaviour.ts'
import { countResources } from '../resources/resource.rows.ts'
import type { GalleryQuota } from './dependencies.ts'
import { galleryProblems } from './problems.ts'

/** What counts against which limit, and Azure's names for it (`az vm list-usage`; of artifacts in the same manner). */
const quotas = {
  'Microsoft.Compute/galleries': { limit: 'galleries', name: 'Gallery' },
  'Microsoft.Compute/galleries/images': { limit: 'imageDefinitions', name: 'GalleryImage' },
  'Microsoft.Compute/galleries/images/versions': {
    limit: 'imageVersions',
    name: 'GalleryImageVersion',
  },
  'Microsoft.Compute/galleries/applications': {
    limit: 'applications',
    name: 'GalleryApplication',
  },
  'Microsoft.Compute/galleries/applications/versions': {
    limit: 'applicationVersions',
    name: 'GalleryApplicationVersion',
  },
  'Microsoft.Compute/galleries/scripts': { limit: 'scripts', name: 'GalleryScript' },
  'Microsoft.Compute/galleries/scripts/versions': {
    limit: 'scriptVersions',
    name: 'GalleryScriptVersion',
  },
  'Microsoft.Compute/galleries/inVMAccessControlProfiles': {
    limit: 'accessProfiles',
    name: 'GalleryInVMAccessControlProfile',
  },
  'Microsoft.Compute/galleries/inVMAccessControlProfiles/versions': {
    limit: 'accessProfileVersions',
    name: 'GalleryInVMAccessControlProfileVersion',
  },
} as const satisfies Readonly<Record<string, { limit: keyof GalleryQuota; name: string }>>

export type LimitedType = keyof typeof quotas

/**
 * Refuses a creation beyond the limit of its type in the subscription and region. Call it in the transaction that
 * writes the row: two creations at once must not both take the last place.
 */
export async function checkQuota(tx: Tx, type: LimitedType, change: Change, limits: GalleryQuota): Promise<void> {
  if (change.kind !== 'create') return
  const { location } = change.after
  const { name } = quotas[type]
  const limit = limits[quotas[type].limit]
  // The row is written before `commit` is asked, in the same transaction: it counts itself.
  const used = (await countResources(tx, { type, subscriptionId: change.id.subscriptionId, location })) - 1
  if (used >= limit)
    throw galleryProblems.QuotaExceeded({ what: `${name.replace(/y$/, 'ie')}s`, location, limit, used })
}

/** How much of its quotas a subscription uses in a region. */
export async function readGalleryUsages(
  db: DbOrTx,
  place: { readonly subscriptionId: string; readonly location: string },
  limits: GalleryQuota,
): Promise<
  readonly { readonly name: string; readonly label: string; readonly used: number; readonly limit: number }[]
> {
  return Promise.all(
    Object.entries(quotas).map(async ([type, { limit, name }]) => ({
      name,
      // `Gallery Image Version`
      label: name.replaceAll(/(?<=[a-z])(?=[A-Z])|(?<=VM)(?=[A-Z])/g, ' '),
      used: await countResources(db, { type, ...place }),
      limit: limits[limit],
    })),
  )
}
