import { findArmId, parentKey } from '../base/arm-id.ts'
import type {
  GalleryApplicationProperties,
  GalleryApplicationVersionProperties,
} from '../contract/gallery-applications.ts'
import type { RequestContext } from '../resources/behaviour.ts'
import { findResource } from '../resources/resource.rows.ts'
import type { StorageClass } from '../store/disk-store.ts'
import { listArtifactFiles } from './artifact-file.rows.ts'
import { configurationFile, packageFile } from './artifact-kinds.ts'
import type { GalleryDependencies } from './dependencies.ts'
import { findLatest } from './images.ts'
import { galleryProblems } from './problems.ts'
import { listReplicas } from './replica.rows.ts'

const versionType = 'Microsoft.Compute/galleries/applications/versions'

export interface ResolvedFile {
  readonly region: string
  readonly storageClass: StorageClass
  readonly root: string
  readonly sizeBytes: number
}

/** An application as a machine needs it: the exact version, its commands, where its files are in that region. */
export interface ResolvedApplication {
  readonly versionId: string
  readonly supportedOSType: 'Windows' | 'Linux'
  readonly packageName: string
  readonly configurationName: string
  /** A command that a reboot interrupted is run again. */
  readonly rerun: boolean
  readonly install: string | undefined
  readonly update: string | undefined
  readonly remove: string | undefined
  readonly package: ResolvedFile
  readonly configuration: ResolvedFile | undefined
}

/**
 * Resolves `…/applications/a/versions/1.0.0` or `…/versions/latest` for a region, by the same rule as images. Throws
 * GalleryImageNotFound where nothing fits; checks that the caller may read it.
 */
export async function resolveApplication(
  reference: string,
  location: string,
  context: Pick<RequestContext, 'authorize'>,
  deps: Pick<GalleryDependencies, 'db' | 'regions'>,
): Promise<ResolvedApplication> {
  const region = deps.regions.find(location)?.name ?? location
  const notFound = (): Error =>
    galleryProblems.GalleryImageNotFound(
      { id: reference, region },
      { target: 'applicationProfile.galleryApplications.packageReferenceId' },
    )
  const id = findArmId(reference)
  if (id?.type.toLowerCase() !== versionType.toLowerCase()) throw notFound()
  await context.authorize(`${versionType}/read`, id.id)
  const application = await findResource(deps.db, parentKey(id))
  if (!application) throw notFound()
  const isLatest = id.name.toLowerCase() === 'latest'
  const name = isLatest ? (await findLatest(application.key, region, deps, versionType)).name : id.name
  const version = name === undefined ? undefined : await findResource(deps.db, `${application.key}/versions/${name}`)
  if (!version || version.provisioningState === 'Deleting') throw notFound()
  const here = (await listReplicas(deps.db, version.key)).filter((replica) => replica.region === region)
  const sizes = await listArtifactFiles(deps.db, version.key)
  const fileOf = (number: number): ResolvedFile | undefined => {
    const replica = here.find(({ lun }) => lun === number)
    const sizeBytes = sizes.get(number)
    if (replica?.state !== 'Completed' || replica.root === undefined || sizeBytes === undefined) return undefined
    return { region, storageClass: replica.storageClass, root: replica.root, sizeBytes }
  }
  const own = fileOf(packageFile)
  const configuration = fileOf(configurationFile)
  const { publishingProfile } = version.properties as GalleryApplicationVersionProperties
  const needsConfiguration = publishingProfile.source.defaultConfigurationLink !== undefined
  if (!own || (needsConfiguration && !configuration)) throw notFound()
  const { settings, manageActions } = publishingProfile
  return {
    versionId: version.id,
    supportedOSType: (application.properties as GalleryApplicationProperties).supportedOSType,
    packageName: settings?.packageFileName ?? application.name,
    configurationName: settings?.configFileName ?? `${application.name}_config`,
    rerun: settings?.scriptBehaviorAfterReboot === 'Rerun',
    install: manageActions?.install,
    update: manageActions?.update,
    remove: manageActions?.remove,
    package: own,
    configuration,
  }
}
