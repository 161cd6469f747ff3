import assert from 'node:assert/strict'
import type { Az, AzDocument } from './az.ts'
import type { Step } from './client-report.ts'

/** What the walks of az share: the client, and what a test may ask the server for besides. */
export interface AzWalk {
  readonly az: () => Az
  readonly step: Step
  /** Whether `--no-wait` of version commands sends anything at all: 2.74 exits with 0 before it does (CLIENTS.md). */
  readonly noWaitSends: boolean
  /** A fixed VHD in the server's upload area, by the name under which az's cloud knows it. */
  readonly vhdUri: () => Promise<string>
  /** A package in the upload area. */
  readonly packageUri: () => Promise<string>
}

const words = (line: string): string[] => line.split(/\s+/)
const group = ['-g', 'az']
const gallery = [...group, '-r', 'azgallery']
const image = [...gallery, '-i', 'linux']
const version = (name: string): string[] => [...image, '-e', name]

/** Resource groups, galleries and definitions, with every option that az has for them. */
export function walkDefinitions({ az, step }: AzWalk): void {
  step('group create', async () => {
    const made: AzDocument = await az().run('group', 'create', '-n', 'az', '-l', 'westeurope', '--tags', 'a=b')
    assert.equal(made.properties.provisioningState, 'Succeeded')
    assert.deepEqual(made.tags, { a: 'b' })
  })
  step('group show', async () => assert.equal((await az().run('group', 'show', '-n', 'az')).location, 'westeurope'))
  step('group list', async () => assert.equal((await az().run('group', 'list')).length, 1))
  step('group exists', async () => {
    assert.equal(await az().run('group', 'exists', '-n', 'az'), true)
    assert.equal(await az().run('group', 'exists', '-n', 'other'), false)
  })
  step('group update', async () => {
    const made = await az().run('group', 'update', '-n', 'az', '--set', 'tags.c=d')
    assert.equal(made.tags.c, 'd')
  })
  step('sig create', async () => {
    const made = await az().run('sig', 'create', ...gallery, '--description', 'of az', '--tags', 'team=x')
    assert.equal(made.provisioningState, 'Succeeded')
    assert.match(made.identifier.uniqueName, /-AZGALLERY$/)
    assert.equal(made.location, 'westeurope')
  })
  step('sig show', async () => assert.equal((await az().run('sig', 'show', ...gallery)).description, 'of az'))
  step('sig show --select Permissions', async () => {
    assert.equal((await az().run('sig', 'show', ...gallery, '--select', 'Permissions')).name, 'azgallery')
  })
  step('sig list', async () => {
    const of = (list: AzDocument): string[] => list.map((one: AzDocument) => one.name)
    assert.deepEqual(of(await az().run('sig', 'list', ...group)), ['azgallery'])
    assert.deepEqual(of(await az().run('sig', 'list')), ['azgallery'])
  })
  step('sig update', async () => {
    const made = await az().run('sig', 'update', ...gallery, '--set', 'tags.env=test', 'description=changed')
    assert.deepEqual([made.description, made.tags], ['changed', { team: 'x', env: 'test' }])
  })
  step('sig image-definition create', async () => {
    const options = words(`--publisher contoso --offer linux --sku base --os-type Linux --os-state Specialized
      --hyper-v-generation V1 --architecture x64 --description all-options --eula https://contoso.example/eula
      --privacy-statement-uri https://contoso.example/privacy --release-note-uri https://contoso.example/notes
      --end-of-life-date 2040-12-31 --minimum-cpu-core 1 --maximum-cpu-core 8 --minimum-memory 1 --maximum-memory 64
      --plan-name plan --plan-publisher contoso --plan-product product --disallowed-disk-types Standard_LRS
      --features IsAcceleratedNetworkSupported=true --tags kind=base`)
    const made = await az().run('sig', 'image-definition', 'create', ...image, ...options)
    assert.equal(made.provisioningState, 'Succeeded')
    assert.deepEqual(made.identifier, { publisher: 'contoso', offer: 'linux', sku: 'base' })
    // 2.45 prints its own spelling of the member.
    assert.deepEqual(made.recommended.vCPUs ?? made.recommended.vCpUs, { min: 1, max: 8 })
    assert.deepEqual(made.recommended.memory, { min: 1, max: 64 })
    assert.deepEqual(made.purchasePlan, { name: 'plan', publisher: 'contoso', product: 'product' })
    assert.deepEqual(made.disallowed, { diskTypes: ['Standard_LRS'] })
    assert.match(made.endOfLifeDate, /^2040-12-31/)
    assert.equal(made.features[0].name, 'IsAcceleratedNetworkSupported')
  })
  step('sig image-definition show', async () => {
    assert.equal((await az().run('sig', 'image-definition', 'show', ...image)).eula, 'https://contoso.example/eula')
  })
  step('sig image-definition list', async () => {
    assert.equal((await az().run('sig', 'image-definition', 'list', ...gallery)).length, 1)
  })
  step('sig image-definition update', async () => {
    const set = ['--set', 'description=new', 'recommended.memory.max=128']
    const made = await az().run('sig', 'image-definition', 'update', ...image, ...set)
    assert.deepEqual([made.description, made.recommended.memory.max], ['new', 128])
  })
  step('sig image-definition update of what may not change', async () => {
    const { code, stderr } = await az().attempt(
      'sig',
      'image-definition',
      'update',
      ...image,
      '--set',
      'osType=Windows',
    )
    assert.notEqual(code, 0)
    assert.match(stderr, /PropertyChangeNotAllowed|Changing property 'galleryImage.properties.osType' is not allowed/)
  })
}

