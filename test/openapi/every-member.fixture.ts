import { decodeJwt } from 'jose'
import { addSubscription } from '../support/subscriptions.ts'
import { fixedVhd, someDisk } from '../wire/vhd.ts'
import { storageAccount } from '../wire/wire.ts'
import type { Body, Wire } from '../wire/wire.ts'

/** The newest api-version: it can say everything. */
export const newest = '2026-03-03'

const location = 'westeurope'
const tags = { a: 'b' }
const endOfLifeDate = '2044-01-01T00:00:00+00:00'
const communityGalleryInfo = {
  publisherUri: 'https://p',
  publisherContact: 'p@example.com',
  eula: 'https://e',
  publicNamePrefix: 'pubname',
}

/** What the server must have for it: `location` with zones and an edge zone. */
export const regions = [{ name: location, displayName: 'West Europe', zones: 3, extendedLocations: [{ name: 'Cork' }] }]

/** Makes one of each, with all that can be said of it; answers the addresses at which they are seen. */
export async function makeAll(wire: Wire): Promise<readonly string[]> {
  const put = (path: string, properties: Body, more: Body = {}) =>
    wire.arm.must('PUT', wire.at(path, newest), { location, tags, properties, ...more })
  const identity = await makeIdentity(wire)
  const gallery = { description: 'all', softDeletePolicy: { isSoftDeleteEnabled: true } }
  await put('galleries/own', gallery, { identity })
  // Both purchasePlan and a public gallery exclude each other, as do keys and any sharing.
  await put('galleries/direct', { sharingProfile: { permissions: 'Groups' } })
  await put('galleries/open', { sharingProfile: { permissions: 'Community', communityGalleryInfo } })
  await makeImages(wire, put)
  const shared = await share(wire)
  await makeArtifacts(wire, put)
  const own = [
    'images/i',
    'images/i/versions/1.0.0',
    'images/i/versions/2.0.0',
    'images/i/versions/3.0.0',
    'applications/a',
    'applications/a/versions/1.0.0',
    'applications/a/versions/2.0.0',
    'scripts/s',
    'scripts/s/versions/1.0.0',
    'scripts/s/versions/2.0.0',
    'inVMAccessControlProfiles/p',
    'inVMAccessControlProfiles/p/versions/1.0.0',
  ].map((path) => `galleries/own/${path}`)
  return ['galleries/own', 'galleries/direct', 'galleries/open', ...own, ...shared]
}

type Put = (path: string, properties: Body, more?: Body) => Promise<unknown>

async function makeIdentity(wire: Wire): Promise<Body> {
  const id = `${wire.group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/one`
  await wire.arm.must('PUT', `${id}?api-version=2023-01-31`, { location })
  return { type: 'SystemAssigned, UserAssigned', userAssignedIdentities: { [id]: {} } }
}

async function makeImages(wire: Wire, put: Put): Promise<void> {
  const set = wire.id('diskEncryptionSets/keys')
  await wire.arm.must('PUT', wire.at('diskEncryptionSets/keys', '2024-03-02'), {
    location,
    identity: { type: 'SystemAssigned' },
    properties: { activeKey: { keyUrl: 'https://keys.goldleaf/keys/one/1' } },
  })
  const uri = await wire.blob('disk.vhd', fixedVhd(someDisk(1)))
  const data = await wire.blob('data.vhd', fixedVhd(someDisk(2)))
  const definition = (sku: string): Body => ({
    description: 'd',
    eula: 'https://e',
    privacyStatementUri: 'https://p',
    releaseNoteUri: 'https://r',
    osType: 'Linux',
    osState: 'Generalized',
    hyperVGeneration: 'V2',
    endOfLifeDate,
    identifier: { publisher: 'p', offer: 'o', sku },
    recommended: { vCPUs: { min: 1, max: 2 }, memory: { min: 1, max: 2 } },
    disallowed: { diskTypes: ['Standard_LRS'] },
    architecture: 'x64',
    features: [{ name: 'DiskControllerTypes', value: 'SCSI', startsAtVersion: '1.0.0' }],
    allowUpdateImage: true,
  })
  const purchasePlan = { name: 'n', publisher: 'p', product: 'q' }
  await put('galleries/own/images/i', { ...definition('i'), purchasePlan })
  const encryption = {
    osDiskImage: { diskEncryptionSetId: set },
    dataDiskImages: [{ lun: 0, diskEncryptionSetId: set }],
  }
  const vhds = {
    osDiskImage: { hostCaching: 'ReadOnly', source: { uri, storageAccountId: storageAccount } },
    dataDiskImages: [{ lun: 0, hostCaching: 'None', source: { uri: data, storageAccountId: storageAccount } }],
  }
  const safetyProfile = { allowDeletionOfReplicatedLocations: true, blockDeletionBeforeEndOfLife: false }
  const key = { type: 'sha256', value: [Buffer.alloc(32, 7).toString('base64')] }
  await put('galleries/own/images/i/versions/1.0.0', {
    storageProfile: vhds,
    publishingProfile: {
      endOfLifeDate,
      storageAccountType: 'Standard_LRS',
      targetRegions: [{ name: location, excludeFromLatest: true, encryption }],
    },
    safetyProfile,
    securityProfile: {
      uefiSettings: {
        signatureTemplateNames: ['MicrosoftWindowsTemplate'],
        additionalSignatures: { pk: key, kek: [key], db: [key], dbx: [key] },
      },
    },
  })
  await put('galleries/own/images/i/versions/2.0.0', {
    storageProfile: vhds,
    publishingProfile: {
      endOfLifeDate,
      storageAccountStrategy: 'DefaultStandard_LRS',
      targetRegions: [
        { name: location, additionalReplicaSets: [{ storageAccountType: 'PremiumV2_LRS', regionalReplicaCount: 1 }] },
      ],
      targetExtendedLocations: [{ name: location, extendedLocation: { name: 'Cork', type: 'EdgeZone' } }],
    },
    safetyProfile,
  })
  await put('galleries/own/images/i/versions/3.0.0', {
    storageProfile: { source: { id: wire.id('galleries/own/images/i/versions/2.0.0') } },
    publishingProfile: { targetRegions: [{ name: location }] },
  })
  for (const name of ['direct', 'open']) {
    await put(`galleries/${name}/images/i`, { ...definition('i'), ...(name === 'open' ? {} : { purchasePlan }) })
    await put(`galleries/${name}/images/i/versions/1.0.0`, {
      storageProfile: vhds,
      publishingProfile: { endOfLifeDate, targetRegions: [{ name: location }] },
    })
  }
}

