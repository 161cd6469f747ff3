import type { FastifyRequest } from 'fastify'
import { Problem } from '../base/problem.ts'

/** Twice they mean one thing to a proxy and another to us: Node takes the first, others the last. */
const onceOnly: ReadonlySet<string> = new Set(['host', 'authorization', 'content-type'])
const absoluteForm = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i
const escapedUnreserved = /%(?:2[de]|3\d|4[1-9a-f]|5[0-9af]|6[1-9a-f]|7[0-9ae])/gi

/**
 * A request's target in the one spelling that everything below reads: without the origin of an absolute form, and with
 * letters, digits and `-._~` as themselves (RFC 3986 section 6.2.2.2). The router decodes what it compares; whoever
 * reads the address itself (rights, the activity log, links) must see the same.
 */
export function normalTarget(url: string): string {
  const origin = absoluteForm.exec(url)?.[0].length ?? 0
  const rest = origin === 0 ? url : url.slice(origin)
  const query = rest.indexOf('?')
  const path = query < 0 ? rest : rest.slice(0, query)
  const normal = path.includes('%') ? path.replace(escapedUnreserved, decodeURIComponent) : path
  const rooted = origin > 0 && !normal.startsWith('/') ? `/${normal}` : normal
  return query < 0 ? rooted : rooted + rest.slice(query)
}

/**
 * Refuses what two readers of one request could read differently (RFC 9112 sections 3.2, 6.1; "request smuggling").
 * Lengths that contradict each other end in Node's parser before this.
 */
export function checkRequestForm(request: FastifyRequest): void {
  const { rawHeaders, headers } = request.raw
  const seen = new Set<string>()
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]?.toLowerCase() ?? ''
    if (!onceOnly.has(name)) continue
    if (seen.has(name))
      throw new Problem('invalid', 'InvalidHeader', `The header '${name}' is given more than once. Send it once.`)
    seen.add(name)
  }
  const coding = headers['transfer-encoding']
  if (coding !== undefined && coding.toLowerCase() !== 'chunked')
    throw new Problem('invalid', 'InvalidHeader', "No transfer coding but 'chunked' is served. Send the body's length.")
  const target = request.originalUrl
  const authority = absoluteForm.exec(target)?.[1]
  if (authority !== undefined && authority.toLowerCase() !== headers.host?.toLowerCase())
    throw new Problem(
      'invalid',
      'InvalidHostHeader',
      'The address names another host than the Host header. Correct it.',
    )
  if (target.includes('#'))
    throw new Problem('invalid', 'InvalidRequestUri', "The address has a fragment. Send it without '#' and the rest.")
}
