import type { RegionDirectory } from '../base/region.ts'
import type { Change } from '../resources/behaviour.ts'
import { checkEncryption } from './encryption-rules.ts'
import { checkExtendedLocations } from './extended-locations.ts'
import { checkTargetRegions } from './target-regions.ts'
import { isShallow, versionProperties } from './version-properties.ts'

/**
 * Where a version of any kind may stand: its target regions, its edge zones, and what is promised of the bytes there.
 * `profilePath`: the place in the body that errors name. `takesKeys`: its bytes can be kept encrypted.
 */
export function checkPlacement(
  change: Pick<Change, 'after' | 'before'>,
  maximumReplicas: number,
  profilePath: string,
  regions: RegionDirectory,
  takesKeys = false,
): void {
  const { publishingProfile, safetyProfile } = versionProperties(change.after)
  const was = change.before && versionProperties(change.before).publishingProfile
  const { targetRegions = [], targetExtendedLocations = [], replicaCount } = publishingProfile ?? {}
  const facts = {
    location: regions.find(change.after.location)?.name ?? change.after.location,
    maximumReplicas,
    allowsRemoval: safetyProfile?.allowDeletionOfReplicatedLocations,
    isShallow: isShallow(change.after),
    profilePath,
  }
  checkEncryption(publishingProfile, profilePath, takesKeys)
  checkTargetRegions({ ...facts, targets: targetRegions, before: was?.targetRegions ?? [], replicaCount }, regions)
  checkExtendedLocations(
    { ...facts, targets: targetExtendedLocations, before: was?.targetExtendedLocations ?? [] },
    regions,
  )
}
