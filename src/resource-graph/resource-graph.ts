import { isJsonObject, type Json, type JsonObject } from '../base/json.ts'
import type { ProviderAction } from '../resources/provider-action.ts'
import { formatSkipToken, parseSkipToken } from '../resources/skip-token.ts'
import { parseQuery } from './parse-query.ts'
import { resourceGraphProblems } from './problems.ts'
import { runQuery } from './run-query.ts'
import { readTable, type GraphDependencies } from './tables.ts'

const mostPerPage = 1000

/** `POST /providers/Microsoft.ResourceGraph/resources`: needs no right of its own, shows what the caller may read. */
export function resourceGraph(deps: GraphDependencies): ProviderAction {
  return {
    type: 'Microsoft.ResourceGraph/resources',
    apiVersions: ['2021-03-01', '2022-10-01'],
    async run(body, { caller }) {
      const { query, subscriptions, top, skip } = readRequest(body)
      const { table, steps } = parseQuery(query)
      const all = runQuery(await readTable(table, caller, subscriptions, deps), steps)
      const data = all.slice(skip, skip + top)
      const isMore = skip + top < all.length
      return {
        totalRecords: all.length,
        count: data.length,
        data,
        facets: [],
        resultTruncated: 'false',
        ...(isMore ? { $skipToken: formatSkipToken({ skip: skip + top }) } : {}),
      }
    },
  }
}

interface GraphRequest {
  readonly query: string
  readonly subscriptions: readonly string[] | undefined
  readonly top: number
  readonly skip: number
}

/** Members as Azure names them: `query`, `subscriptions`, `options.$top`, `$skip`, `$skipToken`, `resultFormat`. */
function readRequest(body: Json): GraphRequest {
  const { query, subscriptions, options } = isJsonObject(body) ? body : ({} as JsonObject)
  if (typeof query !== 'string' || query.trim() === '')
    throw resourceGraphProblems.InvalidOption({ option: 'query', reason: 'a query is needed, as text.' })
  const { $top, $skip, $skipToken, resultFormat = 'objectArray' } = isJsonObject(options) ? options : ({} as JsonObject)
  if (resultFormat !== 'objectArray')
    throw resourceGraphProblems.InvalidOption({
      option: 'resultFormat',
      reason: "this server knows 'objectArray' only.",
    })
  const named = Array.isArray(subscriptions) ? subscriptions.filter((id) => typeof id === 'string') : []
  return {
    query,
    subscriptions: named.length === 0 ? undefined : named.map((id) => id.toLowerCase()),
    top: readNumber('$top', $top, 1, mostPerPage) ?? mostPerPage,
    skip:
      $skipToken === undefined ? (readNumber('$skip', $skip, 0, Number.MAX_SAFE_INTEGER) ?? 0) : readToken($skipToken),
  }
}

function readNumber(option: string, value: Json | undefined, least: number, most: number): number | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value
  throw resourceGraphProblems.InvalidOption({ option, reason: `it must be a whole number from ${least} to ${most}.` })
}

function readToken(token: Json): number {
  const { skip } = parseSkipToken(token) ?? {}
  if (skip === undefined)
    throw resourceGraphProblems.InvalidOption({ option: '$skipToken', reason: 'no answer gave it.' })
  return readNumber('$skipToken', skip, 0, Number.MAX_SAFE_INTEGER) ?? 0
}
