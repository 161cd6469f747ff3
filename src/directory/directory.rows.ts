import type { DbOrTx, DirectoryObjectTable, TenantTable } from '../db/tables.ts'
import type { DirectoryObject, Tenant } from './directory.ts'

/** How one object stands to another, or to a directory role. */
export type LinkKind = 'member' | 'owner' | 'role'

/** Ids of one statement at most: databases bound the number of its parameters. */
const manyIds = 500

function parseTenant(row: TenantTable): Tenant {
  return { tenantId: row.tenant_id, displayName: row.display_name, defaultDomain: row.default_domain }
}

export async function findTenantRow(db: DbOrTx, idOrDomain: string): Promise<Tenant | undefined> {
  const key = idOrDomain.toLowerCase()
  const row = await db
    .selectFrom('tenant')
    .selectAll()
    .where((where) => where.or([where('tenant_id', '=', key), where('default_domain', '=', key)]))
    .executeTakeFirst()
  return row && parseTenant(row)
}

export async function listTenantRows(db: DbOrTx): Promise<Tenant[]> {
  return (await db.selectFrom('tenant').selectAll().orderBy('created_ms').orderBy('tenant_id').execute()).map(
    parseTenant,
  )
}

/** Answers false where the id or the domain is taken. */
export async function insertTenantRow(db: DbOrTx, tenant: Tenant, nowMs: number): Promise<boolean> {
  const done = await db
    .insertInto('tenant')
    .values({
      tenant_id: tenant.tenantId,
      display_name: tenant.displayName,
      default_domain: tenant.defaultDomain,
      created_ms: nowMs,
    })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst()
  return (done.numInsertedOrUpdatedRows ?? 0n) > 0n
}

export async function renameTenantRow(db: DbOrTx, tenantId: string, displayName: string): Promise<void> {
  await db.updateTable('tenant').set({ display_name: displayName }).where('tenant_id', '=', tenantId).execute()
}

/** The tenant with everything in it. */
export async function deleteTenantRows(db: DbOrTx, tenantId: string): Promise<void> {
  await db.deleteFrom('directory_secret').where('tenant_id', '=', tenantId).execute()
  await db.deleteFrom('directory_link').where('tenant_id', '=', tenantId).execute()
  await db.deleteFrom('directory_object').where('tenant_id', '=', tenantId).execute()
  await db.deleteFrom('tenant').where('tenant_id', '=', tenantId).execute()
}

function parseObject(row: DirectoryObjectTable): DirectoryObject {
  const body = JSON.parse(row.body) as object
  return { kind: row.kind, tenantId: row.tenant_id, objectId: row.object_id, ...body } as DirectoryObject
}

function uniqueKeyOf(object: DirectoryObject): string {
  switch (object.kind) {
    case 'user':
      return `user:${object.userPrincipalName.toLowerCase()}`
    case 'group':
      return `group:${object.objectId}`
    case 'application':
      return `application:${object.appId}`
    case 'servicePrincipal':
      return `servicePrincipal:${object.tenantId}:${object.appId}`
  }
}

function formatObject(object: DirectoryObject) {
  const { kind, tenantId, objectId, ...body } = object
  const home = object.kind === 'user' ? object.home : undefined
  return {
    tenant_id: tenantId,
    object_id: objectId,
    kind,
    name_key: (object.kind === 'user' ? object.userPrincipalName : object.displayName).toLowerCase(),
    app_id: 'appId' in object ? object.appId : null,
    unique_key: uniqueKeyOf(object),
    home_tenant_id: home?.tenantId ?? null,
    home_object_id: home?.objectId ?? null,
    body: JSON.stringify(body),
  }
}

/** Answers false where its name or client id is taken. */
export async function insertObjectRow(db: DbOrTx, object: DirectoryObject, nowMs: number): Promise<boolean> {
  const done = await db
    .insertInto('directory_object')
    .values({ ...formatObject(object), created_ms: nowMs })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst()
  return (done.numInsertedOrUpdatedRows ?? 0n) > 0n
}

/** The caller has made sure, in this transaction, that its unique key is free or its own. */
export async function updateObjectRow(db: DbOrTx, object: DirectoryObject): Promise<void> {
  await db
    .updateTable('directory_object')
    .set(formatObject(object))
    .where('tenant_id', '=', object.tenantId)
    .where('object_id', '=', object.objectId)
    .execute()
}

