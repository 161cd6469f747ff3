import type { Application, Directory, ServicePrincipal } from '../directory/directory.ts'
import { SignInError } from './sign-in-error.ts'

/** A tenant as the first segment of a sign-in address names it. */
export interface Authority {
  /** As in the address. */
  readonly segment: string
  /** Undefined for `common`, `organizations` and `adfs`: whoever signs in does so in the own tenant. */
  readonly tenantId: string | undefined
}

/** Names that Azure accepts in the place of a tenant; `adfs` is what az 2.45 needs (CLIENTS.md). */
const sharedSegments = new Set(['adfs', 'common', 'organizations'])

/** A tenant by id, by domain or by a shared name; throws AADSTS90002. */
export async function getAuthority(directory: Directory, segment: string): Promise<Authority> {
  if (sharedSegments.has(segment.toLowerCase())) return { segment, tenantId: undefined }
  const tenant = await directory.findTenant(segment)
  if (tenant !== undefined) return { segment, tenantId: tenant.tenantId }
  throw new SignInError(
    400,
    'invalid_tenant',
    90002,
    `Tenant '${segment}' not found. The tenants of this server have ids and domains; 'goldleaf env' shows the first one's.`,
  )
}

/** A program that asks for tokens: an app registration, or one that Azure's clients bring along. */
export interface Client {
  readonly appId: string
  readonly displayName: string
  /** Undefined: one of Microsoft's own, known in every tenant without registration. */
  readonly application: Application | undefined
  /** May ask for users' tokens without proving itself. */
  readonly isPublic: boolean
  readonly redirectUris: readonly string[]
}

/** Loopback addresses match with any port (RFC 8252 section 7.3). */
const loopbackUris = ['localhost', '127.0.0.1', '[::1]'].flatMap((host) => [`http://${host}`, `http://${host}/`])
const firstParty: Readonly<Record<string, string>> = {
  '04b07795-8ddb-461a-bbee-02f9e1bf7b46': 'Microsoft Azure CLI',
  '1950a258-227b-4e31-a9cf-717495945fc2': 'Microsoft Azure PowerShell',
}

/** A client by id, in any tenant. */
export async function findClient(directory: Directory, clientId: string): Promise<Client | undefined> {
  const appId = clientId.toLowerCase()
  const displayName = Object.hasOwn(firstParty, appId) ? firstParty[appId] : undefined
  if (displayName !== undefined)
    return { appId, displayName, application: undefined, isPublic: true, redirectUris: loopbackUris }
  const application = await directory.findApplication(appId)
  if (application === undefined) return undefined
  return {
    appId: application.appId,
    displayName: application.displayName,
    application,
    isPublic: application.isFallbackPublicClient,
    redirectUris: application.redirectUris,
  }
}

function unknownClient(clientId: string, authority: Authority): SignInError {
  return new SignInError(
    400,
    'unauthorized_client',
    700016,
    `Application with identifier '${clientId}' was not found in the directory '${authority.tenantId ?? authority.segment}'. Check the client id, and that the application has a service principal there.`,
  )
}

/** The client, if it may be used in this tenant: it is registered there, or has a principal there. */
export async function getClient(directory: Directory, clientId: string, authority: Authority): Promise<Client> {
  const client = await findClient(directory, clientId)
  if (client === undefined) throw unknownClient(clientId, authority)
  if (client.application !== undefined) await getPrincipal(directory, client.application, authority)
  return client
}

/** What an application is in the tenant that it is used in; its own where the address names none. */
export async function getPrincipal(
  directory: Directory,
  application: Application,
  authority: Authority,
): Promise<ServicePrincipal> {
  const tenantId = authority.tenantId ?? application.tenantId
  const principal = await directory.findServicePrincipal(tenantId, application.appId)
  if (principal === undefined) throw unknownClient(application.appId, authority)
  if (!principal.accountEnabled)
    throw new SignInError(
      400,
      'unauthorized_client',
      7000112,
      `Application '${application.appId}' (${application.displayName}) is disabled in this tenant.`,
    )
  return principal
}
