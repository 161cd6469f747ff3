import type { RegionDirectory } from '../base/region.ts'
import { isStorageClass } from '../store/disk-store.ts'
import { galleryProblems } from './problems.ts'

/** A target region after the contract has normalised and completed it: display name, count and class are there. */
export interface TargetRegion {
  readonly name: string
  readonly regionalReplicaCount?: number
  readonly storageAccountType?: string
  readonly excludeFromLatest?: boolean
}

export interface TargetRegionFacts {
  readonly targets: readonly TargetRegion[]
  /** What the version has now; empty for a new one. */
  readonly before: readonly TargetRegion[]
  /** Short name of the version's own region. */
  readonly location: string
  readonly replicaCount: number | undefined
  readonly maximumReplicas: number
  /** safetyProfile.allowDeletionOfReplicatedLocations; undefined for versions made before it existed. */
  readonly allowsRemoval: boolean | undefined
  /** Nothing is copied: one replica, where the source is (behaviour.md B7, B9). */
  readonly isShallow?: boolean
}

const profile = 'galleryImageVersion.properties.publishingProfile'
const targetsPath = `${profile}.targetRegions`

/**
 * The rules of target regions that need more than the schema (behaviour.md B6-B8, B11): known and different regions,
 * the version's own location among them, counts within the configured limit, zones for ZRS, a class that an existing
 * region never changes, and no removal of a replicated region where the safety profile forbids it.
 */
export function checkTargetRegions(facts: TargetRegionFacts, regions: RegionDirectory): void {
  checkCount(facts.replicaCount, `${profile}.replicaCount`, facts.maximumReplicas)
  const seen = new Set<string>()
  for (const target of facts.targets) {
    const region = regions.find(target.name)
    if (!region) throw unknownRegion(target.name, regions)
    if (seen.has(region.name)) throw galleryProblems.DuplicateRegions({}, { target: targetsPath })
    seen.add(region.name)
    checkCount(target.regionalReplicaCount, `${targetsPath}.regionalReplicaCount`, facts.maximumReplicas)
    checkClass(target, region.displayName, region.zones.length, facts.before)
  }
  if (!seen.has(facts.location))
    throw galleryProblems.LocationNotAmongTargets(
      { regions: facts.targets.map((target) => target.name).join(','), location: facts.location },
      { target: targetsPath },
    )
  if (facts.isShallow === true) checkShallow(facts)
  if (facts.allowsRemoval === false) checkNothingRemoved(facts)
}

function checkShallow({ targets, replicaCount, location }: TargetRegionFacts): void {
  const counts = [replicaCount ?? 1, ...targets.map((target) => target.regionalReplicaCount ?? 1)]
  if (targets.length > 1 || counts.some((count) => count > 1))
    throw galleryProblems.ShallowOneReplica({ location }, { target: targetsPath })
}

function checkClass(target: TargetRegion, displayName: string, zones: number, before: readonly TargetRegion[]): void {
  const path = `${targetsPath}.storageAccountType`
  const value = target.storageAccountType ?? 'Standard_LRS'
  if (!isStorageClass(value)) throw galleryProblems.StorageClassNotSupported({ value }, { target: path })
  const existing = before.find((old) => old.name === displayName)?.storageAccountType
  if (existing !== undefined && existing !== value)
    throw galleryProblems.StorageClassNotKept({ region: displayName, existing }, { target: path })
  if (value === 'Standard_ZRS' && zones < 3)
    throw galleryProblems.ZonesMissing({ region: displayName }, { target: path })
}

function checkNothingRemoved(facts: TargetRegionFacts): void {
  const removed = facts.before.filter((old) => !facts.targets.some((target) => target.name === old.name))
  if (removed.length > 0)
    throw galleryProblems.ReplicatedRegionKept(
      { regions: removed.map((target) => target.name).join(', ') },
      { target: targetsPath },
    )
}

function checkCount(value: number | undefined, parameter: string, maximum: number): void {
  if (value !== undefined && (value < 1 || value > maximum))
    throw galleryProblems.OutOfRange({ value, parameter, minimum: 1, maximum }, { target: parameter })
}

function unknownRegion(name: string, regions: RegionDirectory): Error {
  const known = regions.all.map((region) => region.name).join(', ')
  return galleryProblems.UnknownRegion({ region: name, known }, { target: targetsPath })
}
