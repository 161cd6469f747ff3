import assert from 'node:assert/strict'
import { mapLimit } from '../../src/base/map-limit.ts'
import { armCaller } from '../support/goldleaf.ts'
import type { AzDocument } from './az.ts'
import { pages } from './az-galleries.ts'
import { reaches } from './az-groups.ts'
import { namesOf, words } from './az-walk.ts'
import type { AzWalk } from './az-walk.ts'

const place = ['-l', 'westeurope']
/** One more than a page of ours, and than a page of `list-community`. */
const manyImages = 51
const manyGalleries = 31
const api = 'api-version=2024-03-03'

/** Direct sharing with a subscription, and what the one it is shared with sees. */
export function walkDirectSharing(walk: AzWalk): void {
  const { az, step, server, takes, vhdUri } = walk
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
    const { sharingProfile } = await az().run('sig', 'show', ...gallery, '--sharing-groups')
    assert.equal(sharingProfile.permissions, 'Groups')
    assert.deepEqual(
      sharingProfile.groups.map((one: AzDocument) => [one.type, one.ids]),
      [
        ['Subscriptions', [subscriptionId]],
        ['AADTenants', [tenantId]],
      ],
    )
  })
  step('sig share wait', async () => {
    const shown = takes('sig share wait', '--select')
      ? words('--expand SharingProfile/Groups --select Permissions')
      : []
    await reaches(az, 'sig share wait', ...gallery, ...shown)
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
    assert.deepEqual(namesOf(await az().run('sig', 'image-definition', 'list-shared', ...place, ...unique())), [
      'linux',
    ])
  })
  step('sig image-definition show-shared', async () => {
    const shown = await az().run('sig', 'image-definition', 'show-shared', ...place, ...unique(), ...image)
    assert.equal(shown.osType, 'Linux')
  })
  step('sig image-version list-shared', async () => {
    const list = await az().run('sig', 'image-version', 'list-shared', ...place, ...unique(), ...image)
    assert.deepEqual(namesOf(list), ['1.0.0'])
  })
  step('sig image-version show-shared', async () => {
    const shown = await az().run('sig', 'image-version', 'show-shared', ...place, ...unique(), ...version)
    assert.equal(shown.name, '1.0.0')
  })
  step('shared lists of more than a page', async () => {
    await fill(walk, 'azshared')
    const definitions = await readsPages(
      walk,
      'sig image-definition list-shared',
      ...place,
      ...unique(),
      ...words('--shared-to tenant'),
    )
    assert.deepEqual([definitions.length, new Set(definitions).size], [manyImages, manyImages])
    const listed = [...place, ...unique(), ...image, '--shared-to', 'tenant']
    const versions = await readsPages(walk, 'sig image-version list-shared', ...listed)
    assert.deepEqual([versions.length, new Set(versions).size], [manyImages, manyImages])
    if (!takes('sig list-shared', '--max-items')) return
    const second = words('-g az -r azsecond')
    await az().run('sig', 'create', ...second, '--permissions', 'groups')
    await az().run('sig', 'share', 'add', ...second, '--subscription-ids', server().env.subscriptionId)
    assert.equal((await pages(az, 'sig list-shared', 1, ...place)).length, 2)
    await az().run('sig', 'share', 'reset', ...second)
  })
  step('sig share remove', async () => {
    const { subscriptionId, tenantId } = server().env
    const remove = ['sig', 'share', 'remove', ...gallery]
    await az().run(...remove, '--tenant-ids', tenantId)
    assert.deepEqual(await az().run('sig', 'list-shared', ...place, '--shared-to', 'tenant'), [])
    await az().run(...remove, '--subscription-ids', subscriptionId)
    assert.deepEqual(await az().run('sig', 'list-shared', ...place), [])
  })
  step('sig share add, remove --no-wait', async () => {
    const { subscriptionId } = server().env
    const share = async (verb: string, ...more: readonly string[]): Promise<void> => {
      await az().run('sig', 'share', verb, ...gallery, ...more, '--no-wait')
      await az().run(...words('sig share wait --updated --interval 1'), ...gallery)
    }
    const seen = async (): Promise<number> => (await az().run('sig', 'list-shared', ...place)).length
    const type = (name: string): string[] => (takes('sig share add', '--op-type') ? ['--op-type', name] : [])
    await share('add', '--subscription-ids', subscriptionId, ...type('Add'))
    assert.equal(await seen(), 1)
    await share('remove', '--subscription-ids', subscriptionId, ...type('Remove'))
    assert.equal(await seen(), 0)
  })
  step('sig share reset', async () => {
    await az().run('sig', 'share', 'reset', ...gallery)
    await az().run('sig', 'share', 'reset', ...gallery, '--no-wait')
    assert.deepEqual(await az().run('sig', 'list-shared', ...place), [])
    assert.equal((await az().run('sig', 'show', ...gallery)).sharingProfile.permissions, 'Private')
  })
}