/** The object with its secrets, and with every link from it and to it. */
export async function deleteObjectRows(db: DbOrTx, tenantId: string, objectId: string): Promise<void> {
  await db.deleteFrom('directory_secret').where('tenant_id', '=', tenantId).where('object_id', '=', objectId).execute()
  await db
    .deleteFrom('directory_link')
    .where('tenant_id', '=', tenantId)
    .where((where) => where.or([where('object_id', '=', objectId), where('of_id', '=', objectId)]))
    .execute()
  await db.deleteFrom('directory_object').where('tenant_id', '=', tenantId).where('object_id', '=', objectId).execute()
}

export async function findObjectRow(
  db: DbOrTx,
  tenantId: string,
  objectId: string,
): Promise<DirectoryObject | undefined> {
  const row = await db
    .selectFrom('directory_object')
    .selectAll()
    .where('tenant_id', '=', tenantId)
    .where('object_id', '=', objectId)
    .executeTakeFirst()
  return row && parseObject(row)
}

/** Those of the ids that exist in the tenant, in no order. */
export async function findObjectRows(
  db: DbOrTx,
  tenantId: string,
  objectIds: readonly string[],
): Promise<DirectoryObject[]> {
  const found: DirectoryObject[] = []
  for (let at = 0; at < objectIds.length; at += manyIds) {
    const rows = await db
      .selectFrom('directory_object')
      .selectAll()
      .where('tenant_id', '=', tenantId)
      .where('object_id', 'in', objectIds.slice(at, at + manyIds))
      .execute()
    found.push(...rows.map(parseObject))
  }
  return found
}

/** By principal name, client id, or client id in a tenant: see `unique_key`. */
export async function findUniqueRow(
  db: DbOrTx,
  key: Pick<DirectoryObject, 'kind'> & { readonly name: string; readonly tenantId?: string },
): Promise<DirectoryObject | undefined> {
  const name = key.name.toLowerCase()
  const uniqueKey = key.tenantId === undefined ? `${key.kind}:${name}` : `${key.kind}:${key.tenantId}:${name}`
  const row = await db.selectFrom('directory_object').selectAll().where('unique_key', '=', uniqueKey).executeTakeFirst()
  return row && parseObject(row)
}

export interface ObjectQuery {
  readonly kind: DirectoryObject['kind']
  /** Lower case, see `name_key`. */
  readonly name?: string | undefined
  /** Objects with greater ids only. */
  readonly after?: string | undefined
  readonly limit: number
}

/** A page of a tenant's objects of a kind, by id. */
export async function listObjectRows(db: DbOrTx, tenantId: string, query: ObjectQuery): Promise<DirectoryObject[]> {
  let select = db
    .selectFrom('directory_object')
    .selectAll()
    .where('tenant_id', '=', tenantId)
    .where('kind', '=', query.kind)
  if (query.name !== undefined) select = select.where('name_key', '=', query.name)
  if (query.after !== undefined) select = select.where('object_id', '>', query.after)
  return (await select.orderBy('object_id').limit(query.limit).execute()).map(parseObject)
}

/** The service principals of an application, in every tenant. */
export async function listPrincipalRows(db: DbOrTx, appId: string): Promise<DirectoryObject[]> {
  const rows = await db
    .selectFrom('directory_object')
    .selectAll()
    .where('app_id', '=', appId.toLowerCase())
    .where('kind', '=', 'servicePrincipal')
    .orderBy('tenant_id')
    .execute()
  return rows.map(parseObject)
}

/** The guests that a user is, in every other tenant. */
export async function listGuestRows(
  db: DbOrTx,
  home: { readonly tenantId: string; readonly objectId: string },
): Promise<DirectoryObject[]> {
  const rows = await db
    .selectFrom('directory_object')
    .selectAll()
    .where('home_object_id', '=', home.objectId.toLowerCase())
    .where('home_tenant_id', '=', home.tenantId.toLowerCase())
    .orderBy('tenant_id')
    .execute()
  return rows.map(parseObject)
}

interface Link {
  readonly tenantId: string
  readonly kind: LinkKind
  /** The group, the owned object, or the role's template id. */
  readonly ofId: string
  readonly objectId: string
}

