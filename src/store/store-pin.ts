/**
 * What the sweep of one folder store must leave alone: packs in which a transfer saw or put frames, and disks. Packs
 * and not frames, so that a pin of a terabyte stays small.
 */
export interface StorePin extends Disposable {
  readonly packs: Set<number>
  readonly roots: Set<string>
}

export interface PinBoard {
  open(): StorePin
  /**
   * From now until it is disposed, the guard knows everything that any pin holds or held: a transfer that ends while a
   * sweep runs is not in the set of live disks that the sweep was given.
   */
  guard(): SweepGuard
}

export interface SweepGuard extends Disposable {
  holdsPack(pack: number): boolean
  holdsRoot(root: string): boolean
}

export function createPinBoard(): PinBoard {
  const pins = new Set<StorePin>()
  const guards = new Set<StorePin[]>()
  return {
    open() {
      const pin: StorePin = {
        packs: new Set(),
        roots: new Set(),
        [Symbol.dispose]: () => pins.delete(pin),
      }
      pins.add(pin)
      for (const guard of guards) guard.push(pin)
      return pin
    },
    guard() {
      const seen = [...pins]
      guards.add(seen)
      return {
        holdsPack: (pack) => seen.some((pin) => pin.packs.has(pack)),
        holdsRoot: (root) => seen.some((pin) => pin.roots.has(root)),
        [Symbol.dispose]: () => guards.delete(seen),
      }
    },
  }
}
