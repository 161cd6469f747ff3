import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { createArmClient } from '../client/arm-client.ts'
import type { ArmClient, Transport } from '../client/arm-client.ts'
import { problemOfAnswer } from '../client/answer-problem.ts'
import { isJsonObject } from '../base/json.ts'
import { findServerFacts, serverFactsFile } from '../client/server-facts.ts'
import type { ServerFacts } from '../client/server-facts.ts'
import { armTransport, openHttp } from './arm-transport.ts'
import type { CliContext } from './context.ts'
import type { HttpTransport } from './http-transport.ts'
import { cliProblems } from './problems.ts'

/** The global options, as commander gives them. */
export interface ConnectionFlags {
  readonly data?: string | undefined
  readonly endpoint?: string | undefined
  readonly caFile?: string | undefined
  readonly token?: string | undefined
  readonly subscription?: string | undefined
  /** Id or domain of the tenant to sign in to. */
  readonly tenant?: string | undefined
}

/** A server that can be talked to, in the name of somebody. */
export interface Reached {
  /** https where there is a choice. */
  readonly endpoint: string
  /** For bytes; the client below uses the same connections. */
  readonly http: HttpTransport
  readonly client: ArmClient
  /** A bearer token with at least some minutes left: ask again for each longer piece of work. */
  token(): Promise<string>
}

export interface Connection extends Reached {
  readonly subscriptionId: string
}

/** Renewed when it has less left: a push of a large disk outlives one token. */
const tokenReserveMs = 300_000
const defaultData = '.goldleaf'

function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unreadable'
}

/** Facts of the server that runs on the data folder; throws ServerNotRunning after asking it for a sign of life. */
export async function findLocalServer(context: CliContext, flags: ConnectionFlags): Promise<ServerFacts> {
  const data = flags.data ?? context.environment.data ?? defaultData
  const notRunning = cliProblems.ServerNotRunning({ data })
  let facts: ServerFacts | undefined
  try {
    facts = findServerFacts(await readFile(join(resolve(context.cwd, data), serverFactsFile), 'utf8'))
  } catch {
    throw notRunning
  }
  if (facts === undefined || !(await isAlive(context, facts))) throw notRunning
  return facts
}

/** The file outlives a killed server, and its process id may be somebody else's by now: only an answer counts. */
async function isAlive(context: CliContext, facts: ServerFacts): Promise<boolean> {
  const url = `${facts.httpEndpoint}/${facts.tenantId}/v2.0/.well-known/openid-configuration`
  const given = new AbortController()
  using http = openHttp(undefined)
  try {
    const late = context.clock.sleep(5_000, given.signal).then(
      () => 'late' as const,
      () => 'late' as const,
    )
    const answer = await Promise.race([http.call({ method: 'GET', url, signal: given.signal }), late])
    return answer !== 'late' && answer.status === 200
  } catch {
    return false
  } finally {
    given.abort()
  }
}

interface Credentials {
  readonly tenantId: string
  readonly clientId: string
  readonly clientSecret: string
}

/** Signs in with client credentials and keeps the token while it is good. */
function createTokenSource(
  context: CliContext,
  endpoint: string,
  transport: Transport,
  credentials: () => Promise<Credentials>,
): () => Promise<string> {
  let kept: { readonly token: string; readonly goodUntilMs: number } | undefined
  return async () => {
    const nowMs = context.clock.now()
    if (kept !== undefined && nowMs < kept.goodUntilMs) return kept.token
    const { tenantId, clientId, clientSecret } = await credentials()
    const answer = await transport(`${endpoint}/${encodeURIComponent(tenantId)}/oauth2/v2.0/token`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        client_id: clientId,
        client_secret: clientSecret,
        scope: `${endpoint}/.default`,
      }).toString(),
      signal: context.signal,
    })
    const parsed: unknown = JSON.parse(await answer.text())
    const body = isJsonObject(parsed) ? parsed : {}
    const { access_token: token, expires_in: seconds } = body
    if (answer.status !== 200 || typeof token !== 'string') throw problemOfAnswer(answer.status, body, 'the sign-in')
    kept = { token, goodUntilMs: nowMs + Number(seconds) * 1000 - tokenReserveMs }
    return token
  }
}

export async function readClientSecret(facts: ServerFacts): Promise<string> {
  try {
    return (await readFile(facts.clientSecretFile, 'utf8')).trim()
  } catch (cause) {
    throw cliProblems.SecretUnreadable({ file: facts.clientSecretFile, reason: errorCode(cause) }, { cause })
  }
}

