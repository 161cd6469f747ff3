import type { RegionDirectory } from '../base/region.ts'
import { findEdgeZone, type PublishingProfile } from './placement.ts'
import { galleryProblems } from './problems.ts'

type Target = NonNullable<NonNullable<PublishingProfile>['targetExtendedLocations']>[number]

export interface ExtendedLocationFacts {
  readonly targets: readonly Target[]
  readonly before: readonly Target[]
  readonly maximumReplicas: number
  readonly allowsRemoval: boolean | undefined
  readonly isShallow: boolean
  readonly location: string
  /** The place in the body that errors name. */
  readonly profilePath: string
}

/**
 * The rules of edge zones: each is declared for its region in the server's configuration, is named once, keeps no ZRS,
 * and goes only where the safety profile lets a replicated place go.
 */
export function checkExtendedLocations(facts: ExtendedLocationFacts, regions: RegionDirectory): void {
  const { targets, maximumReplicas, location } = facts
  const path = `${facts.profilePath}.targetExtendedLocations`
  if (facts.isShallow && targets.length > 0) throw galleryProblems.ShallowOneReplica({ location }, { target: path })
  const seen = new Set<string>()
  for (const target of targets) {
    const zone = target.extendedLocation?.name ?? ''
    if (findEdgeZone(target, regions) === undefined) throw unknownZone(target.name ?? '', zone, regions, path)
    const name = nameOf(target, regions)
    if (seen.has(name)) throw galleryProblems.DuplicateExtendedLocations({}, { target: path })
    seen.add(name)
    if (target.storageAccountType === 'Standard_ZRS')
      throw galleryProblems.ExtendedLocationZones({ zone }, { target: `${path}.storageAccountType` })
    const value = target.extendedLocationReplicaCount ?? 1
    const parameter = `${path}.extendedLocationReplicaCount`
    if (value < 1 || value > maximumReplicas)
      throw galleryProblems.OutOfRange(
        { value, parameter, minimum: 1, maximum: maximumReplicas },
        { target: parameter },
      )
  }
  const removed = facts.before.filter((old) => !seen.has(nameOf(old, regions)))
  if (facts.allowsRemoval === false && removed.length > 0)
    throw galleryProblems.ReplicatedRegionKept(
      { regions: removed.map((old) => old.extendedLocation?.name ?? '').join(', ') },
      { target: path },
    )
}

function nameOf(target: Target, regions: RegionDirectory): string {
  return `${regions.find(target.name ?? '')?.name}/${target.extendedLocation?.name?.toLowerCase()}`
}

function unknownZone(name: string, zone: string, regions: RegionDirectory, path: string): Error {
  const known = regions.all.flatMap((region) => (region.edgeZones ?? []).map((edge) => `${edge.name} (${region.name})`))
  const region = regions.find(name)?.displayName ?? name
  return galleryProblems.ExtendedLocationUnknown(
    { zone, region, known: known.length === 0 ? 'none' : known.join(', ') },
    { target: path },
  )
}
