import { isJsonObject, type JsonObject } from '../base/json.ts'
import type { DbOrTx } from '../db/tables.ts'
import type { Resource } from '../resources/resource.ts'
import type { StorageClass } from '../store/disk-store.ts'
import { factsMember } from './dependencies.ts'
import { editRow } from './facts.rows.ts'
import type { Provision } from './seed.ts'
import { formatApplication, type VmApplication } from './vm-applications.ts'

/** What a machine should be doing, across restarts of the server. */
export type Power = 'running' | 'stopped' | 'deallocated'

export interface VmDiskFacts {
  readonly lun: 'os' | number
  /** As the guest sees it; not smaller than the image's disk. */
  readonly virtualSizeBytes: number
  /** Undefined: an empty data disk. */
  readonly base: { readonly region: string; readonly storageClass: StorageClass; readonly root: string } | undefined
  /** Key of the disk resource; machines of before there were such have none. */
  readonly diskKey?: string | undefined
  /** The vault in which `base`, and what is taken of the disk, is to rest; undefined: where its image does. */
  readonly vault?: string | undefined
  /** Names the overlay's file; undefined: the LUN does. Another disk may come to the same LUN. */
  readonly overlay?: string | undefined
}

/** Resolved once, when the machine is created: what happens to the version later does not matter to it (B13). */
export interface VmFacts {
  readonly vmId: string
  readonly power: Power
  readonly generation: 'V1' | 'V2'
  readonly isGeneralized: boolean
  /** It ran once: a creation that is tried again does not start what somebody stopped since. */
  readonly hasRun?: boolean | undefined
  readonly disks: readonly VmDiskFacts[]
  /** Detached, but what the guest wrote is not yet taken over into the disk. */
  readonly leaving?: readonly VmDiskFacts[] | undefined
  /** Secrets on their way to the guest: gone once its seed is written. */
  readonly provision?: Provision | undefined
  /** What its read-only drive holds, in order; undefined: it never had one. */
  readonly applications?: readonly VmApplication[] | undefined
}

export function formatVmFacts(facts: VmFacts): JsonObject {
  const { vmId, power, generation, isGeneralized } = facts
  const { leaving = [], provision, applications, hasRun } = facts
  return {
    vmId,
    power,
    generation,
    isGeneralized,
    ...(hasRun ? { hasRun } : {}),
    disks: facts.disks.map(formatDisk),
    ...(leaving.length === 0 ? {} : { leaving: leaving.map(formatDisk) }),
    ...(provision === undefined || Object.values(provision).every((one) => one === undefined)
      ? {}
      : { provision: { ...provision } }),
    ...(applications === undefined ? {} : { applications: applications.map(formatApplication) }),
  }
}

function formatDisk({ lun, virtualSizeBytes, base, diskKey, vault, overlay }: VmDiskFacts): JsonObject {
  return {
    lun,
    virtualSizeBytes,
    ...(base === undefined ? {} : { base: { ...base } }),
    ...(diskKey === undefined ? {} : { diskKey }),
    ...(vault === undefined ? {} : { vault }),
    ...(overlay === undefined ? {} : { overlay }),
  }
}

/** Undefined: the row has none (a creation that was refused half-way by an older server). */
export function findVmFacts(envelope: JsonObject): VmFacts | undefined {
  const value = envelope[factsMember]
  // Written by `formatVmFacts` and by nobody else.
  return isJsonObject(value) ? (value as unknown as VmFacts) : undefined
}

export function getVmFacts(vm: Pick<Resource, 'envelope' | 'id'>): VmFacts {
  const facts = findVmFacts(vm.envelope)
  if (!facts) throw new Error(`the row of ${vm.id} has no facts`)
  return facts
}

export async function editVmFacts(
  tx: DbOrTx,
  key: string,
  edit: (facts: VmFacts, row: Resource) => VmFacts,
): Promise<void> {
  await editRow(tx, key, (row) => ({
    envelope: { ...row.envelope, [factsMember]: formatVmFacts(edit(getVmFacts(row), row)) },
  }))
}

export const setPower = (tx: DbOrTx, key: string, power: Power): Promise<void> =>
  editVmFacts(tx, key, (facts) => ({ ...facts, power }))
