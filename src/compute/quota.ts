import { isJsonObject } from '../base/json.ts'
import type { DbOrTx } from '../db/tables.ts'
import { galleryProblems } from '../gallery/problems.ts'
import type { Behaviour } from '../resources/behaviour.ts'
import { countResources, listResourcesOfType } from '../resources/resource.rows.ts'
import type { Resource } from '../resources/resource.ts'
import { diskType, snapshotType, virtualMachineType } from './dependencies.ts'
import { findVmSize } from './vm-size.ts'

/** How much of each a subscription may have in a region. */
export interface ComputeQuota {
  readonly virtualMachines: number
  readonly cores: number
  /** Of each storage class. */
  readonly disks: number
  readonly snapshots: number
}

type Row = Pick<Resource, 'properties' | 'envelope'>

interface Counted {
  readonly type: string
  /** `name.value` and `name.localizedValue` of Azure's usages. */
  readonly name: string
  readonly label: string
  readonly limit: keyof ComputeQuota
  /** What one resource uses of it. */
  readonly use: (resource: Row) => number
}

const hasClass = (pattern: RegExp, resource: Row): number => {
  const { sku } = resource.envelope
  const name = isJsonObject(sku) && typeof sku['name'] === 'string' ? sku['name'] : 'Standard_LRS'
  return pattern.test(name) ? 1 : 0
}
const perClass = (type: string, name: string, label: string, limit: keyof ComputeQuota, pattern: RegExp): Counted => ({
  type,
  name,
  label,
  limit,
  use: (resource) => hasClass(pattern, resource),
})

/** What is counted, with Azure's names for it. */
const counted: readonly Counted[] = [
  { type: virtualMachineType, name: 'cores', label: 'Total Regional vCPUs', limit: 'cores', use: coresOf },
  {
    type: virtualMachineType,
    name: 'virtualMachines',
    label: 'Virtual Machines',
    limit: 'virtualMachines',
    use: () => 1,
  },
  perClass(diskType, 'PremiumDiskCount', 'PremiumStorageManagedDisks', 'disks', /^Premium/i),
  perClass(diskType, 'StandardDiskCount', 'StandardStorageManagedDisks', 'disks', /^Standard_/i),
  perClass(diskType, 'StandardSSDDiskCount', 'StandardSSDStorageDisks', 'disks', /^StandardSSD/i),
  perClass(diskType, 'UltraSSDDiskCount', 'UltraSSDStorageDisks', 'disks', /^UltraSSD/i),
  perClass(snapshotType, 'StandardSnapshotCount', 'StandardStorageSnapshots', 'snapshots', /^Standard_LRS/i),
  perClass(snapshotType, 'PremiumSnapshotCount', 'PremiumStorageSnapshots', 'snapshots', /^Premium/i),
  perClass(snapshotType, 'ZRSSnapshotCount', 'ZrsStorageSnapshots', 'snapshots', /_ZRS$/i),
]

function coresOf({ properties }: Row): number {
  const { hardwareProfile } = properties
  const name = isJsonObject(hardwareProfile) ? hardwareProfile['vmSize'] : undefined
  return findVmSize(typeof name === 'string' ? name : undefined).cpus
}

export interface ComputeUsage {
  readonly name: string
  readonly label: string
  readonly used: number
  readonly limit: number
}

/** What a subscription has in a region, and how much it may have. */
export async function readComputeUsages(
  db: DbOrTx,
  place: { readonly subscriptionId: string; readonly location: string },
  quota: ComputeQuota,
): Promise<readonly ComputeUsage[]> {
  const rows = new Map<string, readonly Resource[]>()
  for (const type of new Set(counted.map((one) => one.type)))
    rows.set(
      type,
      (await listResourcesOfType(db, type, place.subscriptionId)).filter(({ location }) => location === place.location),
    )
  return counted.map(({ type, name, label, limit, use }) => ({
    name,
    label,
    used: (rows.get(type) ?? []).reduce((sum, row) => sum + use(row), 0),
    limit: quota[limit],
  }))
}

/** Adds to a behaviour that a creation beyond the quota is refused, in the transaction that would write it. */
export function withQuota(behaviour: Behaviour, quota: ComputeQuota): Behaviour {
  const own = counted.filter(({ type }) => type === behaviour.type)
  if (own.length === 0) return behaviour
  const lowest = Math.min(...own.map(({ limit }) => quota[limit]))
  return {
    ...behaviour,
    async commit(tx, change, context) {
      await behaviour.commit?.(tx, change, context)
      if (change.kind !== 'create') return
      const { location } = change.after
      const { subscriptionId } = change.id
      const place = { subscriptionId, location }
      // The row is written already and counts itself. Most often the plain number shows that there is room.
      const total = await countResources(tx, { type: behaviour.type, ...place })
      const isCores = own.some(({ limit }) => limit === 'cores')
      if (total * (isCores ? 128 : 1) <= lowest) return
      for (const { name, label, used, limit } of await readComputeUsages(tx, place, quota)) {
        const mine = own.find((one) => one.name === name)?.use(change.after) ?? 0
        if (mine > 0 && used > limit)
          throw galleryProblems.QuotaExceeded({ what: label, location, limit, used: used - mine })
      }
    },
  }
}
