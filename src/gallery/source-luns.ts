import type { Draft } from '../resources/resource.ts'
import { sourceVersionKey } from './community-source.ts'
import type { GalleryDependencies, WholeSource } from './dependencies.ts'
import { galleryProblems } from './problems.ts'
import { listReplicas } from './replica.rows.ts'
import { versionProperties } from './version-properties.ts'
import { parseVersionSource } from './version-sources.ts'

/** The disks that a version's source has; -1 is the OS disk. */
export async function sourceLuns(
  version: Pick<Draft, 'properties' | 'envelope'>,
  deps: GalleryDependencies,
): Promise<readonly number[]> {
  const source = parseVersionSource(versionProperties(version).storageProfile ?? {})
  if (source.kind === 'disks') return source.disks.map((disk) => disk.lun)
  if (source.kind === 'whole') return (await findWhole(source.id, deps)).disks.map(({ lun }) => lun)
  const luns = (await listReplicas(deps.db, sourceVersionKey(version, source))).map((replica) => replica.lun)
  return [...new Set(luns)].toSorted((a, b) => a - b)
}

export async function findWhole(id: string, deps: GalleryDependencies): Promise<WholeSource> {
  const found = await deps.sources.findWhole(id)
  if (!found) throw galleryProblems.SourceNotFound({ id })
  return found
}
