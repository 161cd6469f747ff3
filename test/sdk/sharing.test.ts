import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { ComputeManagementClient } from '@azure/arm-compute'
import { ClientSecretCredential } from '@azure/identity'
import { decodeJwt } from 'jose'
import { addSubscription } from '../support/subscriptions.ts'
import { fixedVhd, someDisk } from '../wire/vhd.ts'
import { groupVersion, openWire } from '../wire/wire.ts'
import type { Wire } from '../wire/wire.ts'

const location = 'westeurope'

/** A publisher and a consumer in another subscription, both with Azure's newest SDK over HTTPS. */
suite('sharing with @azure/arm-compute', () => {
  let wire: Wire
  let publisher: ComputeManagementClient
  let consumer: ComputeManagementClient
  let consumerId = ''
  let unique = ''
  before(async () => {
    wire = await openWire()
    const { endpoint, tenantId, clientId, clientSecret, subscriptionId } = wire.server.env
    const { oid } = decodeJwt<{ oid: string }>(wire.server.token)
    consumerId = await addSubscription(wire.server, { tenantId, ownerId: oid })
    const options = { authorityHost: endpoint, disableInstanceDiscovery: true }
    const credential = new ClientSecretCredential(tenantId, clientId, clientSecret, options)
    const scopes = { endpoint, credentials: { scopes: [`${endpoint}/.default`] } }
    publisher = new ComputeManagementClient(credential, subscriptionId, scopes)
    consumer = new ComputeManagementClient(credential, consumerId, scopes)
    unique = `${subscriptionId}-DIRECT`
    const group = `/subscriptions/${consumerId}/resourceGroups/wire?api-version=${groupVersion}`
    await wire.arm.must('PUT', group, { location })
    const uri = await wire.blob('sdk.vhd', fixedVhd(someDisk(1)))
    const community = { publisherUri: 'https://p', publisherContact: 'p@p', eula: 'e', publicNamePrefix: 'sdk' }
    await publisher.galleries.createOrUpdate('wire', 'direct', { location, sharingProfile: { permissions: 'Groups' } })
    await publisher.galleries.createOrUpdate('wire', 'open', {
      location,
      sharingProfile: { permissions: 'Community', communityGalleryInfo: community },
    })
    for (const gallery of ['direct', 'open']) {
      await wire.definition(`${gallery}/linux`)
      await wire.publish(`${gallery}/linux/1.0.0`, uri)
    }
  })
  after(() => wire?.[Symbol.asyncDispose]())

  async function namesOf(pages: AsyncIterable<{ readonly name?: string }>): Promise<readonly (string | undefined)[]> {
    const found: (string | undefined)[] = []
    for await (const { name } of pages) found.push(name)
    return found
  }
  const isCode = (code: string) => (error: unknown) => (error as { code?: string }).code === code

  test('a gallery is shared with a subscription, seen there, used, rejected and accepted', async () => {
    await publisher.gallerySharingProfile.update('wire', 'direct', {
      operationType: 'Add',
      groups: [{ type: 'Subscriptions', ids: [consumerId] }],
    })
    const shown = await publisher.galleries.get('wire', 'direct', { expand: 'SharingProfile/Groups' })
    assert.deepEqual(shown.sharingProfile?.groups, [{ type: 'Subscriptions', ids: [consumerId] }])
    assert.equal(shown.sharingStatus?.aggregatedState, 'Succeeded')
    assert.deepEqual(await namesOf(consumer.sharedGalleries.list(location)), [unique])
    assert.deepEqual(await namesOf(consumer.sharedGalleryImages.list(location, unique)), ['linux'])
    assert.deepEqual(await namesOf(consumer.sharedGalleryImageVersions.list(location, unique, 'linux')), ['1.0.0'])
    const version = await consumer.sharedGalleryImageVersions.get(location, unique, 'linux', '1.0.0')
    assert.equal(version.storageProfile?.osDiskImage?.diskSizeGB, 1)
    const disk = await consumer.disks.createOrUpdate('wire', 'direct', {
      location,
      creationData: {
        createOption: 'FromImage',
        galleryImageReference: { sharedGalleryImageId: version.uniqueId ?? '' },
      },
    })
    assert.equal(disk.diskState, 'Unattached')
    assert.equal(disk.creationData?.galleryImageReference?.sharedGalleryImageId, version.uniqueId)
    const publisherId = wire.server.env.subscriptionId
    await consumer.sharedGalleryInvites.gallerySharingReject(location, publisherId, 'direct')
    assert.deepEqual(await namesOf(consumer.sharedGalleries.list(location)), [])
    await consumer.sharedGalleryInvites.gallerySharingAccept(location, publisherId, unique)
    assert.equal((await consumer.sharedGalleries.get(location, unique)).uniqueId, `/SharedGalleries/${unique}`)
  })

  test('tenants are shared with, and answer, as a whole', async () => {
    const { tenantId, subscriptionId } = wire.server.env
    const groups = [{ type: 'AADTenants', ids: [tenantId] }]
    await publisher.gallerySharingProfile.update('wire', 'direct', { operationType: 'Add', groups })
    const list = () => namesOf(consumer.sharedGalleries.list(location, { sharedTo: 'tenant' }))
    assert.deepEqual(await list(), [unique])
    const invites = consumer.tenantLevelSharedGalleryInvites
    await invites.tenantLevelGallerySharingReject(location, subscriptionId, unique)
    assert.deepEqual(await list(), [])
    await invites.tenantLevelGallerySharingAccept(location, subscriptionId, unique)
    assert.deepEqual(await list(), [unique])
    await publisher.gallerySharingProfile.update('wire', 'direct', { operationType: 'Reset' })
    assert.deepEqual(await list(), [])
    await assert.rejects(consumer.sharedGalleries.get(location, unique), isCode('NotFound'))
  })

  test('a community gallery is found by its public name', async () => {
    const gallery = await publisher.galleries.get('wire', 'open')
    const publicName = gallery.sharingProfile?.communityGalleryInfo?.publicNames?.[0] ?? ''
    await assert.rejects(consumer.communityGalleries.get(location, publicName), isCode('NotFound'))
    await publisher.gallerySharingProfile.update('wire', 'open', { operationType: 'EnableCommunity' })
    const open = await consumer.communityGalleries.get(location, publicName)
    assert.equal(open.communityMetadata?.publisherContact, 'p@p')
    assert.deepEqual(await namesOf(consumer.communityGalleryImages.list(location, publicName)), ['linux'])
    const versions = consumer.communityGalleryImageVersions
    assert.deepEqual(await namesOf(versions.list(location, publicName, 'linux')), ['1.0.0'])
    const { uniqueId = '' } = await consumer.communityGalleryImages.get(location, publicName, 'linux')
    const disk = await consumer.disks.createOrUpdate('wire', 'open', {
      location,
      creationData: { createOption: 'FromImage', galleryImageReference: { communityGalleryImageId: uniqueId } },
    })
    assert.equal(disk.diskState, 'Unattached')
  })
})
