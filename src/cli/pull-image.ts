import { systemClock, type Clock } from '../base/clock.ts'
import { Problem } from '../base/problem.ts'
import type { DiskFormat } from '../blocks/disk-image.ts'
import type { GuestData } from '../blocks/guest-data.ts'
import { writeDiskImage } from '../blocks/write-disk-image.ts'
import { frameSizeBytes, type EncodedFrame, type LeafPage, type TransferProgress } from '../store/disk-store.ts'
import { hashPage, leavesPerPage, rootOf } from '../store/disk-tree.ts'
import { decodeRecords } from '../store/exchange-records.ts'
import { createFrameCodec, rawCodec, zstdCodec, type FrameCodec } from '../store/frame-codec.ts'
import { isZeroName, nameAt, nameKey, nameOf, sameBytes } from '../store/frame-name.ts'
import { startFigures, type Figures } from '../store/progress.ts'
import { callAgain, mayPass } from './call-again.ts'
import { problemOfAnswer, type HttpAnswer, type HttpTransport } from './http-transport.ts'

export interface PullImageOptions {
  /** The signed address of a stored disk: `https://host/disk/{region}/{class}/{root}.vhd?…`. */
  readonly address: string
  /** Written whole or not at all. */
  readonly out: string
  readonly format: DiskFormat
  readonly transport: HttpTransport
  readonly onProgress?: ((progress: TransferProgress) => void) | undefined
  readonly signal?: AbortSignal | undefined
  readonly clock?: Clock | undefined
}

export interface PulledImage {
  readonly root: string
  readonly virtualSizeBytes: number
  readonly progress: TransferProgress
}

interface Pull {
  readonly options: PullImageOptions
  readonly clock: Clock
  readonly source: DiskSource
  readonly codec: FrameCodec
  readonly progress: Figures
}

interface DiskSource {
  readonly root: string
  url(what: 'pages' | 'content', from?: number): string
}

interface Tree {
  readonly virtualSizeBytes: number
  /** Page hashes by index, checked against the root. */
  readonly hashes: ReadonlyMap<number, Uint8Array>
}

/**
 * Fetches a stored disk and writes it in any format, identical in content. The address names the disk's root, and
 * nothing is written that does not hash up to it. Broken connections are resumed at the page (16 MiB) they broke in.
 */
export async function pullImage(options: PullImageOptions): Promise<PulledImage> {
  const { clock = systemClock, signal } = options
  const source = parseDiskAddress(options.address)
  const progress = startFigures()
  const pull: Pull = { options, clock, source, codec: createFrameCodec(), progress }
  const tree = await callAgain(() => fetchTree(pull), { clock, signal })
  const data = guestData(pull, tree)
  await writeDiskImage(options.out, options.format, tree.virtualSizeBytes, data, { signal })
  return { root: source.root, virtualSizeBytes: tree.virtualSizeBytes, progress }
}

/** `/disk/{region}/{class}/{root}.{vhd|raw}`: the signature of that address also permits the frames of that disk. */
function parseDiskAddress(address: string): DiskSource {
  const url = URL.parse(address)
  const match = /^\/disk\/([^/]+)\/([^/]+)\/([0-9a-f]{64})\.(?:vhd|raw)$/.exec(url?.pathname ?? '')
  const [, region, storageClass, root] = match ?? []
  if (!url || !region || !storageClass || !root) {
    const say =
      'The address is not one of a stored disk. Use the address that the server hands out for the version or disk.'
    throw new Problem('invalid', 'InvalidUri', say)
  }
  return {
    root,
    url(what, from) {
      const query = new URLSearchParams(url.search)
      if (from !== undefined) query.set('from', String(from))
      return `${url.origin}/goldleaf/v1/disks/${region}/${storageClass}/${root}/${what}?${query.toString()}`
    },
  }
}

async function fetchTree(pull: Pull): Promise<Tree> {
  const { progress, source } = pull
  const answer = await get(pull, source.url('pages'))
  const virtualSizeBytes = Number(answer.headers['x-goldleaf-virtual-size'])
  const hashes = new Map<number, Uint8Array>()
  progress.bytesTotal = 0
  for await (const record of decodeRecords(answer.body)) {
    if (record.kind !== 'page') continue
    const { index, leaves } = record.page
    hashes.set(index, hashPage(leaves))
    for (let leaf = 0; leaf < leavesPerPage; leaf++)
      if (!isZeroName(nameAt(leaves, leaf))) progress.bytesTotal += frameSizeBytes
  }
  const ascending = [...hashes].map(([index, hash]) => ({ index, hash }))
  if (!Number.isSafeInteger(virtualSizeBytes) || rootOf(virtualSizeBytes, ascending) !== source.root)
    throw damaged('its pages do not make the root that the address names')
  return { virtualSizeBytes, hashes }
}

