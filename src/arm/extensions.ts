import { isJsonObject } from '../base/json.ts'
import type { JsonObject } from '../base/json.ts'
import { findScopeKind, findSubscriptionId, scopeKey } from '../base/scope.ts'
import { anyone } from '../contract/extension-type.ts'
import { locks } from '../contract/extension-types.ts'
import { contractProblems } from '../contract/problems.ts'
import { resourceProblems } from '../resources/problems.ts'
import type { ExtensionBehaviour, ExtensionCall, ExtensionResult } from '../resources/extension.ts'
import { findArmId } from '../base/arm-id.ts'
import { findResource } from '../resources/resource.rows.ts'
import { findSubscription } from '../resources/subscription.rows.ts'
import type { Answer, Call } from './call.ts'
import { checkVersion } from './check-version.ts'
import { splitType, type Engine } from './engine.ts'
import { armProblems } from './problems.ts'
import { getResourceGroup } from './target.ts'

type OperationName = 'list' | 'read' | 'write' | 'remove' | 'run'

/** `{scope}/providers/{type}/{name}…`, taken apart. */
interface ExtensionAddress {
  readonly scopeId: string
  readonly type: string
  readonly names: readonly string[]
  readonly isItem: boolean
}

/**
 * Serves a type that stands below any scope. Fastify's routes cannot begin with a wildcard, so these come through the
 * one for what no other route took. Answers undefined where the address names no such type.
 */
export async function serveExtension(engine: Engine, call: Call): Promise<Answer | undefined> {
  const address = parseAddress(call.path)
  const behaviour = address && engine.findExtension(address.type)
  if (!behaviour) return undefined
  const operation = operationOf(call, address)
  const permission = operation && behaviour.type.operations[operation]
  const run = operation && behaviour[operation]
  const scope = scopeOf(address.scopeId)
  if (!permission || !run || !scope || !behaviour.type.scopes.includes(scope.kind))
    throw armProblems.MethodNotAllowed({ method: call.method, path: call.path })
  const [, path] = splitType(behaviour.type.type)
  checkVersion(engine, call, path, behaviour.type.apiVersions, 'global')
  await checkSubscription(engine, scope.subscriptionId)
  const asked: ExtensionCall = {
    scope,
    names: address.names,
    body: operation === 'write' || operation === 'run' ? parseBody(call.body) : {},
    caller: call.caller,
    apiVersion: call.apiVersion,
    nowMs: call.nowMs,
    query: call.query,
    authorize: (action, at) => engine.authorize(call.caller, action, at),
  }
  const isChange = operation === 'write' || operation === 'remove'
  if (permission !== anyone) {
    const attributes = isChange ? await behaviour.attributes?.(asked) : undefined
    await engine.authorize(call.caller, permission, judgedScope(behaviour, address), attributes)
  }
  await checkScopeExists(engine, scope)
  // A lock can be taken away by who may: it does not lock itself.
  if (behaviour.type.type !== locks.type && isChange)
    await engine.checkLocks?.(operation === 'write' ? 'write' : 'delete', judgedScope(behaviour, address))
  return answerOf(await run.call(behaviour, asked))
}

function parseAddress(path: string): ExtensionAddress | undefined {
  const segments = path
    .split('/')
    .filter((segment) => segment !== '')
    .map(decodeSegment)
  // A name stands at an odd place: something called `providers` is not taken for the keyword.
  const at = segments.findLastIndex((segment, index) => index % 2 === 0 && segment.toLowerCase() === 'providers')
  const [, namespace, ...rest] = at < 0 ? [] : segments.slice(at)
  if (namespace === undefined || rest.length === 0) return undefined
  return {
    scopeId: `/${segments.slice(0, at).join('/')}`,
    type: [namespace, ...rest.filter((_, index) => index % 2 === 0)].join('/'),
    names: rest.filter((_, index) => index % 2 === 1),
    isItem: rest.length % 2 === 0,
  }
}

/** A decoded name with a slash or a control character would make the address of something else. */
function decodeSegment(segment: string): string {
  const name = decodeURIComponent(segment)
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[/\\\u0000-\u001f\u007f]/.test(name)) throw armProblems.InvalidResourceName({ name: JSON.stringify(name) })
  return name
}

function operationOf(call: Call, { isItem }: ExtensionAddress): OperationName | undefined {
  switch (call.method) {
    case 'GET':
      return isItem ? 'read' : 'list'
    case 'PUT':
      return isItem ? 'write' : undefined
    case 'DELETE':
      return isItem ? 'remove' : undefined
    case 'POST':
      return isItem ? undefined : 'run'
    default:
      return undefined
  }
}

function scopeOf(id: string): ExtensionCall['scope'] | undefined {
  const key = scopeKey(id)
  const kind = findScopeKind(key)
  return kind && { id, key, kind, subscriptionId: findSubscriptionId(key) }
}

/** Where the right is asked: the thing's own id; of a list, as Azure writes it, the provider below the scope. */
function judgedScope({ type }: ExtensionBehaviour, { scopeId, names, isItem }: ExtensionAddress): string {
  const [namespace, path] = splitType(type.type)
  const provider = `${scopeId === '/' ? '' : scopeId}/providers/${namespace}`
  if (!isItem && names.length === 0) return provider
  return `${provider}/${path
    .split('/')
    .flatMap((segment, index) => [segment, ...names.slice(index, index + 1)])
    .join('/')}`
}

async function checkSubscription(engine: Engine, subscriptionId: string | undefined): Promise<void> {
  if (subscriptionId !== undefined && !(await findSubscription(engine.db, subscriptionId)))
    throw resourceProblems.SubscriptionNotFound({ subscriptionId })
}

/** After the right was found: what is not there is told only to who may see it. */
async function checkScopeExists(engine: Engine, scope: ExtensionCall['scope']): Promise<void> {
  if (scope.kind === 'resourceGroup')
    await getResourceGroup(engine, { resourceGroup: scope.id.split('/')[4] ?? '', resourceGroupKey: scope.key })
  if (scope.kind !== 'resource' || (await findResource(engine.db, scope.key))) return
  const id = findArmId(scope.id)
  if (!id) throw armProblems.NotFound({ path: scope.id })
  throw resourceProblems.ResourceNotFound({ type: id.type, names: id.names, resourceGroup: id.resourceGroup })
}

function parseBody(body: unknown): JsonObject {
  if (body === undefined || body === null) return {}
  if (!isJsonObject(body))
    throw contractProblems.ContentNotObject({ found: Array.isArray(body) ? 'a list' : typeof body })
  return body
}

function answerOf(result: ExtensionResult): Answer {
  if (result.kind === 'nothing') return { status: 204 }
  return { status: result.kind === 'created' ? 201 : 200, body: result.body }
}
