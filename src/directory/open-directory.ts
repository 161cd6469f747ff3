import type { Application, Directory, ServicePrincipal, Tenant, User } from './directory.ts'
import {
  findObjectRow,
  findTenantRow,
  findUniqueRow,
  listGuestRows,
  listLinksOf,
  listPrincipalRows,
  listSecretHashes,
  listTenantRows,
} from './directory.rows.ts'
import { isKind } from './room.ts'
import type { DirectoryRoom } from './room.ts'
import { isOneOf, isPasswordOf } from './secrets.ts'

/** Groups in groups: deeper nests than this are somebody's mistake, and end here. */
const deepestNest = 20

/** The directory as the database holds it. */
export function openDirectory(room: DirectoryRoom): Directory {
  const { db, clock, operator } = room

  const findServicePrincipal = async (tenantId: string, appId: string): Promise<ServicePrincipal | undefined> => {
    const found = await findUniqueRow(db, {
      kind: 'servicePrincipal',
      tenantId: tenantId.toLowerCase(),
      name: appId,
    })
    return isKind(found, 'servicePrincipal') ? found : undefined
  }

  return {
    findTenant: (idOrDomain) => findTenantRow(db, idOrDomain),
    listTenants: () => listTenantRows(db),
    listTenantsOf: (account) => listTenantsOf(room, account),
    async findApplication(appId) {
      const found = await findUniqueRow(db, { kind: 'application', name: appId })
      return isKind(found, 'application') ? found : undefined
    },
    findServicePrincipal,
    findObject: (tenantId, objectId) => findObjectRow(db, tenantId.toLowerCase(), objectId.toLowerCase()),
    async findUserByName(userPrincipalName) {
      const found = await findUniqueRow(db, { kind: 'user', name: userPrincipalName })
      return isKind(found, 'user') && found.home === undefined ? found : undefined
    },
    async findGuest(tenantId, home) {
      const guests = await listGuestRows(db, home)
      return guests.find((guest): guest is User => isKind(guest, 'user') && guest.tenantId === tenantId.toLowerCase())
    },
    listGroupIdsOf: (tenantId, objectId) => listGroupIdsOf(room, tenantId.toLowerCase(), objectId.toLowerCase()),
    async isPassword(user, password) {
      const hashes = user ? await listSecretHashes(db, user.tenantId, user.objectId, clock.now()) : []
      return isPasswordOf(hashes[0], password)
    },
    async isClientSecret(application, secret, tenantId) {
      if (!application) return false
      if (application.appId === operator.appId && operator.isSecret(secret)) return true
      const holders: (Application | ServicePrincipal | undefined)[] = [application]
      if (tenantId !== undefined) holders.push(await findServicePrincipal(tenantId, application.appId))
      const hashes = await Promise.all(
        holders.map(async (holder) =>
          holder ? listSecretHashes(db, holder.tenantId, holder.objectId, clock.now()) : [],
        ),
      )
      return isOneOf(hashes.flat(), secret)
    },
  }
}

/** Breadth first, each group once: groups may contain each other in a circle. */
async function listGroupIdsOf({ db }: DirectoryRoom, tenantId: string, objectId: string): Promise<readonly string[]> {
  const found = new Set<string>()
  let edge: readonly string[] = [objectId]
  for (let depth = 0; edge.length > 0 && depth < deepestNest; depth++) {
    const next = await listLinksOf(db, tenantId, 'member', edge)
    edge = next.filter((id) => !found.has(id))
    for (const id of edge) found.add(id)
  }
  return [...found]
}

/** Its own tenant first. A guest asks as who it is at home; asked as the guest, its home counts. */
async function listTenantsOf(
  room: DirectoryRoom,
  account: { readonly tenantId: string; readonly objectId: string },
): Promise<readonly Tenant[]> {
  const { db } = room
  const own = await findObjectRow(db, account.tenantId.toLowerCase(), account.objectId.toLowerCase())
  if (!own) return []
  const ids = new Set<string>()
  if (own.kind === 'user') {
    const home = own.home ?? own
    ids.add(home.tenantId)
    for (const guest of await listGuestRows(db, home)) ids.add(guest.tenantId)
  } else if (own.kind === 'servicePrincipal') {
    ids.add(own.tenantId)
    // Only the application's own principal stands for it elsewhere: others' principals know their tenant alone.
    if (own.appOwnerTenantId === own.tenantId)
      for (const principal of await listPrincipalRows(db, own.appId)) ids.add(principal.tenantId)
  } else ids.add(own.tenantId)
  const tenants = await Promise.all([...ids].map((id) => findTenantRow(db, id)))
  return tenants.filter((tenant) => tenant !== undefined)
}
