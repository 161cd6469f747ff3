import { Type } from 'typebox'
import { diskApiVersions } from './api-versions.ts'
import { accessActions, commonDiskMembers, diskSku } from './disk-parts.ts'
import { body, extendedLocation } from './envelope.ts'
import { snapshotNameRule } from './names.ts'
import type { ResourceTypeDeclaration } from './resource-type.ts'
import { anyJson, flag, text } from './schema.ts'

const type = 'Microsoft.Compute/snapshots'

export const snapshotProperties = Type.Object({
  ...commonDiskMembers,
  incremental: flag({ since: '2019-03-01', createOnly: true, defaults: [{ value: false }] }),
  incrementalSnapshotFamilyId: text({ since: '2021-12-01', readOnly: true }),
  copyCompletionError: anyJson({ since: '2022-07-02', readOnly: true }),
})

export const snapshots: ResourceTypeDeclaration = {
  type,
  errorName: 'snapshot',
  errorPath: (path) => ['snapshot', ...path.filter((step) => step !== 'properties')].join('.'),
  apiVersions: diskApiVersions,
  name: snapshotNameRule,
  body: body({
    properties: snapshotProperties,
    sku: diskSku(['Standard_LRS', 'Premium_LRS', 'Standard_ZRS']),
    extendedLocation: extendedLocation('2020-09-30'),
    managedBy: text({ readOnly: true }),
  }),
  put: 'async',
  patch: 'async',
  delete: 'async',
  createStatus: 202,
  updateStatus: 202,
  listInSubscription: true,
  actions: accessActions(type),
  tracked: true,
}
