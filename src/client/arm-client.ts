import { systemClock } from '../base/clock.ts'
import type { Clock } from '../base/clock.ts'
import { isJsonObject } from '../base/json.ts'
import type { JsonObject } from '../base/json.ts'
import { Problem } from '../base/problem.ts'
import { apiVersionOf } from './arm-path.ts'
import { problemOfAnswer } from './answer-problem.ts'

/** What `fetch` looks like from here: the browser's own fits, and so does the CLI's, which knows our authority. */
export type Transport = (
  url: string,
  init: {
    readonly method: string
    readonly headers: Record<string, string>
    readonly body?: string
    readonly signal?: AbortSignal
  },
) => Promise<{
  readonly status: number
  readonly headers: { get(name: string): string | null }
  text(): Promise<string>
}>

export interface ArmClientOptions {
  /** `https://host:port`, without a path. */
  readonly endpoint: string
  /** Called before each request: answers a bearer token that is still good. */
  token(): Promise<string>
  readonly transport: Transport
  readonly clock?: Clock | undefined
}

/** The status document of a running operation: `status`, `percentComplete`, and our own figures in `properties`. */
export type OnProgress = (operation: JsonObject) => void

export interface CallOptions {
  /** Default: the newest api-version that the contract declares for the type in the path. */
  readonly apiVersion?: string | undefined
  /** Further query parameters, e.g. `{ $expand: 'ReplicationStatus' }`. */
  readonly query?: Readonly<Record<string, string>> | undefined
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: OnProgress | undefined
  /** `started` returns when the server has accepted the work; default: when it has ended. */
  readonly until?: 'ended' | 'started' | undefined
}

/**
 * Calls Azure Resource Manager. Paths are ARM ids (`/subscriptions/…`). What the server answers with an error becomes
 * a Problem with the server's code and message; what takes time is polled to its end.
 */
export interface ArmClient {
  get(path: string, options?: CallOptions): Promise<JsonObject>
  /** As `get`, but undefined where the server answers 404. */
  find(path: string, options?: CallOptions): Promise<JsonObject | undefined>
  /** Every item of a collection, page after page. */
  list(path: string, options?: CallOptions): AsyncIterable<JsonObject>
  /** Answers the resource as it is at the end. */
  put(path: string, body: JsonObject, options?: CallOptions): Promise<JsonObject>
  patch(path: string, body: JsonObject, options?: CallOptions): Promise<JsonObject>
  /** Absent already is not an error. */
  delete(path: string, options?: CallOptions): Promise<void>
  /** Runs an action (`…/versions/1.0.0/verify`); answers its result, `{}` where it has none. */
  post(path: string, body?: JsonObject, options?: CallOptions): Promise<JsonObject>
}

interface Answer {
  readonly url: string
  readonly status: number
  readonly body: JsonObject
  header(name: string): string | undefined
}

type Method = 'GET' | 'PUT' | 'PATCH' | 'DELETE' | 'POST'

/** A read that failed on the way is tried again so often; a write is not, for the server may have done it. */
const readAttempts = 5
const defaultWaitSeconds = 1
const longestWaitSeconds = 60

export function createArmClient(options: ArmClientOptions): ArmClient {
  const context: Context = { ...options, token: () => options.token(), clock: options.clock ?? systemClock }
  const change = async (method: 'PUT' | 'PATCH', path: string, body: JsonObject, call: CallOptions = {}) => {
    const first = await send(context, method, addressOf(context, path, call), body, call.signal)
    if (call.until === 'started') return first.body
    const ended = await follow(context, first, call)
    return ended === 'at once' && !isUnderWay(first.body) ? first.body : settle(context, path, call)
  }
  const get = async (path: string, call: CallOptions = {}): Promise<JsonObject> =>
    (await send(context, 'GET', addressOf(context, path, call), undefined, call.signal)).body
  return {
    get,
    find: (path, call) => get(path, call).catch(absentAsUndefined),
    list: (path, call = {}) => listPages(context, addressOf(context, path, call), call.signal),
    put: (path, body, call) => change('PUT', path, body, call),
    patch: (path, body, call) => change('PATCH', path, body, call),
    async delete(path, call = {}) {
      const remove = async (): Promise<void> => {
        const first = await send(context, 'DELETE', addressOf(context, path, call), undefined, call.signal)
        if (call.until !== 'started') await follow(context, first, call)
      }
      await remove().catch(absentAsUndefined)
    },
    async post(path, body, call = {}) {
      const first = await send(context, 'POST', addressOf(context, path, call), body, call.signal)
      if (call.until === 'started') return first.body
      const ended = await follow(context, first, call)
      if (ended === 'at once') return first.body
      // The final body of an action is what Location answers at the end (contract.md section 3).
      const location = first.header('location')
      return location === undefined ? {} : (await send(context, 'GET', location, undefined, call.signal)).body
    },
  }
}

