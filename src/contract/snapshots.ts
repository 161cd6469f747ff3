import { Type } from 'typebox'
import { diskApiVersions } from './api-versions.ts'
import { accessActions, commonDiskMembers, diskAnswers } from './disk-parts.ts'
import { body, computeErrors, extendedLocation, sku } from './envelope.ts'
import { snapshotNameRule } from './names.ts'
import type { ResourceTypeDeclaration } from './resource-type.ts'
import { anyJson, flag, text } from './schema.ts'

const type = 'Microsoft.Compute/snapshots'

const snapshotProperties = Type.Object({
  ...commonDiskMembers,
  incremental: flag({ since: '2019-03-01', createOnly: true, defaults: [{ value: false }] }),
  incrementalSnapshotFamilyId: text({ since: '2021-12-01', readOnly: true }),
  copyCompletionError: anyJson({ since: '2022-07-02', readOnly: true }),
})

export const snapshots: ResourceTypeDeclaration = {
  ...diskAnswers,
  type,
  ...computeErrors('snapshot'),
  apiVersions: diskApiVersions,
  name: snapshotNameRule,
  body: body({
    properties: snapshotProperties,
    sku: sku(['Standard_LRS', 'Premium_LRS', 'Standard_ZRS']),
    extendedLocation: extendedLocation('2020-09-30'),
    managedBy: text({ readOnly: true }),
  }),
  actions: accessActions(type),
}
