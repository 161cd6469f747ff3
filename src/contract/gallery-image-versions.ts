import { Type, type Static } from 'typebox'
import { galleryApiVersions, galleryPatchSince } from './api-versions.ts'
import { body, extendedLocation, systemData } from './envelope.ts'
import { galleryImageVersionNameRule } from './names.ts'
import {
  completeVersion,
  downgradeVersion,
  lastWithManagedImage,
  storageProfileSince,
  upgradeVersion,
  versionErrorPath,
} from './gallery-image-version-rules.ts'
import type { ResourceTypeDeclaration } from './resource-type.ts'
import { date, flag, int, list, needInt, needOneOf, needText, oneOf, part, text, texts } from './schema.ts'

/** PremiumV2_LRS is a word of the API here, but no class for a region: the gallery room says so (behaviour.md B8). */
export const storageAccountTypes = ['Standard_LRS', 'Standard_ZRS', 'Premium_LRS', 'PremiumV2_LRS'] as const
export const storageAccountTypesSince = { Premium_LRS: '2019-12-01', PremiumV2_LRS: '2024-03-03' }
const replicaCount = { minimum: 1, maximum: 100 }
const hostCaching = oneOf(['None', 'ReadOnly', 'ReadWrite'], { kept: true })

/** Encryption of a region can neither be added nor changed later (behaviour.md F). */
export const encryption = (since: string) =>
  part(
    {
      osDiskImage: part({
        diskEncryptionSetId: text({ createOnly: true, anyCase: true }),
        securityProfile: part(
          {
            confidentialVMEncryptionType: oneOf(
              ['EncryptedVMGuestStateOnlyWithPmk', 'EncryptedWithPmk', 'EncryptedWithCmk', 'NonPersistedTPM'],
              { valuesSince: { NonPersistedTPM: '2022-08-03' }, createOnly: true },
            ),
            secureVMDiskEncryptionSetId: text({ createOnly: true, anyCase: true }),
          },
          { since: '2021-10-01' },
        ),
      }),
      dataDiskImages: list(
        Type.Object({ lun: needInt(), diskEncryptionSetId: text({ createOnly: true, anyCase: true }) }),
        { key: 'lun', kept: true },
      ),
    },
    { since },
  )

export const targetRegion = Type.Object({
  name: needText({ region: 'display' }),
  regionalReplicaCount: int(replicaCount),
  storageAccountType: oneOf(storageAccountTypes, {
    since: '2019-03-01',
    valuesSince: storageAccountTypesSince,
    // Cannot change in an existing region; the gallery room says so in Azure's own words for this case.
    kept: true,
  }),
  encryption: encryption('2019-12-01'),
  excludeFromLatest: flag({ since: '2022-03-03' }),
  additionalReplicaSets: list(
    Type.Object({
      storageAccountType: oneOf(storageAccountTypes),
      regionalReplicaCount: int(replicaCount),
    }),
    {
      since: '2024-03-03',
      key: 'storageAccountType',
      duplicates: 'Duplicate storage account types are not allowed in additionalReplicaSets.',
    },
  ),
})
export type TargetRegion = Static<typeof targetRegion>

const publishingProfile = part(
  {
    // The only place of a source in the first two api-versions; stored as `storageProfile.source.id`.
    source: part({ managedImage: part({ id: needText() }) }, { until: lastWithManagedImage }),
    targetRegions: list(targetRegion, {
      key: 'name',
      kept: true,
      duplicates: 'Duplicate regions are not allowed in target publishing regions.',
    }),
    replicaCount: int({ ...replicaCount, defaults: [{ value: 1 }] }),
    excludeFromLatest: flag({ defaults: [{ value: false }] }),
    publishedDate: date({ readOnly: true }),
    endOfLifeDate: date(),
    storageAccountType: oneOf(storageAccountTypes, { since: '2019-03-01', valuesSince: storageAccountTypesSince }),
    storageAccountStrategy: oneOf(['PreferStandard_ZRS', 'DefaultStandard_LRS'], { since: '2025-03-03' }),
    replicationMode: oneOf(['Full', 'Shallow'], {
      since: '2021-07-01',
      createOnly: true,
      defaults: [{ value: 'Full' }],
    }),
    targetExtendedLocations: list(
      Type.Object({
        name: text({ region: 'display' }),
        extendedLocation: extendedLocation(),
        extendedLocationReplicaCount: int(replicaCount),
        storageAccountType: oneOf(['Standard_LRS', 'Standard_ZRS', 'StandardSSD_LRS', 'Premium_LRS']),
        encryption: encryption('2021-10-01'),
      }),
      { since: '2021-10-01' },
    ),
  },
  { defaults: [{ value: {} }] },
)

/**
 * Where a disk's bytes come from. Up to 2022-01-03 a VHD's storage account stands in `id`; it is stored as
 * `storageAccountId` whatever the api-version (az 2.45 sends it in `id` even with 2022-03-03).
 */
const diskSource = part(
  {
    id: text({ createOnly: true, anyCase: true }),
    uri: text({ since: '2020-09-30', createOnly: true }),
    storageAccountId: text({ since: '2022-03-03', createOnly: true, anyCase: true }),
  },
  { since: storageProfileSince, kept: true },
)
const diskImage = { sizeInGB: int({ readOnly: true }), hostCaching, source: diskSource }

