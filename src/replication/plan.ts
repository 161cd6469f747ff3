import type { StorageClass } from '../store/disk-store.ts'

/** A copy of a disk that a region should have. */
export interface WantedCopy {
  readonly region: string
  readonly storageClass: StorageClass
}

export interface HeldCopy extends WantedCopy {
  readonly root: string
}

export interface PlannedTransfer {
  readonly to: WantedCopy
  readonly from: HeldCopy
}

/**
 * Which copies are to be made from whom (pure): bytes leave the home region once per target region; a copy of the same
 * storage class is preferred as the source because its frames cross as they are stored. Regions that have the disk
 * already are left out. With no copy anywhere there is nothing to plan: the disk must be ingested first.
 */
export function planReplication(
  wanted: readonly WantedCopy[],
  held: readonly HeldCopy[],
  homeRegion: string,
): readonly PlannedTransfer[] {
  const missing = wanted.filter((want) => !held.some((have) => have.region === want.region))
  return missing.flatMap((to) => {
    const [best] = held.toSorted((a, b) => rank(b, to, homeRegion) - rank(a, to, homeRegion))
    return best ? [{ to, from: best }] : []
  })
}

function rank(from: HeldCopy, to: WantedCopy, homeRegion: string): number {
  return (from.region === homeRegion ? 2 : 0) + (from.storageClass === to.storageClass ? 1 : 0)
}
