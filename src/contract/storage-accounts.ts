import { Type } from 'typebox'
import { body, extendedLocation, identity, sku } from './envelope.ts'
import { storageAccountNameRule } from './names.ts'
import type { ResourceTypeDeclaration } from './resource-type.ts'
import { anyJson, flag, needOneOf, oneOf, text } from './schema.ts'

/** Storage accounts: a blob endpoint for VHDs. Of files, queues and tables nothing is here. */
const type = 'Microsoft.Storage/storageAccounts'
const open = { open: true, kept: true }

export const storageApiVersions = [
  '2016-01-01',
  '2016-12-01',
  '2017-06-01',
  '2017-10-01',
  '2018-02-01',
  '2018-07-01',
  '2018-11-01',
  '2019-04-01',
  '2019-06-01',
  '2020-08-01-preview',
  '2021-01-01',
  '2021-02-01',
  '2021-04-01',
  '2021-06-01',
  '2021-08-01',
  '2021-09-01',
  '2022-05-01',
  '2022-09-01',
  '2023-01-01',
  '2023-04-01',
  '2023-05-01',
  '2024-01-01',
  '2025-01-01',
  '2025-06-01',
  '2025-08-01',
] as const

const skuNames = [
  'Standard_LRS',
  'Standard_GRS',
  'Standard_RAGRS',
  'Standard_ZRS',
  'Premium_LRS',
  'Premium_ZRS',
  'Standard_GZRS',
  'Standard_RAGZRS',
] as const

export const storageAccounts: ResourceTypeDeclaration = {
  type,
  errorName: 'storageAccount',
  apiVersions: storageApiVersions,
  name: storageAccountNameRule,
  body: body({
    sku: sku(skuNames),
    kind: oneOf(['Storage', 'StorageV2', 'BlobStorage', 'FileStorage', 'BlockBlobStorage'], {
      kept: true,
      defaults: [{ value: 'StorageV2' }],
    }),
    identity: identity(),
    extendedLocation: extendedLocation('2021-01-01'),
    properties: Type.Optional(
      Type.Object(
        {
          accessTier: oneOf(['Hot', 'Cool', 'Premium', 'Cold'], { kept: true, defaults: [{ value: 'Hot' }] }),
          allowSharedKeyAccess: flag({ kept: true }),
          allowBlobPublicAccess: flag({ kept: true, defaults: [{ value: false }] }),
          supportsHttpsTrafficOnly: flag({ kept: true }),
          minimumTlsVersion: text({ kept: true }),
          encryption: anyJson({ kept: true }),
          networkAcls: anyJson({ kept: true }),
          creationTime: text({ readOnly: true, date: true }),
          keyCreationTime: anyJson({ readOnly: true }),
          primaryLocation: text({ readOnly: true }),
          statusOfPrimary: text({ readOnly: true }),
          primaryEndpoints: anyJson({ readOnly: true }),
        },
        open,
      ),
    ),
  }),
  put: 'sync',
  patch: 'sync',
  delete: 'sync',
  createStatus: 200,
  updateStatus: 200,
  listInSubscription: true,
  actions: [
    { name: 'listKeys', permission: `${type}/listKeys/action`, timing: 'sync' },
    {
      name: 'regenerateKey',
      permission: `${type}/regenerateKey/action`,
      timing: 'sync',
      body: Type.Object({ keyName: needOneOf(['key1', 'key2', 'kerb1', 'kerb2']) }),
    },
  ],
  tracked: true,
}
