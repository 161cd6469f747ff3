import type { Compute } from '../compute/compute.ts'
import type { Db } from '../db/tables.ts'
import { listLiveRoots } from '../gallery/replica.rows.ts'
import type { DiskStore } from '../store/disk-store.ts'
import type { Transfer } from '../transfer/open-transfer.ts'
import { listUploadRoots } from '../transfer/upload.rows.ts'

/** A client may take its time; the address dies by itself. */
const serialLogName = /^[0-9a-f-]{36}$/

/** Every root that a version, a disk, a machine or a finished push needs in a store. */
export async function findLiveRoots(
  store: DiskStore,
  db: Db,
  compute: Compute | undefined,
): Promise<ReadonlySet<string>> {
  const others = [...((await compute?.liveRoots()) ?? []), ...(await listUploadRoots(db))]
  const here = others.filter(
    ({ region, storageClass }) => region === store.region && storageClass === store.storageClass,
  )
  const versions = await listLiveRoots(db, store.region, store.storageClass)
  return new Set([...versions, ...here.map(({ root }) => root)])
}

/** `baseUrl`: how the client that names it sees this server; undefined: it was admitted before. */
export async function findBlob(
  transfer: Transfer,
  ownAddresses: readonly string[],
  uri: string,
  baseUrl: string | undefined,
) {
  const found = await transfer.findBlob(uri, baseUrl === undefined ? [new URL(uri).origin] : [baseUrl, ...ownAddresses])
  return found.place.kind === 'stored' ? { ...found, storedIn: found.place } : found
}

export async function findLog(name: string, compute: Compute): Promise<{ readonly path: string } | undefined> {
  if (!serialLogName.test(name)) return undefined
  const path = await compute.findSerialLog(name)
  return path === undefined ? undefined : { path }
}
