import assert from 'node:assert/strict'
import type { AzDocument } from './az.ts'
import { pages } from './az-galleries.ts'
import { reaches } from './az-groups.ts'
import { namesOf, words } from './az-walk.ts'
import type { AzWalk } from './az-walk.ts'

const gallery = words('-g az -r azapps')
const application = [...gallery, '--application-name', 'tool']
const version = [...application, '--name', '1.0.0']
const of = (...args: readonly string[]): string[] => ['sig', 'gallery-application', ...args]
const ofVersion = (...args: readonly string[]): string[] => of('version', ...args)
/** These commands want them as JSON. */
const regions = (...all: readonly string[]): string[] => [
  '--target-regions',
  JSON.stringify(all.map((name) => ({ name }))),
]

/** Applications and their versions; the package is really fetched and kept. */
export function walkApplications(walk: AzWalk): void {
  walkApplication(walk)
  walkPackages(walk)
  const { az, step } = walk
  step('sig gallery-application version delete', async () => {
    await az().run(...ofVersion('delete', ...version, '--yes', '--no-wait'))
    await az().run(...ofVersion('wait', '--deleted', '--interval', '1', ...version))
    assert.deepEqual(await az().run(...ofVersion('list', ...application)), [])
  })
  step('sig gallery-application delete', async () => {
    await az().run(...of('delete', ...application, '--yes', '--no-wait'))
    await az().run(...of('wait', '--deleted', '--interval', '1', ...application))
    assert.deepEqual(await az().run(...of('list', ...gallery)), [])
    await az().run('sig', 'delete', ...gallery)
  })
}

function walkApplication({ az, step, takes }: AzWalk): void {
  step('sig gallery-application create', async () => {
    await az().run('sig', 'create', ...gallery)
    const options = words('--os-type Linux --description a-tool --tags a=b -l westeurope --no-wait')
    await az().run(...of('create', ...application, ...options))
    // It has no provisioningState, here and in Azure: --created and --updated would wait for one.
    for (const condition of [['--exists'], ['--custom', "name=='tool'"]])
      await az().run(...of('wait', ...application, ...condition, '--interval', '1', '--timeout', '60'))
    const made = await az().run(...of('show', ...application))
    assert.equal(made.supportedOSType ?? made.supportedOsType, 'Linux')
    assert.deepEqual([made.description, made.tags], ['a-tool', { a: 'b' }])
  })
  step('sig gallery-application show', async () => {
    assert.equal((await az().run(...of('show', ...application))).description, 'a-tool')
  })
  step('sig gallery-application list', async () => {
    await az().run(...of('create', ...gallery, '--application-name', 'other', '--os-type', 'Linux'))
    assert.deepEqual(namesOf(await az().run(...of('list', ...gallery))), ['other', 'tool'])
    if (takes('sig gallery-application list', '--max-items'))
      assert.deepEqual(namesOf(await pages(az, 'sig gallery-application list', 1, ...gallery)), ['other', 'tool'])
    await az().run(...of('delete', ...gallery, '--application-name', 'other', '--yes'))
  })
  step('sig gallery-application update', async () => {
    const update = (...how: readonly string[]): Promise<AzDocument> => az().run(...of('update', ...application, ...how))
    const made = await update(...words('--description changed --tags c=d -l westeurope'))
    assert.deepEqual([made.description, made.tags.c], ['changed', 'd'])
    if (takes('sig gallery-application update', '--set')) {
      assert.equal((await update('--set', 'description=set')).description, 'set')
      assert.equal((await update('--force-string', '--set', 'tags.n=1')).tags.n, '1')
      assert.equal((await update('--remove', 'tags.n')).tags.n, undefined)
    }
    await update('--description', 'unawaited', '--no-wait')
    assert.equal((await az().run(...of('show', ...application))).description, 'unawaited')
  })
}

