import type { Resource } from '../resources/resource.ts'
import type { StorageClass } from '../store/disk-store.ts'
import { keptPlace, type GalleryDependencies, type HeldPlace } from './dependencies.ts'
import { checkSize, findDiskFacts, holdDiskSource } from './disk-sources.ts'
import { sourceVersionKey } from './community-source.ts'
import { galleryProblems } from './problems.ts'
import { findWhole } from './source-luns.ts'
import { listReplicas } from './replica.rows.ts'
import type { Replica } from './replica.rows.ts'
import { versionProperties } from './version-properties.ts'
import { parseVersionSource } from './version-sources.ts'

type DiskName = Pick<Replica, 'lun' | 'region'>

/** Where the bytes of a version's disks come from, looked up when its work runs. */

/**
 * The source of one disk, best in the region that wants it, held until it is disposed. Throws SourceNotFound. Disks of a
 * whole source are taken together instead.
 */
export async function holdSourcePlace(
  version: Resource,
  wanted: DiskName,
  deps: GalleryDependencies,
  signal: AbortSignal,
): Promise<HeldPlace> {
  const source = parseVersionSource(versionProperties(version).storageProfile ?? {})
  if (source.kind === 'whole') throw new Error('disks of a whole source are taken together')
  if (source.kind === 'disks') {
    const disk = source.disks.find((named) => named.lun === wanted.lun)
    if (!disk) throw galleryProblems.OneSourceOnly({})
    const found = await holdDiskSource(disk, deps, signal)
    checkSize(found.virtualSizeBytes, version, deps)
    return found
  }
  const { region, storageClass, root } = await findReplica(sourceVersionKey(version, source), wanted, deps)
  if (root === undefined) throw galleryProblems.SourceNotFound({ id: source.id })
  return keptPlace({ kind: 'stored', region, storageClass, root })
}

/** A complete replica of another version's disk, best in the region that wants it. */
async function findReplica(versionKey: string, wanted: DiskName, deps: GalleryDependencies): Promise<Replica> {
  const held = (await listReplicas(deps.db, versionKey)).filter(
    (other) => other.lun === wanted.lun && other.state === 'Completed',
  )
  const best = held.find((other) => other.region === wanted.region) ?? held[0]
  if (!best) throw galleryProblems.SourceNotFound({ id: versionKey })
  return best
}

/** The class of the store that a disk's source rests in; undefined: it is a file. */
async function findStoredClass(
  version: Resource,
  wanted: DiskName,
  deps: GalleryDependencies,
): Promise<StorageClass | undefined> {
  const source = parseVersionSource(versionProperties(version).storageProfile ?? {})
  if (source.kind === 'whole')
    return (await findWhole(source.id, deps)).disks.find(({ lun }) => lun === wanted.lun)?.storedIn.storageClass
  if (source.kind !== 'disks') return (await findReplica(sourceVersionKey(version, source), wanted, deps)).storageClass
  const disk = source.disks.find((named) => named.lun === wanted.lun)
  if (!disk) throw galleryProblems.OneSourceOnly({})
  return (await findDiskFacts(disk, deps)).storedIn?.storageClass
}

/**
 * Shallow: a disk that the home region keeps already stays in the store where it is, and the version's own row keeps
 * its bytes alive from then on, whatever becomes of the source. A file (VHD) is in no store: it is taken in, once, with
 * the class that the version names.
 */
export async function findKeptClasses(
  version: Resource,
  luns: readonly number[],
  before: readonly Replica[],
  deps: GalleryDependencies,
): Promise<ReadonlyMap<number, StorageClass>> {
  const kept = new Map(before.map((replica) => [replica.lun, replica.storageClass]))
  const region = deps.regions.find(version.location)?.name ?? version.location
  for (const lun of luns) {
    if (kept.has(lun)) continue
    const storageClass = await findStoredClass(version, { lun, region }, deps)
    if (storageClass !== undefined) kept.set(lun, storageClass)
  }
  return kept
}
