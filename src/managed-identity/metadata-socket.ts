import { STATUS_CODES } from 'node:http'
import { createServer, type Socket } from 'node:net'
import { chmod } from 'node:fs/promises'
import type { Logger } from '../base/logger.ts'
import type { MetadataAnswer, MetadataRequest } from './metadata.ts'

const longestHead = 16_384

/**
 * Serves HTTP on a Unix socket to which QEMU carries what one guest says to 169.254.169.254:80. All conversations of the
 * guest come in one stream without ends between them, so it is read request by request and never closed from here; every
 * answer has its length, by which the guest knows its end.
 */
export async function serveMetadataSocket(options: {
  readonly socketPath: string
  readonly logger: Logger
  answer(request: MetadataRequest): Promise<MetadataAnswer>
}): Promise<AsyncDisposable> {
  const { socketPath, logger } = options
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    open.add(socket)
    socket.on('close', () => open.delete(socket))
    socket.on('error', (error) => logger.debug({ err: error }, 'a metadata socket broke'))
    converse(socket, options).catch((error: unknown) => {
      logger.warn({ err: error }, 'a metadata request failed')
      socket.destroy()
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(socketPath, resolve)
  })
  await chmod(socketPath, 0o600)
  return {
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function converse(
  socket: Socket,
  service: { answer(request: MetadataRequest): Promise<MetadataAnswer> },
): Promise<void> {
  let waiting = ''
  for await (const part of socket) {
    waiting += (part as Buffer).toString('latin1')
    for (let end = waiting.indexOf('\r\n\r\n'); end >= 0; end = waiting.indexOf('\r\n\r\n')) {
      const head = waiting.slice(0, end)
      const request = parseHead(head)
      const length = bodyLength(request)
      // The rest of it is still on its way.
      if (waiting.length < end + 4 + length) break
      const body = waiting.slice(end + 4, end + 4 + length)
      waiting = waiting.slice(end + 4 + length)
      socket.write(format(request ? await service.answer({ ...request, body }) : badRequest))
    }
    // What is left of a conversation that the guest broke off must not spoil the next one.
    if (waiting.length > 2 * longestHead) waiting = ''
  }
}

const badRequest: MetadataAnswer = {
  status: 400,
  body: { error: 'invalid_request', error_description: 'The request is not HTTP/1.1 with a path.' },
}

/** Of a body that is too long nothing is read: what comes of it is no request. */
function bodyLength(request: MetadataRequest | undefined): number {
  const length = Number(request?.headers['content-length'] ?? 0)
  return Number.isInteger(length) && length > 0 && length <= longestHead ? length : 0
}

/** Reads the head of a request; what came before its first line belongs to a conversation that was broken off. */
function parseHead(head: string): MetadataRequest | undefined {
  const start = head.search(/(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) \S+ HTTP\/1\.[01](?:\r\n|$)/)
  if (start < 0 || head.length > longestHead) return undefined
  const [first = '', ...lines] = head.slice(start).split('\r\n')
  const [method = '', target = ''] = first.split(' ')
  const url = URL.parse(target, 'http://169.254.169.254')
  if (!url) return undefined
  const headers: Record<string, string> = Object.create(null)
  for (const line of lines) {
    const colon = line.indexOf(':')
    if (colon > 0) headers[line.slice(0, colon).trim().toLowerCase()] = line.slice(colon + 1).trim()
  }
  return { method, path: url.pathname, query: url.searchParams, headers, ownAddresses: [] }
}

function format({ status, body }: MetadataAnswer): string {
  const isText = typeof body === 'string'
  const text = isText ? body : JSON.stringify(body)
  return [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    `Content-Type: ${isText ? 'text/plain' : 'application/json'}; charset=utf-8`,
    `Content-Length: ${Buffer.byteLength(text)}`,
    'Cache-Control: no-store',
    'Server: Goldleaf',
    'Connection: close',
    '',
    text,
  ].join('\r\n')
}
