import { appendFileSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import { join } from 'node:path'

/**
 * Preloaded into servers under test (`node --import`): writes every ARM request and its answer as a line of JSON into
 * $GOLDLEAF_TRAFFIC, for `published-contract.check.ts` to hold against Azure's published schemas. It sits under the
 * product, at Node's own server, so that nothing of ours decides what is recorded.
 */
const folder = process.env['GOLDLEAF_TRAFFIC']
/** Lists of thousands say nothing new. */
const longestBody = 512 * 1024

function record(request: http.IncomingMessage, response: http.ServerResponse, file: string): void {
  const sent: Buffer[] = []
  const answered: Buffer[] = []
  const push = request.push.bind(request)
  request.push = (chunk: unknown, encoding?: BufferEncoding) => {
    if (Buffer.isBuffer(chunk)) sent.push(chunk)
    return push(chunk, encoding)
  }
  // A view of the two methods without their overloads: only the first argument matters here.
  const out = response as unknown as Record<'write' | 'end', (...args: unknown[]) => unknown>
  for (const name of ['write', 'end'] as const) {
    const original = out[name].bind(response)
    out[name] = (...args) => {
      const [chunk] = args
      if (typeof chunk === 'string' || Buffer.isBuffer(chunk)) answered.push(Buffer.from(chunk))
      return original(...args)
    }
  }
  response.on('finish', () => {
    const [asked, told] = [Buffer.concat(sent), Buffer.concat(answered)]
    if (asked.length > longestBody || told.length > longestBody) return
    const { method, url } = request
    const line = { method, url, status: response.statusCode, request: asked.toString(), response: told.toString() }
    appendFileSync(file, `${JSON.stringify(line)}\n`)
  })
}

function wrap(server: { prototype: http.Server | https.Server }, file: string): void {
  const emit = server.prototype.emit as (this: unknown, event: string, ...args: unknown[]) => boolean
  server.prototype.emit = function (this: unknown, event: string, ...args: unknown[]) {
    const [request, response] = args
    if (event === 'request' && request instanceof http.IncomingMessage && response instanceof http.ServerResponse)
      if (/^\/+(subscriptions|providers)\//i.test(request.url ?? '')) record(request, response, file)
    return emit.call(this, event, ...args)
  } as typeof server.prototype.emit
}

if (folder !== undefined) {
  const file = join(folder, `${process.pid}-${Date.now()}.jsonl`)
  wrap(http.Server, file)
  wrap(https.Server, file)
}
