import assert from 'node:assert/strict'
import type { RunningGoldleaf } from '../support/goldleaf.ts'
import type { AzDocument } from './az.ts'
import type { AzWalk } from './az-galleries.ts'

const words = (line: string): string[] => line.split(/\s+/)
const names = (list: AzDocument): string[] => list.map((one: AzDocument) => one.name)
const place = ['-l', 'westeurope']

/** Direct sharing with a subscription, and what the one it is shared with sees. */
export function walkDirectSharing({ az, step, vhdUri }: AzWalk, server: () => RunningGoldleaf): void {
  const gallery = words('-g az -r azshared')
  const unique = (): string[] => ['--gallery-unique-name', `${server().env.subscriptionId}-AZSHARED`]
  const image = ['-i', 'linux']
  const version = [...image, '-e', '1.0.0']
  step('sig create --permissions groups', async () => {
    const made = await az().run('sig', 'create', ...gallery, '--permissions', 'groups')
    assert.equal(made.sharingProfile.permissions, 'Groups')
    const options = words('--publisher p --offer o --sku s --os-type Linux --os-state Specialized')
    await az().run('sig', 'image-definition', 'create', ...gallery, ...image, ...options, '--hyper-v-generation', 'V1')
    const source = ['--os-vhd-uri', await vhdUri(), '--os-vhd-storage-account', 'azaccount']
    await az().run('sig', 'image-version', 'create', ...gallery, ...version, ...source)
  })
  step('sig share add', async () => {
    const { subscriptionId, tenantId } = server().env
    await az().run('sig', 'share', 'add', ...gallery, '--subscription-ids', subscriptionId, '--tenant-ids', tenantId)
    const shown = await az().run('sig', 'show', ...gallery, '--select', 'Permissions')
    assert.equal(shown.sharingProfile.permissions, 'Groups')
  })
  step('sig share wait', async () => {
    await az().run('sig', 'share', 'wait', ...gallery, '--updated', '--interval', '1')
  })
  step('sig list-shared', async () => {
    const [only] = await az().run('sig', 'list-shared', ...place)
    assert.match(only.uniqueId, /-AZSHARED$/)
  })
  step('sig list-shared --shared-to tenant', async () => {
    assert.equal((await az().run('sig', 'list-shared', ...place, '--shared-to', 'tenant')).length, 1)
  })
  step('sig show-shared', async () => {
    assert.match((await az().run('sig', 'show-shared', ...place, ...unique())).uniqueId, /-AZSHARED$/)
  })
  step('sig image-definition list-shared', async () => {
    assert.deepEqual(names(await az().run('sig', 'image-definition', 'list-shared', ...place, ...unique())), ['linux'])
  })
  step('sig image-definition show-shared', async () => {
    const shown = await az().run('sig', 'image-definition', 'show-shared', ...place, ...unique(), ...image)
    assert.equal(shown.osType, 'Linux')
  })
  step('sig image-version list-shared', async () => {
    const list = await az().run('sig', 'image-version', 'list-shared', ...place, ...unique(), ...image)
    assert.deepEqual(names(list), ['1.0.0'])
  })
  step('sig image-version show-shared', async () => {
    const shown = await az().run('sig', 'image-version', 'show-shared', ...place, ...unique(), ...version)
    assert.equal(shown.name, '1.0.0')
  })
  step('sig share remove', async () => {
    await az().run('sig', 'share', 'remove', ...gallery, '--tenant-ids', server().env.tenantId)
    assert.deepEqual(await az().run('sig', 'list-shared', ...place, '--shared-to', 'tenant'), [])
  })
  step('sig share reset', async () => {
    await az().run('sig', 'share', 'reset', ...gallery)
    assert.deepEqual(await az().run('sig', 'list-shared', ...place), [])
  })
}

/** A community gallery: published under its public name, read by anybody, closed again. */
export function walkCommunity({ az, step, vhdUri }: AzWalk): void {
  const gallery = words('-g az -r azpublic')
  const image = ['-i', 'linux']
  const version = [...image, '-e', '1.0.0']
  let publicName = ''
  const open = (): string[] => ['--public-gallery-name', publicName]
  step('sig create --permissions Community', async () => {
    const info = words(`--publisher-uri https://contoso.example --publisher-email images@contoso.example
      --eula https://contoso.example/eula --public-name-prefix contoso`)
    const made = await az().run('sig', 'create', ...gallery, '--permissions', 'Community', ...info)
    assert.equal(made.sharingProfile.permissions, 'Community')
    const options = words('--publisher p --offer o --sku c --os-type Linux --os-state Specialized')
    await az().run('sig', 'image-definition', 'create', ...gallery, ...image, ...options, '--hyper-v-generation', 'V1')
    const source = ['--os-vhd-uri', await vhdUri(), '--os-vhd-storage-account', 'azaccount']
    await az().run('sig', 'image-version', 'create', ...gallery, ...version, ...source)
  })
  step('sig share enable-community', async () => {
    await az().run('sig', 'share', 'enable-community', ...gallery)
    const { sharingProfile } = await az().run('sig', 'show', ...gallery)
    ;[publicName] = sharingProfile.communityGalleryInfo.publicNames
    assert.match(publicName, /^contoso-/)
  })
  step('sig show-community', async () => {
    assert.equal((await az().run('sig', 'show-community', ...place, ...open())).name, publicName)
  })
  step('sig list-community', async () => {
    const list = await az().run('sig', 'list-community', ...place)
    assert.ok(names(list).includes(publicName), JSON.stringify(list))
  })
  step('sig image-definition list-community', async () => {
    assert.deepEqual(names(await az().run('sig', 'image-definition', 'list-community', ...place, ...open())), ['linux'])
  })
  step('sig image-definition show-community', async () => {
    const shown = await az().run('sig', 'image-definition', 'show-community', ...place, ...open(), ...image)
    assert.equal(shown.osType, 'Linux')
  })
  step('sig image-version list-community', async () => {
    const list = await az().run('sig', 'image-version', 'list-community', ...place, ...open(), ...image)
    assert.deepEqual(names(list), ['1.0.0'])
  })
  step('sig image-version show-community', async () => {
    const shown = await az().run('sig', 'image-version', 'show-community', ...place, ...open(), ...version)
    assert.equal(shown.name, '1.0.0')
  })
  step('sig share reset of a community gallery', async () => {
    await az().run('sig', 'share', 'reset', ...gallery)
    const { code } = await az().attempt('sig', 'show-community', ...place, ...open())
    assert.notEqual(code, 0)
  })
}
