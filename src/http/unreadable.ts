import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { randomUuid } from '../base/random.ts'

const refusals: Readonly<Record<string, readonly [status: number, message: string]>> = {
  HPE_HEADER_OVERFLOW: [431, 'The headers of the request are too large. Send fewer, or shorter tokens.'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'The headers of the request did not arrive in time. Send it again.'],
}

/**
 * What Node's parser refuses never becomes a request: the answer is written by hand, in the envelope of all errors, and the
 * connection ends.
 */
export function refuseUnreadable(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const [status, message] = refusals[error.code ?? ''] ?? [400, 'The request is not HTTP/1.1. Correct it.']
  const body = JSON.stringify({ error: { code: 'BadRequest', message } })
  const headers = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'content-type: application/json; charset=utf-8',
    `content-length: ${Buffer.byteLength(body)}`,
    `x-ms-request-id: ${randomUuid()}`,
    'connection: close',
  ]
  socket.end(`${headers.join('\r\n')}\r\n\r\n${body}`)
}
