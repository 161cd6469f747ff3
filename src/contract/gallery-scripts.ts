import { Type, type Static } from 'typebox'
import { galleryApiVersionsSince } from './api-versions.ts'
import {
  artifactSafetyProfile,
  definitionTexts,
  galleryArtifact,
  publishingMembers,
  replicationStatus,
} from './artifact-parts.ts'
import { body, systemData } from './envelope.ts'
import { completeVersion } from './gallery-image-version-rules.ts'
import { galleryScriptNameRule, scriptVersionNameRule } from './names.ts'
import type { ResourceTypeDeclaration } from './resource-type.ts'
import { flag, list, needOneOf, needText, oneOf, text, texts } from './schema.ts'

const galleryScriptProperties = Type.Object({
  ...definitionTexts,
  supportedOSType: needOneOf(['Windows', 'Linux'], { createOnly: true }),
})

const galleryScriptParameter = Type.Object({
  name: needText(),
  required: flag(),
  type: oneOf(['String', 'Int', 'Double', 'Boolean', 'Enum']),
  defaultValue: text(),
  description: text(),
  minValue: text(),
  maxValue: text(),
  enumValues: texts(),
})
export type GalleryScriptParameter = Static<typeof galleryScriptParameter>

const galleryScriptVersionProperties = Type.Object({
  publishingProfile: Type.Object({
    ...publishingMembers,
    source: Type.Object({
      scriptLink: needText({ createOnly: true }),
      parameters: list(galleryScriptParameter, {
        createOnly: true,
        key: 'name',
        duplicates: 'Duplicate names are not allowed in the parameters of a script.',
      }),
    }),
  }),
  safetyProfile: artifactSafetyProfile,
  replicationStatus,
})
export type GalleryScriptVersionProperties = Static<typeof galleryScriptVersionProperties>

const artifact = {
  ...galleryArtifact,
  apiVersions: galleryApiVersionsSince('2025-03-03'),
} as const satisfies Partial<ResourceTypeDeclaration>

export const galleryScripts: ResourceTypeDeclaration = {
  ...artifact,
  type: 'Microsoft.Compute/galleries/scripts',
  errorName: 'galleryScript',
  name: galleryScriptNameRule,
  body: body({ properties: galleryScriptProperties, systemData: systemData('2025-03-03') }),
}

export const galleryScriptVersions: ResourceTypeDeclaration = {
  ...artifact,
  type: 'Microsoft.Compute/galleries/scripts/versions',
  errorName: 'galleryScriptVersion',
  name: scriptVersionNameRule,
  body: body({ properties: galleryScriptVersionProperties, systemData: systemData('2025-03-03') }),
  expands: ['ReplicationStatus', 'Transfers'],
  complete: completeVersion,
}
