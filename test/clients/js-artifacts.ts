import assert from 'node:assert/strict'
import type { ComputeManagementClient } from '@azure/arm-compute'
import type { Walk } from './js-walk.ts'

const location = 'westeurope'
const gallery = ['sdk', 'sdk'] as const
const tool = [...gallery, 'tool'] as const
const targetRegions = [{ name: 'West Europe' }, { name: 'North Europe' }]

/** Applications and their versions. */
export function applicationsOf(
  { galleryApplications, galleryApplicationVersions: versions }: Compute,
  link: string,
): Walk {
  const publishingProfile = { targetRegions, source: { mediaLink: link }, manageActions: { install: 'i', remove: 'r' } }
  return [
    [
      'applications: create',
      async () => {
        const body = { location, supportedOSType: 'Linux', description: 'one' } as const
        const made = await galleryApplications.beginCreateOrUpdateAndWait(...tool, body)
        assert.equal(made.supportedOSType, 'Linux')
      },
    ],
    [
      'applications: update',
      async () => {
        const made = await galleryApplications.beginUpdateAndWait(...tool, { description: 'two', tags: { a: 'b' } })
        assert.deepEqual([made.description, made.tags], ['two', { a: 'b' }])
      },
    ],
    ['applications: get', async () => assert.equal((await galleryApplications.get(...tool)).description, 'two')],
    [
      'applications: list by gallery',
      async () => assert.deepEqual(await namesOf(galleryApplications.listByGallery(...gallery)), ['tool']),
    ],
    [
      'application versions: create',
      async () => {
        const made = await versions.beginCreateOrUpdateAndWait(...tool, '1.0.0', { location, publishingProfile })
        assert.equal(made.provisioningState, 'Succeeded')
      },
    ],
    [
      'application versions: get with ReplicationStatus',
      async () => {
        const shown = await versions.get(...tool, '1.0.0', { expand: 'ReplicationStatus' })
        assert.equal(shown.replicationStatus?.aggregatedState, 'Completed')
        assert.equal(shown.publishingProfile?.source.mediaLink, link)
      },
    ],
    [
      'application versions: list by application',
      async () => assert.deepEqual(await namesOf(versions.listByGalleryApplication(...tool)), ['1.0.0']),
    ],
    [
      'application versions: update',
      async () => {
        const made = await versions.beginUpdateAndWait(...tool, '1.0.0', {
          publishingProfile: { ...publishingProfile, excludeFromLatest: true },
        })
        assert.equal(made.publishingProfile?.excludeFromLatest, true)
      },
    ],
    [
      'application versions: delete',
      async () => {
        await versions.beginDeleteAndWait(...tool, '1.0.0')
        assert.deepEqual(await namesOf(versions.listByGalleryApplication(...tool)), [])
      },
    ],
    [
      'applications: delete',
      async () => {
        await galleryApplications.beginDeleteAndWait(...tool)
        await assert.rejects(galleryApplications.get(...tool), { statusCode: 404 })
      },
    ],
  ]
}

type Compute = ComputeManagementClient

export async function namesOf(items: AsyncIterable<{ readonly name?: string }>): Promise<(string | undefined)[]> {
  return (await Array.fromAsync(items)).map(({ name }) => name)
}

/** A gallery of its own with a copy of what `sdk` has. */
async function openGallery(client: Compute, name: string, sharingProfile: object): Promise<void> {
  const { id } = await client.galleryImageVersions.get('sdk', 'sdk', 'sdk', '1.0.0')
  await client.galleries.beginCreateOrUpdateAndWait('sdk', name, { location, sharingProfile })
  await client.galleryImages.beginCreateOrUpdateAndWait('sdk', name, 'linux', {
    location,
    osType: 'Linux',
    osState: 'Specialized',
    hyperVGeneration: 'V1',
    identifier: { publisher: 'sdk', offer: 'sdk', sku: name },
  })
  await client.galleryImageVersions.beginCreateOrUpdateAndWait('sdk', name, 'linux', '1.0.0', {
    location,
    publishingProfile: { targetRegions },
    storageProfile: { source: { id: id ?? '' } },
  })
}

