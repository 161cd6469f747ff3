import type { JsonObject } from '../base/json.ts'

/**
 * What the directory knows, in Microsoft Graph's words: tenants and their users, groups, applications and service
 * principals. Ids are lower-case GUIDs, times ISO 8601 in UTC. Secrets are here only as hashes.
 */

/** What all objects have beside their own members. */
interface Described {
  /** ISO 8601. */
  readonly createdDateTime?: string | undefined
  /** Members of Graph that mean nothing here (job titles, app roles …): given back as they came. */
  readonly details?: JsonObject | undefined
}

export interface Tenant {
  readonly tenantId: string
  readonly displayName: string
  /** `contoso.goldleaf.local`: names the tenant in sign-in addresses, ends its users' names. */
  readonly defaultDomain: string
}

export interface User extends Described {
  readonly kind: 'user'
  readonly tenantId: string
  readonly objectId: string
  /** `alice@contoso.goldleaf.local`; unique in the tenant without regard to case. */
  readonly userPrincipalName: string
  readonly displayName: string
  readonly mail?: string | undefined
  readonly mailNickname?: string | undefined
  readonly accountEnabled: boolean
  readonly userType: 'Member' | 'Guest'
  /** Of a guest: who it is in its own tenant. It signs in there, with that password. */
  readonly home?: { readonly tenantId: string; readonly objectId: string } | undefined
}

export interface Group extends Described {
  readonly kind: 'group'
  readonly tenantId: string
  readonly objectId: string
  readonly displayName: string
  readonly mailNickname: string
  readonly description?: string | undefined
}

export interface PasswordCredential {
  readonly keyId: string
  readonly displayName?: string | undefined
  /** The first characters, so that people tell secrets apart. */
  readonly hint: string
  readonly startDateTime: string
  readonly endDateTime: string
}

export interface KeyCredential {
  readonly keyId: string
  readonly displayName?: string | undefined
  /** DER, base64. */
  readonly certificate: string
  /** SHA-1 and SHA-256 of the DER, base64url: `x5t` and `x5t#S256` of a client assertion. */
  readonly thumbprint: string
  readonly thumbprintSha256: string
  readonly startDateTime: string
  readonly endDateTime: string
}

/** An app registration; it lives in its home tenant. */
export interface Application extends Described {
  readonly kind: 'application'
  readonly tenantId: string
  readonly objectId: string
  /** The client id. */
  readonly appId: string
  readonly displayName: string
  readonly signInAudience: 'AzureADMyOrg' | 'AzureADMultipleOrgs'
  /** May sign users in without a secret (device code, PKCE, user name and password). */
  readonly isFallbackPublicClient: boolean
  readonly redirectUris: readonly string[]
  readonly identifierUris: readonly string[]
  readonly passwordCredentials: readonly PasswordCredential[]
  readonly keyCredentials: readonly KeyCredential[]
}

/** What an application is inside one tenant: this is what roles are assigned to. */
export interface ServicePrincipal extends Described {
  readonly kind: 'servicePrincipal'
  readonly tenantId: string
  readonly objectId: string
  readonly appId: string
  /** Tenant in which the application is registered. */
  readonly appOwnerTenantId: string
  readonly displayName: string
  readonly servicePrincipalType: 'Application' | 'ManagedIdentity'
  readonly accountEnabled: boolean
  /** Of a managed identity: the id of the resource that it belongs to. */
  readonly alternativeNames: readonly string[]
  /** Credentials of this principal alone; those of its application are good for it too. */
  readonly passwordCredentials?: readonly PasswordCredential[] | undefined
  readonly keyCredentials?: readonly KeyCredential[] | undefined
}

export type DirectoryObject = User | Group | Application | ServicePrincipal

/** What signing in and deciding need to ask. Names and ids are compared without regard to case. */
export interface Directory {
  /** By id or by domain. */
  findTenant(idOrDomain: string): Promise<Tenant | undefined>
  listTenants(): Promise<readonly Tenant[]>
  /** The tenants in which a person or program has an account: its own, and those where it is a guest or a principal. */
  listTenantsOf(account: { readonly tenantId: string; readonly objectId: string }): Promise<readonly Tenant[]>
  /** An application by client id, whichever tenant it is registered in. */
  findApplication(appId: string): Promise<Application | undefined>
  findServicePrincipal(tenantId: string, appId: string): Promise<ServicePrincipal | undefined>
  findObject(tenantId: string, objectId: string): Promise<DirectoryObject | undefined>
  /** A user by name, in any tenant: names end in their tenant's domain, so they are unique. Guests are found by `findGuest`. */
  findUserByName(userPrincipalName: string): Promise<User | undefined>
  findGuest(tenantId: string, home: { readonly tenantId: string; readonly objectId: string }): Promise<User | undefined>
  /** Object ids of the groups that an object is in, directly or through other groups. */
  listGroupIdsOf(tenantId: string, objectId: string): Promise<readonly string[]>
  /** In constant time, against slow hashes; false for an unknown user after the same time. */
  isPassword(user: User | undefined, password: string): Promise<boolean>
  /**
   * Whether it is one of the application's secrets that are valid now, or, where a tenant is named, of its principal
   * there (`az ad sp credential reset` gives secrets to principals).
   */
  isClientSecret(application: Application | undefined, secret: string, tenantId?: string): Promise<boolean>
}
