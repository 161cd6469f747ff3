import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { eventually } from '../support/goldleaf.ts'
import { assertRefused, definitionBody, diskVersion, openWire, versionBody } from './wire.ts'
import type { Body, Wire } from './wire.ts'
import { fixedVhd, someDisk } from './vhd.ts'

/** Features of definitions; strategy, validations, UEFI settings of versions; `latest` explained. */
suite('profiles of definitions and versions on the wire', () => {
  let wire: Wire
  let uri = ''
  before(async () => {
    wire = await openWire()
    uri = await wire.blob('one.vhd', fixedVhd(someDisk(2)))
    await wire.gallery('g')
    await wire.definition('g/d')
    await wire.definition('g/uefi', { hyperVGeneration: 'V2' })
    await wire.publish('g/d/1.0.0', uri, { targetRegions: [{ name: 'westeurope' }, { name: 'eastus' }] })
  })
  after(() => wire?.[Symbol.asyncDispose]())

  const at = (path: string, apiVersion = '2025-03-03', query = ''): string =>
    wire.at(`galleries/g/images/${path}`, apiVersion, query)
  const get = async (path: string, query = ''): Promise<Body> => {
    const { status, body } = await wire.arm.call('GET', at(path, '2025-03-03', query))
    assert.equal(status, 200, JSON.stringify(body))
    return (body.properties ?? {}) as unknown as Body
  }
  const refused = (path: string, body: unknown, says: string | RegExp, method = 'PUT') =>
    assertRefused(wire, { method, path: at(path), body, status: 400, code: 'InvalidParameter', says })

  const features: readonly (readonly [why: string, given: Body, says: RegExp])[] = [
    [
      'a security type that is none',
      { hyperVGeneration: 'V2', features: [{ name: 'SecurityType', value: 'Secure' }] },
      /'Secure' of the feature 'SecurityType' is not one of the allowed values 'TrustedLaunchSupported'/,
    ],
    [
      'trusted launch without UEFI',
      { features: [{ name: 'SecurityType', value: 'TrustedLaunch' }] },
      /SecurityType 'TrustedLaunch' needs hyperVGeneration 'V2'/,
    ],
    [
      'a flag that is neither True nor False',
      { features: [{ name: 'IsAcceleratedNetworkSupported', value: 'yes' }] },
      /'IsAcceleratedNetworkSupported' is not one of the allowed values 'True', 'False'/,
    ],
    [
      'a controller that is none',
      { features: [{ name: 'DiskControllerTypes', value: 'IDE' }] },
      /'DiskControllerTypes' is not one of the allowed values 'SCSI'/,
    ],
    [
      'a feature twice',
      {
        features: [
          { name: 'DiskControllerTypes', value: 'SCSI' },
          { name: 'diskcontrollertypes', value: 'NVMe' },
        ],
      },
      /^Duplicate names are not allowed in the features/,
    ],
    [
      'a feature that starts at no version',
      { features: [{ name: 'DiskControllerTypes', value: 'SCSI', startsAtVersion: 'soon' }] },
      /^The value of parameter galleryImage\.properties\.features\.startsAtVersion is invalid\.$/,
    ],
  ]
  for (const [why, given, says] of features)
    test(`features refused: ${why}`, () => refused('bad', definitionBody('bad', given), says))

  test('features change with allowUpdateImage, from 2024-03-03; names in any case, unknown ones as they are', async () => {
    const given = [
      { name: 'diskControllerTYPES', value: 'SCSI, NVMe', startsAtVersion: '1.0.0' },
      { name: 'IsSomethingNew', value: 'perhaps' },
    ]
    const patch = { properties: { features: given } }
    const stays = { method: 'PATCH', body: { properties: { features: given, allowUpdateImage: true } } }
    const says = "Changing property 'galleryImage.properties.features' is not allowed."
    const answer = { status: 409, code: 'PropertyChangeNotAllowed', says }
    await assertRefused(wire, { ...stays, ...answer, path: at('d', '2023-07-03') })
    await assertRefused(wire, { ...stays, ...answer, path: at('d'), body: patch })
    await wire.arm.must('PATCH', at('d'), { properties: { ...patch.properties, allowUpdateImage: true } })
    assert.deepEqual((await get('d'))['features'], given)
  })

  test('a storage type and a strategy exclude each other', () =>
    refused(
      'd/versions/2.0.0',
      versionBody(uri, { storageAccountType: 'Premium_LRS', storageAccountStrategy: 'PreferStandard_ZRS' }),
      'storageAccountType and storageAccountStrategy are mutually exclusive. Give one of them, or neither.',
    ))

  test('what was checked is in the validations profile, of publishing and of every verification', async () => {
    const profile = async (): Promise<{ validationEtag: string; executedValidations: readonly Body[] }> =>
      (await get('d/versions/1.0.0'))['validationsProfile'] as never
    const first = await profile()
    assert.match(first.validationEtag, /^[0-9a-f]{64}$/)
    assert.equal(first.executedValidations[0]?.['type'], 'Integrity')
    assert.equal(first.executedValidations[0]?.['status'], 'Succeeded')
    await wire.arm.must('POST', at('d/versions/1.0.0/verify'))
    const second = await profile()
    assert.equal(second.validationEtag, first.validationEtag)
    assert.equal(second.executedValidations.length, 1)
    const [before = '', after = ''] = [first, second].map((one) =>
      JSON.stringify(one.executedValidations[0]?.['executionTime']),
    )
    assert.ok(after > before, `${before} ${after}`)
  })

  test('disks of a whole image show an empty source from 2022-03-03, and sending it back changes nothing', async () => {
    const source = { id: wire.id('galleries/g/images/d/versions/1.0.0') }
    await wire.arm.must('PUT', at('d/versions/1.1.0'), {
      location: 'westeurope',
      properties: { storageProfile: { source }, publishingProfile: { targetRegions: [{ name: 'westeurope' }] } },
    })
    const shown = async (apiVersion: string): Promise<Body> => {
      const { body } = await wire.arm.call('GET', at('d/versions/1.1.0', apiVersion))
      await wire.arm.must('PUT', at('d/versions/1.1.0', apiVersion), body)
      return body.properties?.storageProfile as unknown as Body
    }
    const disk = { sizeInGB: 1, hostCaching: 'ReadWrite' }
    assert.deepEqual(await shown('2022-03-03'), { source, osDiskImage: { ...disk, source: {} } })
    assert.deepEqual(await shown('2021-07-01'), { source, osDiskImage: disk })
  })

  const kinds: readonly (readonly [why: string, image: Body, says: RegExp])[] = [
    [
      'another state',
      { osState: 'Generalized' },
      /since the OS State in the parent gallery image \('Generalized'\) is not 'Specialized'\.$/,
    ],
    [
      'another architecture',
      { architecture: 'Arm64' },
      /has a different architecture \['x64'\] than the parent gallery image architecture \['Arm64'\]$/,
    ],
    ['another system', { osType: 'Windows' }, /has a different OS type \['Linux'\] than .* generation \['Windows'\]$/],
    [
      'another generation',
      { hyperVGeneration: 'V2' },
      /has a different Hypervisor generation \['V1'\] than .* generation \['V2'\]$/,
    ],
  ]
  for (const [index, [why, image, says]] of kinds.entries())
    test(`a version is no source for a definition of ${why}`, async () => {
      await wire.definition(`g/kind${index}`, image)
      const source = { id: wire.id('galleries/g/images/d/versions/1.0.0') }
      const body = { location: 'westeurope', properties: { storageProfile: { source } } }
      await refused(`kind${index}/versions/1.0.0`, body, says)
    })

  const hash = Buffer.alloc(32, 7).toString('base64')
  const uefi = (additionalSignatures: Body, signatureTemplateNames = ['MicrosoftWindowsTemplate']): Body =>
    versionBody(uri, {}, { securityProfile: { uefiSettings: { signatureTemplateNames, additionalSignatures } } })

  test('UEFI settings are kept, shown with $expand=UefiSettings, and cannot change', async () => {
    await wire.arm.must('PUT', at('uefi/versions/1.0.0'), uefi({ dbx: [{ type: 'sha256', value: [hash] }] }))
    assert.equal((await get('uefi/versions/1.0.0'))['securityProfile'], undefined)
    assert.deepEqual((await get('uefi/versions/1.0.0', '&$expand=UefiSettings'))['securityProfile'], {
      uefiSettings: {
        signatureTemplateNames: ['MicrosoftWindowsTemplate'],
        additionalSignatures: { dbx: [{ type: 'sha256', value: [hash] }] },
      },
    })
    await assertRefused(wire, {
      why: 'other keys',
      path: at('uefi/versions/1.0.0'),
      body: uefi({ dbx: [{ type: 'sha256', value: [Buffer.alloc(32, 8).toString('base64')] }] }),
      status: 409,
      code: 'PropertyChangeNotAllowed',
      says: "Changing property 'galleryImageVersion.properties.securityProfile.uefiSettings' is not allowed.",
    })
  })

  const keys: readonly (readonly [why: string, image: string, body: () => Body, says: RegExp])[] = [
    ['a machine without UEFI', 'd', () => uefi({}), /^uefiSettings need a gallery image of hyperVGeneration 'V2'/],
    [
      'a hash of another length',
      'uefi',
      () => uefi({ db: [{ type: 'sha256', value: ['AAAA'] }] }),
      /additionalSignatures\.db\.value is not a key of type 'sha256': give 32 bytes/,
    ],
    [
      'a certificate that is none',
      'uefi',
      () => uefi({ kek: [{ type: 'x509', value: [hash] }] }),
      /additionalSignatures\.kek\.value is not a key of type 'x509': give a DER certificate/,
    ],
    [
      'a template that is none',
      'uefi',
      () => uefi({}, ['Mine']),
      /'Mine' of parameter .*is not one of the allowed values/,
    ],
  ]
  for (const [why, image, body, says] of keys)
    test(`UEFI settings refused: ${why}`, () => refused(`${image}/versions/3.0.0`, body(), says))

  test('end of life and exclusion keep nobody from an explicit id; the guard of deletion ends with the date', async () => {
    const endOfLifeDate = new Date(Date.now() + 3000).toISOString()
    const guard = { safetyProfile: { blockDeletionBeforeEndOfLife: true } }
    const body = versionBody(uri, { endOfLifeDate, excludeFromLatest: true }, guard)
    await wire.arm.must('PUT', at('uefi/versions/4.0.0'), body)
    await assertRefused(wire, {
      why: 'before its end of life',
      method: 'DELETE',
      path: at('uefi/versions/4.0.0'),
      status: 409,
      code: 'DeleteGalleryImageVersionBlockedBeforeEndOfLife',
      says: /blockDeletionBeforeEndOfLife and its endOfLifeDate has not reached yet$/,
    })
    await eventually(async () => assert.ok(Date.now() > Date.parse(endOfLifeDate)))
    const galleryImageReference = { id: wire.id('galleries/g/images/uefi/versions/4.0.0') }
    await wire.arm.must('PUT', wire.at('disks/late', diskVersion), {
      location: 'westeurope',
      properties: { creationData: { createOption: 'FromImage', galleryImageReference } },
    })
    await wire.arm.must('DELETE', at('uefi/versions/4.0.0'))
  })

  test('$expand=Latest on a definition explains `latest` in every region that a version names', async () => {
    await wire.publish('g/d/9.0.0', uri, { excludeFromLatest: true })
    assert.equal((await get('d'))['latest'], undefined)
    assert.deepEqual((await get('d', '&$expand=Latest'))['latest'], [
      {
        location: 'westeurope',
        latestVersionName: '1.1.0',
        passedOver: [{ name: '9.0.0', reason: 'excludedFromLatest' }],
      },
      {
        location: 'eastus',
        latestVersionName: '1.0.0',
        passedOver: [
          { name: '9.0.0', reason: 'notReplicatedHere' },
          { name: '1.1.0', reason: 'notReplicatedHere' },
        ],
      },
    ])
  })
})
