import type { CompiledQuery, Selectable } from 'kysely'
import type { JsonObject } from '../base/json.ts'
import { sortKeyOf } from '../base/natural-order.ts'
import type { DbOrTx, ResourceTable } from '../db/tables.ts'
import type { ProvisioningState, Resource } from './resource.ts'

/** What must still be true of the stored row for a write to happen: nobody wrote it or started work on it since. */
export interface Expected {
  readonly etag: string
  readonly operationId: string | undefined
}

/** Building this query takes longer than its answer, and every request asks it: it is built once a database. */
const findByKey = new WeakMap<DbOrTx, CompiledQuery<Selectable<ResourceTable>>>()

export async function findResource(db: DbOrTx, key: string): Promise<Resource | undefined> {
  const query = findByKey.get(db) ?? db.selectFrom('resource').selectAll().where('key', '=', key).compile()
  findByKey.set(db, query)
  const { rows } = await db.executeQuery<Selectable<ResourceTable>>({ ...query, parameters: [key] })
  return rows[0] && parseResource(rows[0])
}

/** The resources of these keys that exist, in no order. */
export async function findResources(db: DbOrTx, keys: readonly string[]): Promise<Resource[]> {
  const found: Resource[] = []
  // Databases bound the number of parameters of one statement.
  for (let at = 0; at < keys.length; at += 500) {
    const rows = await db
      .selectFrom('resource')
      .selectAll()
      .where('key', 'in', keys.slice(at, at + 500))
      .execute()
    found.push(...rows.map(parseResource))
  }
  return found
}

/** Answers false where the key is taken: somebody was quicker. */
export async function insertResource(db: DbOrTx, resource: Resource): Promise<boolean> {
  const done = await db
    .insertInto('resource')
    .values(formatResource(resource))
    .onConflict((conflict) => conflict.column('key').doNothing())
    .executeTakeFirst()
  return (done.numInsertedOrUpdatedRows ?? 0n) > 0n
}

/** Compare-and-set of the whole row; answers false where `expected` no longer holds. */
export async function updateResource(db: DbOrTx, next: Resource, expected: Expected): Promise<boolean> {
  const { key, ...columns } = formatResource(next)
  const done = await db
    .updateTable('resource')
    .set(columns)
    .where('key', '=', key)
    .where('etag', '=', expected.etag)
    .where('operation_id', expected.operationId === undefined ? 'is' : '=', expected.operationId ?? null)
    .executeTakeFirst()
  return done.numUpdatedRows > 0n
}

export async function deleteResource(db: DbOrTx, key: string, expected: Expected): Promise<boolean> {
  const done = await db
    .deleteFrom('resource')
    .where('key', '=', key)
    .where('etag', '=', expected.etag)
    .where('operation_id', expected.operationId === undefined ? 'is' : '=', expected.operationId ?? null)
    .executeTakeFirst()
  return done.numDeletedRows > 0n
}

/**
 * Holds the row of a parent until the transaction ends and answers its state: a child is created only under a parent
 * that is not being deleted, whichever transaction comes first. An update that changes nothing is a row lock on every
 * database.
 */
export async function lockResource(db: DbOrTx, key: string): Promise<Resource | undefined> {
  await db
    .updateTable('resource')
    .set((row) => ({ etag: row.ref('etag') }))
    .where('key', '=', key)
    .execute()
  return findResource(db, key)
}

/**
 * Changes the properties of a row from inside a workflow (sizes learnt from the bytes, what became of a source); the
 * etag and the operation stay, unless an etag is given (what an action of a client changes, another client's write must
 * not undo unseen). Call it in a transaction. Answers undefined where the row is gone.
 */
export async function editResourceProperties(
  tx: DbOrTx,
  key: string,
  edit: (properties: JsonObject) => JsonObject,
  etag?: string,
): Promise<Resource | undefined> {
  const before = await lockResource(tx, key)
  if (!before) return undefined
  const properties = edit(before.properties)
  await tx
    .updateTable('resource')
    .set({ properties: JSON.stringify(properties), ...(etag === undefined ? {} : { etag }) })
    .where('key', '=', key)
    .execute()
  return { ...before, properties, ...(etag === undefined ? {} : { etag }) }
}

/** Ends the hold of an operation on a row in another state than `settleResource` would give it. */
export async function setResourceState(
  tx: DbOrTx,
  key: string,
  operationId: string,
  state: ProvisioningState,
): Promise<void> {
  await tx
    .updateTable('resource')
    .set({ provisioning_state: state, operation_id: null })
    .where('key', '=', key)
    .where('operation_id', '=', operationId)
    .execute()
}

export interface ChildPage {
  readonly parentKey: string
  readonly type: string
  /** Only names behind this one, in the order of the list. */
  readonly afterName?: string | undefined
  /** Highest first. */
  readonly descending?: boolean
  readonly limit: number
}

