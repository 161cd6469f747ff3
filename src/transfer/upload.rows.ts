import type { DbOrTx, UploadTable } from '../db/tables.ts'
import type { StorageClass } from '../store/disk-store.ts'

/** `blob`: a free blob by address; `disk`: bytes of a managed disk; `push`: frames handed in by `image push`. */
export type UploadKind = 'blob' | 'disk' | 'push'

/**
 * `open`: takes bytes (a block blob without a committed list; a disk upload; a push). `complete`: whole. A page blob is
 * complete from its creation and still takes pages.
 */
export type UploadState = 'open' | 'complete'

export interface UploadFacts {
  /** How the file is written. `stream`: one body, or Content-Range parts in order. */
  readonly type: 'page' | 'block' | 'stream' | 'push'
  readonly contentType?: string | undefined
  readonly metadata?: Readonly<Record<string, string>> | undefined
  /** Of a stream: bytes from the start that are durable. */
  readonly receivedBytes?: number | undefined
  /** Addresses in force, by grant id. Anything not listed here is revoked. */
  readonly grants: readonly string[]
  /** Of a finished disk upload. */
  readonly format?: string | undefined
  readonly virtualSizeBytes?: number | undefined
}

export interface Upload {
  readonly id: string
  readonly kind: UploadKind
  /** `account/container/blob` (account and container in lower case, the blob as Azure has it: case-sensitive); a disk's key. */
  readonly address: string
  readonly subscriptionId: string
  readonly sizeBytes: number
  readonly state: UploadState
  readonly facts: UploadFacts
  readonly root: string | undefined
  readonly region: string | undefined
  readonly storageClass: StorageClass | undefined
  readonly createdMs: number
  readonly expiresMs: number | undefined
}

export async function insertUpload(db: DbOrTx, upload: Upload): Promise<void> {
  await db.insertInto('upload').values(toRow(upload)).execute()
}

export async function findUpload(db: DbOrTx, id: string): Promise<Upload | undefined> {
  const row = await db.selectFrom('upload').selectAll().where('id', '=', id).executeTakeFirst()
  return row && parseUpload(row)
}

export async function findUploadByAddress(db: DbOrTx, kind: UploadKind, address: string): Promise<Upload | undefined> {
  const row = await db
    .selectFrom('upload')
    .selectAll()
    .where('address', '=', address)
    .where('kind', '=', kind)
    .orderBy('created_ms', 'desc')
    .executeTakeFirst()
  return row && parseUpload(row)
}

/** Writes what may change; answers false where the row is gone. */
export async function updateUpload(
  db: DbOrTx,
  id: string,
  change: Partial<Pick<Upload, 'sizeBytes' | 'state' | 'facts' | 'root' | 'expiresMs'>>,
): Promise<boolean> {
  const result = await db
    .updateTable('upload')
    .set({
      ...(change.sizeBytes === undefined ? {} : { size_bytes: change.sizeBytes }),
      ...(change.state === undefined ? {} : { state: change.state }),
      ...(change.facts === undefined ? {} : { facts: JSON.stringify(change.facts) }),
      ...(change.root === undefined ? {} : { root: change.root }),
      ...('expiresMs' in change ? { expires_ms: change.expiresMs ?? null } : {}),
    })
    .where('id', '=', id)
    .executeTakeFirst()
  return result.numUpdatedRows > 0n
}

export async function deleteUpload(db: DbOrTx, id: string): Promise<boolean> {
  const result = await db.deleteFrom('upload').where('id', '=', id).executeTakeFirst()
  return result.numDeletedRows > 0n
}

export async function listExpiredUploads(db: DbOrTx, nowMs: number): Promise<Upload[]> {
  const rows = await db.selectFrom('upload').selectAll().where('expires_ms', '<=', nowMs).execute()
  return rows.map(parseUpload)
}

export async function listUploadIds(db: DbOrTx): Promise<ReadonlySet<string>> {
  const rows = await db.selectFrom('upload').select('id').execute()
  return new Set(rows.map((row) => row.id))
}

/** Roots that finished pushes hold: live for the store's sweep until a version has taken them over or they expire. */
export async function listUploadRoots(
  db: DbOrTx,
): Promise<{ readonly root: string; readonly region: string; readonly storageClass: StorageClass }[]> {
  const rows = await db
    .selectFrom('upload')
    .select(['root', 'region', 'storage_class'])
    .where('root', 'is not', null)
    .execute()
  return rows.flatMap(({ root, region, storage_class: storageClass }) =>
    root && region && storageClass ? [{ root, region, storageClass: storageClass as StorageClass }] : [],
  )
}

function toRow(upload: Upload): UploadTable {
  return {
    id: upload.id,
    kind: upload.kind,
    address: upload.address,
    subscription_id: upload.subscriptionId,
    size_bytes: upload.sizeBytes,
    state: upload.state,
    facts: JSON.stringify(upload.facts),
    root: upload.root ?? null,
    region: upload.region ?? null,
    storage_class: upload.storageClass ?? null,
    created_ms: upload.createdMs,
    expires_ms: upload.expiresMs ?? null,
  }
}

export function parseUpload(row: UploadTable): Upload {
  return {
    id: row.id,
    kind: row.kind as UploadKind,
    address: row.address,
    subscriptionId: row.subscription_id,
    sizeBytes: row.size_bytes,
    state: row.state as UploadState,
    facts: JSON.parse(row.facts) as UploadFacts,
    root: row.root ?? undefined,
    region: row.region ?? undefined,
    storageClass: (row.storage_class ?? undefined) as StorageClass | undefined,
    createdMs: row.created_ms,
    expiresMs: row.expires_ms ?? undefined,
  }
}
