/**
 * A region is a named place with storage and, optionally, compute (DESIGN section 6). `name` is Azure's short form
 * (`westeurope`), `displayName` the long one (`West Europe`).
 */
export interface Region {
  readonly name: string
  readonly displayName: string
  /** Names of its availability zones; a region without three cannot hold Standard_ZRS. */
  readonly zones: readonly string[]
  readonly pairedRegion: string | undefined
  readonly geographyGroup: string
  /** Folders of its independent storage units ("stamps"), absolute. At least one. */
  readonly stampFolders: readonly string[]
  /** Folder of each zone, absolute, in the order of `zones`. */
  readonly zoneFolders: readonly string[]
  /** Its extended locations: further places, outside the region, that keep replicas of their own. */
  readonly edgeZones?: readonly EdgeZone[]
}

/** An Azure extended location of type EdgeZone: one folder, no zones. */
export interface EdgeZone {
  /** As the API writes it: `losangeles`. */
  readonly name: string
  /** Absolute. */
  readonly folder: string
}

/** How an edge zone is named where a region is: `westus/losangeles`. No region has a slash in its name. */
export function edgePlaceName(region: string, zone: string): string {
  return `${region}/${normalizeRegionName(zone)}`
}

/** Every place that keeps disks: the regions, and their edge zones as regions with one stamp. */
export function storagePlaces(regions: readonly Region[]): readonly Region[] {
  return regions.flatMap((region) => [
    region,
    ...(region.edgeZones ?? []).map((zone) => ({
      ...region,
      name: edgePlaceName(region.name, zone.name),
      displayName: `${region.displayName} (${zone.name})`,
      zones: [],
      zoneFolders: [],
      stampFolders: [zone.folder],
      edgeZones: [],
    })),
  ])
}

/** Azure accepts a region in any spelling ("West US", "westus", "WestUS"): this is the form that is compared. */
export function normalizeRegionName(spelling: string): string {
  return spelling.toLowerCase().replaceAll(/\s+/g, '')
}

/** The regions of this server, in their configured order. */
export interface RegionDirectory {
  readonly all: readonly Region[]
  /** Finds a region by any spelling of its short or display name. */
  find(spelling: string): Region | undefined
}

export function regionDirectory(all: readonly Region[]): RegionDirectory {
  const byName = new Map<string, Region>()
  for (const region of all) {
    byName.set(normalizeRegionName(region.name), region)
    byName.set(normalizeRegionName(region.displayName), region)
  }
  return { all, find: (spelling) => byName.get(normalizeRegionName(spelling)) }
}
