import assert from 'node:assert/strict'
import { armCaller } from '../support/goldleaf.ts'
import type { AzDocument } from './az.ts'
import { pages } from './az-galleries.ts'
import { reaches } from './az-groups.ts'
import { namesOf, words } from './az-walk.ts'
import type { AzWalk } from './az-walk.ts'

const gallery = words('-g az -r azgallery')
const image = [...gallery, '-i', 'linux']
const version = (name: string): string[] => [...image, '-e', name]
const command = (...args: readonly string[]): string[] => ['sig', 'image-version', ...args]

/** Versions: every option, every source, in several regions, with --no-wait and wait. */
export function walkVersions(walk: AzWalk): void {
  walkPublishing(walk)
  walkSources(walk)
  walkPlaces(walk)
  walkChanges(walk)
  walkRecycleBin(walk)
}

function walkPublishing({ az, step, vhdUri, takes }: AzWalk): void {
  step('sig image-version create', async () => {
    const uri = await vhdUri()
    const options = words(`--os-vhd-uri ${uri} --os-vhd-storage-account azaccount --replica-count 1 -l westeurope
      --target-regions westeurope=2=standard_lrs northeurope=1=premium_lrs --storage-account-type Standard_LRS
      --end-of-life-date 2040-01-01 --exclude-from-latest true --allow-replicated-location-deletion true
      --replication-mode Full --tags a=1`)
    const made = await az().run(...command('create', ...version('1.0.0'), ...options))
    assert.equal(made.provisioningState, 'Succeeded')
    const { publishingProfile, safetyProfile } = made
    const shown = publishingProfile.targetRegions.map((one: AzDocument) => [
      one.name,
      one.regionalReplicaCount,
      one.storageAccountType,
    ])
    assert.deepEqual(shown, [
      ['West Europe', 2, 'Standard_LRS'],
      ['North Europe', 1, 'Premium_LRS'],
    ])
    assert.deepEqual(
      [publishingProfile.excludeFromLatest, publishingProfile.replicationMode, made.tags],
      [true, 'Full', { a: '1' }],
    )
    assert.match(publishingProfile.endOfLifeDate, /^2040-01-01/)
    assert.equal(safetyProfile.allowDeletionOfReplicatedLocations, true)
  })
  step('sig image-version show', async () => {
    const shown = await az().run(...command('show', ...version('1.0.0'), '--expand', 'ReplicationStatus'))
    assert.equal(shown.replicationStatus.aggregatedState, 'Completed')
    assert.equal(shown.replicationStatus.summary.length, 2)
  })
  step('sig image-version create --image-version', async () => {
    const { id } = await az().run(...command('show', ...version('1.0.0')))
    const made = await az().run(...command('create', ...version('1.1.0'), '--image-version', id))
    assert.equal(made.provisioningState, 'Succeeded')
  })
  step('sig image-version list', async () => {
    const both = ['1.0.0', '1.1.0']
    assert.deepEqual(namesOf(await az().run(...command('list', ...image))), both)
    if (takes('sig image-version list', '--max-items'))
      assert.deepEqual(namesOf(await pages(az, 'sig image-version list', 1, ...image)), both)
  })
}

