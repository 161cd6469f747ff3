import type { Logger } from '../base/logger.ts'
import type { FramePin } from './disk-store.ts'
import type { DiskWriter, FolderStore, WriteScope } from './folder-store.ts'
import { hexOf } from './frame-name.ts'
import type { EncodedBatch, FrameForm } from './frame-jobs.ts'
import { nameAt, nameBytes } from './frame-name.ts'
import type { PackRecord } from './pack-format.ts'
import { preferPlaces, rankPlaces } from './placement.ts'
import type { StorePin } from './store-pin.ts'

/** The folder stores of one region and class, and how a disk spreads over them. */
export interface CopySet {
  readonly folders: readonly FolderStore[]
  /** `every`: a copy in each zone, two of three must be durable. `chosen`: as many stamps as copies are wanted. */
  readonly spread: 'every' | 'chosen'
  readonly logger: Logger
}

/** A pin over all folders of a region; remembers where its disk goes. */
export interface RegionPin extends FramePin {
  of(folder: FolderStore): StorePin
  home: readonly FolderStore[] | undefined
}

export function openRegionPin(): RegionPin {
  const pins = new Map<FolderStore, StorePin>()
  return {
    home: undefined,
    of(folder) {
      const known = pins.get(folder)
      if (known) return known
      const pin = folder.pin()
      pins.set(folder, pin)
      return pin
    },
    [Symbol.dispose]() {
      for (const pin of pins.values()) pin[Symbol.dispose]()
      pins.clear()
    },
  }
}

/** Pins one disk in the given folders. */
export function pinDisk(folders: readonly FolderStore[], root: string): Disposable {
  const pins = folders.map((folder) => folder.pin())
  for (const pin of pins) pin.roots.add(root)
  return {
    [Symbol.dispose]() {
      for (const pin of pins) pin[Symbol.dispose]()
    },
  }
}

/**
 * Where a disk's copies go. Zones: everywhere. Stamps: where its parent is, else where most of the first names are,
 * else by rank of its first name, so that an interrupted transfer that starts again finds its frames.
 */
export function chooseFolders(
  set: CopySet,
  copies: number,
  names: readonly Uint8Array[],
  parentRoot: string | undefined,
): readonly FolderStore[] {
  if (set.spread === 'every' || set.folders.length === 1) return set.folders
  const first = names[0]
  const ranked = rankPlaces(
    first ? hexOf(first) : '',
    set.folders.map((folder) => folder.place),
  )
  const found = set.folders.map((folder) => {
    const hasParent = parentRoot !== undefined && folder.hasDisk(parentRoot)
    return names.filter((name) => folder.locate(name) !== undefined).length + (hasParent ? names.length + 1 : 0)
  })
  return preferPlaces(ranked, found)
    .slice(0, Math.max(1, Math.min(copies, set.folders.length)))
    .flatMap((index) => set.folders[index] ?? [])
}

export interface TransferTargets {
  readonly folders: readonly FolderStore[]
  /** How frames rest in all of them. */
  readonly form: FrameForm
  /** Indexes of `names` that at least one target lacks; `isTrusted` ones are taken to be here. */
  lacking(names: readonly Uint8Array[], parentHas?: (index: number) => boolean): number[]
  /** Appends each frame to the targets that lack it. Answers bytes added, summed over the targets. */
  append(batch: EncodedBatch): Promise<number>
  flush(): Promise<void>
  /** Opens a manifest in each target. */
  begin(virtualSizeBytes: number): Promise<void>
  add(page: { readonly index: number; readonly leaves: Uint8Array }): Promise<void>
  commit(): Promise<string>
  abandon(): Promise<void>
}

/** Of three zones, that must have a disk before it is acknowledged. */
export const zonesNeeded = 2

interface Target {
  readonly folder: FolderStore
  readonly scope: WriteScope
  readonly hasParent: boolean
  writer: DiskWriter | undefined
  isAlive: boolean
}

/**
 * Writes the same disk to several folders. One of three zones may fail on the way: the disk is acknowledged by the
 * other two, and the third is made whole by `verify` or by reads that miss it.
 */
export function openTargets(
  set: CopySet,
  folders: readonly FolderStore[],
  pin: RegionPin,
  parentRoot: string | undefined,
): TransferTargets {
  const required = set.spread === 'every' ? zonesNeeded : folders.length
  const targets: Target[] = folders.map((folder) => {
    const own = pin.of(folder)
    // Pinned before it is looked for: the sweep cannot take it in between.
    if (parentRoot !== undefined) own.roots.add(parentRoot)
    const hasParent = parentRoot !== undefined && folder.hasDisk(parentRoot)
    return { folder, scope: folder.scope(own), hasParent, writer: undefined, isAlive: true }
  })
  /** Does the same in every copy, and ends when all have ended: nothing may go on behind the back of `abandon`. */
  const each = async (work: (target: Target) => Promise<void>): Promise<void> => {
    const busy = targets.filter((target) => target.isAlive)
    const results = await Promise.allSettled(busy.map((target) => work(target)))
    for (const [index, result] of results.entries()) {
      const target = busy[index]
      if (result.status === 'fulfilled' || !target) continue
      const alive = targets.filter((one) => one.isAlive && one !== target).length
      if (alive < required) throw result.reason
      target.isAlive = false
      set.logger.error(
        { place: target.folder.place, error: result.reason },
        'a zone failed: the disk is kept by the others',
      )
    }
  }
  const lacks = (target: Target, name: Uint8Array): boolean =>
    target.folder.locate(name, target.scope.pin) === undefined
  return {
    folders,
    form: folders[0]?.form ?? { codec: 0, key: undefined },
    lacking(names, parentHas) {
      const found: number[] = []
      for (const [index, name] of names.entries()) {
        const isInParent = parentHas?.(index) === true
        const isLacking = targets.some((target) => {
          if (!target.isAlive) return false
          if (isInParent && target.hasParent && target.folder.trustsFrame(name)) return false
          return lacks(target, name)
        })
        if (isLacking) found.push(index)
      }
      return found
    },
    async append(batch) {
      const records = recordsOf(batch)
      let added = 0
      await each(async (target) => {
        const wanted = records.filter((record) => lacks(target, record.name))
        await target.folder.append(wanted, target.scope)
        added += wanted.reduce((sum, record) => sum + record.bytes.length, 0)
      })
      return added
    },
    flush: () => each((target) => target.folder.flush(target.scope)),
    begin: (virtualSizeBytes) =>
      each(async (target) => {
        target.writer = await target.folder.beginDisk(virtualSizeBytes, target.scope)
      }),
    add: (page) => each(async (target) => target.writer?.add(page)),
    async commit() {
      const roots = new Set<string>()
      await each(async (target) => {
        if (target.writer) roots.add(await target.writer.commit())
      })
      const [root, ...others] = roots
      if (root === undefined || others.length > 0) throw new Error('copies of one disk have different roots')
      return root
    },
    async abandon() {
      for (const target of targets) await target.writer?.[Symbol.asyncDispose]()
    },
  }
}

export function recordsOf(batch: EncodedBatch): PackRecord[] {
  let at = 0
  return Array.from({ length: batch.names.length / nameBytes }, (_, index) => {
    const length = batch.lengths[index] ?? 0
    const bytes = batch.payload.subarray(at, at + length)
    at += length
    return { name: nameAt(batch.names, index), codec: batch.codecs[index] ?? 0, bytes, crc: batch.crcs[index] ?? 0 }
  })
}
