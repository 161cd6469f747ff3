import type { DbOrTx, Tables } from '../db/tables.ts'
import type { StorageClass, TransferProgress } from '../store/disk-store.ts'

export type ReplicaState = 'Replicating' | 'Completed' | 'Failed'

/** The OS disk's place among a version's disks; data disks have their LUN. */
export const osDiskLun = -1

/** One disk of a version in one class of a region: what should be there, what is, and what it cost. */
export interface Replica {
  readonly versionKey: string
  readonly lun: number
  /** Short region name, or `region/edgezone`. */
  readonly region: string
  readonly storageClass: StorageClass
  readonly replicaCount: number
  readonly state: ReplicaState
  readonly root: string | undefined
  readonly virtualSizeBytes: number
  readonly progress: TransferProgress
  readonly startedMs: number | undefined
  readonly endedMs: number | undefined
  readonly error: string | undefined
}

export interface WantedReplica {
  readonly versionKey: string
  readonly lun: number
  readonly region: string
  readonly storageClass: StorageClass
  readonly replicaCount: number
}

type Row = Tables['replica']

function toReplica(row: Row): Replica {
  return {
    versionKey: row.version_key,
    lun: row.lun,
    region: row.region,
    storageClass: row.storage_class as StorageClass,
    replicaCount: row.replica_count,
    state: row.state as ReplicaState,
    root: row.root ?? undefined,
    virtualSizeBytes: row.virtual_size_bytes,
    progress: {
      bytesTotal: row.bytes_total,
      bytesDone: row.bytes_done,
      bytesRead: row.bytes_read,
      bytesNew: row.bytes_new,
      bytesSent: row.bytes_sent,
      bytesStored: row.bytes_stored,
    },
    startedMs: row.started_ms ?? undefined,
    endedMs: row.ended_ms ?? undefined,
    error: row.error ?? undefined,
  }
}

export async function listReplicas(db: DbOrTx, versionKey: string): Promise<Replica[]> {
  const rows = await db
    .selectFrom('replica')
    .selectAll()
    .where('version_key', '=', versionKey)
    .orderBy('lun')
    .orderBy('region')
    .orderBy('storage_class')
    .execute()
  return rows.map(toReplica)
}

export async function listReplicasOf(db: DbOrTx, versionKeys: readonly string[]): Promise<Replica[]> {
  const found: Replica[] = []
  // SQLite and PostgreSQL both bound the number of parameters of a statement.
  for (let at = 0; at < versionKeys.length; at += 500) {
    const part = versionKeys.slice(at, at + 500)
    const rows = await db.selectFrom('replica').selectAll().where('version_key', 'in', part).execute()
    found.push(...rows.map(toReplica))
  }
  return found
}

/** Makes the rows of a version what is wanted: adds, drops and re-counts; what is complete stays complete. */
export async function syncReplicas(db: DbOrTx, versionKey: string, wanted: readonly WantedReplica[]): Promise<void> {
  const have = await listReplicas(db, versionKey)
  const place = (r: Place): string => `${r.lun} ${r.region} ${r.storageClass}`
  const wantedPlaces = new Set(wanted.map(place))
  const havePlaces = new Map(have.map((replica) => [place(replica), replica]))
  for (const replica of have) if (!wantedPlaces.has(place(replica))) await deleteReplica(db, replica)
  for (const want of wanted) {
    const existing = havePlaces.get(place(want))
    if (!existing) await insertReplica(db, want)
    else if (existing.state !== 'Completed') await resetReplica(db, want)
    else if (existing.replicaCount !== want.replicaCount) await recountReplica(db, want)
  }
}

async function insertReplica(db: DbOrTx, want: WantedReplica): Promise<void> {
  await db
    .insertInto('replica')
    .values({
      version_key: want.versionKey,
      lun: want.lun,
      region: want.region,
      storage_class: want.storageClass,
      replica_count: want.replicaCount,
      state: 'Replicating',
      root: null,
      virtual_size_bytes: 0,
      bytes_total: 0,
      bytes_done: 0,
      bytes_read: 0,
      bytes_new: 0,
      bytes_sent: 0,
      bytes_stored: 0,
      started_ms: null,
      ended_ms: null,
      error: null,
    })
    .execute()
}

