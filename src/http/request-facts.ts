import type { FastifyReply, FastifyRequest } from 'fastify'
import { Problem } from '../base/problem.ts'
import { randomUuid } from '../base/random.ts'

const hostPattern = /^(?:\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::\d{1,5})?$/i
const echoPattern = /^[\x21-\x7e]{1,128}$/
const loopbackPattern = /^(?:localhost|127\.[0-9.]+|\[::1\])(?::|$)/i

/**
 * `scheme://host` as the client sees this server: every absolute address in an answer is made from it, because clients
 * reach the server under several names (CLIENTS.md). Throws for a Host header that is not a host: it would be reflected.
 */
export function baseUrlOf(request: FastifyRequest): string {
  const host = request.headers.host ?? localAddressOf(request)
  if (!hostPattern.test(host))
    throw new Problem('invalid', 'InvalidHostHeader', 'The Host header of the request is not a host name. Correct it.')
  return `${request.protocol}://${host}`
}

function localAddressOf(request: FastifyRequest): string {
  const { localAddress, localPort } = request.raw.socket
  const address = localAddress ?? '127.0.0.1'
  return `${address.includes(':') ? `[${address}]` : address}:${localPort ?? 80}`
}

/** Query parameters by lower-case name, decoded; of a repeated one the first counts. */
export function queryOf(request: FastifyRequest): Readonly<Record<string, string>> {
  const found: Record<string, string> = Object.create(null)
  const start = request.url.indexOf('?')
  if (start < 0) return found
  for (const [name, value] of new URLSearchParams(request.url.slice(start + 1))) {
    const key = name.toLowerCase()
    found[key] ??= value
  }
  return found
}

/** Headers that every answer of Azure Resource Manager carries (behaviour.md A3). */
export function setUsualHeaders(request: FastifyRequest, reply: FastifyReply, nowMs: number): void {
  const correlationId = findEcho(request, 'x-ms-correlation-request-id') ?? randomUuid()
  const isAsked = request.headers['x-ms-return-client-request-id']?.toString().toLowerCase() === 'true'
  const clientRequestId = isAsked ? clientRequestIdOf(request) : undefined
  const when = new Date(nowMs).toISOString().replaceAll(/[-:]|\.\d+/g, '')
  reply.headers({
    'cache-control': 'no-cache',
    pragma: 'no-cache',
    expires: '-1',
    'x-content-type-options': 'nosniff',
    'x-ms-request-id': request.id,
    'x-ms-correlation-request-id': correlationId,
    'x-ms-routing-request-id': `GOLDLEAF:${when}:${correlationId}`,
  })
  if (clientRequestId !== undefined) reply.header('x-ms-client-request-id', clientRequestId)
  // Never on loopback: a browser would then refuse plain HTTP to every other program on this machine.
  if (request.protocol === 'https' && !loopbackPattern.test(request.headers.host ?? 'localhost'))
    reply.header('strict-transport-security', 'max-age=31536000; includeSubDomains')
}

/** The id that the client gave its request, if it is short and printable. */
export function clientRequestIdOf(request: FastifyRequest): string | undefined {
  return findEcho(request, 'x-ms-client-request-id')
}

/** A header that may be sent back as it came: printable and short, otherwise ignored. */
function findEcho(request: FastifyRequest, name: string): string | undefined {
  const value = request.headers[name]
  return typeof value === 'string' && echoPattern.test(value) ? value : undefined
}
