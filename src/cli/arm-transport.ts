import { getCACertificates } from 'node:tls'
import type { Transport } from '../client/arm-client.ts'
import { createHttpTransport } from './http-transport.ts'
import type { HttpTransport } from './http-transport.ts'

/** Connections that trust the system's authorities and, where given, the server's own one. */
export function openHttp(caPem: string | undefined): HttpTransport {
  return createHttpTransport(caPem === undefined ? {} : { ca: [...getCACertificates(), caPem].join('\n') })
}

/** The ARM client's door over the command line's connections. */
export function armTransport(http: HttpTransport): Transport {
  return async (url, { method, headers, body, signal }) => {
    const answer = await http.call({ method, url, headers, body, signal })
    const text = await answer.text()
    return {
      status: answer.status,
      headers: {
        get(name) {
          const value = answer.headers[name.toLowerCase()]
          return (Array.isArray(value) ? value.join(', ') : value) ?? null
        },
      },
      text: async () => text,
    }
  }
}
