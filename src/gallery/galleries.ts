import type { GalleryProperties } from '../contract/galleries.ts'
import type { Tx } from '../db/tables.ts'
import type { Behaviour, Change } from '../resources/behaviour.ts'
import { checkQuota } from './quota.ts'
import { listResourcesOfType } from '../resources/resource.rows.ts'
import type { GalleryDependencies } from './dependencies.ts'
import { galleryProblems } from './problems.ts'

/** What `galleries` mean: a name of their own in the subscription, and a unique name for sharing (behaviour.md B1, B2). */
export function galleriesBehaviour(deps: Pick<GalleryDependencies, 'limits'>): Behaviour {
  return {
    type: 'Microsoft.Compute/galleries',
    async prepare(change) {
      const identifier = { uniqueName: `${change.id.subscriptionId}-${change.id.name.toUpperCase()}` }
      return { ...change.after, properties: { ...change.after.properties, identifier } }
    },
    async check(change) {
      const properties = change.after.properties as GalleryProperties
      const permissions = properties.sharingProfile?.permissions ?? 'Private'
      if (permissions !== 'Private')
        throw galleryProblems.SharingNotSupported(
          { permissions },
          { target: 'gallery.properties.sharingProfile.permissions' },
        )
      if (properties.softDeletePolicy?.isSoftDeleteEnabled)
        throw galleryProblems.SoftDeleteNotSupported({}, { target: 'gallery.properties.softDeletePolicy' })
    },
    async commit(tx, change) {
      await checkQuota(tx, 'Microsoft.Compute/galleries', change, deps.limits)
      if (change.kind === 'create') await checkNameIsFree(tx, change)
    },
  }
}

async function checkNameIsFree(tx: Tx, change: Change): Promise<void> {
  const all = await listResourcesOfType(tx, 'Microsoft.Compute/galleries', change.id.subscriptionId)
  const name = change.id.name.toLowerCase()
  if (all.some((gallery) => gallery.name.toLowerCase() === name && gallery.key !== change.id.key))
    throw galleryProblems.GalleryNameNotUnique({ name: change.id.name, subscriptionId: change.id.subscriptionId })
}
