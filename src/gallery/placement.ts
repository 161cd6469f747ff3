import { edgePlaceName, type RegionDirectory } from '../base/region.ts'
import type { GalleryImageVersionProperties } from '../contract/gallery-image-versions.ts'
import { isStorageClass, type PlainStorageClass } from '../store/disk-store.ts'

/** What a publishing profile asks for, in terms of places that keep disks. */

export type PublishingProfile = GalleryImageVersionProperties['publishingProfile']

/** A region or edge zone that a version names. */
export interface NamedPlace {
  /** Short region name, or `region/edgezone`. */
  readonly place: string
  /** As a client is shown it. */
  readonly label: string
  readonly excludeFromLatest: boolean | undefined
  readonly copies: readonly WantedCopies[]
}

/** Answers the vault that keeps a disk in a region (short name) encrypted; undefined: its bytes rest as they are. */
export type FindVault = (region: string, lun: number) => string | undefined

export interface WantedCopies {
  readonly storageClass: PlainStorageClass
  readonly replicaCount: number
}

/**
 * The store that keeps what an API word names: PremiumV2_LRS, a class of "direct drive" replicas, is ready to map like
 * Premium_LRS; StandardSSD_LRS, a class of edge zones, is kept like Standard_LRS. Undefined: no class.
 */
function storeClassOf(word: string): PlainStorageClass | undefined {
  if (word === 'PremiumV2_LRS') return 'Premium_LRS'
  if (word === 'StandardSSD_LRS') return 'Standard_LRS'
  return isStorageClass(word) ? word : undefined
}

/** Places in the order in which the version names them: regions, then edge zones. Unknown ones are left out. */
export function namedPlaces(profile: PublishingProfile, regions: RegionDirectory): readonly NamedPlace[] {
  const general = profile?.replicaCount ?? 1
  const targets = (profile?.targetRegions ?? []).flatMap((target): NamedPlace[] => {
    const region = regions.find(target.name)
    if (!region) return []
    const copies = [
      copiesOf(target.storageAccountType ?? 'Standard_LRS', target.regionalReplicaCount ?? general),
      ...(target.additionalReplicaSets ?? []).map((set) =>
        copiesOf(set.storageAccountType ?? 'PremiumV2_LRS', set.regionalReplicaCount ?? 1),
      ),
    ]
    const { excludeFromLatest } = target
    return [{ place: region.name, label: region.displayName, excludeFromLatest, copies: addUp(copies.flat()) }]
  })
  const edges = (profile?.targetExtendedLocations ?? []).flatMap((target): NamedPlace[] => {
    const region = regions.find(target.name ?? '')
    const zone = findEdgeZone(target, regions)
    if (!region || zone === undefined) return []
    const count = target.extendedLocationReplicaCount ?? general
    return [
      {
        place: edgePlaceName(region.name, zone),
        label: `${region.displayName} (${zone})`,
        excludeFromLatest: undefined,
        copies: copiesOf(target.storageAccountType ?? 'Standard_LRS', count),
      },
    ]
  })
  return [...targets, ...edges]
}

/** The configured name of the edge zone that an entry names; undefined: there is none. */
export function findEdgeZone(
  target: { readonly name?: string; readonly extendedLocation?: { readonly name?: string } },
  regions: RegionDirectory,
): string | undefined {
  const wanted = target.extendedLocation?.name?.toLowerCase()
  return regions.find(target.name ?? '')?.edgeZones?.find((zone) => zone.name.toLowerCase() === wanted)?.name
}

function copiesOf(word: string, replicaCount: number): readonly WantedCopies[] {
  const storageClass = storeClassOf(word)
  return storageClass === undefined ? [] : [{ storageClass, replicaCount }]
}

/** Two sets that one store keeps are one set of as many replicas. */
function addUp(copies: readonly WantedCopies[]): readonly WantedCopies[] {
  const sums = new Map<PlainStorageClass, number>()
  for (const { storageClass, replicaCount } of copies)
    sums.set(storageClass, (sums.get(storageClass) ?? 0) + replicaCount)
  return [...sums].map(([storageClass, replicaCount]) => ({ storageClass, replicaCount }))
}
