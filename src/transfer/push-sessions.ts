import type { Clock } from '../base/clock.ts'
import { randomUuid } from '../base/random.ts'
import { normalizeRegionName } from '../base/region.ts'
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

interface PushDeps {
  readonly db: Db
  readonly clock: Clock
  readonly area: UploadArea
  readonly stores: DiskStores
}

export function createPushSessions(deps: PushDeps): PushSessions {
  const { db, area, stores } = deps
  /** Held in memory only: after a restart the client's next question pins anew, and finish finds out what was swept. */
  const pins = new Map<string, FramePin>()
  const storeOf = (push: Upload): DiskStore => stores.store(push.region ?? '', push.storageClass ?? 'Standard_LRS')
  const get = (id: string): Promise<Upload> => getPush(db, id)

  function unpin(id: string): void {
    pins.get(id)?.[Symbol.dispose]()
    pins.delete(id)
  }
  /** Runs beside others of the same push, while it is open, with its pin. */
  function whileOpen<T>({ id }: Upload, work: (store: DiskStore, pin: FramePin) => Promise<T>): Promise<T> {
    return area.locks.share(id, async () => {
      const push = await get(id)
      if (push.state !== 'open') throw transferProblems.UploadClosed({ name: id })
      const pin = pins.get(id) ?? storeOf(push).pinFrames()
      pins.set(id, pin)
      return await work(storeOf(push), pin)
    })
  }

  return {
    get,
    create: (request) => createPush(deps, request),
    missing: (push, names) => whileOpen(push, (store, pin) => store.missing(names, pin)),
    putFrames: (push, frames) =>
      whileOpen(push, async (store, pin) => {
        let bytesStored = 0
        for await (const batch of batches(frames)) bytesStored += (await putBatch(store, batch, pin)).bytesStored
        return { bytesStored }
      }),
    finish: (push, pages, expectedRoot) =>
      area.locks.own(push.id, async () => {
        const now = await get(push.id)
        if (now.state === 'complete') return now
        const done = await finishPush(deps, storeOf(now), now, pages, expectedRoot, pins.get(push.id))
        unpin(push.id)
        return done
      }),
    async abandon(push) {
      await area.removeUpload(push.id)
      unpin(push.id)
    },
    async sweep() {
      for (const id of pins.keys()) if ((await findUpload(db, id))?.state !== 'open') unpin(id)
    },
  }
}

async function getPush(db: Db, id: string): Promise<Upload> {
  const push = /^[0-9a-f-]{36}$/.test(id) ? await findUpload(db, id) : undefined
  if (push?.kind !== 'push') throw transferProblems.BlobNotFound({ name: id.slice(0, 80) })
  return push
}

async function createPush(
  { db, clock, area, stores }: PushDeps,
  request: Parameters<PushSessions['create']>[0],
): Promise<Upload> {
  const { subscriptionId, storageClass, virtualSizeBytes } = request
  const region = normalizeRegionName(request.region)
  const limitBytes = area.limits.maxUploadBytes
  const isSize = Number.isSafeInteger(virtualSizeBytes) && virtualSizeBytes > 0 && virtualSizeBytes % 512 === 0
  if (!isSize || virtualSizeBytes > limitBytes)
    throw transferProblems.UploadSizeInvalid({ sizeBytes: virtualSizeBytes, limitBytes })
  // Throws for a region or class that there is not.
  stores.store(region, storageClass)
  const createdMs = clock.now()
  const push: Upload = {
    id: randomUuid(),
    kind: 'push',
    address: '',
    subscriptionId,
    sizeBytes: virtualSizeBytes,
    state: 'open',
    facts: { type: 'push', grants: [] },
    root: undefined,
    region,
    storageClass,
    createdMs,
    expiresMs: createdMs + area.limits.abandonedAfterMs,
  }
  await insertUpload(db, push)
  return push
}

async function finishPush(
  { db, clock, area }: PushDeps,
  store: DiskStore,
  push: Upload,
  pages: AsyncIterable<LeafPage>,
  expectedRoot: string | undefined,
  pin: FramePin | undefined,
): Promise<Upload> {
  const result = await assemble(store, push, pages, pin)
  // Until the row names the root, this keeps the disk from being swept.
  using _kept = result.pin
  const { root } = result
  if (expectedRoot !== undefined && expectedRoot !== root)
    throw transferProblems.InvalidBody({ reason: `its pages make disk ${root}, not ${expectedRoot}.` })
  const change = { state: 'complete', root, expiresMs: clock.now() + area.limits.abandonedAfterMs } as const
  await updateUpload(db, push.id, change)
  return { ...push, ...change }
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

async function assemble(store: DiskStore, push: Upload, pages: AsyncIterable<LeafPage>, pin: FramePin | undefined) {
  try {
    return await store.assemble(push.sizeBytes, pages, pin)
  } catch (error) {
    if (error instanceof FramesMissing)
      throw transferProblems.FramesMissing({ count: error.frames.length }, { cause: error })
    throw error
  }
}
