import { isJsonObject, type JsonObject } from '../base/json.ts'

/** Where the next page of a list begins, as clients carry it: base64url. A place, not a right: the list is asked again. */
export function formatSkipToken(place: JsonObject): string {
  return Buffer.from(JSON.stringify({ v: 1, ...place })).toString('base64url')
}

/** Undefined for what `formatSkipToken` did not write; the members are the client's word. */
export function parseSkipToken(token: unknown): JsonObject | undefined {
  if (typeof token !== 'string' || token.length > 4096) return undefined
  try {
    const place: unknown = JSON.parse(Buffer.from(token, 'base64url').toString('utf8'))
    return isJsonObject(place) && place['v'] === 1 ? place : undefined
  } catch {
    return undefined
  }
}
