import { request as requestPlain } from 'node:http'
import { Agent, request as requestSecure } from 'node:https'
import { getCACertificates } from 'node:tls'
import type { Transport } from '../client/arm-client.ts'

/** A server that says nothing for so long is given up; operations answer at once and are polled. */
const silenceMs = 60_000

/**
 * `fetch` for control-plane calls, trusting the system's authorities and those in `caPem`. Node's own fetch cannot be
 * given an authority once the process runs.
 */
export function createArmTransport(caPem: string | undefined): Transport {
  const ca = caPem === undefined ? undefined : [...getCACertificates(), caPem]
  // Connections are not kept: a command makes few calls, and an idle socket would hold the process back at its end.
  const agent = new Agent({ keepAlive: false, ...(ca === undefined ? {} : { ca }) })
  return (url, { method, headers, body, signal }) =>
    new Promise((resolve, reject) => {
      const isSecure = url.startsWith('https:')
      const options = {
        method,
        headers: body === undefined ? headers : { ...headers, 'content-length': String(Buffer.byteLength(body)) },
        timeout: silenceMs,
        ...(signal === undefined ? {} : { signal }),
      }
      const request = isSecure ? requestSecure(url, { ...options, agent }) : requestPlain(url, options)
      request.on('timeout', () => request.destroy(new Error(`no answer within ${silenceMs / 1000} seconds`)))
      request.on('error', reject)
      request.on('response', (response) => {
        const parts: Buffer[] = []
        response.on('data', (part: Buffer) => parts.push(part))
        response.on('error', reject)
        response.on('end', () => {
          const text = Buffer.concat(parts).toString('utf8')
          resolve({
            status: response.statusCode ?? 0,
            headers: {
              get(name) {
                const value = response.headers[name.toLowerCase()]
                return (Array.isArray(value) ? value.join(', ') : value) ?? null
              },
            },
            text: async () => text,
          })
        })
      })
      request.end(body)
    })
}