/** The gallery, filled until its lists have more than one page: copies of `linux` 1.0.0, which cost no bytes. */
async function fill({ server }: AzWalk, gallery: string): Promise<void> {
  const arm = armCaller(server())
  const images = `/subscriptions/${server().env.subscriptionId}/resourceGroups/az/providers/Microsoft.Compute/galleries/${gallery}/images`
  const location = 'westeurope'
  const storageProfile = { source: { id: `${images}/linux/versions/1.0.0` } }
  const publish = (image: string, name: string): Promise<unknown> =>
    arm.must('PUT', `${images}/${image}/versions/${name}?${api}`, { location, properties: { storageProfile } })
  await mapLimit(range(1, manyImages), 8, async (at) => {
    const identifier = { publisher: 'p', offer: 'many', sku: `${at}` }
    const properties = { osType: 'Linux', osState: 'Specialized', hyperVGeneration: 'V1', identifier }
    await arm.must('PUT', `${images}/many${at}?${api}`, { location, properties })
    await publish(`many${at}`, '1.0.0')
    await publish('linux', `1.0.${at}`)
  })
}

/** Runs `look` while the list of community galleries has more than one page: what is public cannot be deleted. */
async function whileMany({ server }: AzWalk, look: () => Promise<void>): Promise<void> {
  const arm = armCaller(server())
  const galleries = `/subscriptions/${server().env.subscriptionId}/resourceGroups/az/providers/Microsoft.Compute/galleries`
  const communityGalleryInfo = {
    publisherUri: 'https://contoso.example',
    publisherContact: 'images@contoso.example',
    eula: 'https://contoso.example/eula',
    publicNamePrefix: 'many',
  }
  const body = {
    location: 'westeurope',
    properties: { sharingProfile: { permissions: 'Community', communityGalleryInfo } },
  }
  await mapLimit(range(1, manyGalleries), 8, async (at) => {
    await arm.must('PUT', `${galleries}/many${at}?${api}`, body)
    await arm.must('POST', `${galleries}/many${at}/share?${api}`, { operationType: 'EnableCommunity' })
  })
  await look()
  await mapLimit(range(1, manyGalleries), 8, (at) =>
    arm.must('POST', `${galleries}/many${at}/share?${api}`, { operationType: 'Reset' }),
  )
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, at) => from + at)

/** Lists longer than a page, as `--marker` of the older az and `--max-items` of the newer read them. */
async function readsPages(walk: AzWalk, list: string, ...of: readonly string[]): Promise<readonly string[]> {
  const { az, takes } = walk
  if (takes(list, '--max-items')) return namesOf(await pages(az, list, 40, ...of))
  const first: AzDocument[] = await az().run(...words(list), ...of, '--show-next-marker')
  const { nextMarker } = first.pop()
  const rest: AzDocument[] = nextMarker ? await az().run(...words(list), ...of, '--marker', nextMarker) : []
  return namesOf([...first, ...rest])
}

