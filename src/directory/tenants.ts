import { randomUuid } from '../base/random.ts'
import { isUuid } from '../base/uuid.ts'
import type { Tx } from '../db/tables.ts'
import { deleteSubscription, hasResources, listSubscriptions } from '../resources/subscription.rows.ts'
import type { Application, ServicePrincipal, Tenant } from './directory.ts'
import {
  deleteTenantRows,
  findObjectRow,
  findTenantRow,
  insertLinkRow,
  insertObjectRow,
  insertTenantRow,
  listObjectRows,
  renameTenantRow,
} from './directory.rows.ts'
import { deleteWithDependents } from './remove.ts'
import { directoryProblems } from './problems.ts'
import { directoryRoles } from './roles.ts'
import type { DirectoryRoom } from './room.ts'

export interface TenantDraft {
  /** Default: drawn. */
  readonly tenantId?: string | undefined
  readonly displayName: string
  /** Default: made from the display name, below `goldleaf.local`. */
  readonly defaultDomain?: string | undefined
  /** Whether the installation's client becomes its administrator. Default: yes, or nobody could manage it. */
  readonly withOperator?: boolean | undefined
}

/** Tenants' domains name them in sign-in addresses: nothing resolves them, so a domain that nobody owns will do. */
const rootDomain = 'goldleaf.local'
const domainPattern = /^(?=.{3,253}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)+$/

function domainFor(displayName: string): string {
  const label = displayName
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 40)
    .replace(/-$/, '')
  return `${label === '' ? 'tenant' : label}.${rootDomain}`
}

function parseDraft(draft: TenantDraft): Tenant {
  const { displayName } = draft
  const tenantId = (draft.tenantId ?? randomUuid()).toLowerCase()
  const defaultDomain = (draft.defaultDomain ?? domainFor(displayName)).toLowerCase()
  const refuse = (message: string): never => {
    throw directoryProblems.Request_BadRequest({ message })
  }
  if (displayName.trim() === '' || displayName.length > 256)
    refuse("Invalid value specified for property 'displayName' of the tenant. Give a text of 1 to 256 characters.")
  if (!isUuid(tenantId)) refuse(`The tenant id '${tenantId}' is not a GUID.`)
  if (!domainPattern.test(defaultDomain))
    refuse(`The domain '${defaultDomain}' is not a domain name of two or more labels, e.g. contoso.${rootDomain}.`)
  return { tenantId, displayName, defaultDomain }
}

/** Throws Request_BadRequest and TenantExists. */
export async function createTenant(room: DirectoryRoom, draft: TenantDraft): Promise<Tenant> {
  const tenant = parseDraft(draft)
  const nowMs = room.clock.now()
  await room.db.transaction().execute(async (tx) => {
    if (!(await insertTenantRow(tx, tenant, nowMs)))
      throw directoryProblems.TenantExists({ tenant: tenant.defaultDomain })
    if (draft.withOperator ?? true) await admitOperator(room, tx, tenant.tenantId, randomUuid())
  })
  return tenant
}

export async function getTenant(room: DirectoryRoom, idOrDomain: string): Promise<Tenant> {
  const tenant = await findTenantRow(room.db, idOrDomain)
  if (!tenant) throw directoryProblems.TenantNotFound({ tenant: idOrDomain })
  return tenant
}

export async function renameTenant(room: DirectoryRoom, idOrDomain: string, displayName: string): Promise<Tenant> {
  const tenant = await getTenant(room, idOrDomain)
  parseDraft({ ...tenant, displayName })
  await renameTenantRow(room.db, tenant.tenantId, displayName)
  return { ...tenant, displayName }
}

/** With everybody in it. Throws TenantInUse while subscriptions trust it, OperatorIsProtected for the installation's. */
export async function deleteTenant(room: DirectoryRoom, idOrDomain: string): Promise<void> {
  const { tenantId } = await getTenant(room, idOrDomain)
  if (tenantId === room.operator.tenantId)
    throw directoryProblems.OperatorIsProtected({ what: `The tenant '${idOrDomain}'` })
  await room.db.transaction().execute(async (tx) => {
    await deleteCancelled(tx, tenantId, idOrDomain)
    // Whoever is somebody elsewhere goes there too: guests of its users, principals of its applications.
    for (const kind of ['user', 'application', 'servicePrincipal', 'group'] as const)
      for (const object of await listObjectRows(tx, tenantId, { kind, limit: 1_000_000 }))
        await deleteWithDependents(room, tx, object)
    await deleteTenantRows(tx, tenantId)
  })
}

/** Cancelled subscriptions that hold nothing go with their tenant; throws TenantInUse for others. */
async function deleteCancelled(tx: Tx, tenantId: string, tenant: string): Promise<void> {
  const all = (await listSubscriptions(tx)).filter((subscription) => subscription.tenantId === tenantId)
  let used = 0
  for (const { subscriptionId, state } of all)
    if (state === 'Enabled' || (await hasResources(tx, subscriptionId))) used++
    else await deleteSubscription(tx, subscriptionId)
  if (used > 0) throw directoryProblems.TenantInUse({ tenant, count: used })
}

/**
 * The installation's tenant, its client as an application there, and the client's principal as Global Administrator.
 * Call at every start: what is there is left as it is.
 */
export async function ensureInstallation(room: DirectoryRoom): Promise<void> {
  const { db, clock, operator } = room
  const createdMs = clock.now()
  await db.transaction().execute(async (tx) => {
    const tenant = { tenantId: operator.tenantId, displayName: 'Goldleaf', defaultDomain: rootDomain }
    await insertTenantRow(tx, tenant, createdMs)
    if (await findObjectRow(tx, operator.tenantId, operator.objectId)) return
    const application: Application = {
      kind: 'application',
      tenantId: operator.tenantId,
      objectId: randomUuid(),
      appId: operator.appId,
      displayName: operatorName,
      // Its principals administer the tenants that the operator makes.
      signInAudience: 'AzureADMultipleOrgs',
      isFallbackPublicClient: false,
      redirectUris: [],
      identifierUris: [],
      passwordCredentials: [],
      keyCredentials: [],
      createdDateTime: new Date(createdMs).toISOString(),
    }
    await insertObjectRow(tx, application, createdMs)
    await admitOperator(room, tx, operator.tenantId, operator.objectId)
  })
}

const operatorName = 'Goldleaf operator'

async function admitOperator(room: DirectoryRoom, tx: Tx, tenantId: string, objectId: string): Promise<void> {
  const createdMs = room.clock.now()
  const principal: ServicePrincipal = {
    kind: 'servicePrincipal',
    tenantId,
    objectId,
    appId: room.operator.appId,
    appOwnerTenantId: room.operator.tenantId,
    displayName: operatorName,
    servicePrincipalType: 'Application',
    accountEnabled: true,
    alternativeNames: [],
    createdDateTime: new Date(createdMs).toISOString(),
  }
  await insertObjectRow(tx, principal, createdMs)
  await insertLinkRow(tx, { tenantId, kind: 'role', ofId: directoryRoles.globalAdministrator.id, objectId })
  await room.onOperatorAdmitted(tx, tenantId, objectId)
}