/** Answers false where it was there already. */
export async function insertLinkRow(db: DbOrTx, { tenantId, kind, ofId, objectId }: Link): Promise<boolean> {
  const done = await db
    .insertInto('directory_link')
    .values({ tenant_id: tenantId, kind, of_id: ofId, object_id: objectId })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst()
  return (done.numInsertedOrUpdatedRows ?? 0n) > 0n
}

/** Answers false where there was none. */
export async function deleteLinkRow(db: DbOrTx, { tenantId, kind, ofId, objectId }: Link): Promise<boolean> {
  const done = await db
    .deleteFrom('directory_link')
    .where('tenant_id', '=', tenantId)
    .where('kind', '=', kind)
    .where('of_id', '=', ofId)
    .where('object_id', '=', objectId)
    .executeTakeFirst()
  return done.numDeletedRows > 0n
}

/** Members or owners of an object, or holders of a role; ids in order. */
export async function listLinkedIds(db: DbOrTx, tenantId: string, kind: LinkKind, ofId: string): Promise<string[]> {
  const rows = await db
    .selectFrom('directory_link')
    .select('object_id')
    .where('tenant_id', '=', tenantId)
    .where('kind', '=', kind)
    .where('of_id', '=', ofId)
    .orderBy('object_id')
    .execute()
  return rows.map((row) => row.object_id)
}

/** What the objects are members or owners of, or which roles they hold. */
export async function listLinksOf(
  db: DbOrTx,
  tenantId: string,
  kind: LinkKind,
  objectIds: readonly string[],
): Promise<string[]> {
  const found: string[] = []
  for (let at = 0; at < objectIds.length; at += manyIds) {
    const rows = await db
      .selectFrom('directory_link')
      .select('of_id')
      .distinct()
      .where('tenant_id', '=', tenantId)
      .where('kind', '=', kind)
      .where('object_id', 'in', objectIds.slice(at, at + manyIds))
      .orderBy('of_id')
      .execute()
    found.push(...rows.map((row) => row.of_id))
  }
  return found
}

export interface SecretRow {
  readonly tenantId: string
  readonly objectId: string
  /** A credential's id, or `password` of a user. */
  readonly keyId: string
  readonly hash: string
  readonly startMs: number
  readonly endMs?: number | undefined
}

/** Puts it in the place of the one with this id, if there is one. */
export async function putSecretRow(db: DbOrTx, secret: SecretRow): Promise<void> {
  const { hash, startMs, endMs = null } = secret
  const times = { hash, start_ms: startMs, end_ms: endMs }
  await db
    .insertInto('directory_secret')
    .values({ tenant_id: secret.tenantId, object_id: secret.objectId, key_id: secret.keyId, ...times })
    .onConflict((conflict) => conflict.columns(['tenant_id', 'object_id', 'key_id']).doUpdateSet(times))
    .execute()
}

export async function deleteSecretRow(db: DbOrTx, tenantId: string, objectId: string, keyId: string): Promise<void> {
  await db
    .deleteFrom('directory_secret')
    .where('tenant_id', '=', tenantId)
    .where('object_id', '=', objectId)
    .where('key_id', '=', keyId)
    .execute()
}

/** Hashes of an object that are valid at a time. */
export async function listSecretHashes(
  db: DbOrTx,
  tenantId: string,
  objectId: string,
  nowMs: number,
): Promise<string[]> {
  const rows = await db
    .selectFrom('directory_secret')
    .select('hash')
    .where('tenant_id', '=', tenantId)
    .where('object_id', '=', objectId)
    .where('start_ms', '<=', nowMs)
    .where((where) => where.or([where('end_ms', 'is', null), where('end_ms', '>', nowMs)]))
    .execute()
  return rows.map((row) => row.hash)
}

/** The applications of these client ids, wherever they are registered; what their principals show of them. */
export async function findApplicationRows(db: DbOrTx, appIds: readonly string[]): Promise<DirectoryObject[]> {
  const found: DirectoryObject[] = []
  for (let at = 0; at < appIds.length; at += manyIds) {
    const rows = await db
      .selectFrom('directory_object')
      .selectAll()
      .where('kind', '=', 'application')
      .where('app_id', 'in', appIds.slice(at, at + manyIds))
      .execute()
    found.push(...rows.map(parseObject))
  }
  return found
}
