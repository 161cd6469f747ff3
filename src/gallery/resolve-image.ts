import { findArmId, parentKey } from '../base/arm-id.ts'
import type { GalleryImageProperties } from '../contract/gallery-images.ts'
import type { RequestContext } from '../resources/behaviour.ts'
import { findResource } from '../resources/resource.rows.ts'
import type { StorageClass } from '../store/disk-store.ts'
import type { GalleryDependencies } from './dependencies.ts'
import { findLatest } from './images.ts'
import { galleryProblems } from './problems.ts'
import { listReplicas, osDiskLun } from './replica.rows.ts'
import { readableDisks } from './version-properties.ts'

export interface ResolvedDisk {
  readonly lun: number | 'os'
  readonly region: string
  readonly storageClass: StorageClass
  readonly root: string
  readonly virtualSizeBytes: number
  readonly caching?: 'None' | 'ReadOnly' | 'ReadWrite' | undefined
}

/** An image as a consumer needs it: the exact version and where its disks can be read in the consumer's region. */
export interface ResolvedImage {
  readonly versionId: string
  readonly osState: 'Generalized' | 'Specialized'
  readonly osType: 'Windows' | 'Linux'
  readonly hyperVGeneration: string
  readonly disks: readonly ResolvedDisk[]
}

type ResolveDependencies = Pick<GalleryDependencies, 'db' | 'regions'>

/**
 * Resolves the id of a version, or of a definition (its latest), for a region (behaviour.md B3). Throws
 * GalleryImageNotFound where nothing fits, with the id as it was given; checks that the caller may read it.
 */
export async function resolveImage(
  imageId: string,
  location: string,
  context: Pick<RequestContext, 'authorize'>,
  deps: ResolveDependencies,
): Promise<ResolvedImage> {
  const region = deps.regions.find(location)?.name ?? location
  const notFound = (): Error =>
    galleryProblems.GalleryImageNotFound({ id: imageId, region }, { target: 'imageReference' })
  const id = findArmId(imageId.replace(/\/versions\/latest$/i, ''))
  const type = id?.type.toLowerCase()
  if (!id || (type !== 'microsoft.compute/galleries/images' && type !== 'microsoft.compute/galleries/images/versions'))
    throw notFound()
  const isVersion = type.endsWith('/versions')
  await context.authorize(`Microsoft.Compute/galleries/images/${isVersion ? 'versions/' : ''}read`, id.id)
  const definitionKey = isVersion ? parentKey(id) : id.key
  const definition = await findResource(deps.db, definitionKey)
  if (!definition) throw notFound()
  const name = isVersion ? id.name : (await findLatest(definitionKey, region, deps)).name
  const version = name === undefined ? undefined : await findResource(deps.db, `${definitionKey}/versions/${name}`)
  if (!version || version.provisioningState === 'Deleting') throw notFound()
  const disks = readableDisks(await listReplicas(deps.db, version.key), region)
  if (disks === undefined) throw notFound()
  const facts = definition.properties as GalleryImageProperties
  return {
    versionId: version.id,
    osState: facts.osState,
    osType: facts.osType,
    hyperVGeneration: facts.hyperVGeneration ?? 'V1',
    disks: disks.map(({ lun, storageClass, root, virtualSizeBytes }) => ({
      lun: lun === osDiskLun ? ('os' as const) : lun,
      region,
      storageClass,
      root,
      virtualSizeBytes,
    })),
  }
}
