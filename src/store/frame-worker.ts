import { open, type FileHandle } from 'node:fs/promises'
import { mostReadBytes, packReads } from './pack-reads.ts'
import { parentPort } from 'node:worker_threads'
import { Problem } from '../base/problem.ts'
import type { DiskImage } from '../blocks/disk-image.ts'
import { openDiskImage } from '../blocks/open-disk-image.ts'
import { frameSizeBytes } from './disk-store.ts'
import { checksum, createFrameCodec, encodeBoundBytes, type CodecNumber } from './frame-codec.ts'
import { checkpointFrameIndex } from './frame-index.ts'
import { mostBatchFrames } from './frame-jobs.ts'
import { openFrame, sealBytes, sealFrame } from './frame-seal.ts'
import type {
  AdmitResult,
  EncodedBatch,
  FetchResult,
  FrameAddress,
  FrameForm,
  FrameJob,
  FrameRun,
  JobFailure,
  JobReply,
  JobRequest,
  ScanResult,
} from './frame-jobs.ts'
import { isZeroFrame, nameAt, nameBytes, nameOf, sameBytes } from './frame-name.ts'

/** A worker thread: everything that reads, hashes, compresses or decodes whole frames happens here. */
const codec = createFrameCodec()
const images = new Map<number, DiskImage>()
const batches = new Map<number, { readonly key: number; readonly bytes: Buffer; readonly names: Buffer }>()
const frameScratch = Buffer.alloc(frameSizeBytes)

const mostBatchBytes = mostBatchFrames * frameSizeBytes
/** Memory of batches that are done, for the next ones. */
const spare: Buffer[] = []
const mostSpare = 4

function release(batch: number): void {
  const kept = batches.get(batch)
  batches.delete(batch)
  if (kept && spare.length < mostSpare) spare.push(kept.bytes)
}

const frameAt = (bytes: Buffer, index: number): Buffer =>
  bytes.subarray(index * frameSizeBytes, (index + 1) * frameSizeBytes)

async function scan(key: number, batch: number, runs: readonly FrameRun[]): Promise<ScanResult> {
  const image = images.get(key)
  if (!image) throw new Error(`image ${key} is not open in this worker`)
  const count = runs.reduce((sum, run) => sum + run.count, 0)
  const bytes = spare.pop() ?? Buffer.allocUnsafeSlow(mostBatchBytes)
  if (count * frameSizeBytes > bytes.length) throw new RangeError(`a batch of ${count} frames is too long`)
  let at = 0
  for (const run of runs) {
    const offset = run.first * frameSizeBytes
    // The last frame of a disk may end behind the disk: the rest stays zeros.
    const length = Math.min(run.count * frameSizeBytes, image.virtualSizeBytes - offset)
    await image.read(offset, bytes.subarray(at, at + length))
    bytes.fill(0, at + length, at + run.count * frameSizeBytes)
    at += run.count * frameSizeBytes
  }
  const names = Buffer.alloc(count * nameBytes)
  for (let index = 0; index < count; index += 1) {
    const frame = frameAt(bytes, index)
    if (!isZeroFrame(frame)) nameOf(frame).copy(names, index * nameBytes)
  }
  batches.set(batch, { key, bytes, names })
  return { names: Uint8Array.from(names) }
}

/** Collects encoded frames in one memory that stays; what is answered gets a memory of its own, to be transferred. */
const collected: { bytes: Buffer } = { bytes: Buffer.alloc(0) }

function createCollector({ codec: wanted, key }: FrameForm, frames: number) {
  const names = new Uint8Array(frames * nameBytes)
  const codecs: CodecNumber[] = []
  const lengths: number[] = []
  const crcs: number[] = []
  const room = frames * (frameSizeBytes + (key ? sealBytes : 0)) + encodeBoundBytes
  if (collected.bytes.length < room) collected.bytes = Buffer.alloc(room)
  const into = collected.bytes
  let at = 0
  const note = (name: Uint8Array, as: CodecNumber, encoded: number): void => {
    const length = key ? sealFrame(key, name, into.subarray(at, at + encoded + sealBytes), encoded) : encoded
    names.set(name, lengths.length * nameBytes)
    codecs.push(as)
    lengths.push(length)
    crcs.push(checksum(into.subarray(at, at + length)))
    at += length
  }
  return {
    push(name: Uint8Array, as: CodecNumber, bytes: Uint8Array): void {
      into.set(bytes, at)
      note(name, as, bytes.length)
    },
    encode(name: Uint8Array, frame: Uint8Array): void {
      const { codec: as, length } = codec.encode(frame, wanted, into.subarray(at, at + encodeBoundBytes))
      note(name, as, length)
    },
    finish(): EncodedBatch {
      const payload = new Uint8Array(at)
      payload.set(into.subarray(0, at))
      return { names: names.slice(0, lengths.length * nameBytes), codecs, lengths, crcs, payload }
    },
  }
}

function encode(batch: number, picks: readonly number[], form: FrameForm): EncodedBatch {
  const kept = batches.get(batch)
  if (!kept) throw new Error(`batch ${batch} is not in this worker`)
  const collector = createCollector(form, picks.length)
  for (const pick of picks) collector.encode(nameAt(kept.names, pick), frameAt(kept.bytes, pick))
  release(batch)
  return collector.finish()
}

