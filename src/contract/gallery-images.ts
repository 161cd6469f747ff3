import { Type, type Static } from 'typebox'
import { galleryApiVersions, galleryPatchSince } from './api-versions.ts'
import { galleryArtifact } from './artifact-parts.ts'
import { body, systemData } from './envelope.ts'
import { withTrustedLaunchDefault } from './features.ts'
import { galleryImageNameRule } from './names.ts'
import type { ResourceTypeDeclaration } from './resource-type.ts'
import { date, flag, int, list, needOneOf, needText, oneOf, part, text, texts } from './schema.ts'

/** Publisher, offer and sku: behaviour.md A2. */
const assetName = (maxLength: number) =>
  needText({
    createOnly: true,
    anyCase: true,
    minLength: 1,
    maxLength,
    pattern: '^[A-Za-z0-9._-]*[A-Za-z0-9_-]$',
    complaint:
      'Asset name {path} is not valid. It cannot be empty. Allowed characters are uppercase or lowercase letters, ' +
      'digits, hyphen(-), period (.), underscore (_). Names are not allowed to end with period(.). ' +
      `The length of the name cannot exceed ${maxLength} characters.`,
  })

const resourceRange = part({ min: int(), max: int() }, { minMax: true })

export const galleryImageProperties = Type.Object({
  description: text(),
  eula: text({ createOnly: true }),
  privacyStatementUri: text({ createOnly: true }),
  releaseNoteUri: text(),
  osType: needOneOf(['Windows', 'Linux'], { createOnly: true }),
  osState: needOneOf(['Generalized', 'Specialized'], { createOnly: true }),
  hyperVGeneration: oneOf(['V1', 'V2'], {
    since: '2019-07-01',
    createOnly: true,
    defaults: [{ value: 'V1' }, { since: '2025-03-03', value: 'V2' }],
  }),
  endOfLifeDate: date(),
  identifier: Type.Object({ publisher: assetName(128), offer: assetName(64), sku: assetName(64) }),
  recommended: part({ vCPUs: resourceRange, memory: resourceRange }),
  disallowed: part({ diskTypes: texts() }, { dropEmpty: true }),
  purchasePlan: part({
    name: text({ createOnly: true }),
    publisher: text({ createOnly: true }),
    product: text({ createOnly: true }),
  }),
  features: list(
    Type.Object({
      name: text({ anyCase: true }),
      value: text({ anyCase: true }),
      startsAtVersion: text({ since: '2024-03-03', pattern: String.raw`^\d+\.\d+\.\d+$` }),
    }),
    {
      since: '2020-09-30',
      createOnly: true,
      changeableWith: 'allowUpdateImage',
      key: 'name',
      duplicates: 'Duplicate names are not allowed in the features of a gallery image. Name each feature once.',
    },
  ),
  architecture: oneOf(['x64', 'Arm64'], { since: '2021-10-01', createOnly: true, defaults: [{ value: 'x64' }] }),
  allowUpdateImage: flag({ since: '2024-03-03', transient: true }),
  // Ours: which version `latest` is in each region, and why the others are passed over.
  latest: list(
    Type.Object({
      location: text(),
      latestVersionName: text(),
      passedOver: list(Type.Object({ name: text(), reason: text() })),
    }),
    { readOnly: true, onDemand: 'Latest' },
  ),
})
export type GalleryImageProperties = Static<typeof galleryImageProperties>

export const galleryImages: ResourceTypeDeclaration = {
  ...galleryArtifact,
  type: 'Microsoft.Compute/galleries/images',
  errorName: 'galleryImage',
  apiVersions: galleryApiVersions,
  name: galleryImageNameRule,
  body: body({ properties: galleryImageProperties, systemData: systemData('2024-03-03') }),
  patchSince: galleryPatchSince,
  actions: [
    {
      name: 'resolveLatest',
      permission: 'Microsoft.Compute/galleries/images/versions/read',
      body: Type.Object({ location: text({ region: 'short' }) }),
      timing: 'sync',
      extension: true,
    },
  ],
  // Azure has none here; ours explains `latest`.
  expands: ['Latest'],
  complete: withTrustedLaunchDefault,
}
