import type { Behaviour } from '../resources/behaviour.ts'
import type { GalleryDependencies } from './dependencies.ts'
import { galleryProblems } from './problems.ts'
import { checkQuota, type LimitedType } from './quota.ts'

const definitions: readonly (readonly [LimitedType, errorName: string])[] = [
  ['Microsoft.Compute/galleries/applications', 'galleryApplication'],
  ['Microsoft.Compute/galleries/scripts', 'galleryScript'],
  ['Microsoft.Compute/galleries/inVMAccessControlProfiles', 'galleryInVMAccessControlProfile'],
]

/** Definitions of applications, scripts and access profiles: data, with a date ahead and a place in the quota. */
export function artifactDefinitionBehaviours(deps: Pick<GalleryDependencies, 'limits'>): Behaviour[] {
  return definitions.map(([type, errorName]) => ({
    type,
    async check({ before, after }, { nowMs }) {
      const { endOfLifeDate } = after.properties
      if (typeof endOfLifeDate !== 'string' || endOfLifeDate === before?.properties['endOfLifeDate']) return
      if (Date.parse(endOfLifeDate) <= nowMs)
        throw galleryProblems.EndOfLifeInPast({}, { target: `${errorName}.properties.endOfLifeDate` })
    },
    commit: (tx, change) => checkQuota(tx, type, change, deps.limits),
  }))
}
