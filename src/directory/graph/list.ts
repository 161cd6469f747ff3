import type { JsonObject } from '../../base/json.ts'
import type { DbOrTx } from '../../db/tables.ts'
import type { Application, DirectoryObject } from '../directory.ts'
import { findApplicationRows, findUniqueRow, listObjectRows } from '../directory.rows.ts'
import { directoryProblems } from '../problems.ts'
import { isKind } from '../room.ts'
import type { GraphAnswer, GraphCall } from './call.ts'
import { parseFilter, selectMembers } from './odata.ts'
import type { Filter } from './odata.ts'
import { defaultUserMembers, showObject, showTyped } from './show.ts'

const defaultPage = 100
const longestPage = 999
/** Rows read at once while looking for those that match. */
const batchSize = 500

/** Options that would change the answer are refused, rather than not done. */
export function checkOptions(call: GraphCall): void {
  for (const name of ['$expand', '$search', '$orderby', '$apply'])
    if (call.query[name] !== undefined)
      throw directoryProblems.Request_BadRequest({
        message: `The query option '${name}' is not served here. Leave it out.`,
      })
}

function pageSizeOf({ query }: GraphCall): number {
  const text = query['$top']
  if (text === undefined) return defaultPage
  const size = /^\d{1,4}$/.test(text) ? Number(text) : 0
  if (size < 1 || size > longestPage)
    throw directoryProblems.Request_BadRequest({
      message: `Invalid page size specified: '${text}'. Must be between 1 and ${longestPage} inclusive.`,
    })
  return size
}

function selectionOf(call: GraphCall, kind: DirectoryObject['kind'] | undefined): string | undefined {
  return call.query['$select'] ?? (kind === 'user' && call.version === 'v1.0' ? defaultUserMembers : undefined)
}

/** The objects with the applications behind the principals among them. */
export async function withApplications(
  db: DbOrTx,
  objects: readonly DirectoryObject[],
): Promise<readonly (readonly [DirectoryObject, Application | undefined])[]> {
  const appIds = objects.flatMap((object) => (object.kind === 'servicePrincipal' ? [object.appId] : []))
  const applications = new Map<string, Application>()
  for (const found of await findApplicationRows(db, appIds))
    if (isKind(found, 'application')) applications.set(found.appId, found)
  return objects.map((object) => [
    object,
    object.kind === 'servicePrincipal' ? applications.get(object.appId) : undefined,
  ])
}

/** One page of the tenant's objects of a kind that match `$filter`, by id; `@odata.nextLink` while there are more. */
export async function listObjects(
  call: GraphCall,
  kind: DirectoryObject['kind'],
  collection: string,
): Promise<GraphAnswer> {
  checkOptions(call)
  const { query, home } = call
  const pageSize = pageSizeOf(call)
  const filter = query['$filter'] === undefined ? undefined : parseFilter(query['$filter'])
  const isCounted = query['$count']?.toLowerCase() === 'true'
  const found: Match[] = []
  let count = 0
  for await (const match of readMatching(call, kind, filter)) {
    if (found.length <= pageSize) found.push(match)
    else if (!isCounted) break
    count++
  }
  const page = found.slice(0, pageSize)
  const select = selectionOf(call, kind)
  return {
    status: 200,
    body: {
      '@odata.context': `${home}/$metadata#${collection}`,
      ...(isCounted && query['$skiptoken'] === undefined ? { '@odata.count': count } : {}),
      ...(found.length > pageSize ? { '@odata.nextLink': nextLink(call, collection, page.at(-1)?.id ?? '') } : {}),
      value: page.map(({ item }) => selectMembers(item, select)),
    },
  }
}

function nextLink({ query, home }: GraphCall, collection: string, after: string): string {
  const kept = Object.entries(query).filter(([name]) => ['$top', '$filter', '$select'].includes(name))
  return `${home}/${collection}?${new URLSearchParams([...kept, ['$skiptoken', after]]).toString()}`
}

interface Match {
  readonly id: string
  readonly item: JsonObject
}

async function* readMatching(
  call: GraphCall,
  kind: DirectoryObject['kind'],
  filter: Filter | undefined,
): AsyncIterable<Match> {
  const { db } = call.room
  let after = call.query['$skiptoken']
  const name = filter?.equals.get(kind === 'user' ? 'userPrincipalName' : 'displayName')?.toLowerCase()
  for (;;) {
    const known = await findByAppId(call, kind, filter)
    const rows = known ?? (await listObjectRows(db, call.tenantId, { kind, name, after, limit: batchSize }))
    for (const [object, application] of await withApplications(db, rows)) {
      const item = showObject(object, application)
      if (filter === undefined || filter.matches(item)) yield { id: object.objectId, item }
    }
    after = rows.at(-1)?.objectId
    if (known !== undefined || rows.length < batchSize) return
  }
}

/** Client ids are unique: one look-up instead of a scan. Undefined where the filter does not ask for one. */
async function findByAppId(
  { room, tenantId }: GraphCall,
  kind: DirectoryObject['kind'],
  filter: Filter | undefined,
): Promise<readonly DirectoryObject[] | undefined> {
  const appId = filter?.equals.get('appId')
  if (appId === undefined || (kind !== 'application' && kind !== 'servicePrincipal')) return undefined
  const key = kind === 'application' ? { kind, name: appId } : { kind, name: appId, tenantId }
  const found = await findUniqueRow(room.db, key)
  return found?.tenantId === tenantId ? [found] : []
}

/** A list of several kinds (members, owners, getByIds), all of it: such lists are short. */
export async function answerTyped(
  call: GraphCall,
  objects: readonly DirectoryObject[],
  status: 200 | 201 = 200,
): Promise<GraphAnswer> {
  const items = await withApplications(call.room.db, objects)
  const select = call.query['$select']
  return {
    status,
    body: {
      '@odata.context': `${call.home}/$metadata#directoryObjects`,
      value: items.map(([object, application]) => selectMembers(showTyped(object, application), select)),
    },
  }
}

/** One object, as its collection shows it. */
export async function answerObject(
  call: GraphCall,
  object: DirectoryObject,
  collection: string,
  status: 200 | 201 = 200,
): Promise<GraphAnswer> {
  const [pair] = await withApplications(call.room.db, [object])
  const shown = selectMembers(showObject(object, pair?.[1]), selectionOf(call, object.kind))
  return { status, body: { '@odata.context': `${call.home}/$metadata#${collection}/$entity`, ...shown } }
}
