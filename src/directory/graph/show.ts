import type { Json, JsonObject } from '../../base/json.ts'
import type { Application, DirectoryObject, KeyCredential, PasswordCredential, Tenant } from '../directory.ts'

/** How Graph shows what the directory holds. Every member is always there, null where it has no value, as in Graph. */

const odataTypes: Readonly<Record<DirectoryObject['kind'], string>> = {
  user: '#microsoft.graph.user',
  group: '#microsoft.graph.group',
  application: '#microsoft.graph.application',
  servicePrincipal: '#microsoft.graph.servicePrincipal',
}

export const collections: Readonly<Record<DirectoryObject['kind'], string>> = {
  user: 'users',
  group: 'groups',
  application: 'applications',
  servicePrincipal: 'servicePrincipals',
}

/** What v1.0 shows of a user unless it is asked for more: Graph's default selection. */
export const defaultUserMembers =
  'businessPhones,displayName,givenName,jobTitle,mail,mobilePhone,officeLocation,preferredLanguage,surname,userPrincipalName,id'

/** `application`: that of a service principal, where it is registered here. */
export function showObject(object: DirectoryObject, application?: Application): JsonObject {
  const { objectId: id, displayName } = object
  const start = { id, deletedDateTime: null }
  const createdDateTime = object.createdDateTime?.replace(/\.\d+Z$/, 'Z') ?? null
  switch (object.kind) {
    case 'user':
      return {
        ...start,
        ...emptyUser,
        accountEnabled: object.accountEnabled,
        createdDateTime,
        displayName,
        mail: object.mail ?? null,
        mailNickname: object.mailNickname ?? null,
        userPrincipalName: object.userPrincipalName,
        userType: object.userType,
        ...(object.userType === 'Guest' ? { externalUserState: 'Accepted', creationType: 'Invitation' } : {}),
        ...object.details,
      }
    case 'group':
      return {
        ...start,
        createdDateTime,
        description: object.description ?? null,
        displayName,
        groupTypes: [],
        mail: null,
        mailEnabled: false,
        mailNickname: object.mailNickname,
        securityEnabled: true,
        visibility: null,
        ...object.details,
      }
    case 'application':
      return { ...start, ...emptyApplication, createdDateTime, ...showApplication(object), ...object.details }
    case 'servicePrincipal':
      return {
        ...start,
        accountEnabled: object.accountEnabled,
        alternativeNames: object.alternativeNames,
        appDisplayName: application?.displayName ?? displayName,
        appId: object.appId,
        appOwnerOrganizationId: object.appOwnerTenantId,
        appRoleAssignmentRequired: false,
        appRoles: application?.details?.['appRoles'] ?? [],
        createdDateTime,
        displayName,
        homepage: null,
        keyCredentials: (object.keyCredentials ?? []).map(showKey),
        passwordCredentials: (object.passwordCredentials ?? []).map(showSecret),
        replyUrls: application?.redirectUris ?? [],
        servicePrincipalNames: [object.appId, ...(application?.identifierUris ?? [])],
        servicePrincipalType: object.servicePrincipalType,
        signInAudience: application?.signInAudience ?? null,
        tags: [],
        ...object.details,
      }
  }
}

const emptyUser = {
  businessPhones: [],
  givenName: null,
  jobTitle: null,
  mobilePhone: null,
  officeLocation: null,
  preferredLanguage: null,
  surname: null,
}

const emptyApplication = {
  addIns: [],
  api: { knownClientApplications: [], oauth2PermissionScopes: [], preAuthorizedApplications: [] },
  appRoles: [],
  groupMembershipClaims: null,
  info: {},
  notes: null,
  optionalClaims: null,
  publicClient: { redirectUris: [] },
  requiredResourceAccess: [],
  spa: { redirectUris: [] },
  tags: [],
  web: {
    homePageUrl: null,
    implicitGrantSettings: { enableAccessTokenIssuance: false, enableIdTokenIssuance: false },
    logoutUrl: null,
    redirectUris: [],
  },
}

function showApplication(application: Application): JsonObject {
  return {
    appId: application.appId,
    displayName: application.displayName,
    identifierUris: application.identifierUris,
    isFallbackPublicClient: application.isFallbackPublicClient,
    keyCredentials: application.keyCredentials.map(showKey),
    passwordCredentials: application.passwordCredentials.map(showSecret),
    publisherDomain: null,
    signInAudience: application.signInAudience,
  }
}

export function showSecret(credential: PasswordCredential): JsonObject {
  return {
    customKeyIdentifier: null,
    displayName: credential.displayName ?? null,
    endDateTime: credential.endDateTime.replace(/\.\d+Z$/, 'Z'),
    hint: credential.hint,
    keyId: credential.keyId,
    secretText: null,
    startDateTime: credential.startDateTime.replace(/\.\d+Z$/, 'Z'),
  }
}

/** The certificate itself is not shown, as in Graph; its thumbprint is. */
function showKey(credential: KeyCredential): JsonObject {
  return {
    customKeyIdentifier: Buffer.from(credential.thumbprint, 'base64url').toString('hex').toUpperCase(),
    displayName: credential.displayName ?? null,
    endDateTime: credential.endDateTime.replace(/\.\d+Z$/, 'Z'),
    key: null,
    keyId: credential.keyId,
    startDateTime: credential.startDateTime.replace(/\.\d+Z$/, 'Z'),
    type: 'AsymmetricX509Cert',
    usage: 'Verify',
  }
}

/** As a member of a list of several kinds. */
export function showTyped(object: DirectoryObject, application?: Application): JsonObject {
  return { '@odata.type': odataTypes[object.kind], ...showObject(object, application) }
}

export function showTenant({ tenantId, displayName, defaultDomain }: Tenant): JsonObject {
  const verifiedDomains: Json = [
    { name: defaultDomain, isDefault: true, isInitial: true, capabilities: 'Email', type: 'Managed' },
  ]
  return { id: tenantId, displayName, tenantType: 'AAD', verifiedDomains }
}
