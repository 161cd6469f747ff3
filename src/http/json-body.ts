import type { IncomingMessage } from 'node:http'
import type { FastifyInstance } from 'fastify'
import type { Clock } from '../base/clock.ts'
import { Problem } from '../base/problem.ts'

export interface JsonBodyLimits {
  readonly clock: Clock
  readonly limitBytes: number
  /** The whole body must have arrived by then, however steadily it drips. */
  readonly timeoutMs: number
}

/** More than any resource needs; deeper input would only exhaust the stack of whoever walks it. */
const maxDepth = 64

/**
 * JSON for every route of this scope; any other content type is refused with 415. An empty body is no body: SDKs send
 * `Content-Type: application/json` with empty POSTs.
 */
export function useJsonBodies(scope: FastifyInstance, limits: JsonBodyLimits): void {
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser(
    ['application/json', 'application/merge-patch+json', 'text/json'],
    async (_request: unknown, body: IncomingMessage) => parseJsonBody(await readText(body, limits)),
  )
}

async function readText(body: IncomingMessage, { clock, limitBytes, timeoutMs }: JsonBodyLimits): Promise<string> {
  if (Number(body.headers['content-length'] ?? 0) > limitBytes) throw contentTooLarge(limitBytes)
  const arrived = new AbortController()
  const late = clock.sleep(timeoutMs, arrived.signal).then(
    () => body.destroy(),
    () => undefined,
  )
  const parts: Buffer[] = []
  let sizeBytes = 0
  try {
    for await (const part of body.iterator({ destroyOnReturn: false })) {
      parts.push(part)
      sizeBytes += part.length
      if (sizeBytes > limitBytes) throw contentTooLarge(limitBytes)
    }
  } catch (error) {
    if (error instanceof Problem) throw error
    throw new Problem(
      'invalid',
      'InvalidRequestContent',
      'The request body ended before it was complete, or took too long to arrive. Send the request again.',
      { cause: error },
    )
  } finally {
    arrived.abort()
    await late
  }
  return Buffer.concat(parts, sizeBytes).toString('utf8')
}

function contentTooLarge(limitBytes: number): Problem {
  return new Problem(
    'tooLarge',
    'RequestContentTooLarge',
    `The request content is larger than ${limitBytes} bytes, the most this server accepts. ` +
      'Send a smaller body; bytes of disks are uploaded to the address that beginGetAccess hands out.',
  )
}

/**
 * Raw bodies for every route of this scope, whatever their content type: the handler gets the stream in
 * `request.body`, unlimited and unread.
 */
export function useRawBodies(scope: FastifyInstance): void {
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser('*', (_request, payload, done) => {
    done(null, payload)
  })
}

/** Throws Azure's InvalidRequestContent. `__proto__` members are refused: they would be merged into objects. */
export function parseJsonBody(text: string): unknown {
  const body = text.startsWith('\uFEFF') ? text.slice(1) : text
  if (body.trim() === '') return undefined
  if (depthOf(body) > maxDepth) throw invalidContent(`It is nested more than ${maxDepth} levels deep.`)
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch (error) {
    throw invalidContent(error instanceof Error ? error.message : 'It is not JSON.', error)
  }
  if (/__proto__|\\u005f/i.test(body) && hasForbiddenMember(value))
    throw invalidContent("It has a member named '__proto__'.")
  return value
}

function invalidContent(why: string, cause?: unknown): Problem {
  return new Problem(
    'invalid',
    'InvalidRequestContent',
    `The request content was invalid and could not be deserialized: '${why}'. Send one JSON object.`,
    { cause },
  )
}

function depthOf(text: string): number {
  let depth = 0
  let deepest = 0
  let inString = false
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (inString) {
      if (code === 92) at++
      else if (code === 34) inString = false
    } else if (code === 34) inString = true
    else if (code === 123 || code === 91) deepest = Math.max(deepest, ++depth)
    else if (code === 125 || code === 93) depth--
  }
  return deepest
}

function hasForbiddenMember(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  return Object.hasOwn(value, '__proto__') || Object.values(value).some(hasForbiddenMember)
}
