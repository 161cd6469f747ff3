import { Type, type Static } from 'typebox'
import { galleryApiVersions, galleryPatchSince } from './api-versions.ts'
import { body, identity, systemData } from './envelope.ts'
import { galleryNameRule } from './names.ts'
import type { ResourceTypeDeclaration } from './resource-type.ts'
import { flag, int, list, needOneOf, oneOf, part, text, texts } from './schema.ts'

const regionalSharingStatus = Type.Object({
  region: text({ region: 'display' }),
  state: oneOf(['Succeeded', 'InProgress', 'Failed', 'Unknown']),
  details: text(),
})

const sharingGroup = Type.Object({ type: oneOf(['Subscriptions', 'AADTenants']), ids: texts() })

const galleryProperties = Type.Object({
  description: text(),
  // `identifier: {}` comes from PowerShell and az: its only member is ours to write.
  identifier: part({ uniqueName: text({ readOnly: true }) }, { kept: true }),
  sharingProfile: part(
    {
      permissions: oneOf(['Private', 'Groups', 'Community'], { valuesSince: { Community: '2021-10-01' }, kept: true }),
      groups: list(sharingGroup, {
        readOnly: true,
        // In 2020-09-30 `$select=Permissions` was how the groups were asked for.
        onDemand: ['SharingProfile/Groups', 'Permissions'],
      }),
      communityGalleryInfo: part(
        {
          publisherUri: text({ kept: true }),
          publisherContact: text({ kept: true }),
          eula: text({ kept: true }),
          // Part of the public names: it stays (the gallery room says so, after what it says of permissions).
          publicNamePrefix: text({ kept: true }),
          communityGalleryEnabled: flag({ readOnly: true }),
          publicNames: texts({ readOnly: true }),
        },
        { since: '2021-10-01', kept: true },
      ),
    },
    // The first versions with it show it only where it is asked for (recorded: behaviour.md R6 does not, R4 does).
    { since: '2020-09-30', kept: true, onDemand: 'Permissions', onDemandUntil: '2021-03-01' },
  ),
  softDeletePolicy: part(
    {
      isSoftDeleteEnabled: flag(),
      // Azure shows 31 and 8 where nothing is said (behaviour.md I); the gallery room decides what they mean.
      retentionPeriodInDays: int({ since: '2026-03-03' }),
      gracePeriodInDays: int({ since: '2026-03-03' }),
    },
    { since: '2021-07-01' },
  ),
  sharingStatus: part(
    {
      aggregatedState: oneOf(['Succeeded', 'InProgress', 'Failed', 'Unknown']),
      summary: list(regionalSharingStatus),
    },
    { since: '2021-10-01', readOnly: true },
  ),
})
export type GalleryProperties = Static<typeof galleryProperties>

/** The body of POST share; `az` sends empty `groups` with EnableCommunity. */
export const sharingUpdate = Type.Object({
  operationType: needOneOf(['Add', 'Remove', 'Reset', 'EnableCommunity'], {
    valuesSince: { EnableCommunity: '2021-10-01' },
  }),
  groups: list(sharingGroup),
})
export type SharingUpdate = Static<typeof sharingUpdate>

export const galleries: ResourceTypeDeclaration = {
  type: 'Microsoft.Compute/galleries',
  errorName: 'gallery',
  apiVersions: galleryApiVersions,
  name: galleryNameRule,
  body: body({
    properties: Type.Optional(galleryProperties),
    identity: identity('2024-03-03'),
    systemData: systemData('2024-03-03'),
  }),
  put: 'async',
  patch: 'async',
  patchSince: galleryPatchSince,
  delete: 'async',
  createStatus: 201,
  updateStatus: 200,
  listInSubscription: true,
  actions: [
    {
      name: 'share',
      permission: 'Microsoft.Compute/galleries/share/action',
      since: '2020-09-30',
      body: sharingUpdate,
      timing: 'async',
    },
  ],
  tracked: true,
  expands: ['SharingProfile/Groups', 'Permissions'],
}
