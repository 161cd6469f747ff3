import { Type, type Static } from 'typebox'
import { galleryApiVersions, galleryPatchSince } from './api-versions.ts'
import { galleryArtifact, publishingMembers, replicationStatus } from './artifact-parts.ts'
import { imageDataDisks } from './disk-parts.ts'
import { body, systemData } from './envelope.ts'
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

const hostCaching = oneOf(['None', 'ReadOnly', 'ReadWrite'], { kept: true })

const publishingProfile = part(
  {
    // The only place of a source in the first two api-versions; stored as `storageProfile.source.id`.
    source: part({ managedImage: part({ id: needText() }) }, { until: lastWithManagedImage }),
    ...publishingMembers,
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
    dataDiskImages: list(
      Type.Object({ lun: needInt({ minimum: 0, maximum: 2_147_483_647 }), ...diskImage }),
      imageDataDisks,
    ),
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

const galleryImageVersionProperties = Type.Object({
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
  ...galleryArtifact,
  type: 'Microsoft.Compute/galleries/images/versions',
  errorName: 'galleryImageVersion',
  errorPath: versionErrorPath,
  apiVersions: galleryApiVersions,
  name: galleryImageVersionNameRule,
  body: body({
    properties: Type.Optional(galleryImageVersionProperties),
    systemData: systemData('2024-03-03'),
  }),
  patchSince: galleryPatchSince,
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
  // `Transfers` is ours: what each region's copy cost, beside its replication status.
  expands: ['ReplicationStatus', 'UefiSettings', 'Transfers'],
  upgrade: upgradeVersion,
  downgrade: downgradeVersion,
  complete: completeVersion,
}
