import { suite, test } from 'node:test'
import { invalid, useTargets } from './refusals.ts'
import { assertRefused, storageAccount, vmVersion } from './wire.ts'
import type { Body, Wire } from './wire.ts'

const storage = 'galleryImageVersion.properties.storageProfile'
const oneSource =
  'The gallery artifact version source can only be specified either directly under storageProfile or within individual OS or data disks. One and only one source type (user image, snapshot, disk, virtual machine) can be provided.'

/** What Azure answers to sources that are none (behaviour.md A2, C), to the letter; every case proves that nothing changed. */
suite('bad sources of a version on the wire', () => {
  let wire: Wire
  let uri = ''
  const { table, versionAt } = useTargets((made) => {
    ;({ wire, uri } = made)
  })
  const here = { location: 'westeurope' }
  const sources = (storageProfile: Body): Body => ({ ...here, properties: { storageProfile, publishingProfile: {} } })
  const osDisk = (source: Body): Body => sources({ osDiskImage: { source } })
  table('sources', [
    ['none', () => invalid(versionAt('2.0.0'), oneSource, { ...here, properties: { publishingProfile: {} } }, storage)],
    [
      'two kinds',
      () =>
        invalid(
          versionAt('2.0.0'),
          oneSource,
          sources({
            source: { id: wire.id('galleries/g/images/d/versions/1.0.0') },
            osDiskImage: { source: { uri } },
          }),
        ),
    ],
    [
      'a disk that is not there',
      () =>
        invalid(
          versionAt('2.0.0'),
          `Source ${wire.id('disks/absent')} is not found. Please check source exists, and is in the same region as gallery image version being created.`,
          osDisk({ id: wire.id('disks/absent') }),
        ),
    ],
    [
      'a disk in another region',
      () =>
        invalid(
          versionAt('2.0.0'),
          `Source ${wire.id('disks/d')} is not found. Please check source exists, and is in the same region as gallery image version being created.`,
          { ...osDisk({ id: wire.id('disks/d') }), location: 'eastus' },
          `${storage}.osDiskImage.source.id`,
        ),
    ],
    [
      'a managed image that is not there, named as 2018-06-01 does',
      () =>
        invalid(
          wire.at('galleries/g/images/d/versions/2.0.0', '2018-06-01'),
          `Source ${wire.id('images/absent')} is not found. Please check source exists, and is in the same region as gallery image version being created.`,
          {
            ...here,
            properties: { publishingProfile: { source: { managedImage: { id: wire.id('images/absent') } } } },
          },
          'galleryImageVersion.properties.publishingProfile.source.managedImage.id',
        ),
    ],
    [
      'an image and a machine',
      () =>
        invalid(
          versionAt('2.0.0'),
          oneSource,
          sources({ source: { id: wire.id('images/i'), virtualMachineId: wire.id('virtualMachines/v') } }),
        ),
    ],
    [
      'a version that is not there',
      () =>
        invalid(
          versionAt('2.0.0'),
          `Source ${wire.id('galleries/g/images/d/versions/7.0.0')} is not found. Please check source exists, and is in the same region as gallery image version being created.`,
          sources({ source: { id: wire.id('galleries/g/images/d/versions/7.0.0') } }),
        ),
    ],
    [
      'an id that is none',
      () => ({
        ...invalid(
          versionAt('2.0.0'),
          "Property id 'my-disk' at path 'properties.storageProfile.osDiskImage.source.id' is invalid. Expect fully qualified resource Id that start with '/subscriptions/{subscriptionId}' or '/providers/{resourceProviderNamespace}/'.",
          osDisk({ id: 'my-disk' }),
        ),
        code: 'LinkedInvalidPropertyId',
      }),
    ],
    [
      'a direct source of another kind',
      () =>
        invalid(
          versionAt('2.0.0'),
          `The source id: ${wire.id('disks/d')} must either be a managed image, virtual machine or another gallery image version`,
          sources({ source: { id: wire.id('disks/d') } }),
        ),
    ],
    [
      'a disk source of another kind',
      () =>
        invalid(
          versionAt('2.0.0'),
          `The source id: ${wire.id('galleries/g')} must be a managed disk or snapshot.`,
          osDisk({ id: wire.id('galleries/g') }),
        ),
    ],
    [
      'a LUN twice',
      () =>
        invalid(
          versionAt('2.0.0'),
          'Duplicated lun numbers have been detected in the input data disks. Lun number must be unique for each data disk.',
          sources({
            osDiskImage: { source: { uri } },
            dataDiskImages: [
              { lun: 1, source: { uri: `${uri}1` } },
              { lun: 1, source: { uri: `${uri}2` } },
            ],
          }),
        ),
    ],
    [
      'a disk twice',
      () =>
        invalid(
          versionAt('2.0.0'),
          'Duplicated source ids are found in the input disks. Source id should be unique for each disk.',
          sources({
            osDiskImage: { source: { id: wire.id('disks/d') } },
            dataDiskImages: [{ lun: 1, source: { id: wire.id('disks/D') } }],
          }),
        ),
    ],
    [
      'the OS disk’s blob as a data disk',
      () =>
        invalid(
          versionAt('2.0.0'),
          `OSDiskImage and DataDiskImage cannot point to same blob ${uri}`,
          sources({ osDiskImage: { source: { uri } }, dataDiskImages: [{ lun: 1, source: { uri } }] }),
        ),
    ],
    [
      'a blob of another host',
      () =>
        invalid(
          versionAt('2.0.0'),
          /'acct\.blob\.core\.windows\.net'.*upload the file to this server's \/blob area/,
          osDisk({ uri: 'https://acct.blob.core.windows.net/c/b.vhd', storageAccountId: storageAccount }),
        ),
    ],
    [
      'a blob that is not there',
      () => ({
        path: versionAt('2.0.0'),
        body: osDisk({ uri: `${uri}-absent?sig=secret` }),
        status: 400,
        code: 'InvalidParameter',
        says: `Source was not found: ${uri}-absent. Please make sure the source exists.`,
        target: `${storage}.osDiskImage.source.uri`,
      }),
    ],
  ])

  test('a machine whose disks Azure could not take', async () => {
    const vm = wire.id('virtualMachines/v')
    const at = wire.at('virtualMachines/v', vmVersion)
    const ultra = { lun: 0, name: 'fast', createOption: 'Empty', diskSizeGB: 1 }
    await wire.arm.must('PUT', at, {
      ...here,
      properties: {
        storageProfile: {
          imageReference: { id: wire.id('galleries/g/images/d/versions/1.0.0') },
          osDisk: { createOption: 'FromImage' },
          dataDisks: [{ ...ultra, managedDisk: { storageAccountType: 'UltraSSD_LRS' } }],
        },
      },
    })
    await wire.arm.must('POST', wire.at('virtualMachines/v/powerOff', vmVersion, '&skipShutdown=true'))
    const steps: readonly (readonly [osDisk: Body, says: string])[] = [
      [{}, `cannot contain disk ['${wire.id('disks/fast')}'] stored in an UltraSSD account type.`],
      [{ vhd: { uri: 'https://x/os.vhd' } }, 'must be created from Managed Disks.'],
      [{ diffDiskSettings: { option: 'Local' } }, 'cannot contain an ephemeral OS disk.'],
    ]
    for (const [osDisk, says] of steps) {
      await wire.arm.must('PATCH', at, { properties: { storageProfile: { osDisk } } })
      const source = { virtualMachineId: vm }
      const answer = invalid(versionAt('2.0.0'), `Source virtual machine ${vm} ${says}`, sources({ source }))
      await assertRefused(wire, answer)
    }
  })
})
