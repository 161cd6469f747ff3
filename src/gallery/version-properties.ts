import type { GalleryImageVersionProperties } from '../contract/gallery-image-versions.ts'
import type { RegionDirectory } from '../base/region.ts'
import type { Resource } from '../resources/resource.ts'
import type { StorageClass } from '../store/disk-store.ts'
import { inVault, plainClassOf } from '../store/vault.ts'
import type { Candidate } from './latest.ts'
import { namedPlaces, type FindVault } from './placement.ts'
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
  const own = replicas.filter((replica) => replica.versionKey === version.key)
  return {
    name: version.name,
    provisioningState: version.provisioningState,
    excludeFromLatest: profile?.excludeFromLatest ?? false,
    regions: namedPlaces(profile, regions).map(({ place, excludeFromLatest }) => ({
      name: place,
      excludeFromLatest,
      isReplicated: readableDisks(own, place) !== undefined,
      hasFailed: own.some((replica) => replica.region === place && replica.state === 'Failed'),
    })),
  }
}

const isFast = ({ storageClass }: Replica): boolean => plainClassOf(storageClass) === 'Premium_LRS'

export type ReadableReplica = Replica & { readonly root: string }

/**
 * One complete replica of each disk of a version in a place, the ready-to-map class first; undefined where a disk has
 * none there.
 */
export function readableDisks(replicas: readonly Replica[], place: string): readonly ReadableReplica[] | undefined {
  const here = replicas
    .flatMap((r) =>
      r.region === place && r.state === 'Completed' && r.root !== undefined ? [{ ...r, root: r.root }] : [],
    )
    .toSorted((a, b) => Number(isFast(b)) - Number(isFast(a)))
  const luns = [...new Set(replicas.map((replica) => replica.lun))]
  const disks = luns.flatMap((lun) => here.find((replica) => replica.lun === lun) ?? [])
  return disks.length === 0 || disks.length < luns.length ? undefined : disks
}

export function isShallow(version: { readonly properties: Resource['properties'] }): boolean {
  return versionProperties(version).publishingProfile?.replicationMode === 'Shallow'
}

/**
 * One row for each disk in each class of each place that the version names. `keptIn`: the class in which a disk lies
 * already, by LUN, where nothing is to be copied. `vaults`: who keeps a disk of a region encrypted.
 */
export function wantedReplicas(
  version: Resource,
  luns: readonly number[],
  regions: RegionDirectory,
  {
    keptIn,
    vaults = () => undefined,
  }: { readonly keptIn?: ReadonlyMap<number, StorageClass> | undefined; readonly vaults?: FindVault } = {},
): WantedReplica[] {
  return namedPlaces(versionProperties(version).publishingProfile, regions).flatMap(({ place, copies }) =>
    copies.flatMap(({ storageClass, replicaCount }) =>
      luns.map((lun) => ({
        versionKey: version.key,
        lun,
        region: place,
        storageClass: keptIn?.get(lun) ?? inVault(storageClass, vaults(place, lun)),
        replicaCount,
      })),
    ),
  )
}

export function lunName(lun: number): string {
  return lun === osDiskLun ? 'OS disk' : `data disk ${lun}`
}
