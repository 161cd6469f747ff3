import { Type, type Static } from 'typebox'
import { computeApiVersions } from './api-versions.ts'
import { diskClasses, imageDataDisks } from './disk-parts.ts'
import { body, computeErrors, extendedLocation } from './envelope.ts'
import { managedImageNameRule } from './names.ts'
import type { ResourceTypeDeclaration } from './resource-type.ts'
import { flag, int, list, needInt, needOneOf, oneOf, part, text } from './schema.ts'

/** Managed images: a machine's disks, taken once, from which others are made. */

const reference = (since?: string) =>
  part({ id: text({ createOnly: true, anyCase: true }) }, { kept: true, ...(since === undefined ? {} : { since }) })

/** Where a disk of the image comes from is said by one of the first three. */
const diskMembers = {
  snapshot: reference(),
  managedDisk: reference(),
  blobUri: text({ createOnly: true }),
  caching: oneOf(['None', 'ReadOnly', 'ReadWrite'], { kept: true, defaults: [{ value: 'None' }] }),
  diskSizeGB: int({ minimum: 1, maximum: 65_536, kept: true, createOnly: true }),
  storageAccountType: oneOf(diskClasses, { kept: true }),
  diskEncryptionSet: reference('2019-07-01'),
}

const imageProperties = Type.Object({
  sourceVirtualMachine: reference(),
  storageProfile: part(
    {
      osDisk: part(
        {
          osType: needOneOf(['Windows', 'Linux'], { createOnly: true }),
          osState: needOneOf(['Generalized', 'Specialized'], { createOnly: true }),
          ...diskMembers,
        },
        { kept: true },
      ),
      dataDisks: list(Type.Object({ lun: needInt({ minimum: 0, maximum: 63 }), ...diskMembers }), imageDataDisks),
      zoneResilient: flag({ createOnly: true, defaults: [{ value: false }] }),
    },
    { kept: true },
  ),
  hyperVGeneration: oneOf(['V1', 'V2'], { since: '2019-03-01', createOnly: true }),
})
export type ImageProperties = Static<typeof imageProperties>

export const images: ResourceTypeDeclaration = {
  type: 'Microsoft.Compute/images',
  ...computeErrors('image'),
  apiVersions: ['2016-04-30-preview', '2017-03-30', '2017-12-01', ...computeApiVersions],
  name: managedImageNameRule,
  body: body({
    properties: Type.Optional(imageProperties),
    extendedLocation: extendedLocation('2021-03-01'),
  }),
  put: 'async',
  patch: 'async',
  delete: 'async',
  createStatus: 201,
  updateStatus: 200,
  listInSubscription: true,
  actions: [],
  tracked: true,
}
