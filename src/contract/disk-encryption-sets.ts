import { Type, type Static } from 'typebox'
import { diskApiVersions } from './api-versions.ts'
import { diskAnswers } from './disk-parts.ts'
import { body, computeErrors, identity } from './envelope.ts'
import { diskEncryptionSetNameRule } from './names.ts'
import type { ResourceTypeDeclaration } from './resource-type.ts'
import { anyJson, flag, list, needText, oneOf, part, text } from './schema.ts'

export const diskEncryptionSetType = 'Microsoft.Compute/diskEncryptionSets'

const keyMembers = {
  sourceVault: part({ id: text({ anyCase: true }) }),
  keyUrl: needText(),
}

const diskEncryptionSetProperties = Type.Object({
  encryptionType: oneOf(
    [
      'EncryptionAtRestWithCustomerKey',
      'EncryptionAtRestWithPlatformAndCustomerKeys',
      'ConfidentialVmEncryptedWithCustomerKey',
    ],
    { since: '2020-06-30', kept: true, createOnly: true },
  ),
  activeKey: Type.Object(keyMembers, { kept: true }),
  previousKeys: list(Type.Object(keyMembers), { readOnly: true }),
  rotationToLatestKeyVersionEnabled: flag({ since: '2020-12-01', kept: true }),
  lastKeyRotationTimestamp: text({ since: '2021-04-01', readOnly: true, date: true }),
  autoKeyRotationError: anyJson({ since: '2021-12-01', readOnly: true }),
  federatedClientId: text({ since: '2022-03-02', kept: true }),
})
export type DiskEncryptionSetProperties = Static<typeof diskEncryptionSetProperties>

/** A key of the operator's, and what is encrypted with it: `src/keys`. */
export const diskEncryptionSets: ResourceTypeDeclaration = {
  ...diskAnswers,
  type: diskEncryptionSetType,
  ...computeErrors('diskEncryptionSet'),
  apiVersions: diskApiVersions.filter((version) => version >= '2019-07-01'),
  name: diskEncryptionSetNameRule,
  body: body({ properties: diskEncryptionSetProperties, identity: identity() }),
  actions: [],
}
