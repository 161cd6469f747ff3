import { findArmId } from '../base/arm-id.ts'
import type { Problem } from '../base/problem.ts'
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

/**
 * Reads the one source of a version, or throws with Azure's text: a source stands either directly under storageProfile
 * or in the single disks, LUNs and sources are unique, ids are well-formed and of the right kind.
 */
export function parseVersionSource(profile: StorageProfile): VersionSource {
  const osFrom = diskSourceName(profile.osDiskImage, `${storagePath}.osDiskImage`)
  const data = (profile.dataDiskImages ?? []).map((image, index) => ({
    lun: image.lun,
    from: diskSourceName(image, `${storagePath}.dataDiskImages[${index}]`),
  }))
  const { id, virtualMachineId, communityGalleryImageId: communityId } = profile.source ?? {}
  const direct = id ?? virtualMachineId ?? communityId
  const hasDisks = osFrom !== undefined || data.some((disk) => disk.from !== undefined)
  if ((direct === undefined) === !hasDisks) throw galleryProblems.OneSourceOnly({}, { target: storagePath })
  if (direct !== undefined && direct === communityId) return { kind: 'community', id: direct }
  if (direct !== undefined) return directSource(direct, `${storagePath}.source.id`)
  if (osFrom === undefined) throw galleryProblems.OneSourceOnly({}, { target: `${storagePath}.osDiskImage` })
  const named = data.map((disk) => {
    if (disk.from === undefined) throw galleryProblems.OneSourceOnly({}, { target: `${storagePath}.dataDiskImages` })
    return { lun: disk.lun, from: disk.from }
  })
  const disks = [{ lun: osDiskLun, from: osFrom }, ...named]
  if (new Set(disks.map((disk) => disk.lun)).size < disks.length) throw galleryProblems.DuplicateLuns({})
  if (osFrom.kind === 'blob' && named.some(({ from }) => from.kind === 'blob' && from.uri === osFrom.uri))
    throw galleryProblems.SameBlob({ id: osFrom.uri }, { target: storagePath })
  if (new Set(disks.map((disk) => JSON.stringify(disk.from).toLowerCase())).size < disks.length)
    throw galleryProblems.DuplicateSources({})
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

function diskSourceName(image: DiskImageMember | undefined, path: string): DiskSourceName | undefined {
  const source = image?.source
  if (source?.uri !== undefined) return { kind: 'blob', uri: source.uri }
  if (source?.id === undefined) return undefined
  const parsed = findArmId(source.id)
  if (!parsed) throw invalidSourceId(source.id, `${path}.source.id`)
  const type = parsed.type.toLowerCase()
  if (type !== 'microsoft.compute/disks' && type !== 'microsoft.compute/snapshots')
    throw galleryProblems.DiskSourceWrongKind({ id: source.id }, { target: `${path}.source.id` })
  return { kind: 'disk', id: source.id }
}

/** ARM itself says this one, so the path begins at the body, without the provider's name of the resource. */
function invalidSourceId(id: string, path: string): Problem {
  return galleryProblems.InvalidSourceId({ id, path: path.replace(/^galleryImageVersion\./, '') }, { target: path })
}