const storageProfile = part(
  {
    source: part(
      {
        id: text({ createOnly: true, anyCase: true }),
        uri: text({ since: '2020-09-30', until: '2022-01-03', createOnly: true }),
        communityGalleryImageId: text({ since: '2022-03-03', createOnly: true, anyCase: true }),
        virtualMachineId: text({ since: '2023-07-03', createOnly: true, anyCase: true }),
      },
      { since: storageProfileSince, kept: true },
    ),
    osDiskImage: part(diskImage, { kept: true }),
    dataDiskImages: list(Type.Object({ lun: needInt({ minimum: 0, maximum: 2_147_483_647 }), ...diskImage }), {
      key: 'lun',
      kept: true,
      duplicates:
        'Duplicated lun numbers have been detected in the input data disks. Lun number must be unique for each data disk.',
      fixed: 'Adding new Data Disks or changing the LUN of a Data Disk in an existing Image is not allowed.',
    }),
  },
  { readOnlyUntil: lastWithManagedImage, kept: true },
)

const uefiKey = Type.Object({ type: oneOf(['sha256', 'x509']), value: texts() })
const uefiSettings = part(
  {
    signatureTemplateNames: list(
      needOneOf(['NoSignatureTemplate', 'MicrosoftUefiCertificateAuthorityTemplate', 'MicrosoftWindowsTemplate']),
    ),
    additionalSignatures: part({
      pk: Type.Optional(uefiKey),
      kek: list(uefiKey),
      db: list(uefiKey),
      dbx: list(uefiKey),
    }),
  },
  { createOnly: true, onDemand: 'UefiSettings' },
)

export const replicationStatus = part(
  {
    aggregatedState: oneOf(['Unknown', 'InProgress', 'Completed', 'Failed']),
    summary: list(
      Type.Object(
        {
          region: text(),
          state: oneOf(['Unknown', 'Replicating', 'Completed', 'Failed']),
          details: text(),
          progress: int({ minimum: 0, maximum: 100 }),
        },
        // Room for our own figures (bytes, ETA): clients ignore what they do not know.
        { open: true },
      ),
    ),
  },
  { readOnly: true },
)

export const galleryImageVersionProperties = Type.Object({
  publishingProfile,
  storageProfile,
  replicationStatus,
  safetyProfile: part(
    {
      allowDeletionOfReplicatedLocations: flag({ defaults: [{ value: false }] }),
      reportedForPolicyViolation: flag({ readOnly: true, defaults: [{ value: false }] }),
      policyViolations: list(
        Type.Object({
          category: oneOf(['Other', 'ImageFlaggedUnsafe', 'CopyrightValidation', 'IpTheft']),
          details: text(),
        }),
        { readOnly: true },
      ),
      blockDeletionBeforeEndOfLife: flag({ since: '2024-03-03' }),
    },
    // Older clients cannot lift the guard, so they do not get it.
    { since: '2022-03-03', defaults: [{ since: '2022-03-03', value: {} }] },
  ),
  securityProfile: part({ uefiSettings }, { since: '2022-08-03', dropEmpty: true }),
  restore: flag({ since: '2024-03-03', transient: true }),
  validationsProfile: part(
    {
      validationEtag: text(),
      executedValidations: list(
        Type.Object({
          type: text(),
          status: oneOf(['Unknown', 'Failed', 'Succeeded']),
          version: text(),
          executionTime: date(),
        }),
      ),
      platformAttributes: list(Type.Object({ name: text(), value: text() })),
    },
    { since: '2024-03-03', readOnly: true },
  ),
})
export type GalleryImageVersionProperties = Static<typeof galleryImageVersionProperties>

export const galleryImageVersions: ResourceTypeDeclaration = {
  type: 'Microsoft.Compute/galleries/images/versions',
  errorName: 'galleryImageVersion',
  errorPath: versionErrorPath,
  apiVersions: galleryApiVersions,
  name: galleryImageVersionNameRule,
  body: body({
    properties: Type.Optional(galleryImageVersionProperties),
    systemData: systemData('2024-03-03'),
  }),
  put: 'async',
  patch: 'async',
  patchSince: galleryPatchSince,
  delete: 'async',
  createStatus: 201,
  updateStatus: 200,
  listInSubscription: false,
  actions: [
    {
      name: 'beginGetAccess',
      permission: 'Microsoft.Compute/galleries/images/versions/beginGetAccess/action',
      body: Type.Object({
        access: needOneOf(['Read']),
        durationInSeconds: needInt({ minimum: 1, maximum: 4_294_967 }),
        region: text({ region: 'short' }),
        lun: int({ minimum: -1, maximum: 2_147_483_647, description: 'A data disk; absent or -1: the OS disk.' }),
        format: oneOf(['raw', 'vhd'], { defaults: [{ value: 'raw' }] }),
      }),
      timing: 'sync',
      extension: true,
    },
    {
      name: 'verify',
      permission: 'Microsoft.Compute/galleries/images/versions/verify/action',
      timing: 'async',
      extension: true,
    },
  ],
  tracked: true,
  // `Transfers` is ours: what each region's copy cost, beside its replication status.
  expands: ['ReplicationStatus', 'UefiSettings', 'Transfers'],
  upgrade: upgradeVersion,
  downgrade: downgradeVersion,
  complete: completeVersion,
}
