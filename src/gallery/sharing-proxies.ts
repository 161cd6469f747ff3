import { formatArmTime } from '../base/clock.ts'
import { isJsonObject, type JsonObject } from '../base/json.ts'
import type { Region } from '../base/region.ts'
import type { GalleryImageProperties } from '../contract/gallery-images.ts'
import type { GalleryProperties } from '../contract/galleries.ts'
import { proxyTypes } from '../contract/shared-galleries.ts'
import type { ProxyTypeDeclaration } from '../contract/proxy-type.ts'
import type { RequestContext } from '../resources/behaviour.ts'
import type { ProxyBehaviour, ProxyItem, ProxyPlace } from '../resources/proxy.ts'
import type { Resource } from '../resources/resource.ts'
import type { GalleryDependencies } from './dependencies.ts'
import { listCommunityShares } from './share.rows.ts'
import { inviteBehaviours } from './sharing-invites.ts'
import { sharingProblems } from './sharing-problems.ts'
import { subscriptionGrantee, tenantGrantee, type Grantee } from './sharing-rules.ts'
import {
  findCommunityGallery,
  findSharedGallery,
  findSharedImage,
  findSharedVersion,
  listSharedGalleries,
  listSharedImages,
  listSharedVersions,
  uniqueNameOf,
} from './shared-view.ts'
import type { SharedVersion } from './shared-view.ts'
import { versionProperties } from './version-properties.ts'

type Dependencies = Pick<GalleryDependencies, 'db' | 'regions' | 'clock'>

/** As Azure shows them; the disclaimer says that a community image is its publisher's responsibility (recorded). */
const communityTags = { 'ShareTag-CommunityGallery': 'CommunityGallery' }
const communityDisclaimer = 'https://aka.ms/community-gallery-disclaimer'

/** One way to share: how its galleries are named and found, and what is told beside what both show. */
interface Road {
  readonly segment: 'SharedGalleries' | 'CommunityGalleries'
  findGallery(place: ProxyPlace, context: RequestContext): Promise<Resource | undefined>
  typed(kind: string): JsonObject
  readonly about: JsonObject
  readonly gallery: (gallery: Resource) => JsonObject
}

/** Every proxy type with its behaviour: what is shared directly, what is public, and the answers to invitations. */
export function sharingProxies(
  deps: Dependencies,
): readonly { readonly type: ProxyTypeDeclaration; readonly behaviour: ProxyBehaviour }[] {
  const direct: Road = {
    segment: 'SharedGalleries',
    findGallery: ({ names, region, ...viewer }, context) =>
      findSharedGallery(deps, names[0] ?? '', granteesAsked(viewer, context), region.name),
    typed: () => ({}),
    about: {},
    gallery: () => ({}),
  }
  const community = communityRoad(deps)
  const behaviours = [
    sharedGalleries(direct, deps),
    ...roadBehaviours(direct, 'Microsoft.Compute/locations/sharedGalleries', deps),
    communityGalleries(community),
    ...roadBehaviours(community, 'Microsoft.Compute/locations/communityGalleries', deps),
    ...inviteBehaviours(deps),
  ]
  return proxyTypes.map((type) => {
    const behaviour = behaviours.find((one) => one.type === type.type)
    if (!behaviour) throw new Error(`proxy type '${type.type}' has no behaviour`)
    return { type, behaviour }
  })
}

function communityRoad(deps: Dependencies): Road {
  return {
    segment: 'CommunityGalleries',
    findGallery: ({ names, region }) => findCommunityGallery(deps, names[0] ?? '', region.name),
    typed: (kind) => ({ type: `Microsoft.Compute/locations/${kind}` }),
    about: { disclaimer: communityDisclaimer, artifactTags: communityTags },
    gallery: (gallery) => ({ communityMetadata: metadataOf(gallery) }),
  }
}

/**
 * Every public gallery with its images and versions in every region, as rows of Resource Graph's table: there is no
 * list of community galleries in ARM itself (behaviour.md G4).
 */
