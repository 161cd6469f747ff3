import { Type } from 'typebox'
import { galleryApiVersions } from './api-versions.ts'
import { galleryImageProperties } from './gallery-images.ts'
import type { ProxyTypeDeclaration } from './proxy-type.ts'
import { date, flag, int, list, mapOf, needInt, needText, oneOf, part, text, texts } from './schema.ts'

/** What others see of galleries that are shared with them, or with everyone (contract.md 2, 7e). */

const since = (first: string): readonly string[] => galleryApiVersions.filter((version) => version >= first)
const directVersions = since('2020-09-30')
const communityVersions = since('2021-07-01')
const communityListVersions = since('2022-01-03')
const sharedTo = { sharedto: ['tenant'] }

const identifier = part({ uniqueId: text() })
const artifactTags = mapOf(Type.String(), { since: '2022-08-03' })
const named = { location: text(), name: text() }
const typed = { ...named, type: text() }
const disclaimer = text({ since: '2022-08-03' })

const sharedDisk = { diskSizeGB: int(), hostCaching: oneOf(['None', 'ReadOnly', 'ReadWrite']) }
const versionMembers = {
  publishedDate: date(),
  endOfLifeDate: date(),
  excludeFromLatest: flag({ since: '2022-01-03' }),
  storageProfile: part(
    {
      osDiskImage: part(sharedDisk),
      dataDiskImages: list(Type.Object({ lun: needInt(), ...sharedDisk })),
    },
    { since: '2022-01-03' },
  ),
  imageState: oneOf(['Active', 'SoftDeleted'], { since: '2026-03-03' }),
  consumptionEndTime: date({ since: '2026-03-03' }),
  artifactTags,
}

const { osType, osState, endOfLifeDate, recommended, disallowed, hyperVGeneration, purchasePlan } =
  galleryImageProperties.properties
const imageMembers = (textsSince: string) => ({
  osType,
  osState,
  endOfLifeDate,
  identifier: Type.Object({ publisher: needText(), offer: needText(), sku: needText() }),
  recommended,
  disallowed,
  hyperVGeneration,
  features: list(Type.Object({ name: text(), value: text(), startsAtVersion: text({ since: '2024-03-03' }) })),
  purchasePlan,
  architecture: oneOf(['x64', 'Arm64'], { since: '2022-01-03' }),
  privacyStatementUri: text({ since: textsSince }),
  eula: text({ since: textsSince }),
  artifactTags,
})

const sharedGalleriesType = 'Microsoft.Compute/locations/sharedGalleries'
const communityGalleriesType = 'Microsoft.Compute/locations/communityGalleries'

const direct: readonly ProxyTypeDeclaration[] = [
  {
    type: sharedGalleriesType,
    scope: 'subscription',
    getVersions: directVersions,
    listVersions: directVersions,
    listQuery: sharedTo,
    body: Type.Object({ ...named, identifier, properties: part({ artifactTags }, { since: '2022-08-03' }) }),
    actions: [],
  },
  {
    type: `${sharedGalleriesType}/images`,
    scope: 'subscription',
    getVersions: directVersions,
    listVersions: directVersions,
    listQuery: sharedTo,
    body: Type.Object({ properties: part(imageMembers('2022-03-03')), ...named, identifier }),
    actions: [],
  },
  {
    type: `${sharedGalleriesType}/images/versions`,
    scope: 'subscription',
    getVersions: directVersions,
    listVersions: directVersions,
    listQuery: sharedTo,
    body: Type.Object({ properties: part(versionMembers), ...named, identifier }),
    actions: [],
  },
]

const communityMetadata = part(
  {
    publisherUri: text(),
    publisherContact: text(),
    eula: text(),
    publicNames: texts(),
    privacyStatementUri: text(),
  },
  { since: '2022-08-03' },
)

const community: readonly ProxyTypeDeclaration[] = [
  {
    type: communityGalleriesType,
    scope: 'subscription',
    getVersions: communityVersions,
    body: Type.Object({
      ...typed,
      identifier,
      properties: part({ disclaimer, artifactTags, communityMetadata }, { since: '2022-08-03' }),
    }),
    actions: [],
  },
  {
    type: `${communityGalleriesType}/images`,
    scope: 'subscription',
    getVersions: communityVersions,
    listVersions: communityListVersions,
    body: Type.Object({ properties: part({ ...imageMembers('2022-01-03'), disclaimer }), ...typed, identifier }),
    actions: [],
  },
  {
    type: `${communityGalleriesType}/images/versions`,
    scope: 'subscription',
    getVersions: communityVersions,
    listVersions: communityListVersions,
    body: Type.Object({ properties: part({ ...versionMembers, disclaimer }), ...typed, identifier }),
    actions: [],
  },
]

/** Answers of those with whom a gallery was shared: as a subscription, or as a tenant. */
const invites = (['sharedGallerySubscriptions', 'tenantLevelSharedGallerySubscriptions'] as const).map(
  (segment): ProxyTypeDeclaration => ({
    type: `Microsoft.Compute/locations/${segment}/sharedGalleries`,
    scope: segment === 'sharedGallerySubscriptions' ? 'subscription' : 'tenant',
    body: Type.Object({}),
    actions: ['accept', 'reject'].map((name) => ({
      name,
      permission: `Microsoft.Compute/locations/${segment}/sharedGalleries/${name}/action`,
      since: '2025-12-03',
      timing: 'sync',
    })),
  }),
)

export const proxyTypes: readonly ProxyTypeDeclaration[] = [...direct, ...community, ...invites]
