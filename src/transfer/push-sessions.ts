import type { Clock } from '../base/clock.ts'
import { randomUuid } from '../base/random.ts'
import type { Db } from '../db/tables.ts'
import { FrameCorrupt, FramesMissing } from '../store/errors.ts'
import type { DiskStore, DiskStores, EncodedFrame, FramePin, LeafPage, StorageClass } from '../store/disk-store.ts'
import { transferProblems } from './problems.ts'
import type { UploadArea } from './upload-area.ts'
import { findUpload, insertUpload, updateUpload, type Upload } from './upload.rows.ts'

/**
 * Pushes: disks that come in by frames. A push is a row; which frames are here is the store's own knowledge, so that a
 * client that lost its connection, or a server that was restarted, only asks again what is missing.
 */
export interface PushSessions {
  create(request: {
    readonly subscriptionId: string
    readonly region: string
    readonly storageClass: StorageClass
    readonly virtualSizeBytes: number
  }): Promise<Upload>
  /** Throws BlobNotFound. */
  get(id: string): Promise<Upload>
  missing(push: Upload, names: Uint8Array): Promise<readonly number[]>
  putFrames(push: Upload, frames: AsyncIterable<EncodedFrame>): Promise<{ bytesStored: number }>
  /** Throws FramesMissing (409): send those, then finish again. Repeating a finish answers the same. */
  finish(push: Upload, pages: AsyncIterable<LeafPage>, expectedRoot: string | undefined): Promise<Upload>
  abandon(push: Upload): Promise<void>
  /** Lets go of the frames of pushes that are over. */
  sweep(): Promise<void>
}

const batchBytes = 4 << 20
const batchFrames = 256

export function createPushSessions(deps: {
  readonly db: Db
  readonly clock: Clock
  readonly area: UploadArea
  readonly stores: DiskStores
}): PushSessions {
  const { db, clock, area, stores } = deps
  /** Held in memory only: after a restart the client's next question pins anew, and finish finds out what was swept. */
  const pins = new Map<string, FramePin>()

  function storeOf(push: Upload): DiskStore {
    return stores.store(push.region ?? '', push.storageClass ?? 'Standard_LRS')
  }
  function pinOf(push: Upload): FramePin {
    const pin = pins.get(push.id) ?? storeOf(push).pinFrames()
    pins.set(push.id, pin)
    return pin
  }
  function unpin(id: string): void {
    pins.get(id)?.[Symbol.dispose]()
    pins.delete(id)
  }
  async function getOpen(id: string): Promise<Upload> {
    const push = await get(id)
    if (push.state !== 'open') throw transferProblems.UploadClosed({ name: id })
    return push
  }
  async function get(id: string): Promise<Upload> {
    const push = /^[0-9a-f-]{36}$/.test(id) ? await findUpload(db, id) : undefined
    if (push?.kind !== 'push') throw transferProblems.BlobNotFound({ name: id.slice(0, 80) })
    return push
  }

  return {
    get,
    async create({ subscriptionId, region, storageClass, virtualSizeBytes }) {
      const limitBytes = area.limits.maxUploadBytes
      if (
        !Number.isSafeInteger(virtualSizeBytes) ||
        virtualSizeBytes <= 0 ||
        virtualSizeBytes % 512 !== 0 ||
        virtualSizeBytes > limitBytes
      )
        throw transferProblems.UploadSizeInvalid({ sizeBytes: virtualSizeBytes, limitBytes })
      // Throws for a region or class that there is not.
      stores.store(region, storageClass)
      const createdMs = clock.now()
      const push: Upload = {
        ...{ id: randomUuid(), kind: 'push', address: '', subscriptionId, sizeBytes: virtualSizeBytes, state: 'open' },
        facts: { type: 'push', grants: [] },
        ...{ root: undefined, region, storageClass, createdMs, expiresMs: createdMs + area.limits.abandonedAfterMs },
      }
      await insertUpload(db, push)
      return push
    },
    async missing(push, names) {
      return await area.locks.share(push.id, async () => {
        await getOpen(push.id)
        return await storeOf(push).missing(names, pinOf(push))
      })
    },
    async putFrames(push, frames) {
      return await area.locks.share(push.id, async () => {
        await getOpen(push.id)
        const store = storeOf(push)
        const pin = pinOf(push)
        let bytesStored = 0
        for await (const batch of batches(frames)) bytesStored += (await putBatch(store, batch, pin)).bytesStored
        return { bytesStored }
      })
    },
    async finish(push, pages, expectedRoot) {
      return await area.locks.own(push.id, async () => {
        const now = await get(push.id)
        if (now.state === 'complete') return now
        const result = await assemble(storeOf(push), now, pages, pinOf(push))
        using _kept = result.pin
        if (expectedRoot !== undefined && expectedRoot !== result.root)
          throw transferProblems.InvalidBody({ reason: `its pages make disk ${result.root}, not ${expectedRoot}.` })
        const change = {
          state: 'complete',
          root: result.root,
          expiresMs: clock.now() + area.limits.abandonedAfterMs,
        } as const
        await updateUpload(db, push.id, change)
        unpin(push.id)
        return { ...now, ...change }
      })
    },
    async abandon(push) {
      await area.removeUpload(push.id)
      unpin(push.id)
    },
    async sweep() {
      for (const id of pins.keys()) if ((await findUpload(db, id))?.state !== 'open') unpin(id)
    },
  }
}

async function* batches(frames: AsyncIterable<EncodedFrame>): AsyncGenerator<EncodedFrame[]> {
  let batch: EncodedFrame[] = []
  let bytes = 0
  for await (const frame of frames) {
    batch.push(frame)
    bytes += frame.bytes.length
    if (bytes < batchBytes && batch.length < batchFrames) continue
    yield batch
    batch = []
    bytes = 0
  }
  if (batch.length > 0) yield batch
}

async function putBatch(store: DiskStore, batch: readonly EncodedFrame[], pin: FramePin) {
  try {
    return await store.putFrames(batch, pin)
  } catch (error) {
    if (error instanceof FrameCorrupt)
      throw transferProblems.InvalidBody(
        { reason: `frame ${error.frame} does not decode to its name.` },
        { cause: error },
      )
    throw error
  }
}

async function assemble(store: DiskStore, push: Upload, pages: AsyncIterable<LeafPage>, pin: FramePin) {
  try {
    return await store.assemble(push.sizeBytes, pages, pin)
  } catch (error) {
    if (error instanceof FramesMissing)
      throw transferProblems.FramesMissing({ count: error.frames.length }, { cause: error })
    throw error
  }
}