/** Opens the galleries; answers where others see them and what they hold. */
async function share(wire: Wire): Promise<readonly string[]> {
  const { oid, tid } = decodeJwt<{ oid: string; tid: string }>(wire.server.token)
  const other = await addSubscription(wire.server, { tenantId: tid, ownerId: oid })
  await wire.arm.must('POST', wire.at('galleries/direct/share', newest), {
    operationType: 'Add',
    groups: [{ type: 'Subscriptions', ids: [other] }],
  })
  await wire.arm.must('POST', wire.at('galleries/open/share', newest), { operationType: 'EnableCommunity' })
  const { body } = await wire.arm.call('GET', wire.at('galleries/open', newest))
  const { properties } = body as unknown as {
    properties: { sharingProfile: { communityGalleryInfo: { publicNames: string[] } } }
  }
  const places = `/subscriptions/${other}/providers/Microsoft.Compute/locations/${location}`
  return [
    `sharedGalleries/${wire.server.env.subscriptionId}-DIRECT`,
    `communityGalleries/${properties.sharingProfile.communityGalleryInfo.publicNames.join()}`,
  ].flatMap((gallery) => ['', '/images/i', '/images/i/versions/1.0.0'].map((path) => `${places}/${gallery}${path}`))
}

async function makeArtifacts(wire: Wire, put: Put): Promise<void> {
  const file = await wire.blob('file.sh', Buffer.from('#!/bin/sh\n'))
  const texts = {
    description: 'd',
    eula: 'https://e',
    privacyStatementUri: 'https://p',
    releaseNoteUri: 'https://r',
    endOfLifeDate,
  }
  const customActions = [
    {
      name: 'act',
      script: 'act.sh',
      description: 'd',
      parameters: [{ name: 'p', required: true, type: 'String', defaultValue: 'v', description: 'd' }],
    },
  ]
  const safetyProfile = { allowDeletionOfReplicatedLocations: true }
  const publishing = {
    endOfLifeDate,
    targetRegions: [
      {
        name: location,
        excludeFromLatest: true,
        additionalReplicaSets: [{ storageAccountType: 'PremiumV2_LRS', regionalReplicaCount: 1 }],
      },
    ],
    targetExtendedLocations: [{ name: location, extendedLocation: { name: 'Cork', type: 'EdgeZone' } }],
  }
  await put('galleries/own/applications/a', { ...texts, supportedOSType: 'Linux', customActions })
  const parameter = {
    name: 'n',
    required: true,
    type: 'Int',
    defaultValue: '2',
    description: 'd',
    minValue: '1',
    maxValue: '3',
  }
  await put('galleries/own/scripts/s', { ...texts, supportedOSType: 'Linux' })
  for (const [version, storage] of [
    ['1.0.0', { storageAccountType: 'Standard_LRS' }],
    ['2.0.0', { storageAccountStrategy: 'DefaultStandard_LRS' }],
  ] as const) {
    await put(`galleries/own/applications/a/versions/${version}`, {
      publishingProfile: {
        ...publishing,
        ...storage,
        source: { mediaLink: file, defaultConfigurationLink: file },
        manageActions: { install: 'i', remove: 'r', update: 'u' },
        settings: { packageFileName: 'p', configFileName: 'c', scriptBehaviorAfterReboot: 'Rerun' },
        advancedSettings: { key: 'value' },
        enableHealthCheck: false,
        customActions,
      },
      safetyProfile,
    })
    await put(`galleries/own/scripts/s/versions/${version}`, {
      publishingProfile: {
        ...publishing,
        ...storage,
        source: { scriptLink: file, parameters: [parameter, { name: 'e', type: 'Enum', enumValues: ['x'] }] },
      },
      safetyProfile,
    })
  }
  await put('galleries/own/inVMAccessControlProfiles/p', {
    description: 'd',
    osType: 'Linux',
    applicableHostEndpoint: 'IMDS',
  })
  await put('galleries/own/inVMAccessControlProfiles/p/versions/1.0.0', {
    mode: 'Audit',
    defaultAccess: 'Allow',
    rules: {
      privileges: [{ name: 'p', path: '/p', queryParameters: { q: 'v' } }],
      roles: [{ name: 'r', privileges: ['p'] }],
      identities: [{ name: 'i', userName: 'u', groupName: 'g', exePath: '/e', processName: 'n' }],
      roleAssignments: [{ role: 'r', identities: ['i'] }],
    },
    targetLocations: publishing.targetRegions,
  })
}
