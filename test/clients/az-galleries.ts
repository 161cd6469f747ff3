import assert from 'node:assert/strict'
import type { AzDocument } from './az.ts'
import { reaches } from './az-groups.ts'
import { namesOf, words } from './az-walk.ts'
import type { AzWalk } from './az-walk.ts'

const gallery = words('-g az -r azgallery')
const image = [...gallery, '-i', 'linux']
const definition = (...args: readonly string[]): string[] => ['sig', 'image-definition', ...args]

/** Galleries: every option but those of sharing, which have walks of their own. */
export function walkGalleries({ az, step, takes }: AzWalk): void {
  step('sig create', async () => {
    const made = await az().run('sig', 'create', ...gallery, ...words('-l westeurope --description ofaz --tags team=x'))
    assert.equal(made.provisioningState, 'Succeeded')
    assert.match(made.identifier.uniqueName, /-AZGALLERY$/)
    assert.equal(made.location, 'westeurope')
  })
  step('sig show', async () => {
    const shown = await az().run('sig', 'show', ...gallery)
    assert.equal(shown.description, 'ofaz')
    assert.deepEqual(await az().run('sig', 'show', '--ids', shown.id), shown)
  })
  step('sig show --select Permissions', async () => {
    const shown = await az().run('sig', 'show', ...gallery, '--select', 'Permissions')
    assert.equal(shown.name, 'azgallery')
  })
  step('sig list', async () => {
    await az().run(...words('sig create -g az -r azother'))
    const both = ['azgallery', 'azother']
    assert.deepEqual(namesOf(await az().run(...words('sig list -g az'))), both)
    assert.deepEqual(namesOf(await az().run('sig', 'list')), both)
    if (takes('sig list', '--max-items'))
      assert.deepEqual(namesOf(await pages(az, 'sig list', 1)), both, '--max-items, --next-token')
  })
  step('sig update', async () => {
    const update = (...how: readonly string[]): Promise<AzDocument> => az().run('sig', 'update', ...gallery, ...how)
    const made = await update('--set', 'tags.env=test', 'description=changed')
    assert.deepEqual([made.description, made.tags], ['changed', { team: 'x', env: 'test' }])
    assert.deepEqual((await update('--remove', 'tags.env')).tags, { team: 'x' })
    assert.deepEqual((await update('--force-string', '--set', 'tags.n=1')).tags, { team: 'x', n: '1' })
    const more = takes('sig update', '--select') ? words('--select Permissions') : words('-l westeurope --no-wait')
    await update('--set', 'tags.e=f', ...more)
    assert.deepEqual((await az().run('sig', 'show', ...gallery)).tags, { team: 'x', n: '1', e: 'f' })
  })
  step('sig create, update --soft-delete', async () => {
    const bin = words('-g az -r azbin')
    const made = await az().run('sig', 'create', ...bin, '--soft-delete', 'true')
    assert.equal(made.softDeletePolicy.isSoftDeleteEnabled, true)
    const changed = await az().run('sig', 'update', ...bin, '--soft-delete', 'false')
    assert.equal(changed.softDeletePolicy?.isSoftDeleteEnabled ?? false, false)
    await az().run('sig', 'delete', ...bin)
  })
  step('sig delete', async () => {
    await az().run(...words('sig delete -g az -r azother'))
    const { code, stderr } = await az().attempt(...words('sig show -g az -r azother'))
    assert.equal(code, 3, stderr)
  })
}

/** What a list answers when it is asked for so many entries at a time. */
export async function pages(
  az: AzWalk['az'],
  list: string,
  limit: number,
  ...of: readonly string[]
): Promise<AzDocument> {
  const found: AzDocument[] = []
  for (let next: string | undefined = ''; next !== undefined;) {
    const token: readonly string[] = next === '' ? [] : ['--next-token', next]
    next = undefined
    const { code, json, stderr } = await az().converse(
      (line) => (next = /Token of next page: (\S+)/.exec(line)?.[1] ?? next),
      ...words(list),
      ...of,
      '--max-items',
      String(limit),
      ...token,
    )
    assert.equal(code, 0, stderr)
    found.push(...(json as AzDocument[]))
  }
  return found
}

