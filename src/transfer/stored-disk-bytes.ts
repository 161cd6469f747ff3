import { fixedVhdFooter } from '../blocks/vhd-footer.ts'
import type { StoredDisk } from '../store/disk-store.ts'
import type { ReadableBytes } from './readable-bytes.ts'
import type { ByteRange } from './request-facts.ts'

const pieceBytes = 1 << 20
/** 2000-01-01: fixed, so that the same disk is the same VHD file wherever and whenever it is read. */
const vhdTimestampMs = 946_684_800_000

/** A stored disk as raw bytes, or as a fixed VHD: the same and 512 bytes of footer. Closes the disk. */
export function storedDiskBytes(disk: StoredDisk, format: 'raw' | 'vhd'): ReadableBytes {
  const { root, virtualSizeBytes } = disk
  const identity = { uniqueId: Buffer.from(root, 'hex').subarray(0, 16), timestampMs: vhdTimestampMs }
  const footer = format === 'vhd' ? fixedVhdFooter(virtualSizeBytes, identity) : new Uint8Array(0)
  const sizeBytes = virtualSizeBytes + footer.length
  return {
    name: `${root}.${format}`,
    sizeBytes,
    etag: `"${root}"`,
    lastModifiedMs: vhdTimestampMs,
    contentType: 'application/octet-stream',
    headers: {
      'x-ms-blob-type': 'PageBlob',
      'x-ms-blob-sequence-number': '0',
      'x-ms-lease-status': 'unlocked',
      'x-ms-lease-state': 'available',
      'x-ms-server-encrypted': 'false',
      'x-goldleaf-root': root,
      'x-goldleaf-virtual-size': String(virtualSizeBytes),
    },
    async *read({ start, end }, signal) {
      // One piece ahead: the store decodes while the socket sends.
      const pieces = piecesOf(start, Math.min(end, virtualSizeBytes))
      let ahead = readPiece(disk, pieces.next(), signal)
      try {
        for (let bytes = await ahead; bytes !== undefined; bytes = await ahead) {
          ahead = readPiece(disk, pieces.next(), signal)
          // Awaited only after the next yield: without this a failure would be reported as unhandled first.
          ahead.catch(() => undefined)
          yield bytes
        }
      } finally {
        // The disk is closed after us: nothing may still be reading it.
        await ahead.catch(() => undefined)
      }
      if (end > virtualSizeBytes) yield footer.subarray(Math.max(0, start - virtualSizeBytes), end - virtualSizeBytes)
    },
    async *dataRanges({ start, end }) {
      for await (const { offset, length } of disk.extents()) {
        if (offset >= end) break
        const range = { start: Math.max(start, offset), end: Math.min(end, offset + length, virtualSizeBytes) }
        if (range.start < range.end) yield range
      }
      const tail = { start: Math.max(start, virtualSizeBytes), end: Math.min(end, sizeBytes) }
      if (tail.start < tail.end) yield tail
    },
    [Symbol.asyncDispose]: () => disk.close(),
  }
}

function* piecesOf(start: number, end: number): Generator<ByteRange, undefined> {
  for (let at = start; at < end;) {
    const next = Math.min(end, at + pieceBytes - (at % pieceBytes))
    yield { start: at, end: next }
    at = next
  }
}

async function readPiece(
  disk: StoredDisk,
  piece: IteratorResult<ByteRange, undefined>,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  if (piece.value === undefined) return undefined
  signal.throwIfAborted()
  return await disk.read(piece.value.start, piece.value.end - piece.value.start, signal)
}