async function closeGallery(client: Compute, name: string): Promise<void> {
  await client.gallerySharingProfile.beginUpdateAndWait('sdk', name, { operationType: 'Reset' })
  await client.galleryImageVersions.beginDeleteAndWait('sdk', name, 'linux', '1.0.0')
  await client.galleryImages.beginDeleteAndWait('sdk', name, 'linux')
  await client.galleries.beginDeleteAndWait('sdk', name)
}

/** Shared with a subscription, and what that one sees; `between` comes before it is withdrawn. */
export function sharingOf(client: Compute, subscriptionId: string, between: Walk): Walk {
  const { sharedGalleries, sharedGalleryImages, sharedGalleryImageVersions } = client
  const unique = [location, `${subscriptionId}-SDKSHARED`] as const
  return [
    [
      'sharing: add a subscription',
      async () => {
        await openGallery(client, 'sdkshared', { permissions: 'Groups' })
        const groups = [{ type: 'Subscriptions', ids: [subscriptionId] }]
        await client.gallerySharingProfile.beginUpdateAndWait('sdk', 'sdkshared', { operationType: 'Add', groups })
        const shown = await client.galleries.get('sdk', 'sdkshared', { expand: 'SharingProfile/Groups' })
        assert.deepEqual(shown.sharingProfile?.groups?.[0]?.ids, [subscriptionId])
      },
    ],
    [
      'shared galleries: list, get',
      async () => {
        assert.equal((await Array.fromAsync(sharedGalleries.list(location))).length, 1)
        assert.match((await sharedGalleries.get(...unique)).uniqueId ?? '', /-SDKSHARED$/)
      },
    ],
    [
      'shared images: list, get',
      async () => {
        assert.deepEqual(await namesOf(sharedGalleryImages.list(...unique)), ['linux'])
        assert.equal((await sharedGalleryImages.get(...unique, 'linux')).osType, 'Linux')
      },
    ],
    [
      'shared versions: list, get',
      async () => {
        assert.deepEqual(await namesOf(sharedGalleryImageVersions.list(...unique, 'linux')), ['1.0.0'])
        assert.equal((await sharedGalleryImageVersions.get(...unique, 'linux', '1.0.0')).name, '1.0.0')
      },
    ],
    ...between,
    [
      'sharing: reset',
      async () => {
        await closeGallery(client, 'sdkshared')
        assert.deepEqual(await Array.fromAsync(sharedGalleries.list(location)), [])
      },
    ],
  ]
}

/** Shared with everybody. */
export function communityOf(client: Compute): Walk {
  const { communityGalleries, communityGalleryImages, communityGalleryImageVersions } = client
  let name = ''
  return [
    [
      'community: enable',
      async () => {
        const communityGalleryInfo = {
          publisherUri: 'https://contoso.example',
          publisherContact: 'images@contoso.example',
          eula: 'https://contoso.example/eula',
          publicNamePrefix: 'contoso',
        }
        await openGallery(client, 'sdkpublic', { permissions: 'Community', communityGalleryInfo })
        await client.gallerySharingProfile.beginUpdateAndWait('sdk', 'sdkpublic', { operationType: 'EnableCommunity' })
        const { sharingProfile } = await client.galleries.get('sdk', 'sdkpublic')
        ;[name = ''] = sharingProfile?.communityGalleryInfo?.publicNames ?? []
        assert.match(name, /^contoso-/)
      },
    ],
    ['community galleries: get', async () => assert.equal((await communityGalleries.get(location, name)).name, name)],
    [
      'community images: list, get',
      async () => {
        assert.deepEqual(await namesOf(communityGalleryImages.list(location, name)), ['linux'])
        assert.equal((await communityGalleryImages.get(location, name, 'linux')).osType, 'Linux')
      },
    ],
    [
      'community versions: list, get',
      async () => {
        assert.deepEqual(await namesOf(communityGalleryImageVersions.list(location, name, 'linux')), ['1.0.0'])
        const shown = await communityGalleryImageVersions.get(location, name, 'linux', '1.0.0')
        assert.equal(shown.name, '1.0.0')
      },
    ],
    [
      'community: reset',
      async () => {
        await closeGallery(client, 'sdkpublic')
        await assert.rejects(communityGalleries.get(location, name), { statusCode: 404 })
      },
    ],
  ]
}
