import { createServer, type IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import { serveGuestNetwork } from './guest-network.ts'
import type { MetadataAnswer, MetadataRequest } from './metadata.ts'

const longestBody = 16_384

/** Serves HTTP at 169.254.169.254:80 of the network at the other end of a guest's cable: whoever asks is that guest. */
export function serveMetadataLink(
  cable: Duplex,
  options: {
    readonly clock: Clock
    readonly logger: Logger
    answer(request: MetadataRequest): Promise<MetadataAnswer>
  },
): void {
  const server = createServer((request, response) => {
    void (async () => {
      const asked = await readRequest(request)
      const { status, body } = asked ? await options.answer(asked) : badRequest
      const isText = typeof body === 'string'
      const text = isText ? body : JSON.stringify(body)
      response.writeHead(status, {
        'content-type': `${isText ? 'text/plain' : 'application/json'}; charset=utf-8`,
        'content-length': Buffer.byteLength(text),
        'cache-control': 'no-store',
        server: 'Goldleaf',
        connection: 'close',
      })
      response.end(text)
    })().catch((error: unknown) => {
      options.logger.warn({ err: error }, 'a metadata request failed')
      response.destroy()
    })
  })
  serveGuestNetwork(cable, options.clock, (stream) => server.emit('connection', stream))
}

const badRequest: MetadataAnswer = {
  status: 400,
  body: { error: 'invalid_request', error_description: 'The request has no path, or is too long.' },
}

async function readRequest(request: IncomingMessage): Promise<MetadataRequest | undefined> {
  const url = URL.parse(request.url ?? '', 'http://169.254.169.254')
  const parts: Buffer[] = []
  let length = 0
  for await (const part of request) {
    length += (part as Buffer).length
    if (length > longestBody) return undefined
    parts.push(part as Buffer)
  }
  if (!url) return undefined
  const headers = Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [name, Array.isArray(value) ? value[0] : value]),
  )
  const { method = '' } = request
  const body = Buffer.concat(parts).toString('utf8')
  return { method, path: url.pathname, query: url.searchParams, headers, ownAddresses: [], body }
}
