import type { Clock } from '../base/clock.ts'

/**
 * A refusal in OAuth's form (RFC 6749 section 5.2). The numbers are Entra ID's AADSTS codes, which clients' log parsers
 * and people search for.
 */
export class SignInError extends Error {
  readonly status: 400 | 401 | 429
  readonly error: string
  readonly code: number
  readonly retryAfterSeconds: number | undefined
  constructor(
    status: 400 | 401 | 429,
    error: string,
    code: number,
    message: string,
    options: { readonly cause?: unknown; readonly retryAfterSeconds?: number | undefined } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.status = status
    this.error = error
    this.code = code
    this.retryAfterSeconds = options.retryAfterSeconds
  }
}

/** The JSON body of a refusal, as Entra ID writes it. */
export function signInErrorBody(
  { error, code, message }: Pick<SignInError, 'error' | 'code' | 'message'>,
  clock: Clock,
): Readonly<Record<string, unknown>> {
  return {
    error,
    error_description: `AADSTS${code}: ${message}`,
    error_codes: [code],
    timestamp: new Date(clock.now())
      .toISOString()
      .replace('T', ' ')
      .replace(/\.\d+Z$/, 'Z'),
  }
}

/** One value or none; RFC 6749 section 3.2 forbids repeated parameters. Empty counts as absent. */
export function findField(fields: URLSearchParams, name: string): string | undefined {
  const values = fields.getAll(name)
  if (values.length > 1)
    throw new SignInError(
      400,
      'invalid_request',
      9000411,
      `The request is not properly formatted: '${name}' is given twice.`,
    )
  return values[0] === '' ? undefined : values[0]
}

export function getField(fields: URLSearchParams, name: string): string {
  const value = findField(fields, name)
  if (value === undefined)
    throw new SignInError(
      400,
      'invalid_request',
      900144,
      `The request body must contain the following parameter: '${name}'.`,
    )
  return value
}

/** Every name once: what is handed on must not mean something else to who reads it next. */
export function refuseRepeats(fields: URLSearchParams): void {
  for (const name of new Set(fields.keys())) findField(fields, name)
}
