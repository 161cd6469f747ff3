import { isJsonObject } from '../base/json.ts'
import type { JsonObject } from '../base/json.ts'
import { Problem } from '../base/problem.ts'
import type { ProblemKind, ProblemRecord } from '../base/problem.ts'

const kinds: Readonly<Record<number, ProblemKind>> = {
  400: 'invalid',
  401: 'unauthenticated',
  403: 'forbidden',
  404: 'absent',
  405: 'methodNotAllowed',
  409: 'conflict',
  410: 'absent',
  412: 'preconditionFailed',
  413: 'tooLarge',
  415: 'unsupportedMediaType',
  416: 'rangeNotSatisfiable',
  429: 'throttled',
  503: 'unavailable',
  507: 'storageFull',
}

function parseRecord(value: unknown): ProblemRecord | undefined {
  if (!isJsonObject(value) || typeof value['code'] !== 'string') return undefined
  const { code, message, target, details } = value
  return {
    code,
    message: typeof message === 'string' ? message : code,
    ...(typeof target === 'string' ? { target } : {}),
    ...(Array.isArray(details) ? { details: details.map(parseRecord).filter((detail) => detail !== undefined) } : {}),
  }
}

/**
 * The Problem of an error envelope, of a failed operation's document (`{ error: { code, message } }`), or of an OAuth
 * error. `what` names the request where the body says nothing.
 */
export function problemOfAnswer(status: number, body: JsonObject, what: string): Problem {
  const kind = kinds[status] ?? 'internal'
  const record = parseRecord(body['error'])
  if (record !== undefined)
    return new Problem(kind, record.code, record.message, { target: record.target, details: record.details })
  const { error, error_description: description } = body
  if (typeof error === 'string') return new Problem(kind, error, typeof description === 'string' ? description : error)
  return new Problem(kind, 'UnexpectedAnswer', `The server answered ${status} to ${what}, without saying why.`)
}