async function resetReplica(db: DbOrTx, want: WantedReplica): Promise<void> {
  await at(db, want).set({ state: 'Replicating', error: null, replica_count: want.replicaCount }).execute()
}

async function recountReplica(db: DbOrTx, want: WantedReplica): Promise<void> {
  await at(db, want).set({ replica_count: want.replicaCount }).execute()
}

export async function markReplicaProgress(db: DbOrTx, replica: Place, progress: TransferProgress): Promise<void> {
  await at(db, replica).set(progressColumns(progress)).execute()
}

export async function markReplicaStarted(db: DbOrTx, replica: Place, nowMs: number): Promise<void> {
  await at(db, replica).set({ started_ms: nowMs, ended_ms: null, error: null, state: 'Replicating' }).execute()
}

/** Written only after the disk is durable in the region: from now on it may be read and keeps its bytes alive. */
export async function markReplicaCompleted(
  db: DbOrTx,
  replica: Place,
  facts: { readonly root: string; readonly virtualSizeBytes: number; readonly progress: TransferProgress },
  nowMs: number,
): Promise<void> {
  await at(db, replica)
    .set({
      ...progressColumns(facts.progress),
      state: 'Completed',
      root: facts.root,
      virtual_size_bytes: facts.virtualSizeBytes,
      ended_ms: nowMs,
      error: null,
    })
    .execute()
}

export async function markReplicaFailed(db: DbOrTx, replica: Place, error: string, nowMs: number): Promise<void> {
  await at(db, replica).set({ state: 'Failed', error, ended_ms: nowMs }).execute()
}

/** Its bytes were read and found right, whatever was wrong before. */
export async function markReplicaWhole(db: DbOrTx, replica: Place, nowMs: number): Promise<void> {
  await at(db, replica).set({ state: 'Completed', error: null, ended_ms: nowMs }).execute()
}

export async function deleteReplicas(db: DbOrTx, versionKey: string): Promise<void> {
  await db.deleteFrom('replica').where('version_key', '=', versionKey).execute()
}

async function deleteReplica(db: DbOrTx, place: Place): Promise<void> {
  await db
    .deleteFrom('replica')
    .where('version_key', '=', place.versionKey)
    .where('lun', '=', place.lun)
    .where('region', '=', place.region)
    .where('storage_class', '=', place.storageClass)
    .execute()
}

/** Every root that some version still needs in a store. */
export async function listLiveRoots(db: DbOrTx, region: string, storageClass: StorageClass): Promise<string[]> {
  const rows = await db
    .selectFrom('replica')
    .select('root')
    .distinct()
    .where('region', '=', region)
    .where('storage_class', '=', storageClass)
    .where('root', 'is not', null)
    .execute()
  return rows.flatMap((row) => (row.root === null ? [] : [row.root]))
}

/** Whether some version, in a recycle bin too, has a disk in a vault, or will have. */
export async function isVaultInUse(db: DbOrTx, vault: string): Promise<boolean> {
  const row = await db
    .selectFrom('replica')
    .select('version_key')
    .where('storage_class', 'like', `%.${vault}`)
    .limit(1)
    .executeTakeFirst()
  return row !== undefined
}

/** Where some version's replica of this disk is complete. */
export async function listPlacesOfRoot(
  db: DbOrTx,
  root: string,
): Promise<{ readonly region: string; readonly storageClass: StorageClass }[]> {
  const rows = await db
    .selectFrom('replica')
    .select(['region', 'storage_class'])
    .distinct()
    .where('root', '=', root)
    .where('state', '=', 'Completed')
    .orderBy('region')
    .execute()
  return rows.map((row) => ({ region: row.region, storageClass: row.storage_class as StorageClass }))
}

interface Place {
  readonly versionKey: string
  readonly lun: number
  readonly region: string
  readonly storageClass: StorageClass
}

function at(db: DbOrTx, place: Place) {
  return db
    .updateTable('replica')
    .where('version_key', '=', place.versionKey)
    .where('lun', '=', place.lun)
    .where('region', '=', place.region)
    .where('storage_class', '=', place.storageClass)
}

function progressColumns(progress: TransferProgress) {
  return {
    bytes_total: progress.bytesTotal,
    bytes_done: progress.bytesDone,
    bytes_read: progress.bytesRead,
    bytes_new: progress.bytesNew,
    bytes_sent: progress.bytesSent,
    bytes_stored: progress.bytesStored,
  }
}
