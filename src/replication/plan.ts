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
 * Which copies are to be made from whom, now (pure). Bytes leave the home region once per target region: of several
 * copies that a region wants, one is made first, and the others from it, as is what stands at the region's edge zones
 * (`region/zone`). So it is asked again when the first ones are there. What is held already is left out; with no copy
 * anywhere there is nothing to plan: the disk must be ingested first.
 */
export function planReplication(
  wanted: readonly WantedCopy[],
  held: readonly HeldCopy[],
  homeRegion: string,
): readonly PlannedTransfer[] {
  const missing = wanted.filter((want) => !held.some((have) => isSame(have, want)))
  const ready = missing.filter((want, index) => {
    const near = (copy: WantedCopy): boolean => regionOf(copy) === regionOf(want)
    return held.some(near) || missing.findIndex(near) === index
  })
  return ready.flatMap((to) => {
    const [best] = held.toSorted((a, b) => rank(b, to, homeRegion) - rank(a, to, homeRegion))
    return best ? [{ to, from: best }] : []
  })
}

export function isSame(a: WantedCopy, b: WantedCopy): boolean {
  return a.region === b.region && a.storageClass === b.storageClass
}

/** The region that an edge zone belongs to; a region's own name. */
function regionOf({ region }: WantedCopy): string {
  const [name = region] = region.split('/')
  return name
}

/** A copy of the same class is preferred where all else is equal: its frames cross as they are stored. */
function rank(from: HeldCopy, to: WantedCopy, homeRegion: string): number {
  const isNear = from.region === to.region || from.region === regionOf(to)
  return (isNear ? 4 : 0) + (from.region === homeRegion ? 2 : 0) + (from.storageClass === to.storageClass ? 1 : 0)
}
