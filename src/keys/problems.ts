import { defineProblems } from '../base/problem.ts'

export const keyProblems = defineProblems({
  KeyUrlInvalid: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { url: string; host: string }) =>
      `The value '${f.url}' of parameter activeKey.keyUrl is invalid. Give the address of a key of this server's key folder: https://${f.host}/keys/{name}/{version}.`,
  },
  KeyVaultNotSupported: {
    kind: 'invalid',
    code: 'InvalidParameter',
    say: (f: { url: string; host: string }) =>
      `The key '${f.url}' is in a key vault that this server cannot ask. Name a key of its own key folder (https://${f.host}/keys/{name}/{version}), or have the vault's host name put under 'keyVaults' in its configuration file: then the folder stands for that vault.`,
  },
  EncryptionTypeNotSupported: {
    kind: 'invalid',
    code: 'OperationNotAllowed',
    say: (f: { type: string }) =>
      `encryptionType '${f.type}' is not supported by this server: bytes would not be encrypted as it says. Use 'EncryptionAtRestWithCustomerKey'.`,
  },
  RotationNotSupported: {
    kind: 'invalid',
    code: 'OperationNotAllowed',
    say: () =>
      'rotationToLatestKeyVersionEnabled is not supported by this server: nothing would rotate by itself. Leave it out, and name the new key as activeKey when you want to rotate.',
  },
  DiskEncryptionSetInUse: {
    kind: 'conflict',
    code: 'OperationNotAllowed',
    say: (f: { name: string; user: string }) =>
      `Disk encryption set '${f.name}' cannot be deleted: it encrypts ${f.user}. Delete what uses it first, then try again.`,
  },
  DiskEncryptionKeyUnavailable: {
    kind: 'conflict',
    say: (f: { key: string; reason: string }) =>
      `The key '${f.key}' of the disk encryption set is not available (${f.reason}), so nothing that is encrypted with it can be read or written. Put the key back into the server's key folder; if it is destroyed, its data is lost for good.`,
  },
})
