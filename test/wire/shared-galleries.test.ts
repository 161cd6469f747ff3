import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { decodeJwt } from 'jose'
import { addSubscription } from '../support/subscriptions.ts'
import { fixedVhd, someDisk } from './vhd.ts'
import { diskVersion, galleryVersion, groupVersion, openWire } from './wire.ts'
import type { Body, Wire } from './wire.ts'

const info = {
  publisherUri: 'https://p',
  publisherContact: 'p@example.com',
  eula: 'https://e',
  publicNamePrefix: 'pub',
}
const disclaimer = 'https://aka.ms/community-gallery-disclaimer'

/** A publishes, B is shared with, C is a third party: three subscriptions of one tenant. */
suite('what is shared, seen from other subscriptions', () => {
  let wire: Wire
  let b = ''
  let c = ''
  let unique = ''
  let publicName = ''
  before(async () => {
    wire = await openWire()
    const { oid, tid } = decodeJwt<{ oid: string; tid: string }>(wire.server.token)
    b = await addSubscription(wire.server, { tenantId: tid, ownerId: oid })
    c = await addSubscription(wire.server, { tenantId: tid, ownerId: oid })
    for (const subscription of [b, c])
      await wire.arm.must('PUT', `/subscriptions/${subscription}/resourceGroups/rg?api-version=${groupVersion}`, {
        location: 'westeurope',
      })
    const uri = await wire.blob('shared.vhd', fixedVhd(someDisk(1)))
    for (const [name, sharingProfile] of Object.entries<Body>({
      direct: { permissions: 'Groups' },
      open: { permissions: 'Community', communityGalleryInfo: info },
    })) {
      const gallery = { location: 'westeurope', properties: { sharingProfile } }
      await wire.arm.must('PUT', wire.at(`galleries/${name}`), gallery)
      await wire.definition(`${name}/linux`, { description: 'ours', eula: 'https://image-eula' })
      await wire.definition(`${name}/empty`)
      await wire.publish(`${name}/linux/1.0.0`, uri)
      await wire.publish(`${name}/linux/1.1.0`, uri, { targetRegions: [{ name: 'westeurope' }, { name: 'eastus' }] })
    }
    unique = `${wire.server.env.subscriptionId}-DIRECT`
    const { body } = await wire.arm.call('GET', wire.at('galleries/open'))
    const { properties } = body as unknown as {
      properties: { sharingProfile: { communityGalleryInfo: { publicNames: string[] } } }
    }
    publicName = properties.sharingProfile.communityGalleryInfo.publicNames.join()
  })
  after(() => wire?.[Symbol.asyncDispose]())

  const share = (name: string, body: Body) => wire.arm.must('POST', wire.at(`galleries/${name}/share`), body)
  const add = (type: string, id: string) => share('direct', { operationType: 'Add', groups: [{ type, ids: [id] }] })
  const see = (subscription: string, path: string, region = 'westeurope', apiVersion = galleryVersion, query = '') =>
    wire.arm.call(
      'GET',
      `/subscriptions/${subscription}/providers/Microsoft.Compute/locations/${region}/${path}?api-version=${apiVersion}${query}`,
    )
  const names = async (...where: Parameters<typeof see>): Promise<readonly (string | undefined)[]> => {
    const { status, body } = await see(...where)
    assert.equal(status, 200, JSON.stringify(body))
    return (body.value ?? []).map(({ name }) => name)
  }
  const makeDisk = (subscription: string, name: string, galleryImageReference: Body, location = 'westeurope') =>
    wire.arm.call(
      'PUT',
      `/subscriptions/${subscription}/resourceGroups/rg/providers/Microsoft.Compute/disks/${name}?api-version=${diskVersion}`,
      { location, properties: { creationData: { createOption: 'FromImage', galleryImageReference } } },
    )

  test('until it is shared, nobody sees it', async () => {
    assert.deepEqual(await names(b, 'sharedGalleries'), [])
    const { status, body } = await see(b, `sharedGalleries/${unique}`)
    assert.equal(status, 404)
    assert.deepEqual(body.error, {
      code: 'NotFound',
      message: `please check if the gallery name '${unique}' is valid and the gallery exists in 'WestEurope' region.`,
    })
    assert.equal((await see(b, `communityGalleries/${publicName}`)).status, 404)
  })

  test('the subscription it is shared with sees it, in the regions in which it stands; a third one does not', async () => {
    await add('Subscriptions', b)
    assert.deepEqual(await names(b, 'sharedGalleries'), [unique])
    assert.deepEqual(await names(b, 'sharedGalleries', 'eastus'), [unique])
    assert.deepEqual(await names(b, 'sharedGalleries', 'northeurope'), [])
    assert.deepEqual(await names(b, 'sharedGalleries', 'westeurope', galleryVersion, '&sharedTo=tenant'), [])
    assert.deepEqual(await names(c, 'sharedGalleries'), [])
    for (const path of ['', '/images', '/images/linux', '/images/linux/versions', '/images/linux/versions/1.0.0'])
      assert.equal((await see(c, `sharedGalleries/${unique}${path}`)).body.error?.code, 'NotFound', path)
  })

  test('gallery, images and versions in their own shapes, per api-version', async () => {
    const gallery = await see(b, `sharedgalleries/${unique.toLowerCase()}`, 'West Europe', '2022-01-03')
    const uniqueId = `/SharedGalleries/${unique}`
    assert.deepEqual(gallery.body, { location: 'westeurope', name: unique, identifier: { uniqueId } })
    assert.deepEqual(await names(b, `sharedGalleries/${unique}/images`), ['linux'])
    const image = (await see(b, `sharedGalleries/${unique}/images/linux`, 'westeurope', '2021-07-01')).body
    assert.deepEqual(image, {
      properties: {
        osType: 'Linux',
        osState: 'Specialized',
        identifier: { publisher: 'goldleaf', offer: 'wire', sku: 'linux' },
        hyperVGeneration: 'V1',
      },
      location: 'westeurope',
      name: 'linux',
      identifier: { uniqueId: `${uniqueId}/Images/linux` },
    })
    assert.deepEqual(await names(b, `sharedGalleries/${unique}/images/linux/versions`), ['1.0.0', '1.1.0'])
    assert.deepEqual(await names(b, `sharedGalleries/${unique}/images/linux/versions`, 'eastus'), ['1.1.0'])
    const version = (await see(b, `sharedGalleries/${unique}/images/linux/versions/1.0.0`, 'westeurope', '2022-03-03'))
      .body as unknown as { properties: Record<string, unknown>; identifier: unknown }
    assert.deepEqual(version.identifier, { uniqueId: `${uniqueId}/Images/linux/Versions/1.0.0` })
    const { publishedDate, ...rest } = version.properties
    assert.match(String(publishedDate), /^20/)
    assert.deepEqual(rest, {
      excludeFromLatest: false,
      storageProfile: { osDiskImage: { diskSizeGB: 1, hostCaching: 'ReadWrite' } },
    })
  })

  test('a disk is made of it where it is shared, by version, by definition and by latest', async () => {
    const image = `/SharedGalleries/${unique}/Images/linux`
    for (const [name, id, version] of [
      ['one', `${image}/Versions/1.0.0`, '1.0.0'],
      ['two', image, '1.1.0'],
      ['three', `${image.toLowerCase()}/versions/latest`, '1.1.0'],
    ] as const) {
      const made = await makeDisk(b, name, { sharedGalleryImageId: id })
      assert.equal(made.status, 202, `${version} ${JSON.stringify(made.body)}`)
      assert.equal((await wire.arm.settle(made)).status, 'Succeeded')
    }
    const refused = await makeDisk(c, 'four', { sharedGalleryImageId: image })
    assert.equal(refused.status, 404)
    assert.equal(refused.body.error?.code, 'GalleryImageNotFound')
    assert.match(
      refused.body.error?.message ?? '',
      /^"The gallery image \/SharedGalleries\/.* is not available in west/,
    )
    const elsewhere = await makeDisk(b, 'five', { sharedGalleryImageId: `${image}/Versions/1.0.0` }, 'eastus')
    assert.equal(elsewhere.body.error?.code, 'GalleryImageNotFound')
    const malformed = await makeDisk(b, 'six', { sharedGalleryImageId: '/SharedGalleries/x' })
    assert.equal(malformed.body.error?.code, 'InvalidParameter')
    const both = await makeDisk(b, 'seven', { sharedGalleryImageId: image, communityGalleryImageId: image })
    assert.match(both.body.error?.message ?? '', /^Only one of/)
  })

  test('who rejects it sees it no more, until it is accepted', async () => {
    const invite = (subscription: string, verb: string, apiVersion = '2025-12-03') =>
      wire.arm.call(
        'POST',
        `/subscriptions/${subscription}/providers/Microsoft.Compute/locations/westeurope/sharedGallerySubscriptions/` +
          `${wire.server.env.subscriptionId}/sharedGalleries/direct/${verb}?api-version=${apiVersion}`,
      )
    assert.equal((await invite(c, 'accept')).body.error?.code, 'NotFound')
    assert.equal((await invite(b, 'reject', '2024-03-03')).status, 404)
    assert.equal((await invite(b, 'reject')).status, 204)
    assert.deepEqual(await names(b, 'sharedGalleries'), [])
    const refused = await makeDisk(b, 'eight', { sharedGalleryImageId: `/SharedGalleries/${unique}/Images/linux` })
    assert.equal(refused.body.error?.code, 'GalleryImageNotFound')
    assert.equal((await invite(b, 'accept')).status, 204)
    assert.deepEqual(await names(b, 'sharedGalleries'), [unique])
  })

  test('shared with a tenant it is seen by all its subscriptions, by sharedTo=tenant', async () => {
    await add('AADTenants', wire.server.env.tenantId)
    assert.deepEqual(await names(c, 'sharedGalleries'), [])
    assert.deepEqual(await names(c, 'sharedGalleries', 'westeurope', galleryVersion, '&sharedTo=tenant'), [unique])
    assert.equal((await see(c, `sharedGalleries/${unique}/images/linux`)).status, 200)
    const made = await makeDisk(c, 'one', { sharedGalleryImageId: `/SharedGalleries/${unique}/Images/linux` })
    assert.equal((await wire.arm.settle(made)).status, 'Succeeded')
  })

  test('what is withdrawn is gone at once; disks made of it stay', async () => {
    await share('direct', { operationType: 'Reset' })
    for (const subscription of [b, c]) assert.deepEqual(await names(subscription, 'sharedGalleries'), [])
    const refused = await makeDisk(b, 'nine', { sharedGalleryImageId: `/SharedGalleries/${unique}/Images/linux` })
    assert.equal(refused.body.error?.code, 'GalleryImageNotFound')
  })

  test('a community gallery is seen by everyone, with who publishes it', async () => {
    await share('open', { operationType: 'EnableCommunity' })
    const { body } = await see(c, `communityGalleries/${publicName}`, 'westeurope', '2024-03-03')
    const artifactTags = { 'ShareTag-CommunityGallery': 'CommunityGallery' }
    const { publicNamePrefix: _prefix, ...told } = info
    assert.deepEqual(body, {
      location: 'westeurope',
      name: publicName,
      type: 'Microsoft.Compute/locations/communityGallery',
      identifier: { uniqueId: `/CommunityGalleries/${publicName}` },
      properties: { disclaimer, artifactTags, communityMetadata: { ...told, publicNames: [publicName] } },
    })
    assert.deepEqual(await names(c, `communityGalleries/${publicName}/images`), ['linux'])
    assert.deepEqual(await names(c, `communityGalleries/${publicName}/images/linux/versions`, 'eastus'), ['1.1.0'])
    const image = await see(c, `communityGalleries/${publicName}/images/linux`, 'westeurope', '2023-07-03')
    const shown = image.body as unknown as { type: string; properties: Record<string, unknown> }
    assert.equal(shown.type, 'Microsoft.Compute/locations/communityGalleryImage')
    assert.deepEqual([shown.properties['eula'], shown.properties['disclaimer']], ['https://image-eula', disclaimer])
    assert.equal(shown.properties['description'], undefined)
    const old = await see(c, `communityGalleries/${publicName}`, 'westeurope', '2021-07-01')
    assert.deepEqual(Object.keys(old.body), ['location', 'name', 'type', 'identifier'])
    assert.equal((await see(c, `communityGalleries/${publicName}`, 'northeurope')).status, 404)
  })

  test('az sig list-community asks Resource Graph, which shows what is public, page by page', async () => {
    const graph = (query: string, options: Body = {}, apiVersion = '2021-03-01') =>
      wire.arm.call('POST', `/providers/Microsoft.ResourceGraph/resources?api-version=${apiVersion}`, {
        query,
        options,
      })
    const query =
      "communitygalleryresources| where type == 'microsoft.compute/locations/communitygalleries' | where location == 'westeurope' "
    const { status, body } = await graph(query, { $top: 30 })
    assert.equal(status, 200, JSON.stringify(body))
    const { data, ...counts } = body as unknown as { data: Record<string, unknown>[] }
    assert.deepEqual(counts, { totalRecords: 1, count: 1, facets: [], resultTruncated: 'false' })
    const properties = data[0]?.['properties'] as { identifier: unknown; communityMetadata: { eula: string } }
    assert.deepEqual([data[0]?.['name'], data[0]?.['location']], [publicName, 'westeurope'])
    assert.deepEqual(properties.identifier, { uniqueId: `/CommunityGalleries/${publicName}` })
    assert.equal(properties.communityMetadata.eula, 'https://e')
    const own = "Resources | where type =~ 'Microsoft.Compute/disks' | order by id asc | project id, subscriptionId"
    const first = (await graph(own, { $top: 1 })).body as unknown as { data: { id: string }[]; $skipToken: string }
    const second = (await graph(own, { $top: 1, $skipToken: first.$skipToken })).body as unknown as typeof first
    assert.ok((first.data[0]?.id ?? '') < (second.data[0]?.id ?? ''), JSON.stringify([first, second]))
    for (const [wrong, options] of [
      ['Resources | summarize count()', {}],
      ['', {}],
      [own, { $top: 0 }],
    ] as const)
      assert.equal((await graph(wrong, options)).body.error?.code, 'BadRequest')
    assert.equal((await graph(own, {}, '2018-01-01')).body.error?.code, 'InvalidApiVersionParameter')
  })

  test('windows of api-versions, places and methods', async () => {
    const refused = async (...where: Parameters<typeof see>) => (await see(...where)).body.error?.code
    assert.equal(await refused(c, 'sharedGalleries', 'westeurope', '2019-12-01'), 'NoRegisteredProviderFound')
    const list = `communityGalleries/${publicName}/images`
    assert.equal(await refused(c, list, 'westeurope', '2021-10-01'), 'NoRegisteredProviderFound')
    assert.equal(await refused(c, 'communityGalleries'), 'MethodNotAllowed')
    assert.equal(await refused(c, 'sharedGalleries', 'atlantis'), 'LocationNotAvailableForResourceType')
    assert.equal(await refused(c, 'sharedGalleries', 'westeurope', galleryVersion, '&sharedTo=all'), 'InvalidParameter')
    assert.equal(await refused(c, `sharedGalleries/${unique}/applications`), 'InvalidResourceType')
  })

  test('a version is made of a community image, without any right on its gallery', async () => {
    const group = `/subscriptions/${b}/resourceGroups/rg/providers/Microsoft.Compute`
    const at = (path: string) => `${group}/${path}?api-version=${galleryVersion}`
    await wire.arm.must('PUT', at('galleries/own'), { location: 'westeurope' })
    await wire.arm.must('PUT', at('galleries/own/images/copy'), {
      location: 'westeurope',
      properties: {
        osType: 'Linux',
        osState: 'Specialized',
        hyperVGeneration: 'V1',
        identifier: { publisher: 'b', offer: 'b', sku: 'b' },
      },
    })
    const version = (communityGalleryImageId: string): Body => ({
      location: 'westeurope',
      properties: {
        storageProfile: { source: { communityGalleryImageId } },
        publishingProfile: { targetRegions: [{ name: 'westeurope' }] },
      },
    })
    const id = `/CommunityGalleries/${publicName}/Images/linux`
    await wire.arm.must('PUT', at('galleries/own/images/copy/versions/1.0.0'), version(id))
    const { body } = await wire.arm.call('GET', at('galleries/own/images/copy/versions/1.0.0'))
    const profile = body.properties?.storageProfile as unknown as { source: unknown; osDiskImage: { sizeInGB: number } }
    assert.deepEqual(profile.source, { communityGalleryImageId: id })
    assert.equal(profile.osDiskImage.sizeInGB, 1)
    const none = await wire.arm.call(
      'PUT',
      at('galleries/own/images/copy/versions/2.0.0'),
      version(`/CommunityGalleries/${publicName}/Images/none`),
    )
    assert.deepEqual([none.status, none.body.error?.code], [404, 'GalleryImageNotFound'])
  })

  test('a deleted version stays for who names it until its consumption ends, and says so from 2026-03-03 on', async () => {
    const policy = { isSoftDeleteEnabled: true, retentionPeriodInDays: 3, gracePeriodInDays: 0 }
    await wire.arm.must('PATCH', wire.at('galleries/open', '2026-03-03'), { properties: { softDeletePolicy: policy } })
    await wire.arm.must('DELETE', wire.at('galleries/open/images/linux/versions/1.1.0'))
    const versions = `communityGalleries/${publicName}/images/linux/versions`
    assert.deepEqual(await names(c, versions), ['1.0.0'])
    assert.equal((await see(c, `${versions}/1.1.0`)).status, 404)
    const { body } = await see(c, versions, 'westeurope', '2026-03-03')
    const shown = (body.value ?? []) as unknown as { properties: Record<string, string | undefined> }[]
    assert.deepEqual(
      shown.map(({ properties }) => [properties['imageState'], typeof properties['consumptionEndTime']]),
      [
        ['Active', 'undefined'],
        ['SoftDeleted', 'string'],
      ],
    )
    const days = (Date.parse(shown[1]?.properties['consumptionEndTime'] ?? '') - Date.now()) / 86_400_000
    assert.ok(days > 2.9 && days < 3, `${days}`)
    assert.deepEqual(await names(c, `communityGalleries/${publicName}/images`, 'eastus'), ['linux'])
    const communityGalleryImageId = `/CommunityGalleries/${publicName}/Images/linux`
    await wire.arm.settle(
      await makeDisk(c, 'kept', { communityGalleryImageId: `${communityGalleryImageId}/Versions/1.1.0` }),
    )
    const latest = await makeDisk(c, 'late', { communityGalleryImageId }, 'eastus')
    assert.equal(latest.body.error?.code, 'GalleryImageNotFound', 'never the latest')
  })
})