function absentAsUndefined(error: unknown): undefined {
  if (error instanceof Problem && error.kind === 'absent') return undefined
  throw error
}

interface Context extends ArmClientOptions {
  readonly clock: Clock
}

function addressOf(context: Context, path: string, call: CallOptions): string {
  const url = new URL(path, context.endpoint)
  for (const [name, value] of Object.entries(call.query ?? {})) url.searchParams.set(name, value)
  if (!url.searchParams.has('api-version')) url.searchParams.set('api-version', call.apiVersion ?? apiVersionOf(path))
  return url.href
}

async function* listPages(context: Context, first: string, signal?: AbortSignal): AsyncGenerator<JsonObject> {
  for (let next: string | undefined = first; next !== undefined;) {
    const { body }: Answer = await send(context, 'GET', next, undefined, signal)
    const items = body['value']
    if (Array.isArray(items)) for (const item of items) if (isJsonObject(item)) yield item
    next = typeof body['nextLink'] === 'string' ? body['nextLink'] : undefined
  }
}

/** One request; a GET that meets a broken connection or an overloaded server is repeated with growing pauses. */
async function send(
  context: Context,
  method: Method,
  url: string,
  body: JsonObject | undefined,
  signal: AbortSignal | undefined,
): Promise<Answer> {
  for (let attempt = 1; ; attempt++) {
    const mayRepeat = attempt < readAttempts && !signal?.aborted
    let answer: Answer
    try {
      answer = await sendOnce(context, method, url, body, signal)
    } catch (error) {
      if (error instanceof Problem || method !== 'GET' || !mayRepeat || isUntrusted(error))
        throw unreachable(context, error, signal)
      await context.clock.sleep(2 ** attempt * 100, signal)
      continue
    }
    // A throttled request was not carried out, so even a write may be sent again.
    const isPassing = answer.status === 429 || (method === 'GET' && answer.status >= 502 && answer.status <= 504)
    if (isPassing && mayRepeat) await context.clock.sleep(waitMs(context, answer), signal)
    else if (answer.status >= 400)
      throw problemOfAnswer(answer.status, answer.body, `${method} ${new URL(url).pathname}`)
    else return answer
  }
}

/** What a transport threw: `fetch` hides the reason in `cause`. */
function reasonOf(error: unknown): unknown {
  return error instanceof Error && error.cause instanceof Error ? error.cause : error
}

/** OpenSSL's names: UNABLE_TO_VERIFY_LEAF_SIGNATURE, SELF_SIGNED_CERT_IN_CHAIN, CERT_HAS_EXPIRED … */
function isUntrusted(error: unknown): boolean {
  const reason = reasonOf(error)
  return reason instanceof Error && 'code' in reason && /CERT|UNABLE_TO_VERIFY|ALTNAME/.test(String(reason.code))
}

function unreachable(context: Context, error: unknown, signal: AbortSignal | undefined): unknown {
  if (error instanceof Problem || signal?.aborted) return error
  const inner = reasonOf(error)
  const reason = inner instanceof Error ? inner.message || inner.name : String(inner)
  const next = isUntrusted(error)
    ? "Its certificate is not trusted here: give the server's ca.pem (--ca-file or GOLDLEAF_CA_FILE), and an address that the certificate names."
    : 'Check that it is running, and the address.'
  const message = `The server at ${context.endpoint} cannot be reached: ${reason}. ${next}`
  return new Problem('unavailable', 'ServerUnreachable', message, { cause: error })
}

