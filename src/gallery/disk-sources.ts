import { findArmId } from '../base/arm-id.ts'
import type { JsonObject } from '../base/json.ts'
import { aimedAt, Problem } from '../base/problem.ts'
import { GiB } from '../base/units.ts'
import type { Change, RequestContext } from '../resources/behaviour.ts'
import type { GalleryDependencies, HeldSource, SourceFacts } from './dependencies.ts'
import { galleryProblems } from './problems.ts'
import { diskSourcePath } from './version-sources.ts'
import type { VersionSource } from './version-sources.ts'
import { isShallow } from './version-properties.ts'

/** One disk of a version, and what it is made of. */
export type NamedDisk = Extract<VersionSource, { readonly kind: 'disks' }>['disks'][number]

/** Finds a disk's source for a client: it must be this server's, and the client must have the right to it. */
export async function admitDiskSource(
  disk: NamedDisk,
  change: Change,
  context: RequestContext,
  deps: GalleryDependencies,
): Promise<SourceFacts> {
  const { from } = disk
  if (from.kind === 'disk') {
    // Write, not read: behaviour.md C.
    await context.authorize(`${findArmId(from.id)?.type}/write`, from.id)
    return findDiskFacts(disk, deps)
  }
  const wasAccepted = JSON.stringify(change.before?.properties['storageProfile'] ?? '').includes(
    JSON.stringify(from.uri),
  )
  const target = diskSourcePath(disk.lun, 'uri')
  const found = await deps.sources.findBlob(from.uri, wasAccepted ? undefined : context.baseUrl).catch((error) => {
    // What stands behind '?' may be a signature.
    const [id = ''] = from.uri.split('?', 1)
    const isAbsent = error instanceof Problem && error.kind === 'absent'
    throw isAbsent ? galleryProblems.BlobSourceNotFound({ id }, { target, cause: error }) : aimedAt(target, error)
  })
  await context.authorize('Microsoft.Storage/storageAccounts/listKeys/action', `/subscriptions/${found.subscriptionId}`)
  return found
}

/** What a disk's source is, without reading it; throws SourceNotFound or what is wrong with it. */
export async function findDiskFacts(disk: NamedDisk, deps: GalleryDependencies): Promise<SourceFacts> {
  if (disk.from.kind === 'blob') return deps.sources.findBlob(disk.from.uri, undefined)
  const found = await deps.sources.findDisk(disk.from.id)
  if (!found) throw diskNotFound(disk)
  return found
}

/** The bytes that one disk of a version is made of; throws SourceNotFound or what is wrong with them. */
export async function holdDiskSource(
  disk: NamedDisk,
  deps: GalleryDependencies,
  signal: AbortSignal,
): Promise<HeldSource> {
  const { from } = disk
  if (from.kind === 'blob')
    return { ...(await deps.sources.findBlob(from.uri, undefined)), bytesRead: 0, [Symbol.dispose]() {} }
  const held = await deps.sources.holdDisk(from.id, signal)
  if (!held) throw diskNotFound(disk)
  return held
}

export function diskNotFound({ lun, from }: NamedDisk): Error {
  const id = from.kind === 'disk' ? from.id : from.uri
  return galleryProblems.SourceNotFound({ id }, { target: diskSourcePath(lun) })
}

/** What is copied to regions may be less large than what stays where it is (behaviour.md B9). */
export function checkSize(
  virtualSizeBytes: number,
  version: { readonly properties: JsonObject },
  { limits }: Pick<GalleryDependencies, 'limits'>,
): void {
  const { maximumDiskBytes, maximumFullDiskBytes } = limits
  const maximumBytes = isShallow(version) ? maximumDiskBytes : Math.min(maximumDiskBytes, maximumFullDiskBytes)
  if (virtualSizeBytes <= maximumBytes) return
  throw galleryProblems.GallerySourceResourceExceedsMaxSize({
    sizeGiB: Math.ceil(virtualSizeBytes / GiB),
    maximumGiB: Math.floor(maximumBytes / GiB),
  })
}