/** Signs in at a server of this machine, in its own tenant unless another is named. */
export async function localTokenSource(
  context: CliContext,
  facts: ServerFacts,
  tenant: string | undefined,
): Promise<() => Promise<string>> {
  const transport = armTransport(openHttp(await readCa(context, facts.caFile)))
  return createTokenSource(context, facts.endpoint, transport, async () => ({
    tenantId: tenant ?? facts.tenantId,
    clientId: facts.clientId,
    clientSecret: await readClientSecret(facts),
  }))
}

async function readCa(context: CliContext, path: string): Promise<string> {
  try {
    return await readFile(resolve(context.cwd, path), 'utf8')
  } catch (cause) {
    throw cliProblems.FileUnreadable({ file: path, reason: errorCode(cause) }, { cause })
  }
}

/**
 * Finds the server to talk to: the one named by --endpoint (with --ca-file and --token, or the variables of
 * src/cli/config.ts), else the one that runs on the data folder of this machine, where everything is known.
 */
export async function connect(context: CliContext, flags: ConnectionFlags): Promise<Connection> {
  const { defaultSubscription, ...reached } = await reach(context, flags)
  const subscriptionId = flags.subscription ?? defaultSubscription ?? (await findOnlySubscription(reached.client))
  return { ...reached, subscriptionId }
}

/** The only subscription that the caller sees, unless one is named. */
export async function chooseSubscription(reached: Reached, flags: ConnectionFlags): Promise<string> {
  return flags.subscription ?? findOnlySubscription(reached.client)
}

type ReachedAny = Reached & { readonly defaultSubscription: string | undefined }

/** The same, for what needs no subscription. */
export function reach(context: CliContext, flags: ConnectionFlags): Promise<ReachedAny> {
  const remote = flags.endpoint ?? (flags.data === undefined ? context.environment.endpoint : undefined)
  return remote === undefined ? reachLocally(context, flags) : reachAt(context, flags, remote)
}

async function reachLocally(context: CliContext, flags: ConnectionFlags): Promise<ReachedAny> {
  const facts = await findLocalServer(context, flags)
  const http = openHttp(await readCa(context, facts.caFile))
  const given = flags.token
  const token = given === undefined ? await localTokenSource(context, facts, flags.tenant) : async () => given
  const transport = armTransport(http)
  const client = createArmClient({ endpoint: facts.endpoint, token, transport, clock: context.clock })
  // Another tenant has subscriptions of its own.
  const defaultSubscription = flags.tenant === undefined ? facts.subscriptionId : undefined
  return { endpoint: facts.endpoint, http, client, token, defaultSubscription }
}

async function reachAt(context: CliContext, flags: ConnectionFlags, address: string): Promise<ReachedAny> {
  const endpoint = parseEndpoint(address)
  const { environment } = context
  const caFile = flags.caFile ?? environment.caFile
  const http = openHttp(caFile === undefined ? undefined : await readCa(context, caFile))
  const transport = armTransport(http)
  const given = flags.token ?? environment.token
  const { clientId, clientSecret } = environment
  const tenantId = flags.tenant ?? environment.tenant
  const token =
    given === undefined
      ? createTokenSource(context, endpoint, transport, async () => {
          if (!tenantId || !clientId || !clientSecret) throw cliProblems.TokenMissing({ endpoint })
          return { tenantId, clientId, clientSecret }
        })
      : async () => given
  const client = createArmClient({ endpoint, token, transport, clock: context.clock })
  const defaultSubscription = flags.tenant === undefined ? environment.subscription : undefined
  return { endpoint, http, client, token, defaultSubscription }
}

/** Throws for anything but `http(s)://host[:port]`. */
function parseEndpoint(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.pathname !== '/' || url.search !== '')
    throw cliProblems.UsageWrong({ message: `--endpoint is '${text}'. Give https://HOST:PORT, without a path.` })
  return url.origin
}

async function findOnlySubscription(client: ArmClient): Promise<string> {
  const ids: string[] = []
  for await (const { subscriptionId } of client.list('/subscriptions'))
    if (typeof subscriptionId === 'string') ids.push(subscriptionId)
  const [only] = ids
  if (only === undefined || ids.length > 1) throw cliProblems.SubscriptionUnknown({ count: ids.length })
  return only
}