async function sendOnce(
  context: Context,
  method: Method,
  url: string,
  body: JsonObject | undefined,
  signal: AbortSignal | undefined,
): Promise<Answer> {
  // Addresses that the server hands out (nextLink, Location) get the token too: never send it to another place.
  if (new URL(url).origin !== new URL(context.endpoint).origin)
    throw new Problem(
      'internal',
      'ForeignAddress',
      `The server led to ${new URL(url).origin}, which is not ${context.endpoint}.`,
    )
  const headers: Record<string, string> = {
    authorization: `Bearer ${await context.token()}`,
    accept: 'application/json',
  }
  if (body !== undefined) headers['content-type'] = 'application/json'
  const response = await context.transport(url, {
    method,
    headers,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    ...(signal === undefined ? {} : { signal }),
  })
  const text = await response.text()
  return {
    url,
    status: response.status,
    body: parseBody(text, response.status),
    header: (name) => response.headers.get(name) ?? undefined,
  }
}

function parseBody(text: string, status: number): JsonObject {
  if (text.trim() === '') return {}
  try {
    const value: unknown = JSON.parse(text)
    if (isJsonObject(value)) return value
  } catch {
    // Falls through: a proxy's page, say. An error status speaks for itself, a success must be JSON.
  }
  if (status >= 400) return {}
  throw new Problem(
    'internal',
    'UnexpectedAnswer',
    'The server answered something that is not JSON. Is the address right?',
  )
}

/** Retry-After in seconds or as a date, bounded. */
function waitMs(context: Context, answer: Answer): number {
  const text = answer.header('retry-after')
  if (text === undefined) return defaultWaitSeconds * 1000
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - context.clock.now()
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), longestWaitSeconds * 1000) : defaultWaitSeconds * 1000
}

/** Polls until the operation behind an answer has ended; `at once` where there is none. Throws the operation's error. */
async function follow(context: Context, first: Answer, call: CallOptions): Promise<'ended' | 'at once'> {
  const status = first.header('azure-asyncoperation')
  const monitor = first.header('location')
  const url = status ?? (first.status === 202 ? monitor : undefined)
  if (url === undefined) return 'at once'
  for (let pauseMs = waitMs(context, first); ;) {
    await context.clock.sleep(pauseMs, call.signal)
    const answer = await send(context, 'GET', url, undefined, call.signal)
    pauseMs = waitMs(context, answer)
    if (status === undefined) {
      if (answer.status !== 202) return 'ended'
      continue
    }
    call.onProgress?.(answer.body)
    const { status: text } = answer.body
    const state = typeof text === 'string' ? text.toLowerCase() : 'inprogress'
    if (state === 'succeeded') return 'ended'
    if (state === 'failed' || state === 'canceled' || state === 'cancelled')
      throw problemOfAnswer(409, answer.body, `the operation, which ended as ${state}`)
  }
}

function stateOf(body: JsonObject): string {
  const { properties } = body
  const state = isJsonObject(properties) ? properties['provisioningState'] : undefined
  return typeof state === 'string' ? state.toLowerCase() : 'succeeded'
}

function isUnderWay(body: JsonObject): boolean {
  return !['succeeded', 'failed', 'canceled'].includes(stateOf(body))
}

/** Reads the resource until its own state has ended too: 201 without an operation's address is followed this way. */
async function settle(context: Context, path: string, call: CallOptions): Promise<JsonObject> {
  const { query: _query, ...plain } = call
  for (;;) {
    const answer = await send(context, 'GET', addressOf(context, path, plain), undefined, call.signal)
    if (!isUnderWay(answer.body)) {
      if (stateOf(answer.body) === 'succeeded') return answer.body
      throw new Problem('conflict', 'ProvisioningFailed', `${path} ended as ${stateOf(answer.body)}.`)
    }
    await context.clock.sleep(waitMs(context, answer), call.signal)
  }
}
