import type { GalleryImageVersionProperties } from '../contract/gallery-image-versions.ts'
import type { RegionDirectory } from '../base/region.ts'
import type { Resource } from '../resources/resource.ts'
import { isStorageClass, type StorageClass } from '../store/disk-store.ts'
import type { Candidate } from './latest.ts'
import { osDiskLun } from './replica.rows.ts'
import type { Replica, WantedReplica } from './replica.rows.ts'

/** The stored properties of a version, typed: rows hold only what the contract normalised. */
export function versionProperties(version: {
  readonly properties: Resource['properties']
}): GalleryImageVersionProperties {
  return version.properties
}

/** Facts of a version for the rule of `latest`. */
export function toCandidate(version: Resource, replicas: readonly Replica[], regions: RegionDirectory): Candidate {
  const profile = versionProperties(version).publishingProfile
  return {
    name: version.name,
    provisioningState: version.provisioningState,
    excludeFromLatest: profile?.excludeFromLatest ?? false,
    regions: (profile?.targetRegions ?? []).map((target) => {
      const region = regions.find(target.name)
      const here = replicas.filter((r) => r.versionKey === version.key && r.region === region?.name)
      return {
        name: region?.name ?? target.name,
        excludeFromLatest: target.excludeFromLatest,
        isReplicated: here.length > 0 && here.every((replica) => replica.state === 'Completed'),
        hasFailed: here.some((replica) => replica.state === 'Failed'),
      }
    }),
  }
}

export function isShallow(version: { readonly properties: Resource['properties'] }): boolean {
  return versionProperties(version).publishingProfile?.replicationMode === 'Shallow'
}

/**
 * One row for each disk in each target region. `keptIn`: the class in which a disk lies already, by LUN, where nothing
 * is to be copied.
 */
export function wantedReplicas(
  version: Resource,
  luns: readonly number[],
  regions: RegionDirectory,
  keptIn: ReadonlyMap<number, StorageClass> = new Map(),
): WantedReplica[] {
  const profile = versionProperties(version).publishingProfile
  return (profile?.targetRegions ?? []).flatMap((target) => {
    const region = regions.find(target.name)
    const storageClass = target.storageAccountType ?? 'Standard_LRS'
    if (!region || !isStorageClass(storageClass)) return []
    return luns.map((lun) => ({
      versionKey: version.key,
      lun,
      region: region.name,
      storageClass: keptIn.get(lun) ?? storageClass,
      replicaCount: target.regionalReplicaCount ?? profile?.replicaCount ?? 1,
    }))
  })
}

export function lunName(lun: number): string {
  return lun === osDiskLun ? 'OS disk' : `data disk ${lun}`
}
