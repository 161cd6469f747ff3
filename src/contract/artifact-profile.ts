import { Type } from 'typebox'
import { extendedLocation } from './envelope.ts'
import { encryption, storageAccountTypes, storageAccountTypesSince, targetRegion } from './gallery-image-versions.ts'
import { date, flag, int, list, oneOf, part, text } from './schema.ts'

/** What applications and scripts have in common with images (contract.md 7, GalleryArtifactPublishingProfileBase). */

const replicaCount = { minimum: 1, maximum: 100 }

/** Where a version is published: the members that every kind of version has. */
export const publishingMembers = {
  targetRegions: list(targetRegion, {
    key: 'name',
    kept: true,
    duplicates: 'Duplicate regions are not allowed in target publishing regions.',
  }),
  replicaCount: int({ ...replicaCount, defaults: [{ value: 1 }] }),
  excludeFromLatest: flag({ defaults: [{ value: false }] }),
  publishedDate: date({ readOnly: true }),
  endOfLifeDate: date(),
  storageAccountType: oneOf(storageAccountTypes, { valuesSince: storageAccountTypesSince }),
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