export async function listCommunityRows(
  { subscriptionId }: { readonly subscriptionId: string },
  deps: Dependencies,
): Promise<readonly JsonObject[]> {
  const road = communityRoad(deps)
  const rows: JsonObject[] = []
  const add = (path: string, type: string, { name, body }: ProxyItem): void => {
    const { identifier, location, properties } = body
    const id = `/subscriptions/${subscriptionId}/providers/Microsoft.Compute/locations/${path}`
    const shown = { ...(isJsonObject(properties) ? properties : {}), identifier: identifier ?? {} }
    rows.push({ id, name, type, location: location ?? '', subscriptionId, properties: shown })
  }
  for (const { region: name, grantee } of await listCommunityShares(deps.db)) {
    const region = deps.regions.find(name)
    const publicName = grantee.slice('community:'.length)
    const gallery = region && (await findCommunityGallery(deps, publicName, name))
    if (!gallery) continue
    const type = 'microsoft.compute/locations/communitygalleries'
    const at = `${name}/communityGalleries/${nameOf(road, gallery)}`
    add(at, type, showGalleryItem(road, gallery, region))
    for (const image of await listSharedImages(deps, gallery, name)) {
      add(`${at}/images/${image.name}`, `${type}/images`, showImageItem(road, gallery, image, region))
      for (const shared of await listSharedVersions(deps, image, name)) {
        if (shared.consumptionEndMs !== undefined) continue
        const item = showVersionItem(road, gallery, image, shared, region)
        add(`${at}/images/${image.name}/versions/${item.name}`, `${type}/images/versions`, item)
      }
    }
  }
  return rows
}

type Viewer = Pick<ProxyPlace, 'subscriptionId' | 'tenantId'>

/** As whom a viewer sees directly shared galleries: both its subscription and its tenant. */
function granteesOfViewer({ subscriptionId, tenantId }: Viewer): readonly Grantee[] {
  return [...(subscriptionId === undefined ? [] : [subscriptionGrantee(subscriptionId)]), tenantGrantee(tenantId)]
}

/** `sharedTo=tenant` asks for what the tenant got alone. */
function granteesAsked(viewer: Viewer, { query }: RequestContext): readonly Grantee[] {
  return query['sharedto']?.toLowerCase() === 'tenant' ? [tenantGrantee(viewer.tenantId)] : granteesOfViewer(viewer)
}

/** The list of galleries shows what the subscription got, unless it is asked for the tenant (behaviour.md G3). */
function sharedGalleries(road: Road, deps: Dependencies): ProxyBehaviour {
  return {
    type: 'Microsoft.Compute/locations/sharedGalleries',
    async get(place, context) {
      return showGalleryItem(road, await getGallery(road, place, context), place.region).body
    },
    async list({ region, subscriptionId, tenantId }, { query }) {
      const isTenant = query['sharedto']?.toLowerCase() === 'tenant' || subscriptionId === undefined
      const grantee = isTenant ? tenantGrantee(tenantId) : subscriptionGrantee(subscriptionId)
      const galleries = await listSharedGalleries(deps, [grantee], region.name)
      return galleries.map((gallery) => showGalleryItem(road, gallery, region))
    },
  }
}

function communityGalleries(road: Road): ProxyBehaviour {
  return {
    type: 'Microsoft.Compute/locations/communityGalleries',
    async get(place, context) {
      return showGalleryItem(road, await getGallery(road, place, context), place.region).body
    },
  }
}

function roadBehaviours(road: Road, type: string, deps: Dependencies): readonly ProxyBehaviour[] {
  const getImage = async (place: ProxyPlace, context: RequestContext): Promise<readonly [Resource, Resource]> => {
    const gallery = await getGallery(road, place, context)
    const name = place.names[1] ?? ''
    const image = await findSharedImage(deps, gallery, name, place.region.name)
    if (!image) throw sharingProblems.SharedImageNotFound({ name, region: spelled(place.region) })
    return [gallery, image]
  }
  return [
    {
      type: `${type}/images`,
      async get(place, context) {
        const [gallery, image] = await getImage(place, context)
        return showImageItem(road, gallery, image, place.region).body
      },
      async list(place, context) {
        const gallery = await getGallery(road, place, context)
        const images = await listSharedImages(deps, gallery, place.region.name)
        return images.map((image) => showImageItem(road, gallery, image, place.region))
      },
    },
    {
      type: `${type}/images/versions`,
      async get(place, context) {
        const [gallery, image] = await getImage(place, context)
        const name = place.names[2] ?? ''
        const found = await findSharedVersion(deps, image, name, place.region.name)
        if (!found || !isToldOf(found, context))
          throw sharingProblems.SharedVersionNotFound({ name, region: spelled(place.region) })
        return showVersionItem(road, gallery, image, found, place.region).body
      },
      async list(place, context) {
        const [gallery, image] = await getImage(place, context)
        const versions = await listSharedVersions(deps, image, place.region.name)
        const told = versions.filter((version) => isToldOf(version, context))
        return told.map((version) => showVersionItem(road, gallery, image, version, place.region))
      },
    },
  ]
}

