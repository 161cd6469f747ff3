import assert from 'node:assert/strict'
import type { ComputeManagementClient } from '@azure/arm-compute'
import { namesOf } from './js-artifacts.ts'
import type { Walk } from './js-walk.ts'

const location = 'westeurope'
const gallery = ['sdk', 'sdk'] as const
const targetRegions = [{ name: 'West Europe' }, { name: 'East US' }]

/** What only the newest SDK has: scripts, access profiles, the recycle bin. */
export function newestOf(client: ComputeManagementClient, link: string): Walk {
  return [...scriptsOf(client, link), ...profilesOf(client), ...recycleBinOf(client)]
}

function scriptsOf(
  { galleryScripts: scripts, galleryScriptVersions: versions }: ComputeManagementClient,
  link: string,
): Walk {
  const hello = [...gallery, 'hello'] as const
  return [
    [
      'scripts: create, get, list, update',
      async () => {
        await scripts.createOrUpdate(...hello, { location, properties: { supportedOSType: 'Linux' } })
        assert.equal((await scripts.get(...hello)).properties?.supportedOSType, 'Linux')
        assert.deepEqual(await namesOf(scripts.listByGallery(...gallery)), ['hello'])
        const made = await scripts.update(...hello, { supportedOSType: 'Linux', description: 'Greets' })
        assert.equal(made.properties?.description, 'Greets')
      },
    ],
    [
      'script versions: create, get, list, update',
      async () => {
        const publishingProfile = { source: { scriptLink: link }, targetRegions }
        const body = { location, properties: { publishingProfile } }
        const made = await versions.createOrUpdate(...hello, '1.0.0', body)
        assert.equal(made.properties?.provisioningState, 'Succeeded')
        assert.deepEqual(await namesOf(versions.listByGalleryScript(...hello)), ['1.0.0'])
        await versions.update(...hello, '1.0.0', {
          publishingProfile: { ...publishingProfile, excludeFromLatest: true },
        })
        const shown = await versions.get(...hello, '1.0.0')
        assert.equal(shown.properties?.publishingProfile.excludeFromLatest, true)
      },
    ],
    [
      'script versions, scripts: delete',
      async () => {
        await versions.delete(...hello, '1.0.0')
        await scripts.delete(...hello)
        assert.deepEqual(await namesOf(scripts.listByGallery(...gallery)), [])
      },
    ],
  ]
}

function profilesOf(client: ComputeManagementClient): Walk {
  const { galleryInVMAccessControlProfiles: profiles, galleryInVMAccessControlProfileVersions: versions } = client
  const host = [...gallery, 'host'] as const
  const rule = { location, mode: 'Enforce', defaultAccess: 'Deny' } as const
  return [
    [
      'access profiles: create, get, list, update',
      async () => {
        const properties = { osType: 'Linux', applicableHostEndpoint: 'IMDS' } as const
        await profiles.createOrUpdate(...host, { location, properties })
        assert.equal((await profiles.get(...host)).properties?.applicableHostEndpoint, 'IMDS')
        assert.deepEqual(await namesOf(profiles.listByGallery(...gallery)), ['host'])
        const made = await profiles.update(...host, { properties: { ...properties, description: 'Rules' } })
        assert.equal(made.properties?.description, 'Rules')
      },
    ],
    [
      'access profile versions: create, get, list, update',
      async () => {
        const made = await versions.createOrUpdate(...host, '1.0.0', { ...rule, targetLocations: targetRegions })
        assert.equal(made.provisioningState, 'Succeeded')
        assert.deepEqual(await namesOf(versions.listByGalleryInVMAccessControlProfile(...host)), ['1.0.0'])
        await versions.update(...host, '1.0.0', { ...rule, excludeFromLatest: true })
        assert.equal((await versions.get(...host, '1.0.0')).excludeFromLatest, true)
      },
    ],
    [
      'access profile versions, access profiles: delete',
      async () => {
        await versions.delete(...host, '1.0.0')
        await profiles.delete(...host)
        assert.deepEqual(await namesOf(profiles.listByGallery(...gallery)), [])
      },
    ],
  ]
}

function recycleBinOf(client: ComputeManagementClient): Walk {
  const image = [...gallery, 'sdk'] as const
  const version = [...image, '1.0.1'] as const
  const versions = client.galleryImageVersions
  return [
    [
      'soft-deleted versions: list, restore',
      async () => {
        await client.galleries.update(...gallery, { softDeletePolicy: { isSoftDeleteEnabled: true } })
        await versions.delete(...version)
        assert.deepEqual(await namesOf(versions.listByGalleryImage(...image)), ['1.0.0'])
        const bin = await Array.fromAsync(client.softDeletedResource.listByArtifactName(...gallery, 'Images', 'sdk'))
        assert.match(bin[0]?.resourceArmId ?? '', /versions\/1\.0\.1$/)
        const restored = await versions.createOrUpdate(...version, { location, restore: true })
        assert.equal(restored.provisioningState, 'Succeeded')
        await client.galleries.update(...gallery, { softDeletePolicy: { isSoftDeleteEnabled: false } })
      },
    ],
  ]
}

/** The answers of the one with whom `sdkshared` is shared: itself, and its tenant. */
export function invitesOf(client: ComputeManagementClient, subscriptionId: string, tenantId: string): Walk {
  const { sharedGalleries, sharedGalleryInvites: own, tenantLevelSharedGalleryInvites: tenant } = client
  const invite = [location, subscriptionId, 'sdkshared'] as const
  const seen = async (options: { readonly sharedTo?: string } = {}): Promise<number> =>
    (await Array.fromAsync(sharedGalleries.list(location, options))).length
  return [
    [
      'invites: reject, accept',
      async () => {
        await own.gallerySharingReject(...invite)
        assert.equal(await seen(), 0)
        await own.gallerySharingAccept(...invite)
        assert.equal(await seen(), 1)
      },
    ],
    [
      'tenant-level invites: reject, accept',
      async () => {
        const groups = [{ type: 'AADTenants', ids: [tenantId] }]
        await client.gallerySharingProfile.update('sdk', 'sdkshared', { operationType: 'Add', groups })
        await tenant.tenantLevelGallerySharingReject(...invite)
        assert.equal(await seen({ sharedTo: 'tenant' }), 0)
        await tenant.tenantLevelGallerySharingAccept(...invite)
        assert.equal(await seen({ sharedTo: 'tenant' }), 1)
      },
    ],
  ]
}
