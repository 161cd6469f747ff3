import { Agent, request as requestPlain, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import { Agent as TlsAgent, request as requestTls } from 'node:https'
import { Readable } from 'node:stream'
import { getCACertificates } from 'node:tls'
import { pipeline } from 'node:stream/promises'
import { isJsonObject, type JsonObject } from '../base/json.ts'
import { Problem } from '../base/problem.ts'

export interface HttpTransportOptions {
  /** PEM of a certificate authority to trust besides the system's: the server's own (`goldleaf env` prints `caFile`). */
  readonly ca?: string | undefined
  /** A connection on which nothing moves for so long is given up. Default 60 s. */
  readonly idleTimeoutMs?: number | undefined
}

export interface HttpCall {
  readonly method: string
  readonly url: string
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly body?: string | Uint8Array | AsyncIterable<Uint8Array> | undefined
  readonly signal?: AbortSignal | undefined
}

export interface HttpAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** Read it (or `bytes`, `text`) to the end, or `discard`: the connection is used again then. */
  readonly body: AsyncIterable<Uint8Array>
  bytes(): Promise<Buffer>
  text(): Promise<string>
  discard(): void
}

/** HTTP of the command line: keep-alive, a private certificate authority, bodies streamed both ways. No retries. */
export interface HttpTransport extends Disposable {
  call(call: HttpCall): Promise<HttpAnswer>
  /** The same connections behind the shape of the global `fetch`. */
  readonly fetch: (input: string | URL | Request, init?: RequestInit) => Promise<Response>
}

/** Global fetch takes no certificate authority without undici as a dependency; node:https does. */
export function createHttpTransport(options: HttpTransportOptions = {}): HttpTransport {
  const plain = new Agent({ keepAlive: true, maxSockets: 16 })
  const tls = new TlsAgent({
    keepAlive: true,
    maxSockets: 16,
    ...(options.ca === undefined ? {} : { ca: [...getCACertificates(), options.ca] }),
  })
  const call = (one: HttpCall): Promise<HttpAnswer> => send(one, plain, tls, options.idleTimeoutMs ?? 60_000)
  return {
    call,
    async fetch(input, init) {
      const request = new Request(input, init)
      const sent = request.body === null ? undefined : new Uint8Array(await request.arrayBuffer())
      const answer = await call({
        method: request.method,
        url: request.url,
        headers: Object.fromEntries(request.headers),
        body: sent,
        signal: init?.signal ?? undefined,
      })
      return toResponse(answer)
    },
    [Symbol.dispose]() {
      plain.destroy()
      tls.destroy()
    },
  }
}

function send(
  { method, url, headers, body, signal }: HttpCall,
  plain: Agent,
  tls: TlsAgent,
  idleTimeoutMs: number,
): Promise<HttpAnswer> {
  const isTls = url.startsWith('https:')
  const length =
    typeof body === 'string' ? Buffer.byteLength(body) : body instanceof Uint8Array ? body.length : undefined
  return new Promise((resolve, reject) => {
    const request = (isTls ? requestTls : requestPlain)(url, {
      method,
      agent: isTls ? tls : plain,
      timeout: idleTimeoutMs,
      headers: { ...headers, ...(length === undefined ? {} : { 'content-length': length }) },
      ...(signal ? { signal } : {}),
    })
    request.once('response', (message) => resolve(answerOf(message)))
    request.on('timeout', () => request.destroy(new Error(`nothing moved on the connection for ${idleTimeoutMs} ms`)))
    request.on('error', reject)
    if (body === undefined || typeof body === 'string' || body instanceof Uint8Array) request.end(body)
    // An answer may come, and with it the end of reading, before the whole body went out.
    else pipeline(body, request).catch(reject)
  })
}

function answerOf(message: IncomingMessage): HttpAnswer {
  // Broken off while nobody reads: the reader, if there will be one, sees it.
  message.on('error', () => undefined)
  const bytes = async (): Promise<Buffer> => {
    const parts: Buffer[] = []
    for await (const part of message) parts.push(part)
    return Buffer.concat(parts)
  }
  return {
    status: message.statusCode ?? 0,
    headers: message.headers,
    body: message,
    bytes,
    text: async () => (await bytes()).toString('utf8'),
    discard: () => void message.resume(),
  }
}

function toResponse({ status, headers, body }: HttpAnswer): Response {
  const list = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [value].flat().map((one): [string, string] => [name, one]),
  )
  const isEmpty = status === 204 || status === 304
  const stream = isEmpty
    ? null
    : (Readable.toWeb(Readable.from(body, { objectMode: false })) as ReadableStream<Uint8Array>)
  return new Response(stream, { status, headers: list })
}

/** The failure an answer tells: ARM's envelope, Azure Storage's XML, or its status alone. Reads the body. */
export async function problemOfAnswer(answer: HttpAnswer): Promise<Problem> {
  const text = await answer.text().catch(() => '')
  const { code, message } = parseFailure(text)
  const kind = kindOfStatus(answer.status)
  return new Problem(
    kind,
    code ?? `Http${answer.status}`,
    message ?? `The server answered ${answer.status}. See its log.`,
  )
}

function parseFailure(text: string): { code?: string; message?: string } {
  const xml = /<Code>([^<]*)<\/Code>\s*<Message>([^<]*)<\/Message>/.exec(text)
  if (xml) return { code: xml[1] ?? '', message: xml[2] ?? '' }
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    return {}
  }
  const error: JsonObject = isJsonObject(body) && isJsonObject(body['error']) ? body['error'] : {}
  const { code, message } = error
  return { ...(typeof code === 'string' ? { code } : {}), ...(typeof message === 'string' ? { message } : {}) }
}

function kindOfStatus(status: number): Problem['kind'] {
  switch (status) {
    case 401:
      return 'unauthenticated'
    case 403:
      return 'forbidden'
    case 404:
      return 'absent'
    case 409:
      return 'conflict'
    case 413:
      return 'tooLarge'
    case 429:
      return 'throttled'
    case 507:
      return 'storageFull'
    default:
      return status === 500 ? 'internal' : status > 500 ? 'unavailable' : 'invalid'
  }
}
