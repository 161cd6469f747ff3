import { Type, type Static } from 'typebox'
import { diskApiVersions } from './api-versions.ts'
import { accessActions, commonDiskMembers, diskAnswers, diskClasses } from './disk-parts.ts'
import { body, computeErrors, extendedLocation, sku } from './envelope.ts'
import { diskNameRule } from './names.ts'
import type { ResourceTypeDeclaration } from './resource-type.ts'
import { anyJson, flag, int, list, long, text, texts } from './schema.ts'

const type = 'Microsoft.Compute/disks'

export const diskProperties = Type.Object({
  ...commonDiskMembers,
  diskIOPSReadWrite: long({ since: '2018-09-30', kept: true }),
  diskMBpsReadWrite: long({ since: '2018-09-30', kept: true }),
  diskIOPSReadOnly: long({ since: '2019-11-01', kept: true }),
  diskMBpsReadOnly: long({ since: '2019-11-01', kept: true }),
  maxShares: int({ since: '2019-11-01', minimum: 1, kept: true }),
  shareInfo: list(Type.Object({ vmUri: text() }), { since: '2019-11-01', readOnly: true }),
  tier: text({ since: '2020-06-30', kept: true }),
  burstingEnabled: flag({ since: '2020-12-01', kept: true }),
  burstingEnabledTime: text({ since: '2021-12-01', readOnly: true, date: true }),
  propertyUpdatesInProgress: anyJson({ since: '2020-12-01', readOnly: true }),
  optimizedForFrequentAttach: flag({ since: '2023-04-02', kept: true }),
})
export type DiskProperties = Static<typeof diskProperties>

export const disks: ResourceTypeDeclaration = {
  ...diskAnswers,
  type,
  ...computeErrors('disk'),
  apiVersions: diskApiVersions,
  name: diskNameRule,
  body: body({
    properties: diskProperties,
    sku: sku(diskClasses),
    zones: texts({ createOnly: true }),
    extendedLocation: extendedLocation('2020-09-30'),
    managedBy: text({ readOnly: true }),
    managedByExtended: texts({ since: '2019-11-01', readOnly: true }),
  }),
  actions: accessActions(type),
}