/** Definitions, with every option that az has for them. */
export function walkDefinitions({ az, step, takes }: AzWalk): void {
  step('sig image-definition create', async () => {
    const options = words(`--publisher contoso --offer linux --sku base --os-type Linux --os-state Specialized
      --hyper-v-generation V1 --architecture x64 --description all-options --eula https://contoso.example/eula
      --privacy-statement-uri https://contoso.example/privacy --release-note-uri https://contoso.example/notes
      --end-of-life-date 2040-12-31 --minimum-cpu-core 1 --maximum-cpu-core 8 --minimum-memory 1 --maximum-memory 64
      --plan-name plan --plan-publisher contoso --plan-product product --disallowed-disk-types Standard_LRS
      --features IsAcceleratedNetworkSupported=true --tags kind=base -l westeurope`)
    const made = await az().run(...definition('create', ...image, ...options))
    assert.equal(made.provisioningState, 'Succeeded')
    assert.deepEqual(made.identifier, { publisher: 'contoso', offer: 'linux', sku: 'base' })
    assert.deepEqual(
      [made.osType, made.osState, made.hyperVGeneration, made.architecture, made.eula, made.tags],
      ['Linux', 'Specialized', 'V1', 'x64', 'https://contoso.example/eula', { kind: 'base' }],
    )
    // Neither az sends these three (create_gallery_image of its custom.py).
    for (const name of ['description', 'privacyStatementUri', 'releaseNoteUri']) assert.equal(made[name] ?? null, null)
    // 2.45 prints its own spelling of the member.
    assert.deepEqual(made.recommended.vCPUs ?? made.recommended.vCpUs, { min: 1, max: 8 })
    assert.deepEqual(made.recommended.memory, { min: 1, max: 64 })
    assert.deepEqual(made.purchasePlan, { name: 'plan', publisher: 'contoso', product: 'product' })
    assert.deepEqual(made.disallowed, { diskTypes: ['Standard_LRS'] })
    assert.match(made.endOfLifeDate, /^2040-12-31/)
    assert.equal(made.features[0].name, 'IsAcceleratedNetworkSupported')
  })
  step('sig image-definition show', async () => {
    assert.equal((await az().run(...definition('show', ...image))).eula, 'https://contoso.example/eula')
  })
  step('sig image-definition list', async () => {
    const options = words(`--publisher contoso --offer linux --sku general --os-type Linux --hyper-v-generation V1`)
    await az().run(...definition('create', ...gallery, '-i', 'general', ...options))
    const both = ['general', 'linux']
    assert.deepEqual(namesOf(await az().run(...definition('list', ...gallery))).toSorted(), both)
    if (takes('sig image-definition list', '--max-items'))
      assert.deepEqual(namesOf(await pages(az, 'sig image-definition list', 1, ...gallery)).toSorted(), both)
  })
  step('sig image-definition update', async () => {
    const update = (...how: readonly string[]): Promise<AzDocument> =>
      az().run(...definition('update', ...image, ...how))
    const made = await update('--set', 'description=new', 'recommended.memory.max=128')
    assert.deepEqual([made.description, made.recommended.memory.max], ['new', 128])
    assert.equal((await update('--force-string', '--set', 'tags.n=1')).tags.n, '1')
    assert.equal((await update('--remove', 'tags.n')).tags.n, undefined)
    assert.deepEqual((await update('--add', 'disallowed.diskTypes', 'Premium_LRS')).disallowed.diskTypes.length, 2)
    if (takes('sig image-definition update', '--no-wait')) await update('--set', 'tags.no=wait', '--no-wait')
  })
  step('sig image-definition update of what may not change', () =>
    az().refused(
      /PropertyChangeNotAllowed|Changing property 'galleryImage.properties.osType' is not allowed/,
      ...definition('update', ...image, '--set', 'osType=Windows'),
    ),
  )
  step('sig image-definition wait', async () => {
    if (!takes('sig image-definition wait', '--created')) return 'this az has no such command'
    await reaches(az, 'sig image-definition wait', ...image)
    return undefined
  })
}

/** Everything goes again, by az's own delete commands. */
export function walkDeletion({ az, step, takes }: AzWalk): void {
  step('sig image-definition delete with versions below', () =>
    az().refused(/nested resources exist|CannotDeleteResource/, ...definition('delete', ...image)),
  )
  step('sig image-version delete', async () => {
    for (const one of [image, [...gallery, '-i', 'general']]) {
      const names = async (): Promise<string[]> => namesOf(await az().run('sig', 'image-version', 'list', ...one))
      for (const name of await names()) await az().run('sig', 'image-version', 'delete', ...one, '-e', name)
      assert.deepEqual(await names(), [])
    }
    await az().run(...words('sig image-version wait --deleted --interval 1'), ...image, '-e', '1.0.0')
  })
  step('sig image-definition delete', async () => {
    await az().run(...definition('delete', ...image))
    const asked = takes('sig image-definition delete', '--no-wait') ? ['--no-wait'] : []
    await az().run(...definition('delete', ...gallery, '-i', 'general', ...asked))
    if (takes('sig image-definition wait', '--deleted'))
      await az().run(...definition('wait', '--deleted', '--interval', '1', ...gallery, '-i', 'general'))
    assert.deepEqual(await az().run(...definition('list', ...gallery)), [])
  })
  step('sig delete --no-wait, then wait --deleted', async () => {
    if (!takes('sig delete', '--no-wait')) return void (await az().run('sig', 'delete', ...gallery))
    await reaches(az, 'sig wait', ...gallery, ...words('--expand SharingProfile/Groups --select Permissions'))
    await az().run('sig', 'delete', ...gallery, '--no-wait')
    return void (await az().run(...words('sig wait --deleted --interval 1'), ...gallery))
  })
  step('group delete', async () => {
    await az().run('group', 'delete', '-n', 'az', '--yes')
    assert.equal(await az().run('group', 'exists', '-n', 'az'), false)
    await az().run(...words('sig share wait -g az -r azshared --deleted --interval 1'))
  })
}
