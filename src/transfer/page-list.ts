import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Logger } from '../base/logger.ts'
import { transferProblems } from './problems.ts'
import { bytesHeaders, checkConditions, streamOut, type ReadableBytes } from './readable-bytes.ts'
import { readRangeOf, type ByteRange } from './request-facts.ts'

/** Get Page Ranges: where data may be (a superset of the non-zero pages), as Azure's XML. In pages if `maxresults` says so. */
export async function sendPageList(
  request: FastifyRequest,
  reply: FastifyReply,
  source: ReadableBytes,
  query: URLSearchParams,
  logger: Logger,
): Promise<void> {
  checkConditions(request, source)
  if (query.has('prevsnapshot')) throw transferProblems.UnsupportedOperation({ operation: 'difference of page ranges' })
  const whole = { start: 0, end: source.sizeBytes }
  const range = source.sizeBytes === 0 ? whole : (readRangeOf(request, source.sizeBytes) ?? whole)
  const most = query.has('maxresults') ? Number(query.get('maxresults')) : Number.POSITIVE_INFINITY
  const from = query.get('marker') ? Number(query.get('marker')) : range.start
  if (!(most >= 1) || !(from >= range.start))
    throw transferProblems.InvalidUri({ reason: 'maxresults or marker is not what this server handed out.' })
  const headers = {
    ...bytesHeaders(source),
    'content-type': 'application/xml',
    'x-ms-blob-content-length': String(source.sizeBytes),
  }
  const body = () => pageListXml(source.dataRanges({ start: from, end: range.end }), most)
  await streamOut(request, reply, 200, headers, body, logger)
}

async function* pageListXml(
  ranges: AsyncIterable<ByteRange> | Iterable<ByteRange>,
  most: number,
): AsyncGenerator<Uint8Array> {
  const text = new TextEncoder()
  yield text.encode('<?xml version="1.0" encoding="utf-8"?><PageList>')
  let count = 0
  let marker: number | undefined
  for await (const { start, end } of joined(ranges)) {
    if (count === most) {
      marker = start
      break
    }
    count += 1
    yield text.encode(`<PageRange><Start>${start}</Start><End>${end - 1}</End></PageRange>`)
  }
  yield text.encode(marker === undefined ? '</PageList>' : `<NextMarker>${marker}</NextMarker></PageList>`)
}

/** Neighbours become one range. */
async function* joined(ranges: AsyncIterable<ByteRange> | Iterable<ByteRange>): AsyncGenerator<ByteRange> {
  let open: ByteRange | undefined
  for await (const range of ranges) {
    if (open && range.start <= open.end) open = { start: open.start, end: Math.max(open.end, range.end) }
    else {
      if (open) yield open
      open = range
    }
  }
  if (open) yield open
}
