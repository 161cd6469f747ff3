import type { Logger } from '../base/logger.ts'
import type { DiskStore, EncodedFrame } from '../store/disk-store.ts'
import { DiskMissing, FrameCorrupt, FrameMissing, ManifestCorrupt } from '../store/errors.ts'

export interface RepairRequest {
  readonly store: DiskStore
  readonly root: string
  /** Other stores that ought to hold the same disk, the best first. */
  readonly peers: readonly DiskStore[]
  /** Stamps that the disk should be on. */
  readonly copies: number
  readonly signal: AbortSignal
  readonly logger: Logger
}

/** The stored bytes themselves are wrong or gone; anything else is about the machine, or a bug. */
export function isDamage(error: unknown): boolean {
  return (
    error instanceof FrameMissing ||
    error instanceof FrameCorrupt ||
    error instanceof ManifestCorrupt ||
    error instanceof DiskMissing
  )
}

/**
 * Takes what a store lost of a disk from other stores: a transfer like any other, so only what lacks crosses, is checked
 * against its names and is durable in the end. Answers the regions that gave; undefined where the others together do not
 * have it all. Bad frames must have been noticed before (`verify`): the store then says that it lacks them.
 */
export async function repairFromPeers(request: RepairRequest): Promise<readonly string[] | undefined> {
  const { store, root, copies, signal } = request
  const pages = await findWholeManifest(request)
  if (!pages) return undefined
  const gave = new Set<string>(pages === store ? [] : [pages.region])
  const from: DiskStore = { ...pages, readFrames: (names) => readFromAny(names, request, gave) }
  try {
    const stored = await store.receive(from, root, { signal, copies, parentRoot: root })
    // Its row keeps it alive.
    stored.pin[Symbol.dispose]()
    return [...gave]
  } catch (error) {
    if (isDamage(error)) return undefined
    throw error
  }
}

/** Any whole manifest will do, the store's own too: the frames come from whoever has them. */
async function findWholeManifest({
  store,
  peers,
  root,
  signal,
  logger,
}: RepairRequest): Promise<DiskStore | undefined> {
  for (const candidate of [store, ...peers])
    try {
      for await (const _page of candidate.leafPages(root)) signal.throwIfAborted()
      return candidate
    } catch (error) {
      signal.throwIfAborted()
      logger.warn({ err: error, region: candidate.region, root }, 'no whole manifest for a repair')
    }
  return undefined
}

/** Regions may each have lost something else: frame by frame where none has all that are asked. */
async function readFromAny(
  names: readonly Uint8Array[],
  request: RepairRequest,
  gave: Set<string>,
): Promise<readonly EncodedFrame[]> {
  const { peers, root, signal, logger } = request
  let failure: unknown = new DiskMissing(root)
  for (const peer of peers)
    try {
      const frames = await peer.readFrames(names, signal)
      gave.add(peer.region)
      return frames
    } catch (error) {
      signal.throwIfAborted()
      logger.warn({ err: error, region: peer.region, root }, 'a region could not give frames for a repair')
      if (isDamage(error)) failure = error
    }
  if (names.length <= 1) throw failure
  const frames: EncodedFrame[] = []
  for (const name of names) frames.push(...(await readFromAny([name], request, gave)))
  return frames
}
