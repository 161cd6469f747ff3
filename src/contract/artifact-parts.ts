import { Type } from 'typebox'
import { extendedLocation } from './envelope.ts'
import type { ResourceTypeDeclaration } from './resource-type.ts'
import { date, flag, int, list, needInt, needText, oneOf, part, text } from './schema.ts'

/** What a gallery's images, applications, scripts and access profiles have in common (contract.md 7). */

/** PremiumV2_LRS is a word of the API here, but no class for a region: the gallery room says so (behaviour.md B8). */
const storageAccountTypes = ['Standard_LRS', 'Standard_ZRS', 'Premium_LRS', 'PremiumV2_LRS'] as const
const storageAccountTypesSince = { Premium_LRS: '2019-12-01', PremiumV2_LRS: '2024-03-03' }
const replicaCount = { minimum: 1, maximum: 100 }

/** Encryption of a region can neither be added nor changed later (behaviour.md F). */
const encryption = (since: string) =>
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

const targetRegion = Type.Object({
  name: needText({ region: 'display' }),
  regionalReplicaCount: int(replicaCount),
  storageAccountType: oneOf(storageAccountTypes, {
    since: '2019-03-01',
    valuesSince: storageAccountTypesSince,
    // Cannot change in an existing region; the gallery room says so in Azure's own words for this case.
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

/** The regions of a version, in any order. */
export const targetRegions = list(targetRegion, {
  key: 'name',
  kept: true,
  duplicates: 'Duplicate regions are not allowed in target publishing regions.',
})

/** Where a version is published: the members that every kind of version has. */
export const publishingMembers = {
  targetRegions,
  replicaCount: int({ ...replicaCount, defaults: [{ value: 1 }] }),
  excludeFromLatest: flag({ defaults: [{ value: false }] }),
  publishedDate: date({ readOnly: true }),
  endOfLifeDate: date(),
  storageAccountType: oneOf(storageAccountTypes, { since: '2019-03-01', valuesSince: storageAccountTypesSince }),
  storageAccountStrategy: oneOf(['PreferStandard_ZRS', 'DefaultStandard_LRS'], { since: '2025-03-03' }),
  replicationMode: oneOf(['Full', 'Shallow'], { since: '2021-07-01', createOnly: true, defaults: [{ value: 'Full' }] }),
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
}

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

export const artifactSafetyProfile = part(
  { allowDeletionOfReplicatedLocations: flag({ defaults: [{ value: false }] }) },
  { since: '2022-03-03', defaults: [{ since: '2022-03-03', value: {} }] },
)

/** The texts and dates that every definition carries. */
export const definitionTexts = {
  description: text(),
  eula: text(),
  privacyStatementUri: text(),
  releaseNoteUri: text(),
  endOfLifeDate: date(),
}

/** How every artifact below a gallery answers: all writes are operations, lists are its parent's alone. */
export const galleryArtifact = {
  put: 'async',
  patch: 'async',
  delete: 'async',
  createStatus: 201,
  updateStatus: 200,
  listInSubscription: false,
  actions: [],
  tracked: true,
} as const satisfies Partial<ResourceTypeDeclaration>
