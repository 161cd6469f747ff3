import { normalizeRegionName } from '../base/region.ts'
import { compareVersionNames } from '../contract/names.ts'

/** What the rule of `latest` needs to know of a version. */
export interface Candidate {
  readonly name: string
  readonly provisioningState: string
  readonly excludeFromLatest: boolean
  readonly regions: readonly CandidateRegion[]
}

export interface CandidateRegion {
  readonly name: string
  /** The regional flag takes precedence over the global one where it is set (behaviour.md B3). */
  readonly excludeFromLatest: boolean | undefined
  /** The replica in this region is complete: only that counts, whatever the target regions intend. */
  readonly isReplicated: boolean
  /** Its replica here failed, and will not come by itself. */
  readonly hasFailed?: boolean
}

export type WhyNot =
  | 'notReplicatedHere'
  | 'replicating'
  | 'replicationFailed'
  | 'excludedFromLatest'
  | 'excludedInRegion'
  | 'deleting'

export interface Latest {
  readonly name: string | undefined
  /** Why each higher version was passed over, the highest first. */
  readonly passedOver: ReadonlyMap<string, WhyNot>
}

/**
 * `latest` in a region: the highest version by number whose replica there is complete and that is not excluded
 * (behaviour.md B3). End-of-life dates do not matter (B5).
 */
export function resolveLatest(all: readonly Candidate[], region: string): Latest {
  const passedOver = new Map<string, WhyNot>()
  for (const version of all.toSorted((a, b) => compareVersionNames(b.name, a.name))) {
    const why = rejection(version, region)
    if (why === undefined) return { name: version.name, passedOver }
    passedOver.set(version.name, why)
  }
  return { name: undefined, passedOver }
}

function rejection(version: Candidate, region: string): WhyNot | undefined {
  if (version.provisioningState === 'Deleting') return 'deleting'
  const wanted = normalizeRegionName(region)
  const here = version.regions.find((r) => normalizeRegionName(r.name) === wanted)
  if (!here) return 'notReplicatedHere'
  if (here.excludeFromLatest === true) return 'excludedInRegion'
  if (here.excludeFromLatest === undefined && version.excludeFromLatest) return 'excludedFromLatest'
  if (here.isReplicated) return undefined
  return here.hasFailed === true ? 'replicationFailed' : 'replicating'
}
