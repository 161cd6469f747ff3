import { systemClock, type Clock } from '../base/clock.ts'
import { isJsonObject, type JsonObject } from '../base/json.ts'
import { mapLimit } from '../base/map-limit.ts'
import { Problem } from '../base/problem.ts'
import type { DiskFormat, DiskImage } from '../blocks/disk-image.ts'
import { openDiskImage } from '../blocks/open-disk-image.ts'
import { frameSizeBytes, type StorageClass, type TransferProgress } from '../store/disk-store.ts'
import { hashPage, leavesPerPage, pageBytes, rootOf } from '../store/disk-tree.ts'
import { encodeEnd, encodeFrame, encodePage } from '../store/exchange-records.ts'
import { createFrameCodec, encodeBoundBytes, zstdCodec, type FrameCodec } from '../store/frame-codec.ts'
import { nameBytes, nameKey, nameOf } from '../store/frame-name.ts'
import { startFigures, type Figures } from '../store/progress.ts'
import { callAgain } from './call-again.ts'
import { problemOfAnswer, type HttpTransport } from './http-transport.ts'
import { readFrames, type ImageFrame } from './image-frames.ts'

export interface PushImageOptions {
  readonly file: string
  /** Undefined: told from the content. */
  readonly format?: DiskFormat | undefined
  /** `scheme://host` of the server. */
  readonly endpoint: string
  /** Asked before each request, so that it may be renewed on the way. */
  readonly token: () => Promise<string>
  readonly transport: HttpTransport
  readonly subscriptionId: string
  /** Where the frames go: the version's source region. */
  readonly region: string
  readonly storageClass?: StorageClass | undefined
  readonly onProgress?: ((progress: TransferProgress) => void) | undefined
  readonly signal?: AbortSignal | undefined
  readonly clock?: Clock | undefined
  /** Batches on their way at once; each holds up to 4 MiB. */
  readonly parallel?: number | undefined
}

export interface PushedImage {
  /** For `osDiskImage.source.uri`. */
  readonly sourceUri: string
  readonly root: string
  readonly virtualSizeBytes: number
  readonly progress: TransferProgress
}

interface Batch {
  readonly names: Buffer
  readonly frames: readonly ImageFrame[]
  /** Guest bytes read when it was full. */
  readonly readSoFar: number
}

interface Push {
  readonly options: PushImageOptions
  readonly clock: Clock
  readonly uri: string
  readonly codec: FrameCodec
  readonly progress: Figures
}

const batchFrames = 64
/** Names asked about in this run and not asked again; forgotten when there are too many (about 30 MiB of them). */
const rememberedNames = 262_144
const passes = 3

/**
 * Sends a disk image to a server by frames: only those that its region lacks cross the wire, compressed. Broken
 * connections and restarts of the server are waited out; starting over after a crash of this program costs only
 * questions. Throws the server's Problem, or one of src/blocks for the file.
 */
export async function pushImage(options: PushImageOptions): Promise<PushedImage> {
  const { clock = systemClock } = options
  const format = options.format === undefined ? {} : { format: options.format }
  await using image = await openDiskImage(options.file, format)
  const { virtualSizeBytes } = image
  const progress = startFigures()
  for await (const extent of image.extents(options.signal)) progress.bytesTotal += extent.length
  const { region, subscriptionId, storageClass = 'Standard_LRS' } = options
  const made = await send({ options, clock }, 'POST', `${options.endpoint}/goldleaf/v1/pushes`, {
    json: { subscriptionId, region, storageClass, virtualSizeBytes },
  })
  const uri = parseJson(made)['uri']
  if (typeof uri !== 'string') throw notUnderstood()
  const push: Push = { options, clock, uri, codec: createFrameCodec(), progress }
  for (let pass = 1; ; pass++) {
    const pages = await sendFrames(push, image)
    try {
      const root = await finish(push, virtualSizeBytes, pages)
      return { sourceUri: uri, root, virtualSizeBytes, progress }
    } catch (error) {
      // The server was restarted and has swept what it had found for us: ask again for everything.
      if (!(error instanceof Problem) || error.code !== 'FramesMissing' || pass === passes) throw error
      progress.bytesDone = 0
    }
  }
}

type Pages = Map<number, Uint8Array>

/** One pass over the disk; answers its leaf pages (8 KiB for 16 MiB of data). */
async function sendFrames(push: Push, image: DiskImage): Promise<Pages> {
  const { options, progress } = push
  const pages: Pages = new Map()
  const read = { bytes: 0 }
  const onRead = (bytes: number): void => {
    read.bytes += bytes
    progress.bytesRead += bytes
  }
  // Reading is far ahead of sending: what counts as done is what the server has.
  const onSent = (bytes: number): void => {
    progress.bytesDone = Math.min(progress.bytesTotal, Math.max(progress.bytesDone, bytes))
    options.onProgress?.({ ...progress })
  }
  const batches = batchesOf(readFrames(image, onRead, options.signal), pages, read)
  await mapLimit(batches, options.parallel ?? 4, async (batch) => {
    await sendBatch(push, batch)
    onSent(batch.readSoFar)
  })
  onSent(read.bytes)
  return pages
}

