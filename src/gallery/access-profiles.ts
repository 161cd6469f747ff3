import { formatArmTime } from '../base/clock.ts'
import type { JsonObject } from '../base/json.ts'
import type { AccessProfileVersionProperties } from '../contract/access-profiles.ts'
import type { Behaviour, Change } from '../resources/behaviour.ts'
import type { Draft } from '../resources/resource.ts'
import { checkAccessRules } from './access-rules.ts'
import type { GalleryDependencies } from './dependencies.ts'
import { checkQuota } from './quota.ts'
import { checkTargetRegions } from './target-regions.ts'

const type = 'Microsoft.Compute/galleries/inVMAccessControlProfiles/versions'
const errorName = 'galleryInVMAccessControlProfileVersion'

/**
 * Versions of access profiles are rules and no bytes: every region reads them from the database, so they stand
 * everywhere as soon as they are written.
 */
export function accessProfileVersionsBehaviour(deps: Pick<GalleryDependencies, 'limits' | 'regions'>): Behaviour {
  return {
    type,
    prepare: async (change, context) => complete(change, context.nowMs, deps),
    async check({ before, after }) {
      const { rules, targetLocations = [] } = after.properties as AccessProfileVersionProperties
      checkAccessRules(rules)
      checkTargetRegions(
        {
          targets: targetLocations,
          before: (before?.properties as AccessProfileVersionProperties | undefined)?.targetLocations ?? [],
          location: deps.regions.find(after.location)?.name ?? after.location,
          replicaCount: undefined,
          maximumReplicas: deps.limits.maximumReplicas,
          allowsRemoval: undefined,
          profilePath: `${errorName}.properties`,
        },
        deps.regions,
      )
    },
    commit: (tx, change) => checkQuota(tx, type, change, deps.limits),
    async show({ properties, provisioningState }) {
      const { targetLocations = [] } = properties as AccessProfileVersionProperties
      const isThere = provisioningState !== 'Creating'
      const summary = targetLocations.map(({ name }) => ({
        region: name,
        state: isThere ? 'Completed' : 'Replicating',
        progress: isThere ? 100 : 0,
      }))
      return { ...properties, replicationStatus: { aggregatedState: isThere ? 'Completed' : 'InProgress', summary } }
    },
  }
}

/** Without locations it is published where it lives; the date is that of the first PUT. */
function complete({ before, after }: Change, nowMs: number, deps: Pick<GalleryDependencies, 'regions'>): Draft {
  const properties: JsonObject = after.properties
  const given = (properties as AccessProfileVersionProperties).targetLocations ?? []
  const home = deps.regions.find(after.location)?.displayName
  const wanted = given.length === 0 && home !== undefined ? [{ name: home }] : given
  const targetLocations = wanted.map((location) => ({
    regionalReplicaCount: 1,
    storageAccountType: 'Standard_LRS' as const,
    ...location,
  }))
  const publishedDate = before?.properties['publishedDate'] ?? formatArmTime(nowMs)
  return { ...after, properties: { ...properties, targetLocations, publishedDate } }
}
