import type { IncomingMessage } from 'node:http'
import type { FastifyRequest } from 'fastify'
import { transferProblems } from './problems.ts'

/** Path and query as sent: Fastify's router folds slashes and case, blob names must keep both. */
export interface RawTarget {
  /** Percent-decoded segments after the leading slash; an encoded slash stays inside its segment. */
  readonly segments: readonly string[]
  readonly query: URLSearchParams
}

export function rawTargetOf(request: FastifyRequest): RawTarget {
  const url = request.raw.url ?? '/'
  const mark = url.indexOf('?')
  const path = mark < 0 ? url : url.slice(0, mark)
  const query = new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1))
  try {
    return { segments: path.split('/').slice(1).map(decodeURIComponent), query }
  } catch {
    throw transferProblems.InvalidUri({ reason: 'it is badly percent-encoded.' })
  }
}

export function headerOf(request: FastifyRequest, name: string): string | undefined {
  const value = request.headers[name]
  return Array.isArray(value) ? value[0] : value
}

/** A header that is a whole number of bytes; undefined where it is absent. */
export function bytesHeader(request: FastifyRequest, name: string): number | undefined {
  const value = headerOf(request, name)
  if (value === undefined) return undefined
  const bytes = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN
  if (!Number.isSafeInteger(bytes))
    throw transferProblems.InvalidHeaderValue({ header: name, value, expected: 'a number of bytes' })
  return bytes
}

/** `x-ms-meta-name` headers by name. */
export function metadataOf(request: FastifyRequest): Record<string, string> {
  const found: Record<string, string> = {}
  for (const [name, value] of Object.entries(request.headers))
    if (name.startsWith('x-ms-meta-') && typeof value === 'string') found[name.slice(10)] = value
  return found
}

export interface ByteRange {
  readonly start: number
  /** Exclusive. */
  readonly end: number
}

/** `bytes=a-b` with both ends, as page writes need; Azure's header goes before the standard one. */
export function pageRangeOf(request: FastifyRequest, sizeBytes: number): ByteRange {
  const text = headerOf(request, 'x-ms-range') ?? headerOf(request, 'range')
  if (text === undefined)
    throw transferProblems.MissingRequiredHeader({ header: 'x-ms-range', expected: 'bytes=first-last' })
  const match = /^bytes=(\d{1,16})-(\d{1,16})$/.exec(text.trim())
  const start = Number(match?.[1] ?? Number.NaN)
  const end = Number(match?.[2] ?? Number.NaN) + 1
  if (!match || start % 512 !== 0 || end % 512 !== 0 || start >= end || end > sizeBytes)
    throw transferProblems.InvalidPageRange({ range: text, sizeBytes })
  return { start, end }
}

/**
 * The range a reader asks for; undefined: all of it. One range only. Throws InvalidRange (416) where it is outside or is
 * none: answering a whole disk to a garbled range would cost more than it helps.
 */
export function readRangeOf(request: FastifyRequest, sizeBytes: number): ByteRange | undefined {
  const text = headerOf(request, 'x-ms-range') ?? headerOf(request, 'range')
  if (text === undefined) return undefined
  const match = /^bytes=(\d{0,16})-(\d{0,16})$/.exec(text.trim())
  const [first, last] = [match?.[1] ?? '', match?.[2] ?? '']
  const start = first === '' ? Math.max(0, sizeBytes - Number(last)) : Number(first)
  const end = first === '' || last === '' ? sizeBytes : Math.min(Number(last) + 1, sizeBytes)
  if (!match || (first === '' && last === '') || start >= end)
    throw transferProblems.InvalidRange({ range: text, sizeBytes })
  return { start, end }
}

/** Refuses a body by its announced length; answers that, and what to throw when more comes than is allowed. */
export function boundBody(request: FastifyRequest, limitBytes: number, what: string) {
  const announced = bytesHeader(request, 'content-length')
  const tooLarge = (givenBytes?: number) => transferProblems.RequestBodyTooLarge({ what, limitBytes, givenBytes })
  if (announced !== undefined && announced > limitBytes) throw tooLarge(announced)
  return { announced, tooLarge }
}

/** Reads a small body whole; refuses by its announced length first, then by what really came. */
export async function readSmallBody(body: IncomingMessage, limitBytes: number, what: string): Promise<Buffer> {
  const announced = Number(body.headers['content-length'] ?? 0)
  const tooLarge = (givenBytes?: number) => transferProblems.RequestBodyTooLarge({ what, limitBytes, givenBytes })
  if (announced > limitBytes) throw tooLarge(announced)
  const parts: Buffer[] = []
  let bytes = 0
  try {
    for await (const part of body.iterator({ destroyOnReturn: false })) {
      bytes += part.length
      if (bytes > limitBytes) throw tooLarge()
      parts.push(part)
    }
  } catch (error) {
    if (bytes > limitBytes) throw error
    throw transferProblems.IncompleteBody({ expectedBytes: announced, receivedBytes: bytes }, { cause: error })
  }
  return Buffer.concat(parts, bytes)
}