/** Names each frame, writes the name into its page, and gathers those that were not seen before. */
async function* batchesOf(
  frames: AsyncIterable<ImageFrame>,
  pages: Pages,
  read: { readonly bytes: number },
): AsyncGenerator<Batch> {
  const seen = new Set<string>()
  let names: Buffer[] = []
  let batch: ImageFrame[] = []
  for await (const frame of frames) {
    const name = nameOf(frame.bytes)
    const pageIndex = Math.floor(frame.index / leavesPerPage)
    const leaves = pages.get(pageIndex) ?? new Uint8Array(pageBytes)
    pages.set(pageIndex, leaves)
    leaves.set(name, (frame.index % leavesPerPage) * nameBytes)
    const key = nameKey(name)
    if (seen.has(key)) continue
    if (seen.size >= rememberedNames) seen.clear()
    seen.add(key)
    names.push(name)
    batch.push(frame)
    if (batch.length < batchFrames) continue
    yield { names: Buffer.concat(names), frames: batch, readSoFar: read.bytes }
    names = []
    batch = []
  }
  if (batch.length > 0) yield { names: Buffer.concat(names), frames: batch, readSoFar: read.bytes }
}

async function sendBatch(push: Push, { names, frames }: Batch): Promise<void> {
  const { progress, codec } = push
  const answer = await send(push, 'POST', `${push.uri}/missing`, { bytes: names })
  if (answer.length % 4 !== 0) throw notUnderstood()
  const records: Uint8Array[] = []
  for (let at = 0; at < answer.length; at += 4) {
    const index = answer.readUInt32LE(at)
    const frame = frames[index]
    if (!frame) throw notUnderstood()
    const into = Buffer.allocUnsafe(encodeBoundBytes)
    const { codec: used, length } = codec.encode(frame.bytes, zstdCodec, into)
    const name = names.subarray(index * nameBytes, (index + 1) * nameBytes)
    records.push(encodeFrame({ name, codec: used === zstdCodec ? 'zstd' : 'raw', bytes: into.subarray(0, length) }))
  }
  if (records.length === 0) return
  const body = Buffer.concat([...records, encodeEnd(records.length)])
  const stored = parseJson(await send(push, 'POST', `${push.uri}/frames`, { bytes: body }))['bytesStored']
  progress.bytesNew += records.length * frameSizeBytes
  progress.bytesSent += body.length
  progress.bytesStored += typeof stored === 'number' ? stored : 0
}

async function finish(push: Push, virtualSizeBytes: number, pages: Pages): Promise<string> {
  const ascending = [...pages].sort(([a], [b]) => a - b)
  const root = rootOf(
    virtualSizeBytes,
    ascending.map(([index, leaves]) => ({ index, hash: hashPage(leaves) })),
  )
  const body = async function* (): AsyncGenerator<Uint8Array> {
    for (const [index, leaves] of ascending) yield encodePage({ index, leaves })
    yield encodeEnd(ascending.length)
  }
  const headers = { 'x-goldleaf-root': root }
  const answer = parseJson(await send(push, 'POST', `${push.uri}/finish`, { stream: body, headers }))
  if (answer['root'] !== root) throw notUnderstood()
  return root
}

interface Content {
  readonly json?: JsonObject
  readonly bytes?: Uint8Array
  /** Called anew for each try. */
  readonly stream?: () => AsyncIterable<Uint8Array>
  readonly headers?: Readonly<Record<string, string>>
}

async function send(
  { options, clock }: Pick<Push, 'options' | 'clock'>,
  method: string,
  url: string,
  { json, bytes, stream, headers }: Content,
): Promise<Buffer> {
  const { signal } = options
  return await callAgain(
    async () => {
      const answer = await options.transport.call({
        method,
        url,
        signal,
        headers: {
          ...headers,
          authorization: `Bearer ${await options.token()}`,
          'content-type': json ? 'application/json' : 'application/octet-stream',
        },
        body: json ? JSON.stringify(json) : (bytes ?? stream?.()),
      })
      if (answer.status >= 300) throw await problemOfAnswer(answer)
      return await answer.bytes()
    },
    { clock, signal },
  )
}

function parseJson(bytes: Buffer): JsonObject {
  const value: unknown = JSON.parse(bytes.toString('utf8'))
  if (!isJsonObject(value)) throw notUnderstood()
  return value
}

function notUnderstood(): Problem {
  const say = 'The server answered something that this program does not understand. Use the same version of both.'
  return new Problem('internal', 'UnexpectedAnswer', say)
}
