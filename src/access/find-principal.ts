import { isUuid } from '../base/uuid.ts'
import type { Directory, DirectoryObject } from '../directory/directory.ts'
import { listObjectRows } from '../directory/directory.rows.ts'
import type { Db } from '../db/tables.ts'
import { accessProblems } from './problems.ts'

export type Principal = Exclude<DirectoryObject, { readonly kind: 'application' }>

export type FindsPrincipals = Pick<Directory, 'findObject' | 'findUserByName' | 'findServicePrincipal'>

const pageSize = 500

/**
 * Whom a person means: an object id, a client id, a user principal name, or a display name that only one has. Throws
 * PrincipalNotFound and, for a name of several, InvalidPrincipalId.
 */
export async function findPrincipal(
  { db, directory }: { readonly db: Db; readonly directory: FindsPrincipals },
  tenantId: string,
  who: string,
): Promise<Principal> {
  if (isUuid(who)) {
    const found = await directory.findObject(tenantId, who)
    if (found && found.kind !== 'application') return found
    const appId = found?.appId ?? who
    const principal = await directory.findServicePrincipal(tenantId, appId)
    if (principal) return principal
    throw accessProblems.PrincipalUnknown({ who })
  }
  const user = await directory.findUserByName(who)
  if (user?.tenantId === tenantId) return user
  const name = who.toLowerCase()
  const others = (['group', 'servicePrincipal'] as const).map((kind) =>
    listObjectRows(db, tenantId, { kind, name, limit: 5 }),
  )
  const named = [...(await Promise.all(others)).flat(), ...(await listUsersCalled(db, tenantId, name))]
  const [found, ...more] = named.filter((one): one is Principal => one.kind !== 'application')
  if (!found) throw accessProblems.PrincipalUnknown({ who })
  if (more.length > 0)
    throw accessProblems.PrincipalAmbiguous({ who, ids: [found, ...more].map((one) => one.objectId) })
  return found
}

/** Users are indexed by principal name only: a person asks this now and then, so they are read through. */
async function listUsersCalled(db: Db, tenantId: string, name: string): Promise<readonly DirectoryObject[]> {
  const found: DirectoryObject[] = []
  for (let after: string | undefined; ;) {
    const page = await listObjectRows(db, tenantId, { kind: 'user', after, limit: pageSize })
    found.push(...page.filter(({ displayName }) => displayName.toLowerCase() === name))
    after = page.at(-1)?.objectId
    if (page.length < pageSize) return found
  }
}

export function nameOfPrincipal(principal: Principal): string {
  return principal.kind === 'user' ? principal.userPrincipalName : principal.displayName
}