/** Disks, snapshots, machines and managed images that versions are made of. */
function walkSources({ az, step, server, vhdUri }: AzWalk): void {
  const id = (path: string): string =>
    `/subscriptions/${server().env.subscriptionId}/resourceGroups/az/providers/Microsoft.Compute/${path}`
  const make = async (path: string, apiVersion: string, properties: object, plan?: object): Promise<void> => {
    const arm = armCaller(server())
    await arm.must('PUT', `${id(path)}?api-version=${apiVersion}`, { location: 'westeurope', properties, plan })
  }
  const sourceOf = async (...how: readonly string[]): Promise<AzDocument> =>
    (await az().run(...command('create', ...how))).storageProfile

  step('disk create --gallery-image-reference, snapshot create', async () => {
    const { id: from } = await az().run(...command('show', ...version('1.0.0')))
    const disk = await az().run(...words('disk create -g az -n azdisk --gallery-image-reference'), from)
    assert.equal(disk.provisioningState, 'Succeeded')
    for (const name of ['azos', 'azdata']) {
      const made = await az().run(...words('snapshot create -g az --source azdisk -n'), name)
      assert.equal(made.diskSizeBytes, disk.diskSizeBytes)
    }
  })
  step('sig image-version create --os-snapshot --data-snapshots', async () => {
    const snapshots = words('--os-snapshot azos --data-snapshots azdata --data-snapshot-luns 3')
    const { osDiskImage, dataDiskImages } = await sourceOf(...version('1.2.0'), ...snapshots)
    assert.match(osDiskImage.source.id, /snapshots\/azos$/)
    assert.deepEqual([dataDiskImages.length, dataDiskImages[0].lun], [1, 3])
  })
  step('sig image-version create --data-vhds-uris', async () => {
    const vhds = [
      '--data-vhds-uris',
      await vhdUri(),
      ...words('--data-vhds-luns 5 --data-vhds-storage-accounts azaccount'),
    ]
    const { dataDiskImages } = await sourceOf(...version('1.3.0'), ...words('--os-snapshot azos'), ...vhds)
    assert.equal(dataDiskImages[0].lun, 5)
  })
  step('sig image-version create --virtual-machine', async () => {
    const properties = {
      hardwareProfile: { vmSize: 'Standard_B1s' },
      storageProfile: { imageReference: { id: id('galleries/azgallery/images/linux/versions/1.0.0') } },
      networkProfile: { networkInterfaces: [] },
    }
    const plan = { name: 'plan', publisher: 'contoso', product: 'product' }
    await make('virtualMachines/azvm', '2024-07-01', properties, plan)
    const { source } = await sourceOf(...version('1.4.0'), '--virtual-machine', id('virtualMachines/azvm'))
    assert.match(source.virtualMachineId ?? source.id, /virtualMachines\/azvm$/)
  })
  step('sig image-version create --managed-image', async () => {
    await make('images/azimage', '2022-03-01', {
      storageProfile: { osDisk: { osType: 'Linux', osState: 'Generalized', snapshot: { id: id('snapshots/azos') } } },
    })
    const { source } = await sourceOf(...gallery, ...words('-i general -e 1.0.0 --managed-image azimage'))
    assert.match(source.id, /images\/azimage$/)
  })
}

/** Edge zones, and keys of one's own. */
function walkPlaces({ az, step, takes }: AzWalk): void {
  const from = words('--os-snapshot azos')
  step('sig image-version create --target-edge-zones', async () => {
    const zones = words('--target-regions westeurope --target-edge-zones westeurope=Cork=1=premium_lrs')
    const made = await az().run(...command('create', ...version('1.5.0'), ...from, ...zones))
    const [zone] = made.publishingProfile.targetExtendedLocations
    assert.deepEqual([zone.extendedLocation.name, zone.extendedLocationReplicaCount], ['Cork', 1])
  })
  step('sig image-version update --target-edge-zones', async () => {
    const none = words(
      '--target-edge-zones none --target-regions westeurope=1 --allow-replicated-location-deletion true',
    )
    const made = await az().run(...command('update', ...version('1.5.0'), ...none))
    assert.deepEqual(made.publishingProfile.targetExtendedLocations ?? [], [])
  })
  step('sig image-version create --target-region-encryption', async () => {
    const key = words('--key-url https://keys.goldleaf/keys/golden/1')
    for (const [name, place] of [
      ['azwest', 'westeurope'],
      ['aznorth', 'northeurope'],
    ] as const)
      await az().run(...words('disk-encryption-set create -g az -n'), name, '-l', place, ...key)
    const regions = words('--target-regions westeurope northeurope --target-region-encryption azwest aznorth')
    const made = await az().run(...command('create', ...version('1.6.0'), ...from, ...regions))
    const sets = made.publishingProfile.targetRegions.map((one: AzDocument) =>
      one.encryption.osDiskImage.diskEncryptionSetId.split('/').at(-1),
    )
    assert.deepEqual(sets, ['azwest', 'aznorth'])
  })
  step('sig image-version create --target-edge-zone-encryption (refused)', () =>
    az().refused(
      /OperationNotAllowed|would not be encrypted/,
      ...command('create', ...version('9.0.0'), ...from, ...words('--target-regions westeurope')),
      ...words('--target-edge-zones westeurope=Cork=1 --target-edge-zone-encryption Cork,azwest'),
    ),
  )
  step('sig image-version create --target-region-cvm-encryption (refused)', () =>
    az().refused(
      /OperationNotAllowed|would not be encrypted/,
      ...command('create', ...version('9.0.0'), ...from, ...words('--target-regions westeurope')),
      ...words('--target-region-cvm-encryption EncryptedWithCmk,azwest'),
    ),
  )
  step('sig image-version create --block-deletion-before-end-of-life', async () => {
    const option = '--block-deletion-before-end-of-life'
    if (!takes('sig image-version create', option)) return 'this az has no such option'
    const until = words(`--end-of-life-date 2040-01-01 ${option} true`)
    const made = await az().run(...command('create', ...version('1.7.0'), ...from, ...until))
    assert.equal(made.safetyProfile.blockDeletionBeforeEndOfLife, true)
    await az().refused(/BlockedBeforeEndOfLife/, ...command('delete', ...version('1.7.0')))
    const freed = await az().run(...command('update', ...version('1.7.0'), option, 'false'))
    assert.equal(freed.safetyProfile.blockDeletionBeforeEndOfLife, false)
    return undefined
  })
}