/** Deleted versions are shown to who can tell them from others: `imageState` came with 2026-03-03. */
function isToldOf({ consumptionEndMs }: SharedVersion, { apiVersion }: RequestContext): boolean {
  return consumptionEndMs === undefined || apiVersion >= '2026-03-03'
}

async function getGallery(road: Road, place: ProxyPlace, context: RequestContext): Promise<Resource> {
  const gallery = await road.findGallery(place, context)
  if (gallery) return gallery
  throw sharingProblems.SharedGalleryNotFound({ name: place.names[0] ?? '', region: spelled(place.region) })
}

/** `CentralIndia`, as Azure writes a region in these messages. */
function spelled(region: Region): string {
  return region.displayName.replaceAll(' ', '')
}

function nameOf(road: Road, gallery: Resource): string {
  if (road.segment === 'SharedGalleries') return uniqueNameOf(gallery)
  return (gallery.properties as GalleryProperties).sharingProfile?.communityGalleryInfo?.publicNames?.[0] ?? ''
}

function showGalleryItem(road: Road, gallery: Resource, region: Region): ProxyItem {
  const name = nameOf(road, gallery)
  const body = {
    location: region.name,
    name,
    ...road.typed('communityGallery'),
    identifier: { uniqueId: `/${road.segment}/${name}` },
    properties: { ...road.about, ...road.gallery(gallery) },
  }
  return { name, body }
}

function metadataOf(gallery: Resource): JsonObject {
  const info = (gallery.properties as GalleryProperties).sharingProfile?.communityGalleryInfo ?? {}
  const { publisherUri = '', publisherContact = '', eula = '', publicNames = [] } = info
  return { publisherUri, publisherContact, eula, publicNames }
}

function showImageItem(road: Road, gallery: Resource, image: Resource, region: Region): ProxyItem {
  const { description: _own, releaseNoteUri: _notes, ...properties } = image.properties as GalleryImageProperties
  const body = {
    properties: { ...properties, ...road.about },
    location: region.name,
    name: image.name,
    ...road.typed('communityGalleryImage'),
    identifier: { uniqueId: `/${road.segment}/${nameOf(road, gallery)}/Images/${image.name}` },
  }
  return { name: image.name, body }
}

function showVersionItem(
  road: Road,
  gallery: Resource,
  image: Resource,
  { version, consumptionEndMs }: SharedVersion,
  region: Region,
): ProxyItem {
  const { publishingProfile: profile, storageProfile } = versionProperties(version)
  const target = profile?.targetRegions?.find(({ name }) => [region.name, region.displayName].includes(name))
  const { osDiskImage: os, dataDiskImages } = storageProfile ?? {}
  const disk = (one: { readonly sizeInGB?: number; readonly hostCaching?: string } | undefined): JsonObject => ({
    ...(one?.sizeInGB === undefined ? {} : { diskSizeGB: one.sizeInGB }),
    hostCaching: one?.hostCaching ?? 'None',
  })
  const data = (dataDiskImages ?? []).map((one) => ({ lun: one.lun, ...disk(one) }))
  const { publishedDate, endOfLifeDate } = profile ?? {}
  const body = {
    properties: {
      ...(publishedDate === undefined ? {} : { publishedDate }),
      ...(endOfLifeDate === undefined ? {} : { endOfLifeDate }),
      excludeFromLatest: target?.excludeFromLatest ?? profile?.excludeFromLatest ?? false,
      storageProfile: { osDiskImage: disk(os), ...(data.length > 0 ? { dataDiskImages: data } : {}) },
      imageState: consumptionEndMs === undefined ? 'Active' : 'SoftDeleted',
      ...(consumptionEndMs === undefined ? {} : { consumptionEndTime: formatArmTime(consumptionEndMs) }),
      ...road.about,
    },
    location: region.name,
    name: version.name,
    ...road.typed('communityGalleryImageVersion'),
    identifier: {
      uniqueId: `/${road.segment}/${nameOf(road, gallery)}/Images/${image.name}/Versions/${version.name}`,
    },
  }
  return { name: version.name, body }
}
