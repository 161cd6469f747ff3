import { isJsonObject } from '../base/json.ts'
import type { Change } from '../resources/behaviour.ts'
import type { Draft } from '../resources/resource.ts'
import type { GalleryDependencies } from './dependencies.ts'
import { galleryProblems } from './problems.ts'
import { resolveCommunityVersion } from './resolve-image.ts'
import { versionProperties } from './version-properties.ts'
import type { VersionSource } from './version-sources.ts'

/** The envelope member with what only the server knows; never shown, never taken from a request. */
const factsMember = 'x-goldleaf'

/**
 * Notes which version a community image was when it was accepted as the source: `latest` may move, and sharing end,
 * before the work runs. Of an existing version it is taken over.
 */
export async function withCommunitySource(
  change: Change,
  deps: Pick<GalleryDependencies, 'db' | 'regions' | 'clock'>,
): Promise<Draft> {
  const { before, after } = change
  const known = before?.envelope[factsMember]
  const settled = before !== undefined && before.provisioningState !== 'Failed'
  const { communityGalleryImageId: id } = versionProperties(after).storageProfile?.source ?? {}
  if (settled || id === undefined)
    return known === undefined ? after : { ...after, envelope: { ...after.envelope, [factsMember]: known } }
  const { key } = await resolveCommunityVersion(id, after.location, deps)
  return { ...after, envelope: { ...after.envelope, [factsMember]: { communityVersionKey: key } } }
}

/** The version whose disks a version takes over. */
export function sourceVersionKey(
  version: Pick<Draft, 'envelope'>,
  source: Extract<VersionSource, { readonly kind: 'version' | 'community' }>,
): string {
  if (source.kind === 'version') return source.id.toLowerCase()
  const facts = version.envelope[factsMember]
  const key = isJsonObject(facts) ? facts['communityVersionKey'] : undefined
  if (typeof key !== 'string') throw galleryProblems.SourceNotFound({ id: source.id })
  return key
}
