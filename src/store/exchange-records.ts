import { defineProblems } from '../base/problem.ts'
import type { EncodedFrame, LeafPage } from './disk-store.ts'
import { pageBytes } from './disk-tree.ts'

/**
 * The binary records of the chunk exchange (docs/design/transfer.md); here because server and client share them. One stream carries records one after the other:
 *   'P' u32 index, 8192 bytes of leaves        a leaf page
 *   'F' 32 bytes name, u8 codec, u32 length, bytes      a frame (codec 0 raw, 1 zstd)
 *   'E' u32 records before it                  the end: a stream without it was cut off
 * Integers are little-endian.
 */
export type ExchangeRecord =
  | { readonly kind: 'page'; readonly page: LeafPage }
  | { readonly kind: 'frame'; readonly frame: EncodedFrame }
  | { readonly kind: 'end'; readonly count: number }

const problems = defineProblems({
  InvalidBody: {
    kind: 'invalid',
    say: (f: { reason: string }) => `The exchange records could not be used: ${f.reason} Send or fetch them again.`,
  },
})
/** zstd never makes 64 KiB larger than this; anything longer is hostile. */
const maxFrameBytes = 66_560
const frameHeadBytes = 38

export function encodePage(page: LeafPage): Uint8Array {
  const out = Buffer.allocUnsafe(5 + pageBytes)
  out[0] = 0x50
  out.writeUInt32LE(page.index, 1)
  out.set(page.leaves, 5)
  return out
}

export function encodeFrame(frame: EncodedFrame): Uint8Array {
  const out = Buffer.allocUnsafe(frameHeadBytes + frame.bytes.length)
  out[0] = 0x46
  out.set(frame.name, 1)
  out[33] = frame.codec === 'zstd' ? 1 : 0
  out.writeUInt32LE(frame.bytes.length, 34)
  out.set(frame.bytes, frameHeadBytes)
  return out
}

export function encodeEnd(count: number): Uint8Array {
  const out = Buffer.allocUnsafe(5)
  out[0] = 0x45
  out.writeUInt32LE(count, 1)
  return out
}

/** Takes a stream apart; throws InvalidBody for anything malformed, and where it ends without an 'E' that counts right. */
export async function* decodeRecords(stream: AsyncIterable<Uint8Array>): AsyncGenerator<ExchangeRecord> {
  let buffer: Buffer = Buffer.alloc(0)
  let count = 0
  let ended = false
  for await (const chunk of stream) {
    if (ended) throw problems.InvalidBody({ reason: 'there are bytes after the end record.' })
    buffer =
      buffer.length === 0 ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length) : Buffer.concat([buffer, chunk])
    let at = 0
    for (;;) {
      const length = recordLength(buffer, at)
      if (length === undefined || at + length > buffer.length) break
      const record = decodeRecord(buffer.subarray(at, at + length))
      at += length
      if (record.kind === 'end') {
        if (record.count !== count || at !== buffer.length)
          throw problems.InvalidBody({ reason: 'the end record does not fit what came before it.' })
        ended = true
      }
      count += 1
      yield record
      if (ended) break
    }
    buffer = buffer.subarray(at)
  }
  if (!ended) throw problems.InvalidBody({ reason: 'the records were cut off.' })
}

function recordLength(buffer: Buffer, at: number): number | undefined {
  if (buffer.length === at) return undefined
  switch (buffer[at]) {
    case 0x50:
      return 5 + pageBytes
    case 0x45:
      return 5
    case 0x46: {
      if (buffer.length < at + frameHeadBytes) return undefined
      const length = buffer.readUInt32LE(at + 34)
      if (length > maxFrameBytes) throw problems.InvalidBody({ reason: 'a frame is longer than frames can be.' })
      return frameHeadBytes + length
    }
    default:
      throw problems.InvalidBody({ reason: 'it is not a sequence of exchange records.' })
  }
}

/** The bytes are copied: what is handed on must not change when the stream's buffer is used again. */
function decodeRecord(bytes: Buffer): ExchangeRecord {
  if (bytes[0] === 0x45) return { kind: 'end', count: bytes.readUInt32LE(1) }
  if (bytes[0] === 0x50)
    return { kind: 'page', page: { index: bytes.readUInt32LE(1), leaves: Uint8Array.from(bytes.subarray(5)) } }
  const codec = bytes[33]
  if (codec !== 0 && codec !== 1) throw problems.InvalidBody({ reason: `codec ${codec} is not known.` })
  return {
    kind: 'frame',
    frame: {
      name: Uint8Array.from(bytes.subarray(1, 33)),
      codec: codec === 1 ? 'zstd' : 'raw',
      bytes: Uint8Array.from(bytes.subarray(frameHeadBytes)),
    },
  }
}
