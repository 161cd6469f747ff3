import type { Region, RegionDirectory } from '../base/region.ts'
import { isStorageClass } from '../store/disk-store.ts'
import { galleryProblems } from './problems.ts'

/** A target region after the contract has normalised and completed it: display name, count and class are there. */
export interface TargetRegion {
  readonly name: string
  readonly regionalReplicaCount?: number
  readonly storageAccountType?: string
  readonly excludeFromLatest?: boolean
  readonly additionalReplicaSets?: readonly ReplicaSet[]
}

export interface ReplicaSet {
  readonly storageAccountType?: string
  readonly regionalReplicaCount?: number
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
  /** The place in the body that errors name; default: an image version's. */
  readonly profilePath?: string
}

const imageProfile = 'galleryImageVersion.properties.publishingProfile'

/**
 * The rules of target regions that need more than the schema (behaviour.md B6-B8, B11): known and different regions,
 * the version's own location among them, counts within the configured limit, zones for ZRS, a class that an existing
 * region never changes, and no removal of a replicated region where the safety profile forbids it.
 */
export function checkTargetRegions(facts: TargetRegionFacts, regions: RegionDirectory): void {
  const profile = facts.profilePath ?? imageProfile
  const targetsPath = `${profile}.targetRegions`
  checkCount(facts.replicaCount, `${profile}.replicaCount`, facts.maximumReplicas)
  const seen = new Set<string>()
  for (const target of facts.targets) {
    const region = regions.find(target.name)
    if (!region) throw unknownRegion(target.name, regions, targetsPath)
    if (seen.has(region.name)) throw galleryProblems.DuplicateRegions({}, { target: targetsPath })
    seen.add(region.name)
    checkCounts(target, facts, targetsPath)
    checkClass(target, region, facts.before, `${targetsPath}.storageAccountType`)
  }
  if (!seen.has(facts.location))
    throw galleryProblems.LocationNotAmongTargets(
      { regions: facts.targets.map((target) => target.name).join(','), location: facts.location },
      { target: targetsPath },
    )
  if (facts.isShallow === true) checkShallow(facts, targetsPath)
  if (facts.allowsRemoval === false) checkNothingRemoved(facts, targetsPath)
}

/** The replicas of all sets of a region together count against the limit. */
function checkCounts(target: TargetRegion, facts: TargetRegionFacts, targetsPath: string): void {
  const { replicaCount, maximumReplicas } = facts
  const sets = target.additionalReplicaSets ?? []
  checkCount(target.regionalReplicaCount, `${targetsPath}.regionalReplicaCount`, maximumReplicas)
  if (sets.length === 0) return
  const own = target.regionalReplicaCount ?? replicaCount ?? 1
  const all = sets.reduce((sum, set) => sum + (set.regionalReplicaCount ?? 1), own)
  checkCount(all, `${targetsPath}.additionalReplicaSets.regionalReplicaCount`, maximumReplicas)
}

function checkShallow({ targets, replicaCount, location }: TargetRegionFacts, targetsPath: string): void {
  const counts = [replicaCount ?? 1, ...targets.map((target) => target.regionalReplicaCount ?? 1)]
  const hasSets = targets.some((target) => (target.additionalReplicaSets ?? []).length > 0)
  if (targets.length > 1 || hasSets || counts.some((count) => count > 1))
    throw galleryProblems.ShallowOneReplica({ location }, { target: targetsPath })
}

function checkClass(target: TargetRegion, region: Region, before: readonly TargetRegion[], path: string): void {
  const { displayName, zones } = region
  const value = target.storageAccountType ?? 'Standard_LRS'
  if (!isStorageClass(value)) throw galleryProblems.StorageClassNotSupported({ value }, { target: path })
  const existing = before.find((old) => old.name === displayName)?.storageAccountType
  if (existing !== undefined && existing !== value)
    throw galleryProblems.StorageClassNotKept({ region: displayName, existing }, { target: path })
  const words = [value, ...(target.additionalReplicaSets ?? []).map((set) => set.storageAccountType)]
  if (words.includes('Standard_ZRS') && zones.length < 3)
    throw galleryProblems.ZonesMissing(
      {},
      { target: path, details: [galleryProblems.ZonesCounted({ region: displayName }, { target: path }).toRecord()] },
    )
}

function checkNothingRemoved(facts: TargetRegionFacts, targetsPath: string): void {
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

function unknownRegion(name: string, regions: RegionDirectory, targetsPath: string): Error {
  const known = regions.all.map((region) => region.name).join(', ')
  return galleryProblems.UnknownRegion({ region: name, known }, { target: targetsPath })
}
