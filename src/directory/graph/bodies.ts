import { Type } from 'typebox'
import type { Static, TObject } from 'typebox'
import { Value } from 'typebox/value'
import type { JsonObject } from '../../base/json.ts'
import { directoryProblems } from '../problems.ts'

/** What clients may send, member by member; null means absent, as Graph takes it. */
const text = Type.Optional(Type.Union([Type.String(), Type.Null()]))
const flag = Type.Optional(Type.Union([Type.Boolean(), Type.Null()]))
const texts = Type.Optional(Type.Array(Type.String()))
const anything = Type.Optional(Type.Unknown())
const part = <P extends Record<string, typeof anything | typeof text | typeof texts>>(members: P) =>
  Type.Optional(Type.Object({ '@odata.type': text, ...members }))

/** Members that are kept and shown, and mean nothing here. */
const userDetails = [
  'givenName',
  'surname',
  'jobTitle',
  'department',
  'companyName',
  'officeLocation',
  'mobilePhone',
  'businessPhones',
  'preferredLanguage',
  'usageLocation',
  'onPremisesImmutableId',
  'employeeId',
  'otherMails',
  'city',
  'country',
  'state',
  'streetAddress',
  'postalCode',
] as const
const applicationDetails = [
  'web',
  'spa',
  'publicClient',
  'api',
  'appRoles',
  'optionalClaims',
  'requiredResourceAccess',
  'info',
  'notes',
  'tags',
  'groupMembershipClaims',
  'description',
  'serviceManagementReference',
] as const
const principalDetails = ['tags', 'notes', 'description', 'appRoleAssignmentRequired', 'homepage', 'loginUrl'] as const

const keyCredential = Type.Object({
  '@odata.type': text,
  customKeyIdentifier: text,
  displayName: text,
  endDateTime: text,
  key: text,
  keyId: text,
  startDateTime: text,
  type: text,
  usage: text,
})

export const bodies = {
  user: Type.Object({
    accountEnabled: flag,
    displayName: text,
    mail: text,
    mailNickname: text,
    userPrincipalName: text,
    userType: text,
    passwordProfile: part({
      password: text,
      forceChangePasswordNextSignIn: anything,
      forceChangePasswordNextSignInWithMfa: anything,
    }),
    ...named(userDetails),
  }),
  changePassword: Type.Object({ currentPassword: Type.String(), newPassword: Type.String() }),
  invitation: Type.Object({
    invitedUserEmailAddress: Type.String(),
    invitedUserDisplayName: text,
    inviteRedirectUrl: text,
    invitedUserType: text,
    invitedUserMessageInfo: anything,
    sendInvitationMessage: flag,
  }),
  group: Type.Object({
    displayName: text,
    mailNickname: text,
    description: text,
    mailEnabled: flag,
    securityEnabled: flag,
    groupTypes: texts,
    'members@odata.bind': texts,
    'owners@odata.bind': texts,
  }),
  application: Type.Object({
    displayName: text,
    signInAudience: text,
    isFallbackPublicClient: flag,
    identifierUris: texts,
    keyCredentials: Type.Optional(Type.Array(keyCredential)),
    ...named(applicationDetails),
    web: part({ homePageUrl: text, logoutUrl: text, redirectUris: texts, implicitGrantSettings: anything }),
    spa: part({ redirectUris: texts }),
    publicClient: part({ redirectUris: texts }),
  }),
  servicePrincipal: Type.Object({
    appId: text,
    accountEnabled: flag,
    displayName: text,
    keyCredentials: Type.Optional(Type.Array(keyCredential)),
    ...named(principalDetails),
  }),
  addPassword: Type.Object({
    passwordCredential: part({ displayName: text, startDateTime: text, endDateTime: text }),
  }),
  removePassword: Type.Object({ keyId: Type.String() }),
  reference: Type.Object({ '@odata.id': Type.String(), '@odata.context': text }),
  getByIds: Type.Object({ ids: Type.Array(Type.String(), { maxItems: 1000 }), types: texts }),
  checkMemberGroups: Type.Object({ groupIds: Type.Array(Type.String(), { maxItems: 20 }) }),
  getMemberGroups: Type.Object({ securityEnabledOnly: flag }),
  roleAssignment: Type.Object({
    '@odata.type': text,
    principalId: Type.String(),
    roleDefinitionId: Type.String(),
    directoryScopeId: text,
  }),
} as const

function named<const N extends readonly string[]>(names: N): Record<N[number], typeof anything> {
  return Object.fromEntries(names.map((name) => [name, anything])) as Record<N[number], typeof anything>
}

/** Throws Request_BadRequest that names the first member that does not fit. Nulls are left out of the answer. */
export function parseBody<T extends TObject>(schema: T, body: JsonObject): Static<T> {
  for (const name of Object.keys(body))
    if (!Object.hasOwn(schema.properties, name) && !name.startsWith('@odata.'))
      throw directoryProblems.Request_BadRequest({ message: `Invalid property '${name}'. It is not served here.` })
  if (!Value.Check(schema, body)) {
    const [first] = Value.Errors(schema, body)
    const where = first?.instancePath.slice(1).replaceAll('/', '.') ?? ''
    const message =
      where === ''
        ? `The request body ${first?.message ?? 'is invalid'}.`
        : `Invalid value specified for property '${where}': it ${first?.message ?? 'is invalid'}.`
    throw directoryProblems.Request_BadRequest({ message })
  }
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null)) as Static<T>
}

/** Those of `names` that the body has: what is kept and given back. */
export function pickDetails(body: object, kind: 'user' | 'application' | 'servicePrincipal'): JsonObject {
  const names: readonly string[] = {
    user: userDetails,
    application: applicationDetails,
    servicePrincipal: principalDetails,
  }[kind]
  return Object.fromEntries(Object.entries(body).filter(([name]) => names.includes(name)))
}

/** A time that a client sent, in ms; throws Request_BadRequest. */
export function parseTime(name: string, value: string | null | undefined): number | undefined {
  if (value === undefined || value === null) return undefined
  const ms = Date.parse(value)
  if (Number.isNaN(ms))
    throw directoryProblems.Request_BadRequest({
      message: `Invalid value specified for property '${name}': '${value}' is not a time.`,
    })
  return ms
}

/** The id at the end of `https://host/v1.0/directoryObjects/ID`. */
export function parseReference(body: JsonObject): string {
  const id = /([0-9a-f-]{36})(?:'\))?$/i.exec(parseBody(bodies.reference, body)['@odata.id'])?.[1]
  if (id === undefined)
    throw directoryProblems.Request_BadRequest({ message: "'@odata.id' does not end in the id of an object." })
  return id.toLowerCase()
}
