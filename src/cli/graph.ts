import { isUuid } from '../base/uuid.ts'
import { isJsonObject } from '../base/json.ts'
import type { JsonObject } from '../base/json.ts'
import { problemOfAnswer } from '../client/answer-problem.ts'
import type { Reached } from './connection.ts'
import { cliProblems } from './problems.ts'

/** JSON over HTTP with the caller's token; what is refused becomes a Problem with the server's code and message. */
export interface JsonCaller {
  call(method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, body?: JsonObject): Promise<JsonObject>
  /** Every item of a list, page after page. */
  list(path: string): Promise<readonly JsonObject[]>
}

/** `home`: `/v1.0` for Microsoft Graph, `/goldleaf/v1` for what only this server has. */
export function openCaller(reached: Reached, home: '/v1.0' | '/goldleaf/v1', signal: AbortSignal): JsonCaller {
  const send = async (method: string, url: string, body?: JsonObject): Promise<JsonObject> => {
    const headers: Record<string, string> = {
      authorization: `Bearer ${await reached.token()}`,
      accept: 'application/json',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    }
    const text = body === undefined ? undefined : JSON.stringify(body)
    const answer = await reached.http.call({ method, url, headers, body: text, signal })
    const answered = await answer.text()
    const parsed: unknown = answered === '' ? {} : JSON.parse(answered)
    const found = isJsonObject(parsed) ? parsed : {}
    if (answer.status >= 300) throw problemOfAnswer(answer.status, found, `${method} ${new URL(url).pathname}`)
    return found
  }
  return {
    call: (method, path, body) => send(method, `${reached.endpoint}${home}${path}`, body),
    async list(path) {
      const items: JsonObject[] = []
      for (let url: string | undefined = `${reached.endpoint}${home}${path}`; url !== undefined;) {
        const page: JsonObject = await send('GET', url)
        const { value, '@odata.nextLink': next } = page
        if (Array.isArray(value)) items.push(...value.filter(isJsonObject))
        url = typeof next === 'string' ? next : undefined
      }
      return items
    },
  }
}

export type Named = 'user' | 'group' | 'application' | 'service principal'

const collections: Readonly<Record<Named, string>> = {
  user: 'users',
  group: 'groups',
  application: 'applications',
  'service principal': 'servicePrincipals',
}

export function collectionOf(what: Named): string {
  return `/${collections[what]}`
}

/** By object id, client id, principal name or display name; throws NotInDirectory for none and for several. */
export async function findByName(graph: JsonCaller, what: Named, name: string): Promise<JsonObject> {
  const quoted = `'${name.replaceAll("'", "''")}'`
  const ways = [`displayName eq ${quoted}`]
  if (what === 'user') ways.unshift(`userPrincipalName eq ${quoted}`)
  if (isUuid(name)) ways.unshift(`id eq ${quoted}`)
  if (isUuid(name) && (what === 'application' || what === 'service principal')) ways.unshift(`appId eq ${quoted}`)
  for (const way of ways) {
    const found = await graph.list(`${collectionOf(what)}?$filter=${encodeURIComponent(way)}`)
    if (found.length > 1) throw cliProblems.NotInDirectory({ what, name, count: found.length })
    if (found[0] !== undefined) return found[0]
  }
  throw cliProblems.NotInDirectory({ what, name, count: 0 })
}

/** Its object id. */
export async function findId(graph: JsonCaller, what: Named, name: string): Promise<string> {
  return textAt(await findByName(graph, what, name), 'id')
}

/** A member as text; empty where it has none. */
export function textAt(item: JsonObject, name: string): string {
  const value = item[name]
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : ''
}