function admit(frames: EncodedBatch, form: FrameForm): AdmitResult {
  const collector = createCollector(form, frames.lengths.length)
  const bad: number[] = []
  let at = 0
  for (const [index, length] of frames.lengths.entries()) {
    const bytes = frames.payload.subarray(at, at + length)
    at += length
    const from = frames.codecs[index] ?? 0
    const name = nameAt(frames.names, index)
    if (!codec.decode(bytes, from, frameScratch) || !sameBytes(nameOf(frameScratch), name)) bad.push(index)
    // What is encoded as this store wants it goes in as it came; a raw frame may have been found not to shrink.
    else if (from === form.codec) collector.push(name, from, bytes)
    else collector.encode(name, frameScratch)
  }
  return { admitted: collector.finish(), bad }
}

/** Memory of pack reads that are done. */
const sparePacked: Buffer[] = []

const gone = 1
const corrupt = 2
const failed = 3

/** Decodes a frame as it rests into the scratch; false for what is not what its name says. */
function isWhole(packed: Uint8Array, { name, codec: as }: FrameAddress, key: Uint8Array | undefined): boolean {
  const encoded = key ? openFrame(key, name, packed) : packed
  return encoded !== undefined && codec.decode(encoded, as, frameScratch) && sameBytes(nameOf(frameScratch), name)
}

async function fetch(
  frames: readonly FrameAddress[],
  into: SharedArrayBuffer | undefined,
  key: Uint8Array | undefined,
): Promise<FetchResult> {
  const states = new Uint8Array(frames.length).fill(failed)
  const bytes = into && new Uint8Array(into)
  let handle: FileHandle | undefined
  let path: string | undefined
  let isGone = false
  try {
    for (const read of packReads(frames)) {
      if (read.path !== path) {
        await handle?.close()
        handle = undefined
        path = read.path
        handle = await open(read.path, 'r').catch((error: unknown) => {
          isGone = error instanceof Error && 'code' in error && error.code === 'ENOENT'
          return undefined
        })
        if (handle) isGone = false
      }
      const memory = sparePacked.pop() ?? Buffer.allocUnsafeSlow(mostReadBytes)
      const packed = memory.subarray(0, read.to - read.from)
      const bytesRead = await handle?.read(packed, 0, packed.length, read.from).then(
        (result) => result.bytesRead,
        () => undefined,
      )
      if (bytesRead === undefined) {
        if (isGone) for (const member of read.members) states[member] = gone
        sparePacked.push(memory)
        continue
      }
      for (const member of read.members) {
        const frame = frames[member]
        if (!frame) continue
        if (frame.offset - read.from + frame.length > bytesRead) {
          states[member] = gone
          continue
        }
        const encoded = packed.subarray(frame.offset - read.from, frame.offset - read.from + frame.length)
        const isGood = isWhole(encoded, frame, key)
        states[member] = isGood ? 0 : corrupt
        // Unverified bytes never leave the worker.
        if (isGood) bytes?.set(frameScratch, member * frameSizeBytes)
      }
      if (sparePacked.length < mostSpare) sparePacked.push(memory)
    }
  } finally {
    await handle?.close()
  }
  return { states }
}

async function run(job: FrameJob): Promise<unknown> {
  switch (job.kind) {
    case 'openImage':
      images.set(job.key, await openDiskImage(job.image.path, { format: job.image.format }))
      return undefined
    case 'closeImage': {
      const image = images.get(job.key)
      images.delete(job.key)
      for (const [batch, kept] of batches) if (kept.key === job.key) release(batch)
      await image?.close()
      return undefined
    }
    case 'scan':
      return scan(job.key, job.batch, job.runs)
    case 'encode':
      return encode(job.batch, job.picks, job.form)
    case 'drop':
      release(job.batch)
      return undefined
    case 'admit':
      return admit(job.frames, job.form)
    case 'fetch':
      return fetch(job.frames, job.into, job.key)
    case 'checkpoint':
      checkpointFrameIndex(job.path)
      return undefined
  }
}

function failureOf(error: unknown): JobFailure {
  const known = error instanceof Error ? error : new Error(String(error))
  return {
    problem: known instanceof Problem ? known.toRecord() : undefined,
    name: known.name,
    message: known.message,
    code: 'code' in known && typeof known.code === 'string' ? known.code : undefined,
  }
}

function transfersOf(result: unknown): ArrayBuffer[] {
  if (typeof result !== 'object' || result === null) return []
  const found: ArrayBuffer[] = []
  for (const value of Object.values(result)) {
    if (!(value instanceof Uint8Array)) {
      found.push(...transfersOf(value))
      continue
    }
    const { buffer } = value
    if (buffer instanceof ArrayBuffer && value.byteLength === buffer.byteLength && buffer.byteLength > 0)
      found.push(buffer)
  }
  return found
}

async function answer(request: JobRequest): Promise<void> {
  let reply: JobReply
  try {
    reply = { id: request.id, ok: true, result: await run(request.job) }
  } catch (error) {
    reply = { id: request.id, ok: false, failure: failureOf(error) }
  }
  parentPort?.postMessage(reply, reply.ok ? transfersOf(reply.result) : [])
}

parentPort?.on('message', (request: JobRequest) => void answer(request))
