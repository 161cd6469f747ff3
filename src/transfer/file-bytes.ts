import { constants } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { dataExtents } from '../blocks/sparse-file.ts'
import type { ReadableBytes } from './readable-bytes.ts'
import type { ByteRange } from './request-facts.ts'
import type { Upload } from './upload.rows.ts'

const pieceBytes = 256 * 1024

/** Serves a file that is open for reading; closes it. */
export async function openFileBytes(
  path: string,
  facts: { readonly name: string; readonly contentType: string; readonly headers: Readonly<Record<string, string>> },
): Promise<ReadableBytes> {
  const file = await open(path, constants.O_RDONLY)
  try {
    const { size, mtimeNs } = await file.stat({ bigint: true })
    const sizeBytes = Number(size)
    return {
      ...facts,
      sizeBytes,
      etag: etagOf(mtimeNs),
      lastModifiedMs: Number(mtimeNs / 1_000_000n),
      read: (range, signal) => readFile(file, range, signal),
      *dataRanges({ start, end }) {
        for (const { offset, length } of dataExtents(file.fd, end, start))
          yield { start: offset - (offset % 512), end: Math.min(Math.ceil((offset + length) / 512) * 512, end) }
      },
      [Symbol.asyncDispose]: () => file.close(),
    }
  } catch (error) {
    await file.close()
    throw error
  }
}

/** Azure's form. It follows the last change of the file, so that a page write needs no row. */
export function etagOf(mtimeNs: bigint): string {
  return `"0x${mtimeNs.toString(16).toUpperCase()}"`
}

async function* readFile(file: FileHandle, { start, end }: ByteRange, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  for (let at = start; at < end;) {
    signal.throwIfAborted()
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(Math.min(pieceBytes, end - at)), { position: at })
    if (bytesRead === 0) throw new Error('the file became shorter while it was read')
    yield buffer.subarray(0, bytesRead)
    at += bytesRead
  }
}

/** What clients of Azure Storage look at besides the bytes. */
export function uploadHeaders(upload: Upload): Record<string, string> {
  const { facts } = upload
  const isPage = upload.kind === 'disk' || facts.type === 'page'
  return {
    'x-ms-blob-type': isPage ? 'PageBlob' : 'BlockBlob',
    ...(isPage ? { 'x-ms-blob-sequence-number': '0' } : {}),
    'x-ms-creation-time': new Date(upload.createdMs).toUTCString(),
    'x-ms-lease-status': 'unlocked',
    'x-ms-lease-state': 'available',
    'x-ms-server-encrypted': 'false',
    ...(facts.type === 'stream' ? { 'x-goldleaf-received-bytes': String(facts.receivedBytes ?? 0) } : {}),
    ...Object.fromEntries(Object.entries(facts.metadata ?? {}).map(([name, value]) => [`x-ms-meta-${name}`, value])),
  }
}
