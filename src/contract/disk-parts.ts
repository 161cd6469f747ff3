import { Type } from 'typebox'
import type { ActionDeclaration, ResourceTypeDeclaration } from './resource-type.ts'
import { anyJson, flag, int, long, needInt, needOneOf, oneOf, part, text } from './schema.ts'

/** What disks, snapshots and images have in common. */

const imageDiskReference = (since?: string) =>
  part(
    {
      id: text({ createOnly: true, anyCase: true }),
      sharedGalleryImageId: text({ since: '2022-03-02', createOnly: true, anyCase: true }),
      communityGalleryImageId: text({ since: '2022-03-02', createOnly: true, anyCase: true }),
      lun: int({ createOnly: true, minimum: 0 }),
    },
    { ...(since === undefined ? {} : { since }), kept: true },
  )

/** How the disk comes to be; nothing in it can change. What this server cannot make is not among the options. */
export const creationData = Type.Object(
  {
    createOption: needOneOf(['Upload', 'Empty', 'Copy', 'FromImage', 'Import', 'CopyStart'], {
      valuesSince: { Upload: '2018-09-30', CopyStart: '2021-08-01' },
      createOnly: true,
    }),
    storageAccountId: text({ createOnly: true, anyCase: true }),
    imageReference: imageDiskReference(),
    galleryImageReference: imageDiskReference('2019-07-01'),
    sourceUri: text({ createOnly: true, anyCase: true }),
    sourceResourceId: text({ createOnly: true, anyCase: true }),
    sourceUniqueId: text({ since: '2019-11-01', readOnly: true }),
    /** Bytes of the whole VHD file, its 512-byte footer included. */
    uploadSizeBytes: long({ since: '2018-09-30', createOnly: true }),
    logicalSectorSize: int({ since: '2020-05-01', createOnly: true }),
    performancePlus: flag({ since: '2022-07-02', createOnly: true }),
  },
  { kept: true },
)

export const diskClasses = [
  'Standard_LRS',
  'Premium_LRS',
  'StandardSSD_LRS',
  'UltraSSD_LRS',
  'Premium_ZRS',
  'StandardSSD_ZRS',
  'PremiumV2_LRS',
] as const

/** How an image's data disks are listed: which there are is settled when it is made. */
export const imageDataDisks = {
  key: 'lun',
  kept: true,
  duplicates:
    'Duplicated lun numbers have been detected in the input data disks. Lun number must be unique for each data disk.',
  fixed: 'Adding new Data Disks or changing the LUN of a Data Disk in an existing Image is not allowed.',
}

const largestDiskGB = 65_536

/** Members of `properties` that both have; those without a rule here are told back as they were given. */
export const commonDiskMembers = {
  timeCreated: text({ readOnly: true, date: true }),
  osType: oneOf(['Windows', 'Linux'], { kept: true }),
  hyperVGeneration: oneOf(['V1', 'V2'], { kept: true }),
  purchasePlan: part(
    { name: text(), publisher: text(), product: text(), promotionCode: text() },
    { since: '2020-12-01', kept: true },
  ),
  supportedCapabilities: part(
    {
      acceleratedNetwork: flag(),
      architecture: oneOf(['x64', 'Arm64']),
      diskControllerTypes: text({ since: '2022-07-02' }),
    },
    { since: '2021-08-01', kept: true },
  ),
  creationData,
  diskSizeGB: int({ minimum: 1, maximum: largestDiskGB, kept: true }),
  diskSizeBytes: long({ since: '2019-07-01', readOnly: true }),
  diskState: oneOf(
    ['Unattached', 'Attached', 'Reserved', 'Frozen', 'ActiveSAS', 'ActiveSASFrozen', 'ReadyToUpload', 'ActiveUpload'],
    { readOnly: true },
  ),
  uniqueId: text({ since: '2019-07-01', readOnly: true }),
  encryptionSettingsCollection: anyJson({ kept: true }),
  encryption: part({ type: text(), diskEncryptionSetId: text({ anyCase: true }) }, { since: '2019-07-01', kept: true }),
  networkAccessPolicy: oneOf(['AllowAll', 'AllowPrivate', 'DenyAll'], { since: '2020-05-01', kept: true }),
  publicNetworkAccess: oneOf(['Enabled', 'Disabled'], { since: '2021-04-01', kept: true }),
  diskAccessId: text({ since: '2020-05-01', anyCase: true, kept: true }),
  securityProfile: part(
    { securityType: text({ anyCase: true }), secureVMDiskEncryptionSetId: text({ anyCase: true }) },
    { since: '2020-12-01', kept: true },
  ),
  supportsHibernation: flag({ since: '2020-12-01', kept: true }),
  dataAccessAuthMode: text({ since: '2022-03-02', kept: true }),
  /** 0-100, while a copy runs in the background. */
  completionPercent: Type.Optional(Type.Number({ since: '2021-04-01', readOnly: true })),
}

const grantAccess = Type.Object({
  access: needOneOf(['None', 'Read', 'Write']),
  durationInSeconds: needInt({ minimum: 1, maximum: 4_294_967 }),
  getSecureVMGuestStateSAS: flag({ since: '2020-12-01' }),
  fileFormat: oneOf(['VHD', 'VHDX'], { since: '2022-07-02' }),
})

/** Handing out and calling back a signed address; both are asynchronous in Azure. */
export const accessActions = (type: string): readonly ActionDeclaration[] => [
  { name: 'beginGetAccess', permission: `${type}/beginGetAccess/action`, body: grantAccess, timing: 'async' },
  { name: 'endGetAccess', permission: `${type}/endGetAccess/action`, timing: 'async' },
]

/** How disks answer, and what encrypts them. Clients accept 200 and 202 here and nothing else (CLIENTS.md). */
export const diskAnswers = {
  put: 'async',
  patch: 'async',
  delete: 'async',
  createStatus: 202,
  updateStatus: 202,
  listInSubscription: true,
  tracked: true,
} as const satisfies Partial<ResourceTypeDeclaration>