function walkChanges({ az, step, installation }: AzWalk): void {
  const update = (...how: readonly string[]): Promise<AzDocument> => az().run(...command('update', ...how))
  step('sig image-version update', async () => {
    const add = ['--add', 'publishingProfile.targetRegions', 'name=northeurope', 'regionalReplicaCount=1']
    assert.equal((await update(...version('1.1.0'), ...add)).publishingProfile.targetRegions.length, 2)
    const made = await update(...version('1.1.0'), '--set', 'publishingProfile.excludeFromLatest=true')
    assert.equal(made.publishingProfile.excludeFromLatest, true)
    assert.equal((await update(...version('1.1.0'), '--force-string', '--set', 'tags.n=1')).tags.n, '1')
    assert.deepEqual((await update(...version('1.1.0'), '--remove', 'tags.n')).tags ?? {}, {})
  })
  step('sig image-version update --target-regions', async () => {
    const regions = words('--target-regions westeurope=1 --replica-count 2 --allow-replicated-location-deletion true')
    const made = await update(...version('1.0.0'), ...regions)
    assert.equal(made.publishingProfile.targetRegions.length, 1)
  })
  step('sig image-version update --no-wait, then wait', async () => {
    await update(...version('1.1.0'), '--set', 'tags.waited=yes', '--no-wait')
    const tags = async (): Promise<AzDocument> => (await az().run(...command('show', ...version('1.1.0')))).tags
    if (!installation.noWaitSends) {
      assert.equal((await tags())?.waited, undefined)
      return 'this az ends before it sends anything'
    }
    await az().run(...command('wait', ...version('1.1.0'), '--updated', '--interval', '1'))
    assert.equal((await tags()).waited, 'yes')
    return undefined
  })
  step('sig image-version create --no-wait, then wait', async () => {
    await az().run(...command('create', ...version('1.8.0'), '--os-snapshot', 'azos', '--no-wait'))
    if (!installation.noWaitSends) return 'this az ends before it sends anything'
    await az().run(...command('wait', ...version('1.8.0'), '--created', '--interval', '1'))
    const shown = await az().run(...command('show', ...version('1.8.0')))
    assert.equal(shown.provisioningState, 'Succeeded')
    return undefined
  })
  step('sig image-version wait', () =>
    reaches(az, 'sig image-version wait', ...version('1.1.0'), '--expand', 'ReplicationStatus'),
  )
}

function walkRecycleBin({ az, step, takes, installation }: AzWalk): void {
  step('sig image-version undelete', async () => {
    if (!takes('sig image-version undelete', '--tags')) return 'this az has no such command'
    await az().run('sig', 'update', ...gallery, '--soft-delete', 'true')
    const wait = takes('sig image-version delete', '--no-wait') ? ['--no-wait'] : []
    await az().run(...command('delete', ...version('1.2.0'), ...wait))
    await az().run(...command('wait', '--deleted', '--interval', '1', ...version('1.2.0')))
    const back = words('-l westeurope --tags back=yes --allow-replicated-location-deletion true')
    const made = await az().run(...command('undelete', ...version('1.2.0'), ...back))
    assert.equal(made.provisioningState, 'Succeeded')
    if (!installation.noWaitSends) await az().run(...command('undelete', ...version('1.2.0'), '--no-wait'))
    await az().run('sig', 'update', ...gallery, '--soft-delete', 'false')
    return undefined
  })
}