function walkPackages({ az, step, packageUri, takes, installation }: AzWalk): void {
  step('sig gallery-application version create', async () => {
    const links = ['--package-file-link', await packageUri(), '--default-file-link', await packageUri()]
    const commands = ['--install-command', 'sh install.sh', '--remove-command', 'sh remove.sh']
    const more = words(`--package-file-name tool.tar --config-file-name tool.conf --exclude-from true --tags a=b
      -l westeurope --end-of-life-date 2040-01-01T00:00:00Z --no-wait`)
    const asked = [...links, ...commands, '--update-command', 'sh update.sh', ...regions('westeurope', 'northeurope')]
    await az().run(...ofVersion('create', ...version, ...asked, ...more))
    await az().run(...ofVersion('wait', '--created', '--interval', '1', ...version))
    const made = await az().run(...ofVersion('show', ...version))
    const { manageActions, settings, source, excludeFromLatest, endOfLifeDate } = made.publishingProfile
    assert.deepEqual([made.provisioningState, made.tags, excludeFromLatest], ['Succeeded', { a: 'b' }, true])
    assert.deepEqual(manageActions, { install: 'sh install.sh', remove: 'sh remove.sh', update: 'sh update.sh' })
    assert.deepEqual([settings.packageFileName, settings.configFileName], ['tool.tar', 'tool.conf'])
    assert.deepEqual([source.mediaLink, source.defaultConfigurationLink], [links[1], links[3]])
    assert.match(endOfLifeDate, /^2040-01-01/)
  })
  step('sig gallery-application version show', async () => {
    const shown = await az().run(...ofVersion('show', ...version, '--expand', 'ReplicationStatus'))
    assert.equal(shown.publishingProfile.targetRegions.length, 2)
    assert.equal(shown.replicationStatus.aggregatedState, 'Completed')
  })
  step('sig gallery-application version list', async () => {
    assert.deepEqual(namesOf(await az().run(...ofVersion('list', ...application))), ['1.0.0'])
    if (!takes('sig gallery-application version list', '--max-items')) return
    const second = [...application, ...words('--name 1.0.1 -l westeurope --install-command i --remove-command r')]
    await az().run(...ofVersion('create', ...second, '--package-file-link', await packageUri()))
    const all = await pages(az, 'sig gallery-application version list', 1, ...application)
    assert.deepEqual(namesOf(all), ['1.0.0', '1.0.1'])
    await az().run(...ofVersion('delete', ...application, '--name', '1.0.1', '--yes'))
  })
  step('sig gallery-application version wait', () =>
    reaches(az, 'sig gallery-application version wait', ...version, '--expand', 'ReplicationStatus'),
  )
  step('sig gallery-application version update', async () => {
    // The older one makes the list itself, of the one region that it is given.
    const one = installation.isGenerated ? regions('westeurope') : ['--target-regions', '{"name": "westeurope"}']
    const links = ['--package-file-link', await packageUri(), '--default-file-link', await packageUri()]
    const more = words('-l westeurope --tags c=d --exclude-from false --end-of-life-date 2041-01-01T00:00:00Z')
    const update = (...how: readonly string[]): Promise<AzDocument> =>
      az().run(...ofVersion('update', ...version, ...links, ...how))
    const made = await update(...one, ...more)
    const { targetRegions, excludeFromLatest, endOfLifeDate } = made.publishingProfile
    assert.deepEqual([targetRegions.length, excludeFromLatest, made.tags.c], [1, false, 'd'])
    assert.match(endOfLifeDate, /^2041-01-01/)
    if (takes('sig gallery-application version update', '--set')) {
      assert.equal((await update('--force-string', '--set', 'tags.n=1')).tags.n, '1')
      assert.equal((await update('--remove', 'tags.n')).tags.n, undefined)
      const more = await update('--add', 'publishingProfile.targetRegions', 'name=northeurope')
      assert.equal(more.publishingProfile.targetRegions.length, 2)
    }
    await update('--tags', 'no=wait', ...one, '--no-wait')
    await az().run(...ofVersion('wait', '--updated', '--interval', '1', ...version))
    assert.equal((await az().run(...ofVersion('show', ...version))).tags.no, 'wait')
  })
}
