import { connect } from 'node:net'
import { buffer } from 'node:stream/consumers'

export interface RawAnswer {
  /** Status lines of all answers that came on the connection, in order. */
  readonly statuses: readonly number[]
  readonly text: string
}

/**
 * Sends lines as they are and answers all that came back until the server closed the connection: what no HTTP client
 * would send. Ends by itself only if the request says `connection: close` or the server refuses it.
 */
export async function sendRaw(endpoint: string, request: string | Buffer): Promise<RawAnswer> {
  const { hostname, port } = new URL(endpoint)
  const socket = connect(Number(port), hostname)
  socket.on('error', () => undefined)
  socket.write(request)
  const text = (await buffer(socket).catch(() => Buffer.alloc(0))).toString()
  socket.destroy()
  const statuses = [...text.matchAll(/^HTTP\/1\.1 (\d{3}) /gm)].map(([, status]) => Number(status))
  return { statuses, text }
}

/** A request's head: its line, its headers (a name may be repeated), and the empty line. */
export function head(line: string, headers: readonly (readonly [name: string, value: string])[]): string {
  return [line, ...headers.map(([name, value]) => `${name}: ${value}`), '', ''].join('\r\n')
}
