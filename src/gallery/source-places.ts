import type { Resource } from '../resources/resource.ts'
import type { StorageClass } from '../store/disk-store.ts'
import type { GalleryDependencies, SourcePlace } from './dependencies.ts'
import { checkSize, findDiskSource } from './image-versions.ts'
import { galleryProblems } from './problems.ts'
import { listReplicas } from './replica.rows.ts'
import type { Replica } from './replica.rows.ts'
import { versionProperties } from './version-properties.ts'
import { parseVersionSource } from './version-sources.ts'

type DiskName = Pick<Replica, 'lun' | 'region'>

/** Where the bytes of a version's disks come from, looked up when its work runs. */

export async function sourceLuns(version: Resource, deps: GalleryDependencies): Promise<readonly number[]> {
  const source = parseVersionSource(versionProperties(version).storageProfile ?? {})
  if (source.kind === 'disks') return source.disks.map((disk) => disk.lun)
  const luns = (await listReplicas(deps.db, source.id.toLowerCase())).map((replica) => replica.lun)
  return [...new Set(luns)].toSorted((a, b) => a - b)
}

/** The source of one disk, best in the region that wants it. Throws SourceNotFound. */
export async function findSourcePlace(
  version: Resource,
  wanted: DiskName,
  deps: GalleryDependencies,
): Promise<SourcePlace> {
  const source = parseVersionSource(versionProperties(version).storageProfile ?? {})
  if (source.kind === 'disks') {
    const disk = source.disks.find((named) => named.lun === wanted.lun)
    if (!disk) throw galleryProblems.OneSourceOnly({})
    const found = await findDiskSource(disk.from, deps)
    checkSize(found.virtualSizeBytes, deps)
    return found.place
  }
  const held = (await listReplicas(deps.db, source.id.toLowerCase())).filter(
    (other) => other.lun === wanted.lun && other.state === 'Completed',
  )
  const best = held.find((other) => other.region === wanted.region) ?? held[0]
  if (best?.root === undefined) throw galleryProblems.SourceNotFound({ id: source.id })
  return { kind: 'stored', region: best.region, storageClass: best.storageClass, root: best.root }
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
    const place = await findSourcePlace(version, { lun, region }, deps)
    if (place.kind === 'stored') kept.set(lun, place.storageClass)
  }
  return kept
}
