import { isUuid } from '../base/uuid.ts'
import type { JsonObject } from '../base/json.ts'
import type { GalleryProperties, SharingUpdate } from '../contract/galleries.ts'
import { contractProblems } from '../contract/problems.ts'
import { sharingProblems } from './sharing-problems.ts'

/** The rules of sharing a gallery (behaviour.md G, contract.md 4): values in, values or Problems out. */

type SharingProfile = NonNullable<GalleryProperties['sharingProfile']>
export type Permissions = NonNullable<SharingProfile['permissions']>

export interface SharingLimits {
  /** Subscriptions and tenants that a gallery can be shared with: 30 and 5 (D-DIR). */
  readonly sharedSubscriptions: number
  readonly sharedTenants: number
}

const profilePath = 'gallery.properties.sharingProfile'
const publicPrefix = /^[A-Za-z0-9][A-Za-z0-9._-]{0,49}$/
/** What everyone is told of who publishes: all of it is needed. */
const communityMembers = ['publisherUri', 'publisherContact', 'eula', 'publicNamePrefix'] as const

function permissionsOf(properties: GalleryProperties): Permissions {
  return properties.sharingProfile?.permissions ?? 'Private'
}

/** Whom a gallery is shared with: words that the published rows are found by. */
export type Grantee = `subscription:${string}` | `tenant:${string}` | `community:${string}`

export const subscriptionGrantee = (id: string): Grantee => `subscription:${id.toLowerCase()}`
export const tenantGrantee = (id: string): Grantee => `tenant:${id.toLowerCase()}`
export const communityGrantee = (publicName: string): Grantee => `community:${publicName.toLowerCase()}`

/** Whom the gallery's owner wants it to be shared with, now. */
export function granteesOf(properties: GalleryProperties): readonly Grantee[] {
  const { permissions, groups, communityGalleryInfo } = properties.sharingProfile ?? {}
  switch (permissions ?? 'Private') {
    case 'Private':
      return []
    case 'Groups': {
      const { subscriptions, tenants } = idsOf(groups)
      return [...subscriptions.map(subscriptionGrantee), ...tenants.map(tenantGrantee)]
    }
    case 'Community':
      return communityGalleryInfo?.communityGalleryEnabled === true
        ? (communityGalleryInfo.publicNames ?? []).map(communityGrantee)
        : []
  }
}

/** What POST share makes of a gallery's sharingProfile; throws for what does not fit its permissions. */
export function planSharing(
  gallery: { readonly name: string; readonly properties: GalleryProperties },
  update: SharingUpdate,
  limits: SharingLimits,
): SharingProfile {
  const profile = gallery.properties.sharingProfile ?? {}
  const { operationType: operation } = update
  const need = (needed: Permissions): void => {
    const permissions = permissionsOf(gallery.properties)
    if (permissions !== needed)
      throw sharingProblems.NotOpenForSharing({ operation, name: gallery.name, permissions, needed })
  }
  switch (operation) {
    case 'Add':
    case 'Remove': {
      need('Groups')
      return { ...profile, groups: changedGroups(profile.groups, update, limits) }
    }
    case 'EnableCommunity':
      refuseIds(update)
      need('Community')
      return { ...profile, communityGalleryInfo: { ...profile.communityGalleryInfo, communityGalleryEnabled: true } }
    case 'Reset': {
      refuseIds(update)
      const { groups: _groups, communityGalleryInfo: info, ...rest } = profile
      return {
        ...rest,
        permissions: 'Private',
        ...(info === undefined ? {} : { communityGalleryInfo: { ...info, communityGalleryEnabled: false } }),
      }
    }
  }
}

function refuseIds({ operationType: operation, groups }: SharingUpdate): void {
  if ((groups ?? []).some(({ ids }) => (ids ?? []).length > 0))
    throw sharingProblems.SharingGroupsNotTaken({ operation }, { target: 'sharingUpdate.groups' })
}

type Groups = SharingProfile['groups']

function changedGroups(before: Groups, update: SharingUpdate, limits: SharingLimits): NonNullable<Groups> {
  for (const { type, ids } of update.groups ?? [])
    for (const id of ids ?? [])
      if (!isUuid(id))
        throw sharingProblems.SharingIdInvalid({ id, type: type ?? '' }, { target: 'sharingUpdate.groups.ids' })
  const had = idsOf(before)
  const given = idsOf(update.groups)
  const operation = update.operationType
  if (given.subscriptions.length + given.tenants.length === 0)
    throw sharingProblems.SharingGroupsMissing({ operation }, { target: 'sharingUpdate.groups' })
  const change = (old: readonly string[], named: readonly string[]): readonly string[] =>
    operation === 'Add' ? [...new Set([...old, ...named])] : old.filter((id) => !named.includes(id))
  const subscriptions = change(had.subscriptions, given.subscriptions)
  const tenants = change(had.tenants, given.tenants)
  if (operation === 'Add') {
    checkCount('subscriptions', subscriptions.length, limits.sharedSubscriptions)
    checkCount('tenants', tenants.length, limits.sharedTenants)
  }
  return [
    ...(subscriptions.length > 0 ? [{ type: 'Subscriptions' as const, ids: [...subscriptions] }] : []),
    ...(tenants.length > 0 ? [{ type: 'AADTenants' as const, ids: [...tenants] }] : []),
  ]
}

function checkCount(what: string, count: number, limit: number): void {
  if (count > limit) throw sharingProblems.TooManyGrantees({ what, count, limit }, { target: 'sharingUpdate.groups' })
}

