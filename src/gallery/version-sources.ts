import { findArmId } from '../base/arm-id.ts'
import type { Problem } from '../base/problem.ts'
import { versionErrorPath } from '../contract/gallery-image-version-rules.ts'
import { galleryProblems } from './problems.ts'
import { osDiskLun } from './replica.rows.ts'

/** The members of `storageProfile` by which a version names where its bytes come from (behaviour.md C). */
export interface StorageProfile {
  readonly source?: {
    readonly id?: string
    readonly virtualMachineId?: string
    readonly communityGalleryImageId?: string
  }
  readonly osDiskImage?: DiskImageMember
  readonly dataDiskImages?: readonly (DiskImageMember & { readonly lun: number })[]
}

export interface DiskImageMember {
  readonly sizeInGB?: number
  readonly hostCaching?: string
  readonly source?: { readonly id?: string; readonly uri?: string; readonly storageAccountId?: string }
}

export type DiskSourceName =
  | { readonly kind: 'disk'; readonly id: string }
  | { readonly kind: 'blob'; readonly uri: string }

export type VersionSource =
  | { readonly kind: 'version'; readonly id: string }
  /** A managed image or a virtual machine. */
  | { readonly kind: 'whole'; readonly id: string }
  /** A community image, of a version or of a definition; which version that is, is decided when it is accepted. */
  | { readonly kind: 'community'; readonly id: string }
  | { readonly kind: 'disks'; readonly disks: readonly { readonly lun: number; readonly from: DiskSourceName }[] }

const storagePath = 'galleryImageVersion.properties.storageProfile'

const directMembers = ['id', 'virtualMachineId', 'communityGalleryImageId'] as const

/** Where a request of this api-version has the id of the whole source (before 2019-07-01 in the publishing profile). */
export function wholeSourcePath({ source }: StorageProfile, apiVersion?: string): string {
  const member = directMembers.find((name) => source?.[name] !== undefined) ?? 'id'
  return versionErrorPath(['properties', 'storageProfile', 'source', member], apiVersion)
}

/** Where a request has the source of a disk; errors' targets have no array indexes. */
export function diskSourcePath(lun: number, member: 'id' | 'uri' | 'storageAccountId' = 'id'): string {
  return `${storagePath}.${lun === osDiskLun ? 'osDiskImage' : 'dataDiskImages'}.source.${member}`
}

/**
 * Reads the one source of a version, or throws with Azure's text: a source stands either directly under storageProfile
 * or in the single disks, LUNs and sources are unique, ids are well-formed and of the right kind. `apiVersion`: of the
 * request that is to be told what is wrong.
 */
export function parseVersionSource(profile: StorageProfile, apiVersion?: string): VersionSource {
  const osFrom = diskSourceName(profile.osDiskImage, osDiskLun, 'osDiskImage')
  const data = (profile.dataDiskImages ?? []).map((image, index) => ({
    lun: image.lun,
    from: diskSourceName(image, image.lun, `dataDiskImages[${index}]`),
  }))
  const whole = directMembers.flatMap((name) => profile.source?.[name] ?? [])
  const [direct] = whole
  const hasDisks = osFrom !== undefined || data.some((disk) => disk.from !== undefined)
  if (whole.length > 1 || (direct === undefined) === !hasDisks)
    throw galleryProblems.OneSourceOnly({}, { target: storagePath })
  if (direct !== undefined)
    return direct === profile.source?.communityGalleryImageId
      ? { kind: 'community', id: direct }
      : directSource(direct, wholeSourcePath(profile, apiVersion))
  if (osFrom === undefined) throw galleryProblems.OneSourceOnly({}, { target: `${storagePath}.osDiskImage` })
  const named = data.map((disk) => {
    if (disk.from === undefined) throw galleryProblems.OneSourceOnly({}, { target: `${storagePath}.dataDiskImages` })
    return { lun: disk.lun, from: disk.from }
  })
  const disks = [{ lun: osDiskLun, from: osFrom }, ...named]
  if (new Set(disks.map((disk) => disk.lun)).size < disks.length)
    throw galleryProblems.DuplicateLuns({}, { target: storagePath })
  if (osFrom.kind === 'blob' && named.some(({ from }) => from.kind === 'blob' && from.uri === osFrom.uri))
    throw galleryProblems.SameBlob({ id: osFrom.uri }, { target: storagePath })
  if (new Set(disks.map((disk) => JSON.stringify(disk.from).toLowerCase())).size < disks.length)
    throw galleryProblems.DuplicateSources({}, { target: storagePath })
  return { kind: 'disks', disks }
}

function directSource(id: string, path: string): VersionSource {
  const parsed = findArmId(id)
  if (!parsed) throw invalidSourceId(id, path)
  switch (parsed.type.toLowerCase()) {
    case 'microsoft.compute/galleries/images/versions':
      return { kind: 'version', id }
    case 'microsoft.compute/virtualmachines':
    case 'microsoft.compute/images':
      return { kind: 'whole', id }
    default:
      throw galleryProblems.SourceWrongKind({ id }, { target: path })
  }
}

/** `path`: of the disk's image in the body, below the storage profile. */
function diskSourceName(image: DiskImageMember | undefined, lun: number, path: string): DiskSourceName | undefined {
  const { id, uri, storageAccountId } = image?.source ?? {}
  const typeOf = (member: 'id' | 'storageAccountId', named: string): string => {
    const parsed = findArmId(named)
    const at = `properties.storageProfile.${path}.source.${member}`
    if (!parsed) throw invalidSourceId(named, diskSourcePath(lun, member), at)
    return parsed.type.toLowerCase()
  }
  if (storageAccountId !== undefined && storageAccountId !== '') typeOf('storageAccountId', storageAccountId)
  const type = id === undefined ? undefined : typeOf('id', id)
  const isDisk = type === 'microsoft.compute/disks' || type === 'microsoft.compute/snapshots'
  if (uri !== undefined && isDisk) throw galleryProblems.OneSourceOnly({}, { target: storagePath })
  if (uri !== undefined) return { kind: 'blob', uri }
  if (id === undefined) return undefined
  if (!isDisk) throw galleryProblems.DiskSourceWrongKind({ id }, { target: diskSourcePath(lun) })
  return { kind: 'disk', id }
}

/** ARM itself says this one, so the path begins at the body, without the provider's name of the resource. */
function invalidSourceId(id: string, target: string, path = target.replace(/^galleryImageVersion\./, '')): Problem {
  return galleryProblems.InvalidSourceId({ id, path }, { target })
}
