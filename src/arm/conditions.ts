import { resourceProblems } from '../resources/problems.ts'
import type { Resource } from '../resources/resource.ts'
import type { Call } from './call.ts'

/** `If-Match` and `If-None-Match` of a write (RFC 9110, strong comparison); throws PreconditionFailed. */
export function checkConditions(call: Pick<Call, 'headers'>, id: string, before: Resource | undefined): void {
  const match = call.headers['if-match']
  if (match !== undefined && !(before && names(match, before.etag)))
    throw resourceProblems.PreconditionFailed({ id, condition: `If-Match: ${match}` })
  const noneMatch = call.headers['if-none-match']
  if (noneMatch !== undefined && before && names(noneMatch, before.etag))
    throw resourceProblems.PreconditionFailed({ id, condition: `If-None-Match: ${noneMatch}` })
}

function names(header: string, etag: string): boolean {
  return header.split(',').some((one) => {
    const wanted = one.trim()
    return wanted === '*' || wanted === quoteEtag(etag) || wanted === etag
  })
}

export function quoteEtag(etag: string): string {
  return `"${etag}"`
}