function idsOf(groups: Groups): { readonly subscriptions: readonly string[]; readonly tenants: readonly string[] } {
  const of = (wanted: string): string[] =>
    (groups ?? []).flatMap(({ type, ids }) => (type === wanted ? (ids ?? []).map((id) => id.toLowerCase()) : []))
  return { subscriptions: of('Subscriptions'), tenants: of('AADTenants') }
}

/**
 * What a PUT or PATCH may say of sharing. Permissions are chosen when the gallery is created; a private one may still be
 * opened for groups (recorded, R6), and one that has a public name may go back to it. Back to Private leads POST share
 * with Reset alone.
 */
export function checkSharingProfile(before: GalleryProperties | undefined, after: GalleryProperties): void {
  const permissions = permissionsOf(after)
  const had = before && permissionsOf(before)
  const info = after.sharingProfile?.communityGalleryInfo
  const hadInfo = before?.sharingProfile?.communityGalleryInfo
  if (had !== undefined && had !== permissions) {
    const isOpening = had === 'Private' && (permissions === 'Groups' || hadInfo?.publicNames !== undefined)
    if (!isOpening) throw notChangeable('permissions')
  }
  if (hadInfo?.publicNamePrefix !== undefined && hadInfo.publicNamePrefix !== info?.publicNamePrefix)
    throw notChangeable('communityGalleryInfo.publicNamePrefix')
  if (permissions === 'Community') {
    const member = communityMembers.find((name) => (info?.[name] ?? '').trim() === '')
    if (member !== undefined)
      throw sharingProblems.CommunityInfoIncomplete(
        { member },
        { target: `${profilePath}.communityGalleryInfo.${member}` },
      )
    const prefix = info?.publicNamePrefix ?? ''
    if (!publicPrefix.test(prefix))
      throw sharingProblems.PublicNamePrefixInvalid(
        { prefix },
        { target: `${profilePath}.communityGalleryInfo.publicNamePrefix` },
      )
  } else if (info !== undefined && hadInfo === undefined)
    throw sharingProblems.CommunityInfoNotTaken({ permissions }, { target: `${profilePath}.communityGalleryInfo` })
}

function notChangeable(member: string): Error {
  const path = `${profilePath}.${member}`
  return contractProblems.PropertyChangeNotAllowed({ path }, { target: path })
}

/** A new community gallery gets its public name at once: the prefix and a GUID (recorded, R4). */
export function withPublicName(properties: JsonObject, newUuid: () => string): JsonObject {
  const { sharingProfile } = properties as GalleryProperties
  const info = sharingProfile?.communityGalleryInfo
  if (sharingProfile?.permissions !== 'Community' || info?.publicNamePrefix === undefined || info.publicNames)
    return properties
  const named = { ...info, communityGalleryEnabled: false, publicNames: [`${info.publicNamePrefix}-${newUuid()}`] }
  return { ...properties, sharingProfile: { ...sharingProfile, communityGalleryInfo: named } }
}

/** What stands in the way of deleting a gallery: its sharing must be reset first (recorded, R6). */
export function stillSharedTo(properties: GalleryProperties): Permissions | undefined {
  const permissions = permissionsOf(properties)
  if (permissions === 'Groups') return permissions
  return granteesOf(properties).length > 0 ? permissions : undefined
}

/** What the rules about content look at, of a definition or a version. */
export interface Content {
  readonly name: string
  readonly location: string
  readonly securityType?: string | undefined
  readonly isEncrypted?: boolean | undefined
  /** Somebody sells it. */
  readonly hasPlan?: boolean | undefined
}

export interface SharedGalleryFacts {
  readonly location: string
  readonly properties: GalleryProperties
}

/** Security types that a shared gallery cannot hold: those that force it on every machine (behaviour.md E). */
const exclusiveSecurity = ['trustedlaunch', 'confidentialvm']

/** Answers the problem that keeps a definition or version out of a gallery that is (to be) shared or recycled, if any. */
export function contentProblem(gallery: SharedGalleryFacts, content: Content): Error | undefined {
  const permissions = permissionsOf(gallery.properties)
  const { name, location, securityType, isEncrypted, hasPlan } = content
  if (location !== gallery.location && gallery.properties.softDeletePolicy?.isSoftDeleteEnabled === true)
    return sharingProblems.SoftDeleteLocationDiffers({ name, location, home: gallery.location })
  if (permissions === 'Private') return undefined
  if (location !== gallery.location)
    return sharingProblems.SharedLocationDiffers({ name, location, permissions, home: gallery.location })
  if (securityType !== undefined && exclusiveSecurity.includes(securityType.toLowerCase()))
    return sharingProblems.SharedFeatureNotAllowed({ name, value: securityType, permissions })
  if (hasPlan === true && permissions === 'Community') return sharingProblems.SharedPlanNotAllowed({ name })
  if (isEncrypted === true) return sharingProblems.SharedEncryptionNotAllowed({ name, permissions })
  return undefined
}

/** The states of `sharingStatus`, per region and over all of them. */
export function showSharingStatus(facts: {
  readonly wanted: readonly string[]
  /** What is published, by region name. */
  readonly published: ReadonlyMap<string, ReadonlySet<string>>
  readonly regions: readonly { readonly name: string; readonly displayName: string }[]
  readonly isWorking: boolean
}): JsonObject {
  const summary = facts.regions.map(({ name, displayName }) => {
    const here = facts.published.get(name) ?? new Set()
    const isDone = here.size === facts.wanted.length && facts.wanted.every((grantee) => here.has(grantee))
    return { region: displayName, state: isDone ? 'Succeeded' : facts.isWorking ? 'InProgress' : 'Failed' }
  })
  const states = summary.map(({ state }) => state)
  const worst = ['Failed', 'InProgress'].find((state) => states.includes(state))
  return { aggregatedState: worst ?? 'Succeeded', summary }
}
