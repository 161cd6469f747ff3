import { Type, type Static } from 'typebox'
import { galleryApiVersionsSince, galleryPatchSince } from './api-versions.ts'
import {
  artifactSafetyProfile,
  definitionTexts,
  galleryArtifact,
  publishingMembers,
  replicationStatus,
} from './artifact-parts.ts'
import { body, systemData } from './envelope.ts'
import { completeVersion } from './gallery-image-version-rules.ts'
import { applicationVersionNameRule, galleryApplicationNameRule } from './names.ts'
import type { ResourceTypeDeclaration } from './resource-type.ts'
import { flag, list, mapOf, needOneOf, needText, oneOf, part, text } from './schema.ts'

/** The longest command and file name (template documentation). */
const longest = { maxLength: 4096 }

const customAction = Type.Object({
  name: needText(),
  script: needText(),
  description: text(),
  parameters: list(
    Type.Object({
      name: needText(),
      required: flag(),
      type: oneOf(['String', 'ConfigurationDataBlob', 'LogOutputBlob']),
      defaultValue: text(),
      description: text(),
    }),
    { key: 'name', duplicates: 'Duplicate parameter names are not allowed in a custom action.' },
  ),
})
const customActions = list(customAction, {
  since: '2022-03-03',
  key: 'name',
  duplicates: 'Duplicate names are not allowed in customActions.',
})

const galleryApplicationProperties = Type.Object({
  ...definitionTexts,
  supportedOSType: needOneOf(['Windows', 'Linux'], { createOnly: true }),
  customActions,
})
export type GalleryApplicationProperties = Static<typeof galleryApplicationProperties>

const galleryApplicationVersionProperties = Type.Object({
  publishingProfile: Type.Object({
    ...publishingMembers,
    source: Type.Object({
      mediaLink: needText({ createOnly: true }),
      defaultConfigurationLink: text({ createOnly: true }),
    }),
    manageActions: part({
      install: needText({ createOnly: true, ...longest }),
      remove: needText({ createOnly: true, ...longest }),
      update: text({ createOnly: true, ...longest }),
    }),
    settings: part(
      {
        packageFileName: text({ createOnly: true, ...longest }),
        configFileName: text({ createOnly: true, ...longest }),
        scriptBehaviorAfterReboot: oneOf(['None', 'Rerun'], { since: '2024-03-03' }),
      },
      { since: '2022-01-03' },
    ),
    advancedSettings: mapOf(Type.String(), { since: '2022-01-03' }),
    // Recorded (azure-cli, test_gallery_application_version).
    enableHealthCheck: flag({ defaults: [{ value: false }] }),
    customActions,
  }),
  safetyProfile: artifactSafetyProfile,
  replicationStatus,
})
export type GalleryApplicationVersionProperties = Static<typeof galleryApplicationVersionProperties>

const artifact = {
  ...galleryArtifact,
  patchSince: galleryPatchSince,
  // D-VMAPP has the error, among those of publishing.
  checksName: true,
} as const satisfies Partial<ResourceTypeDeclaration>

export const galleryApplications: ResourceTypeDeclaration = {
  ...artifact,
  type: 'Microsoft.Compute/galleries/applications',
  errorName: 'galleryApplication',
  apiVersions: galleryApiVersionsSince('2019-03-01'),
  name: galleryApplicationNameRule,
  body: body({ properties: galleryApplicationProperties, systemData: systemData('2024-03-03') }),
  // Recorded (azure-cli, test_gallery_application): 201, 200 and, deleted, 200 without an operation, and no state.
  put: 'sync',
  patch: 'sync',
  delete: 'sync',
  stateless: true,
}

export const galleryApplicationVersions: ResourceTypeDeclaration = {
  ...artifact,
  type: 'Microsoft.Compute/galleries/applications/versions',
  errorName: 'galleryApplicationVersion',
  apiVersions: galleryApiVersionsSince('2019-03-01'),
  name: applicationVersionNameRule,
  body: body({ properties: galleryApplicationVersionProperties, systemData: systemData('2024-03-03') }),
  // `Transfers` is ours, as with image versions.
  expands: ['ReplicationStatus', 'Transfers'],
  complete: completeVersion,
}