/** Pages in order, each fetched until it is whole; a broken connection goes on at the next page wanted. */
async function* guestData(pull: Pull, tree: Tree): AsyncGenerator<GuestData> {
  const { clock, options, source } = pull
  const wanted = [...tree.hashes.keys()].sort((a, b) => a - b)
  let next = 0
  let stream: AsyncGenerator<WholePage> | undefined
  let failures = 0
  while (next < wanted.length) {
    const index = wanted[next] ?? 0
    let page: WholePage
    try {
      stream ??= wholePages(await get(pull, source.url('content', index)), pull)
      const result = await stream.next()
      if (result.done) throw damaged('pages are missing')
      page = result.value
      checkPage(page.page, index, tree)
    } catch (error) {
      await stream?.return(undefined)
      stream = undefined
      failures += 1
      const wasDamaged = error instanceof Problem && error.code === 'TransferDamaged'
      if (failures > 6 || options.signal?.aborted || !(wasDamaged || isCutOff(error) || mayPass(error))) throw error
      await clock.sleep(Math.min(10_000, 250 * 2 ** failures), options.signal)
      continue
    }
    failures = 0
    next += 1
    yield* dataOf(page, tree.virtualSizeBytes, pull)
  }
}

function isCutOff(error: unknown): boolean {
  return error instanceof Problem && error.code === 'InvalidBody'
}

function checkPage({ index, leaves }: LeafPage, expected: number, tree: Tree): void {
  const hash = tree.hashes.get(index)
  if (index !== expected || !hash || !sameBytes(hash, hashPage(leaves)))
    throw damaged(`page ${index} is not the disk's`)
}

interface WholePage {
  readonly page: LeafPage
  /** 64 KiB each, checked, by name. */
  readonly frames: ReadonlyMap<string, Buffer>
}

async function* wholePages(answer: HttpAnswer, pull: Pull): AsyncGenerator<WholePage> {
  let page: LeafPage | undefined
  let frames = new Map<string, Buffer>()
  for await (const record of decodeRecords(answer.body)) {
    if (record.kind === 'frame') {
      pull.progress.bytesSent += record.frame.bytes.length
      frames.set(nameKey(record.frame.name), decodeFrame(record.frame, pull.codec))
      continue
    }
    if (page) yield { page, frames }
    frames = new Map()
    page = record.kind === 'page' ? record.page : undefined
  }
}

function decodeFrame({ name, codec, bytes }: EncodedFrame, frameCodec: FrameCodec): Buffer {
  const frame = Buffer.allocUnsafe(frameSizeBytes)
  const isWhole = frameCodec.decode(bytes, codec === 'zstd' ? zstdCodec : rawCodec, frame)
  if (!isWhole || !sameBytes(nameOf(frame), name)) throw damaged('a frame does not decode to its name')
  return frame
}

function* dataOf({ page, frames }: WholePage, virtualSizeBytes: number, pull: Pull): Generator<GuestData> {
  for (let leaf = 0; leaf < leavesPerPage; leaf++) {
    const name = nameAt(page.leaves, leaf)
    if (isZeroName(name)) continue
    const bytes = frames.get(nameKey(name))
    if (!bytes) throw damaged('a frame is missing')
    const offset = (page.index * leavesPerPage + leaf) * frameSizeBytes
    yield { offset, bytes: bytes.subarray(0, virtualSizeBytes - offset) }
    pull.progress.bytesDone += frameSizeBytes
  }
  pull.options.onProgress?.({ ...pull.progress })
}

async function get({ options }: Pull, url: string): Promise<HttpAnswer> {
  const answer = await options.transport.call({ method: 'GET', url, signal: options.signal })
  if (answer.status !== 200) throw await problemOfAnswer(answer)
  return answer
}

function damaged(reason: string): Problem {
  const say = `What the server sent is not the disk that was asked for: ${reason}. Run 'goldleaf image verify', then try again.`
  return new Problem('internal', 'TransferDamaged', say)
}
