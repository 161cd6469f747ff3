import type { FastifyReply, FastifyRequest } from 'fastify'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Logger } from '../base/logger.ts'
import { transferProblems } from './problems.ts'
import { headerOf, readRangeOf, type ByteRange } from './request-facts.ts'

/** Bytes that can be served by range: an uploaded file, a stored disk, a log. */
export interface ReadableBytes extends AsyncDisposable {
  readonly name: string
  readonly sizeBytes: number
  /** With its quotes. */
  readonly etag: string
  readonly lastModifiedMs: number
  readonly contentType: string
  /** Further headers (x-ms-blob-type …). */
  readonly headers: Readonly<Record<string, string>>
  /** The bytes of a range, a piece at a time; a reader that stops early costs nothing more. */
  read(range: ByteRange, signal: AbortSignal): AsyncIterable<Uint8Array>
  /** Where data may be, ascending, on a 512 byte grid. */
  dataRanges(range: ByteRange): AsyncIterable<ByteRange> | Iterable<ByteRange>
}

export const storageVersion = '2024-11-04'

export function bytesHeaders(source: ReadableBytes): Record<string, string> {
  return {
    etag: source.etag,
    'last-modified': new Date(source.lastModifiedMs).toUTCString(),
    'x-ms-version': storageVersion,
    ...source.headers,
  }
}

/**
 * GET and HEAD: conditions, one range, 200/206/304. Holds a piece of the body at a time and waits for the client. An
 * error after the first byte cuts the connection: a short body is seen by every client, a wrong one by none.
 */
export async function sendBytes(
  request: FastifyRequest,
  reply: FastifyReply,
  source: ReadableBytes,
  logger: Logger,
): Promise<void> {
  checkConditions(request, source)
  const common = { ...bytesHeaders(source), 'accept-ranges': 'bytes', 'content-type': source.contentType }
  if (matches(headerOf(request, 'if-none-match'), source.etag)) {
    await reply.code(304).headers(common).send()
    return
  }
  const ifRange = headerOf(request, 'if-range')
  const range = ifRange !== undefined && ifRange !== source.etag ? undefined : rangeOrRefusal(request, reply, source)
  const { start, end } = range ?? { start: 0, end: source.sizeBytes }
  const headers = {
    ...common,
    'content-length': String(end - start),
    ...(range ? { 'content-range': `bytes ${start}-${end - 1}/${source.sizeBytes}` } : {}),
  }
  const status = range ? 206 : 200
  if (request.method === 'HEAD' || end === start) {
    await reply.code(status).headers(headers).send()
    return
  }
  await streamOut(request, reply, status, headers, (signal) => source.read({ start, end }, signal), logger)
}

/** Writes a body straight to the socket, past Fastify (40 % faster on large streams, STACK.md), with backpressure. */
export async function streamOut(
  request: FastifyRequest,
  reply: FastifyReply,
  status: number,
  headers: Readonly<Record<string, string>>,
  body: (signal: AbortSignal) => AsyncIterable<Uint8Array>,
  logger: Logger,
): Promise<void> {
  reply.hijack()
  const gone = new AbortController()
  reply.raw.once('close', () => gone.abort(new Error('the client has gone')))
  reply.raw.writeHead(status, { ...(reply.getHeaders() as Record<string, string>), ...headers })
  // Told apart here: once the pipeline has failed, both sides are closed and look as if the client had gone.
  let failure: unknown
  const watched = async function* (): AsyncGenerator<Uint8Array> {
    try {
      yield* body(gone.signal)
    } catch (error) {
      if (!gone.signal.aborted) failure = error
      throw error
    }
  }
  try {
    await pipeline(Readable.from(watched(), { objectMode: false, highWaterMark: 1 << 20 }), reply.raw)
  } catch (error) {
    const fields = { requestId: request.id, err: failure ?? error }
    if (failure === undefined) logger.debug(fields, 'download left by the client')
    else logger.error(fields, 'download cut: the bytes could not be read')
    reply.raw.destroy()
  }
}

function rangeOrRefusal(request: FastifyRequest, reply: FastifyReply, source: ReadableBytes): ByteRange | undefined {
  try {
    return readRangeOf(request, source.sizeBytes)
  } catch (error) {
    reply.header('content-range', `bytes */${source.sizeBytes}`)
    throw error
  }
}

export function checkConditions(request: FastifyRequest, source: { readonly etag: string }): void {
  const ifMatch = headerOf(request, 'if-match')
  if (ifMatch !== undefined && !matches(ifMatch, source.etag))
    throw transferProblems.ConditionNotMet({ header: 'If-Match' })
}

function matches(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false
  return header.split(',').some((one) => one.trim() === '*' || one.trim().replace(/^W\//, '') === etag)
}