/** A community gallery: published under its public name, read by anybody, closed again. */
export function walkCommunity(walk: AzWalk): void {
  const { az, step, takes, vhdUri } = walk
  const gallery = words('-g az -r azpublic')
  const image = ['-i', 'linux']
  const version = [...image, '-e', '1.0.0']
  const info = words(`--publisher-uri https://contoso.example --publisher-email images@contoso.example
    --eula https://contoso.example/eula --public-name-prefix contoso`)
  let publicName = ''
  const open = (): string[] => ['--public-gallery-name', publicName]
  step('sig create --permissions Community', async () => {
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
    assert.ok(namesOf(list).includes(publicName), JSON.stringify(list))
  })
  step('sig image-definition list-community', async () => {
    assert.deepEqual(namesOf(await az().run('sig', 'image-definition', 'list-community', ...place, ...open())), [
      'linux',
    ])
  })
  step('sig image-definition show-community', async () => {
    const shown = await az().run('sig', 'image-definition', 'show-community', ...place, ...open(), ...image)
    assert.equal(shown.osType, 'Linux')
  })
  step('sig image-version list-community', async () => {
    const list = await az().run('sig', 'image-version', 'list-community', ...place, ...open(), ...image)
    assert.deepEqual(namesOf(list), ['1.0.0'])
  })
  step('sig image-version show-community', async () => {
    const shown = await az().run('sig', 'image-version', 'show-community', ...place, ...open(), ...version)
    assert.equal(shown.name, '1.0.0')
  })
  step('community lists of more than a page', async () => {
    await fill(walk, 'azpublic')
    const definitions = await readsPages(walk, 'sig image-definition list-community', ...place, ...open())
    assert.deepEqual([definitions.length, new Set(definitions).size], [manyImages, manyImages])
    const versions = await readsPages(walk, 'sig image-version list-community', ...place, ...open(), ...image)
    assert.deepEqual([versions.length, new Set(versions).size], [manyImages, manyImages])
    await whileMany(walk, async () => {
      const galleries = await readsPages(walk, 'sig list-community', ...place)
      assert.deepEqual([galleries.length, new Set(galleries).size], [manyGalleries, manyGalleries])
    })
  })
  step('sig update of what a community gallery says of itself', async () => {
    const said = words(`--publisher-uri https://two.example --publisher-email two@contoso.example
      --eula https://two.example/eula --public-name-prefix contoso --permissions Community`)
    const made = await az().run('sig', 'update', ...gallery, ...said)
    const info = made.sharingProfile.communityGalleryInfo
    assert.deepEqual(
      [info.publisherUri, info.publisherContact, info.eula],
      ['https://two.example', 'two@contoso.example', 'https://two.example/eula'],
    )
  })
  step('sig share enable-community --no-wait', async () => {
    const later = words('-g az -r azlater')
    const asked = takes('sig create', '--no-wait') ? ['--no-wait'] : []
    await az().run('sig', 'create', ...later, '--permissions', 'Community', ...info, ...asked)
    await reaches(az, 'sig share wait', ...later)
    const type = takes('sig share enable-community', '--op-type') ? ['--op-type', 'EnableCommunity'] : []
    await az().run('sig', 'share', 'enable-community', ...later, '--no-wait', ...type)
    await az().run(...words('sig share wait --updated --interval 1'), ...later)
    const { sharingProfile } = await az().run('sig', 'show', ...later)
    assert.equal(sharingProfile.communityGalleryInfo.communityGalleryEnabled, true)
    await az().run('sig', 'share', 'reset', ...later)
  })
  step('sig share reset of a community gallery', async () => {
    await az().run('sig', 'share', 'reset', ...gallery)
    const { code } = await az().attempt('sig', 'show-community', ...place, ...open())
    assert.notEqual(code, 0)
  })
}
