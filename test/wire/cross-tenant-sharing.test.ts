import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { armCaller } from '../support/goldleaf.ts'
import { cli } from '../support/publishing.ts'
import { fixedVhd, someDisk } from './vhd.ts'
import { diskVersion, galleryVersion, groupVersion, openWire, vmVersion } from './wire.ts'
import type { Wire } from './wire.ts'

interface Tenant {
  readonly subscriptionId: string
  readonly arm: ReturnType<typeof armCaller>
}

/** Tenant A publishes, tenant B is shared with, tenant C is a stranger; each signs in to its own. */
suite('sharing across tenants', () => {
  let wire: Wire
  let b: Tenant
  let c: Tenant
  before(async () => {
    wire = await openWire()
    b = await newTenant('Contoso')
    c = await newTenant('Fabrikam')
    const uri = await wire.blob('across.vhd', fixedVhd(someDisk(1)))
    const info = { publisherUri: 'u', publisherContact: 'c', eula: 'e', publicNamePrefix: 'across' }
    for (const sharingProfile of [
      { permissions: 'Groups' },
      { permissions: 'Community', communityGalleryInfo: info },
    ]) {
      const name = sharingProfile.permissions.toLowerCase()
      const body = { location: 'westeurope', properties: { sharingProfile } }
      await wire.arm.must('PUT', wire.at(`galleries/${name}`), body)
      await wire.definition(`${name}/linux`)
      await wire.publish(`${name}/linux/1.0.0`, uri)
    }
  })
  after(() => wire?.[Symbol.asyncDispose]())

  async function newTenant(name: string): Promise<Tenant> {
    const domain = `${name.toLowerCase()}.goldleaf.local`
    const run = async (...args: readonly string[]): Promise<string> => {
      const { code, out, err } = await cli(wire.server, ...args)
      assert.equal(code, 0, `${args.join(' ')}: ${err}`)
      return out
    }
    await run('tenant', 'create', name)
    const made = JSON.parse(await run('--tenant', domain, 'subscription', 'create', name)) as Tenant
    const arm = armCaller({ ...wire.server, token: (await run('--tenant', domain, 'token')).trim() })
    const group = `/subscriptions/${made.subscriptionId}/resourceGroups/rg?api-version=${groupVersion}`
    await arm.must('PUT', group, { location: 'westeurope' })
    return { subscriptionId: made.subscriptionId, arm }
  }
  const makeDisk = ({ arm, subscriptionId }: Tenant, name: string, galleryImageReference: object) =>
    arm.call(
      'PUT',
      `/subscriptions/${subscriptionId}/resourceGroups/rg/providers/Microsoft.Compute/disks/${name}?api-version=${diskVersion}`,
      { location: 'westeurope', properties: { creationData: { createOption: 'FromImage', galleryImageReference } } },
    )
  const see = ({ arm, subscriptionId }: Tenant, path: string) =>
    arm.call(
      'GET',
      `/subscriptions/${subscriptionId}/providers/Microsoft.Compute/locations/westeurope/${path}?api-version=${galleryVersion}`,
    )
  const share = async (...args: readonly string[]): Promise<string> => {
    const { code, out, err } = await cli(wire.server, 'gallery', 'share', ...args)
    assert.equal(code, 0, err)
    return out
  }

  test('a subscription of another tenant uses what is shared with it; a third one sees nothing', async () => {
    await share('add', '--gallery', 'groups', '--subscription-ids', b.subscriptionId)
    assert.match(await share('list', '--gallery', 'groups'), new RegExp(`Subscriptions +${b.subscriptionId}`))
    const unique = `${wire.server.env.subscriptionId}-GROUPS`
    assert.deepEqual(
      (await see(b, 'sharedGalleries')).body.value?.map(({ name }) => name),
      [unique],
    )
    assert.deepEqual((await see(c, 'sharedGalleries')).body.value, [])
    const image = { sharedGalleryImageId: `/SharedGalleries/${unique}/Images/linux` }
    const made = await makeDisk(b, 'mine', image)
    assert.equal(made.status, 202, JSON.stringify(made.body))
    assert.equal((await b.arm.settle(made)).status, 'Succeeded')
    const refused = await makeDisk(c, 'mine', image)
    assert.deepEqual([refused.status, refused.body.error?.code], [404, 'GalleryImageNotFound'])
    // Shared is not given: neither the gallery itself nor its id is theirs.
    const byId = await makeDisk(b, 'other', { id: wire.id('galleries/groups/images/linux') })
    assert.equal(byId.status >= 400, true)
    assert.notEqual((await b.arm.call('GET', wire.at('galleries/groups'))).status, 200)
    const looked = await c.arm.call(
      'GET',
      `/subscriptions/${b.subscriptionId}/providers/Microsoft.Compute/locations/westeurope/sharedGalleries?api-version=${galleryVersion}`,
    )
    assert.notEqual(looked.status, 200)
  })

  test('what is public is used by everyone, in every tenant', async () => {
    await share('enable-community', '--gallery', 'community')
    const listed = await share('list', '--gallery', 'community')
    const publicName = /across-[0-9a-f-]{36}/.exec(listed)?.[0] ?? ''
    for (const tenant of [b, c]) {
      const image = await see(tenant, `communityGalleries/${publicName}/images/linux`)
      const { identifier } = image.body as unknown as { identifier: { uniqueId: string } }
      const made = await makeDisk(tenant, 'public', { communityGalleryImageId: identifier.uniqueId })
      assert.equal((await tenant.arm.settle(made)).status, 'Succeeded')
    }
  })

  test('a machine starts from what is shared; its reference stays as it was written', async () => {
    const imageReference = {
      sharedGalleryImageId: `/SharedGalleries/${wire.server.env.subscriptionId}-GROUPS/Images/linux/Versions/latest`,
    }
    const path = ({ subscriptionId }: Tenant): string =>
      `/subscriptions/${subscriptionId}/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/vm?api-version=${vmVersion}`
    const body = {
      location: 'westeurope',
      properties: { hardwareProfile: { vmSize: 'Standard_B1s' }, storageProfile: { imageReference } },
    }
    await b.arm.must('PUT', path(b), body)
    const { properties } = (await b.arm.call('GET', path(b))).body
    assert.deepEqual(properties?.storageProfile?.imageReference, { ...imageReference, exactVersion: '1.0.0' })
    await b.arm.must('DELETE', path(b))
    const refused = await c.arm.call('PUT', path(c), body)
    assert.deepEqual([refused.status, refused.body.error?.code], [404, 'GalleryImageNotFound'])
  })

  test('Resource Graph shows to each its own, and to all what is public', async () => {
    const ask = async ({ arm }: Tenant, query: string): Promise<{ name: string }[]> => {
      const path = '/providers/Microsoft.ResourceGraph/resources?api-version=2022-10-01'
      return ((await arm.call('POST', path, { query })).body as unknown as { data: { name: string }[] }).data
    }
    assert.deepEqual(
      (await ask(c, "Resources | where type contains 'disks'")).map(({ name }) => name),
      ['public'],
    )
    assert.deepEqual(await ask(c, "Resources | where type contains 'galleries'"), [])
    const galleries = "CommunityGalleryResources | where type endswith 'communitygalleries' | distinct name"
    assert.equal((await ask(c, galleries)).length, 1)
  })

  test('flags that say nothing, and a gallery of another kind, are refused in words', async () => {
    const nobody = await cli(wire.server, 'gallery', 'share', 'add', '--gallery', 'groups')
    assert.deepEqual([nobody.code, /Name with whom/.test(nobody.err)], [2, true])
    const wrong = await cli(wire.server, 'gallery', 'share', 'enable-community', '--gallery', 'groups')
    assert.equal(wrong.code, 1)
    assert.match(wrong.err, /its sharingProfile\.permissions is 'Groups', not 'Community'/)
  })
})
