import { isJsonObject, type JsonObject } from '../base/json.ts'
import type { DiskProperties } from '../contract/disks.ts'
import type { DbOrTx } from '../db/tables.ts'
import type { Draft, Resource } from '../resources/resource.ts'
import type { StorageClass } from '../store/disk-store.ts'
import { factsMember } from './dependencies.ts'
import { editRow } from './facts.rows.ts'

export interface StoredBytes {
  readonly region: string
  readonly storageClass: StorageClass
  readonly root: string
  readonly virtualSizeBytes: number
}

export interface DiskFacts {
  /** The upload that fills this disk; ours, drawn anew for each creation. */
  readonly uploadKey?: string | undefined
  /** Where its content is; undefined until it is there. */
  readonly bytes?: StoredBytes | undefined
  /** The machine whose disk it is: what its guest writes lies over `bytes`. */
  readonly attached?: { readonly vmKey: string; readonly lun: 'os' | number } | undefined
  /** Key of the attached disk that it is to be captured from. */
  readonly captureFrom?: string | undefined
  /** Address of the VHD that it is to be made of. */
  readonly importUri?: string | undefined
  /** Key of the snapshot, maybe of another region, that it is to be copied from. */
  readonly copyFrom?: string | undefined
  /** The vault that it is to rest in; undefined: wherever its source does. */
  readonly vault?: string | undefined
  /** Addresses for reading that were handed out and not taken back. */
  readonly grants: readonly Grant[]
}

export interface Grant {
  readonly grantId: string
  readonly expiresMs: number
}

export function formatDiskFacts({
  uploadKey,
  bytes,
  attached,
  captureFrom,
  importUri,
  copyFrom,
  vault,
  grants,
}: DiskFacts): JsonObject {
  return {
    ...(uploadKey === undefined ? {} : { uploadKey }),
    ...(bytes === undefined ? {} : { bytes: { ...bytes } }),
    ...(attached === undefined ? {} : { attached: { ...attached } }),
    ...(captureFrom === undefined ? {} : { captureFrom }),
    ...(importUri === undefined ? {} : { importUri }),
    ...(copyFrom === undefined ? {} : { copyFrom }),
    ...(vault === undefined ? {} : { vault }),
    grants: grants.map((grant) => ({ ...grant })),
  }
}

export function findDiskFacts(disk: Pick<Resource, 'envelope'>): DiskFacts {
  const value = disk.envelope[factsMember]
  // Written by `formatDiskFacts` and by nobody else.
  return isJsonObject(value) ? (value as unknown as DiskFacts) : { grants: [] }
}

export function diskProperties(disk: Pick<Draft, 'properties'>): DiskProperties {
  return disk.properties as DiskProperties
}

export function isUltra({ envelope: { sku } }: Pick<Resource, 'envelope'>): boolean {
  return isJsonObject(sku) && sku['name'] === 'UltraSSD_LRS'
}

/** Takes the place of `diskState`: an address that ran out by itself holds the disk no longer. */
export function effectiveState(disk: Resource, nowMs: number): string {
  const state = diskProperties(disk).diskState ?? 'Unattached'
  const isHeld = findDiskFacts(disk).grants.some((grant) => grant.expiresMs > nowMs)
  return state === 'ActiveSAS' && !isHeld ? 'Unattached' : state
}

export async function editDisk(
  tx: DbOrTx,
  key: string,
  edit: (facts: DiskFacts, row: Resource) => { readonly facts?: DiskFacts; readonly properties?: JsonObject },
): Promise<void> {
  await editRow(tx, key, (row) => {
    const before = findDiskFacts(row)
    const { facts = before, properties = {} } = edit(before, row)
    return {
      properties: { ...row.properties, ...properties },
      envelope: { ...row.envelope, [factsMember]: formatDiskFacts(facts) },
    }
  })
}
