import type { DbOrTx } from '../db/tables.ts'
import type { Upload } from './upload.rows.ts'
import { parseUpload } from './upload.rows.ts'

export interface Container {
  readonly account: string
  readonly name: string
  readonly metadata: Readonly<Record<string, string>>
  readonly etag: string
  readonly changedMs: number
}

export async function findContainer(db: DbOrTx, account: string, name: string): Promise<Container | undefined> {
  const row = await db
    .selectFrom('container')
    .selectAll()
    .where('account', '=', account)
    .where('name', '=', name)
    .executeTakeFirst()
  return row && { ...row, metadata: JSON.parse(row.metadata) as Record<string, string>, changedMs: row.changed_ms }
}

/** Answers false where there is one of this name. */
export async function insertContainer(db: DbOrTx, container: Container): Promise<boolean> {
  const { account, name, metadata, etag, changedMs } = container
  const done = await db
    .insertInto('container')
    .values({ account, name, metadata: JSON.stringify(metadata), etag, changed_ms: changedMs })
    .onConflict((conflict) => conflict.columns(['account', 'name']).doNothing())
    .executeTakeFirst()
  return (done.numInsertedOrUpdatedRows ?? 0n) > 0n
}

export async function deleteContainer(db: DbOrTx, account: string, name: string): Promise<boolean> {
  const done = await db
    .deleteFrom('container')
    .where('account', '=', account)
    .where('name', '=', name)
    .executeTakeFirst()
  return done.numDeletedRows > 0n
}

export interface NamePage {
  /** Names begin with it. */
  readonly prefix: string
  /** Only names from this one on. */
  readonly from: string
  readonly limit: number
}

export async function pageContainers(db: DbOrTx, account: string, page: NamePage): Promise<Container[]> {
  const rows = await db
    .selectFrom('container')
    .selectAll()
    .where('account', '=', account)
    .where('name', '>=', page.from > page.prefix ? page.from : page.prefix)
    .where('name', '<', `${page.prefix}\u{10ffff}`)
    .orderBy('name')
    .limit(page.limit)
    .execute()
  return rows.map((row) => ({
    ...row,
    metadata: JSON.parse(row.metadata) as Record<string, string>,
    changedMs: row.changed_ms,
  }))
}

/** Whole blobs by address, in its order. */
export async function pageBlobs(db: DbOrTx, container: string, page: NamePage): Promise<Upload[]> {
  const prefix = `${container}/${page.prefix}`
  const from = `${container}/${page.from}`
  const rows = await db
    .selectFrom('upload')
    .selectAll()
    .where('kind', '=', 'blob')
    .where('state', '=', 'complete')
    .where('address', '>=', from > prefix ? from : prefix)
    .where('address', '<', `${prefix}\u{10ffff}`)
    .orderBy('address')
    .limit(page.limit)
    .execute()
  return rows.map(parseUpload)
}

/** Ids of every blob below `account/` or `account/container/`, begun ones too. */
export async function listBlobIds(db: DbOrTx, prefix: string): Promise<string[]> {
  return (await blobIdsBelow(db, prefix).execute()).map(({ id }) => id)
}

function blobIdsBelow(db: DbOrTx, prefix: string) {
  return db
    .selectFrom('upload')
    .select('id')
    .where('kind', '=', 'blob')
    .where('address', '>=', prefix)
    .where('address', '<', `${prefix}\u{10ffff}`)
}

/** Whether another subscription has put blobs under a name that no account has yet. */
export async function hasForeignBlobs(db: DbOrTx, account: string, subscriptionId: string): Promise<boolean> {
  const found = await blobIdsBelow(db, `${account}/`)
    .where('subscription_id', '!=', subscriptionId.toLowerCase())
    .limit(1)
    .executeTakeFirst()
  return found !== undefined
}

export async function deleteContainers(db: DbOrTx, account: string): Promise<void> {
  await db.deleteFrom('container').where('account', '=', account).execute()
}