/** A page of the children of one type in the order of names (`sortKeyOf`); costs what it answers, not what there is. */
export async function pageChildren(db: DbOrTx, page: ChildPage): Promise<Resource[]> {
  let query = db
    .selectFrom('resource')
    .selectAll()
    .where('parent_key', '=', page.parentKey)
    .where('type', '=', page.type)
  if (page.afterName !== undefined)
    query = query.where('sort_key', page.descending ? '<' : '>', sortKeyOf(page.afterName))
  return (
    await query
      .orderBy('sort_key', page.descending ? 'desc' : 'asc')
      .limit(page.limit)
      .execute()
  ).map(parseResource)
}

/** Children of one parent, of one type or of all; unordered. */
export async function listChildren(db: DbOrTx, parentKey: string, type?: string): Promise<Resource[]> {
  let query = db.selectFrom('resource').selectAll().where('parent_key', '=', parentKey)
  if (type !== undefined) query = query.where('type', '=', type)
  return (await query.execute()).map(parseResource)
}

/** Up to `limit` children, in key order: what stands in the way of a removal. */
export async function listSomeChildren(db: DbOrTx, parentKey: string, limit: number): Promise<Resource[]> {
  const query = db.selectFrom('resource').selectAll().where('parent_key', '=', parentKey)
  return (await query.orderBy('key').limit(limit).execute()).map(parseResource)
}

export interface PageQuery {
  readonly subscriptionId: string
  readonly resourceGroupKey?: string | undefined
  readonly type?: string | undefined
  /** Types that are left out. */
  readonly exceptType?: string | undefined
  /** Only keys behind this one. */
  readonly afterKey?: string | undefined
  readonly limit: number
}

/** One page in key order of a subscription or a resource group. */
export async function pageResources(db: DbOrTx, page: PageQuery): Promise<Resource[]> {
  let query = db.selectFrom('resource').selectAll().where('subscription_id', '=', page.subscriptionId)
  if (page.resourceGroupKey !== undefined) query = query.where('resource_group_key', '=', page.resourceGroupKey)
  if (page.type !== undefined) query = query.where('type', '=', page.type)
  if (page.exceptType !== undefined) query = query.where('type', '!=', page.exceptType)
  if (page.afterKey !== undefined) query = query.where('key', '>', page.afterKey)
  return (await query.orderBy('key').limit(page.limit).execute()).map(parseResource)
}

/** How many resources of a type a subscription has in a region: what quotas are about (behaviour.md J). */
export async function countResources(
  db: DbOrTx,
  facts: { readonly type: string; readonly subscriptionId: string; readonly location: string },
): Promise<number> {
  const row = await db
    .selectFrom('resource')
    .select((count) => count.fn.countAll().as('count'))
    .where('type', '=', facts.type)
    .where('subscription_id', '=', facts.subscriptionId.toLowerCase())
    .where('location', '=', facts.location)
    .executeTakeFirst()
  return Number(row?.count ?? 0)
}

/** Every resource of one type, for sweeps and rules over all of them (uniqueness of a name in a subscription). */
export async function listResourcesOfType(db: DbOrTx, type: string, subscriptionId?: string): Promise<Resource[]> {
  let query = db.selectFrom('resource').selectAll().where('type', '=', type)
  if (subscriptionId !== undefined) query = query.where('subscription_id', '=', subscriptionId.toLowerCase())
  return (await query.orderBy('key').execute()).map(parseResource)
}

function parseResource(row: Selectable<ResourceTable>): Resource {
  return {
    key: row.key,
    id: row.id,
    type: row.type,
    name: row.name,
    parentKey: row.parent_key,
    subscriptionId: row.subscription_id,
    resourceGroupKey: row.resource_group_key,
    location: row.location,
    tags: row.tags === null ? undefined : (JSON.parse(row.tags) as Record<string, string>),
    properties: JSON.parse(row.properties) as JsonObject,
    envelope: JSON.parse(row.envelope) as JsonObject,
    provisioningState: row.provisioning_state as ProvisioningState,
    etag: row.etag,
    createdMs: row.created_ms,
    changedMs: row.changed_ms,
    createdBy: row.created_by,
    changedBy: row.changed_by,
    operationId: row.operation_id ?? undefined,
  }
}

function formatResource(resource: Resource): ResourceTable {
  return {
    key: resource.key,
    id: resource.id,
    type: resource.type,
    name: resource.name,
    sort_key: sortKeyOf(resource.name),
    parent_key: resource.parentKey,
    subscription_id: resource.subscriptionId,
    resource_group_key: resource.resourceGroupKey,
    location: resource.location,
    properties: JSON.stringify(resource.properties),
    envelope: JSON.stringify(resource.envelope),
    tags: resource.tags === undefined ? null : JSON.stringify(resource.tags),
    provisioning_state: resource.provisioningState,
    etag: resource.etag,
    created_ms: resource.createdMs,
    changed_ms: resource.changedMs,
    created_by: resource.createdBy,
    changed_by: resource.changedBy,
    operation_id: resource.operationId ?? null,
  }
}
