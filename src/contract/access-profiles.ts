import { Type, type Static } from 'typebox'
import { galleryApiVersionsSince } from './api-versions.ts'
import { galleryArtifact, replicationStatus, targetRegions } from './artifact-parts.ts'
import { body, systemData } from './envelope.ts'
import { accessProfileNameRule, accessProfileVersionNameRule } from './names.ts'
import type { ResourceTypeDeclaration } from './resource-type.ts'
import { date, flag, list, mapOf, needOneOf, needText, part, text } from './schema.ts'

/** Who inside a machine may ask the host's endpoints for what (contract.md 7b). */
const accessProfileProperties = Type.Object({
  description: text(),
  osType: needOneOf(['Windows', 'Linux'], { createOnly: true }),
  applicableHostEndpoint: needOneOf(['WireServer', 'IMDS'], { createOnly: true }),
})
export type AccessProfileProperties = Static<typeof accessProfileProperties>

const needTexts = () => Type.Array(Type.String())
const named = (what: string) => ({ key: 'name', duplicates: `Duplicate names are not allowed in ${what}.` })

const accessRules = part(
  {
    privileges: list(
      Type.Object({ name: needText(), path: needText(), queryParameters: mapOf(Type.String()) }),
      named('rules.privileges'),
    ),
    roles: list(Type.Object({ name: needText(), privileges: needTexts() }), named('rules.roles')),
    identities: list(
      Type.Object({
        name: needText(),
        userName: text(),
        groupName: text(),
        exePath: text(),
        processName: text(),
      }),
      named('rules.identities'),
    ),
    roleAssignments: list(Type.Object({ role: needText(), identities: needTexts() })),
  },
  { createOnly: true },
)
export type AccessRules = Static<typeof accessRules>

const accessProfileVersionProperties = Type.Object({
  mode: needOneOf(['Audit', 'Enforce', 'Disabled'], { createOnly: true }),
  defaultAccess: needOneOf(['Allow', 'Deny'], { createOnly: true }),
  rules: accessRules,
  targetLocations: targetRegions,
  excludeFromLatest: flag({ defaults: [{ value: false }] }),
  publishedDate: date({ readOnly: true }),
  replicationStatus,
})
export type AccessProfileVersionProperties = Static<typeof accessProfileVersionProperties>

const artifact = {
  ...galleryArtifact,
  apiVersions: galleryApiVersionsSince('2024-03-03'),
} as const satisfies Partial<ResourceTypeDeclaration>

export const accessProfiles: ResourceTypeDeclaration = {
  ...artifact,
  type: 'Microsoft.Compute/galleries/inVMAccessControlProfiles',
  errorName: 'galleryInVMAccessControlProfile',
  name: accessProfileNameRule,
  body: body({ properties: accessProfileProperties, systemData: systemData('2024-03-03') }),
}

export const accessProfileVersions: ResourceTypeDeclaration = {
  ...artifact,
  type: 'Microsoft.Compute/galleries/inVMAccessControlProfiles/versions',
  errorName: 'galleryInVMAccessControlProfileVersion',
  name: accessProfileVersionNameRule,
  body: body({ properties: accessProfileVersionProperties, systemData: systemData('2024-03-03') }),
}
