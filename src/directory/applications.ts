import type { JsonObject } from '../base/json.ts'
import { randomUuid } from '../base/random.ts'
import type { DbOrTx, Tx } from '../db/tables.ts'
import type { Application, KeyCredential, ServicePrincipal } from './directory.ts'
import { findUniqueRow, insertLinkRow, listObjectRows } from './directory.rows.ts'
import { directoryProblems } from './problems.ts'
import { changeObject, checkDisplayName, insertObject, isKind } from './room.ts'
import type { Changes, DirectoryRoom } from './room.ts'

export interface ApplicationDraft {
  readonly displayName: string
  readonly signInAudience?: Application['signInAudience'] | undefined
  readonly isFallbackPublicClient?: boolean | undefined
  readonly redirectUris?: readonly string[] | undefined
  readonly identifierUris?: readonly string[] | undefined
  readonly keyCredentials?: readonly KeyCredential[] | undefined
  readonly details?: JsonObject | undefined
  /** Who may change it from then on. */
  readonly ownerId?: string | undefined
}

/** Identifier URIs name an application in `--assignee` and in scopes: one holder in a tenant. */
async function checkIdentifierUris(db: DbOrTx, application: Application): Promise<void> {
  if (application.identifierUris.length === 0) return
  for (const uri of application.identifierUris)
    if (!/^[a-z][a-z0-9+.-]*:\S+$/i.test(uri) || uri.length > 256)
      throw directoryProblems.Request_BadRequest({
        message: `Invalid value specified for property 'identifierUris': '${uri}' is not a URI, e.g. api://${application.appId}.`,
      })
  const wanted = new Set(application.identifierUris.map((uri) => uri.toLowerCase()))
  const others = await listObjectRows(db, application.tenantId, { kind: 'application', limit: 100_000 })
  for (const other of others)
    if (isKind(other, 'application') && other.objectId !== application.objectId)
      for (const uri of other.identifierUris)
        if (wanted.has(uri.toLowerCase()))
          throw directoryProblems.PropertyTaken({ property: 'identifierUris', value: uri })
}

/** An app registration, without a principal yet: `createServicePrincipal` gives it one. */
export async function createApplication(
  room: DirectoryRoom,
  tenantId: string,
  draft: ApplicationDraft,
): Promise<Application> {
  const nowMs = room.clock.now()
  const application: Application = {
    kind: 'application',
    tenantId,
    objectId: randomUuid(),
    appId: randomUuid(),
    displayName: checkDisplayName('application', draft.displayName),
    signInAudience: draft.signInAudience ?? 'AzureADMyOrg',
    isFallbackPublicClient: draft.isFallbackPublicClient ?? false,
    redirectUris: draft.redirectUris ?? [],
    identifierUris: draft.identifierUris ?? [],
    passwordCredentials: [],
    keyCredentials: draft.keyCredentials ?? [],
    createdDateTime: new Date(nowMs).toISOString(),
    details: draft.details,
  }
  return room.db.transaction().execute(async (tx) => {
    await checkIdentifierUris(tx, application)
    const { objectId: ofId } = application
    if (draft.ownerId !== undefined) await insertLinkRow(tx, { tenantId, kind: 'owner', ofId, objectId: draft.ownerId })
    return insertObject(tx, application, nowMs, () => new Error('an application has random ids only'))
  })
}

/** Whatever is undefined stays as it is; `keyCredentials` replace all of them. */
export function updateApplication(
  room: DirectoryRoom,
  tenantId: string,
  objectId: string,
  change: Changes<Omit<ApplicationDraft, 'ownerId'>>,
): Promise<Application> {
  const given = Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined))
  if (change.displayName !== undefined) checkDisplayName('application', change.displayName)
  return changeObject(room, tenantId, objectId, 'application', async (application, tx) => {
    if (application.appId === room.operator.appId && change.signInAudience === 'AzureADMyOrg')
      throw directoryProblems.OperatorIsProtected({ what: `The application '${application.displayName}'` })
    const after: Application = { ...application, ...given, details: { ...application.details, ...change.details } }
    await checkIdentifierUris(tx, after)
    return after
  })
}