/** Versions: from a VHD and from another version, in several regions, with --no-wait and wait. */
export function walkVersions({ az, step, vhdUri, noWaitSends }: AzWalk): void {
  step('sig image-version create', async () => {
    const uri = await vhdUri()
    const options = words(`--os-vhd-uri ${uri} --os-vhd-storage-account azaccount --replica-count 1
      --target-regions westeurope=2=standard_lrs northeurope=1=premium_lrs --storage-account-type Standard_LRS
      --end-of-life-date 2040-01-01 --exclude-from-latest true --allow-replicated-location-deletion true
      --replication-mode Full --tags a=1`)
    const made = await az().run('sig', 'image-version', 'create', ...version('1.0.0'), ...options)
    assert.equal(made.provisioningState, 'Succeeded')
    const shown = made.publishingProfile.targetRegions.map((one: AzDocument) => [
      one.name,
      one.regionalReplicaCount,
      one.storageAccountType,
    ])
    assert.deepEqual(shown, [
      ['West Europe', 2, 'Standard_LRS'],
      ['North Europe', 1, 'Premium_LRS'],
    ])
    assert.equal(made.publishingProfile.excludeFromLatest, true)
  })
  step('sig image-version show', async () => {
    const shown = await az().run('sig', 'image-version', 'show', ...version('1.0.0'), '--expand', 'ReplicationStatus')
    assert.equal(shown.replicationStatus.aggregatedState, 'Completed')
    assert.equal(shown.replicationStatus.summary.length, 2)
  })
  step('sig image-version create --image-version', async () => {
    const { id } = await az().run('sig', 'image-version', 'show', ...version('1.0.0'))
    const made = await az().run('sig', 'image-version', 'create', ...version('1.1.0'), '--image-version', id)
    assert.equal(made.provisioningState, 'Succeeded')
  })
  step('sig image-version list', async () => {
    const names = (await az().run('sig', 'image-version', 'list', ...image)).map((one: AzDocument) => one.name)
    assert.deepEqual(names, ['1.0.0', '1.1.0'])
  })
  step('sig image-version update', async () => {
    const add = ['--add', 'publishingProfile.targetRegions', 'name=northeurope', 'regionalReplicaCount=1']
    const added = await az().run('sig', 'image-version', 'update', ...version('1.1.0'), ...add)
    assert.equal(added.publishingProfile.targetRegions.length, 2)
    const set = ['--set', 'publishingProfile.excludeFromLatest=true']
    const made = await az().run('sig', 'image-version', 'update', ...version('1.1.0'), ...set)
    assert.equal(made.publishingProfile.excludeFromLatest, true)
  })
  step('sig image-version update --target-regions', async () => {
    const regions = ['--target-regions', 'westeurope=1', '--replica-count', '2']
    const made = await az().run('sig', 'image-version', 'update', ...version('1.0.0'), ...regions)
    assert.equal(made.publishingProfile.targetRegions.length, 1)
  })
  const noWait = ['--set', 'tags.waited=yes', '--no-wait']
  step('sig image-version update --no-wait, then wait', async () => {
    await az().run('sig', 'image-version', 'update', ...version('1.1.0'), ...noWait)
    const tags = async (): Promise<AzDocument> =>
      (await az().run('sig', 'image-version', 'show', ...version('1.1.0'))).tags
    if (!noWaitSends) {
      assert.equal((await tags())?.waited, undefined)
      return 'this az ends before it sends anything'
    }
    await az().run('sig', 'image-version', 'wait', ...version('1.1.0'), '--updated', '--interval', '1')
    assert.equal((await tags()).waited, 'yes')
    return undefined
  })
  step('sig image-definition delete with versions below', async () => {
    const { code, stderr } = await az().attempt('sig', 'image-definition', 'delete', ...image)
    assert.notEqual(code, 0)
    assert.match(stderr, /nested resources exist|CannotDeleteResource/)
  })
}

/** Everything goes again, by az's own delete commands. */
export function walkDeletion({ az, step }: AzWalk): void {
  step('sig image-version delete', async () => {
    for (const name of ['1.0.0', '1.1.0']) await az().run('sig', 'image-version', 'delete', ...version(name))
    assert.deepEqual(await az().run('sig', 'image-version', 'list', ...image), [])
  })
  step('sig image-definition delete', async () => {
    await az().run('sig', 'image-definition', 'delete', ...image)
    assert.deepEqual(await az().run('sig', 'image-definition', 'list', ...gallery), [])
  })
  step('sig delete', async () => {
    await az().run('sig', 'delete', ...gallery)
    const { code, stderr } = await az().attempt('sig', 'show', ...gallery)
    assert.equal(code, 3, stderr)
  })
  step('group delete', async () => {
    await az().run('group', 'delete', '-n', 'az', '--yes')
    assert.equal(await az().run('group', 'exists', '-n', 'az'), false)
  })
}
