import { Type } from 'typebox'
import { galleryApiVersions } from './api-versions.ts'
import { body, systemData } from './envelope.ts'
import { galleryImageVersionNameRule } from './names.ts'
import type { ResourceTypeDeclaration } from './resource-type.ts'
import { date, oneOf, text } from './schema.ts'

export const softDeletedVersionType = 'Microsoft.Compute/galleries/softDeletedArtifactTypes/artifacts/versions'

/** What is in the recycle bin of a gallery: listed, read and removed for good; a PUT of the version itself restores it. */
export const softDeletedVersions: ResourceTypeDeclaration = {
  type: softDeletedVersionType,
  errorName: 'softDeletedVersion',
  apiVersions: galleryApiVersions.filter((version) => version >= '2024-03-03'),
  name: galleryImageVersionNameRule,
  body: body({
    properties: Type.Optional(
      Type.Object({
        resourceArmId: text({ readOnly: true }),
        softDeletedArtifactType: oneOf(['Images'], { readOnly: true }),
        softDeletedTime: date({ readOnly: true }),
        consumptionEndTime: date({ since: '2026-03-03', readOnly: true }),
        hardDeletionTargetTime: date({ since: '2026-03-03', readOnly: true }),
      }),
    ),
    systemData: systemData('2024-03-03'),
  }),
  delete: 'async',
  createStatus: 200,
  updateStatus: 200,
  listInSubscription: false,
  actions: [],
  stateless: true,
  tracked: true,
}