/**
 * What an application is in a tenant: its own, or another's if it is made for several. Throws
 * NoBackingApplicationObject for an application that is not there or not for others (told alike: nobody learns which
 * client ids exist elsewhere), Request_MultipleObjectsWithSameKeyValue where it has one already.
 */
export async function createServicePrincipal(
  room: DirectoryRoom,
  tenantId: string,
  appId: string,
  options: { readonly accountEnabled?: boolean | undefined; readonly ownerId?: string | undefined } = {},
): Promise<ServicePrincipal> {
  const nowMs = room.clock.now()
  return room.db.transaction().execute(async (tx) => {
    const application = await findUniqueRow(tx, { kind: 'application', name: appId })
    const isUsable =
      isKind(application, 'application') &&
      (application.tenantId === tenantId || application.signInAudience === 'AzureADMultipleOrgs')
    if (!isUsable) throw directoryProblems.NoBackingApplicationObject({ appId })
    const principal: ServicePrincipal = {
      kind: 'servicePrincipal',
      tenantId,
      objectId: randomUuid(),
      appId: application.appId,
      appOwnerTenantId: application.tenantId,
      displayName: application.displayName,
      servicePrincipalType: 'Application',
      accountEnabled: options.accountEnabled ?? true,
      alternativeNames: [],
      createdDateTime: new Date(nowMs).toISOString(),
    }
    await insertObject(tx, principal, nowMs, () => directoryProblems.Request_MultipleObjectsWithSameKeyValue({ appId }))
    if (options.ownerId !== undefined)
      await insertLinkRow(tx, { tenantId, kind: 'owner', ofId: principal.objectId, objectId: options.ownerId })
    return principal
  })
}

/** What the principal of a managed identity is made of; `resourceId`: the VM or the user-assigned identity it belongs to. */
export interface ManagedIdentityDraft {
  readonly objectId: string
  readonly appId: string
  readonly displayName: string
  readonly resourceId: string
  readonly isExplicit: boolean
}

/**
 * The principal of a managed identity, in the transaction that writes its resource: it has no registration. Remove it
 * with `deletePrincipal`.
 */
export async function insertManagedIdentity(
  room: Pick<DirectoryRoom, 'clock'>,
  tx: Tx,
  tenantId: string,
  { objectId, appId, displayName, resourceId, isExplicit }: ManagedIdentityDraft,
): Promise<ServicePrincipal> {
  const nowMs = room.clock.now()
  const principal: ServicePrincipal = {
    kind: 'servicePrincipal',
    tenantId,
    objectId,
    appId,
    appOwnerTenantId: tenantId,
    displayName: checkDisplayName('servicePrincipal', displayName),
    servicePrincipalType: 'ManagedIdentity',
    accountEnabled: true,
    // As Entra ID writes them: whether the identity was made explicitly, then the resource.
    alternativeNames: [`isExplicit=${isExplicit ? 'True' : 'False'}`, resourceId],
    createdDateTime: new Date(nowMs).toISOString(),
  }
  return insertObject(tx, principal, nowMs, () => new Error('a managed identity has random ids only'))
}

export function updateServicePrincipal(
  room: DirectoryRoom,
  tenantId: string,
  objectId: string,
  change: {
    readonly displayName?: string | undefined
    readonly accountEnabled?: boolean | undefined
    readonly keyCredentials?: readonly KeyCredential[] | undefined
    readonly details?: JsonObject | undefined
  },
): Promise<ServicePrincipal> {
  const given = Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined))
  if (change.displayName !== undefined) checkDisplayName('servicePrincipal', change.displayName)
  return changeObject(room, tenantId, objectId, 'servicePrincipal', (principal) => {
    if (principal.objectId === room.operator.objectId && change.accountEnabled === false)
      throw directoryProblems.OperatorIsProtected({ what: `The service principal '${principal.displayName}'` })
    return { ...principal, ...given, details: { ...principal.details, ...change.details } }
  })
}
