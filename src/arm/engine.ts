import type { Rights } from '../access/access.ts'
import type { ActivityLog } from '../activity/activity-log.ts'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { RegionDirectory } from '../base/region.ts'
import type { ProxyTypeDeclaration } from '../contract/proxy-type.ts'
import type { ResourceTypeDeclaration } from '../contract/resource-type.ts'
import type { ServiceDeclaration } from '../contract/services.ts'
import type { ReadMemo } from '../db/read-memo.ts'
import type { Db, Tx } from '../db/tables.ts'
import type { Behaviour, CallerFacts } from '../resources/behaviour.ts'
import type { ProviderAction } from '../resources/provider-action.ts'
import type { ProviderQuestion } from '../resources/provider-question.ts'
import type { ProviderList } from '../resources/provider-list.ts'
import type { ProxyBehaviour } from '../resources/proxy.ts'
import type { Resource } from '../resources/resource.ts'
import type { ExtensionBehaviour, RightAttributes } from '../resources/extension.ts'
import type { Work } from '../work/workflow.ts'
import type { RateLimiter } from './rate-limits.ts'

export interface Proxy {
  readonly type: ProxyTypeDeclaration
  readonly behaviour: ProxyBehaviour
}

export interface ArmOptions {
  /** Every declared type; routes, api-versions and permissions follow from it. */
  readonly types: readonly ResourceTypeDeclaration[]
  /** What gives types their meaning; a type without one is plain data. */
  readonly behaviours: readonly Behaviour[]
  /** Read-only views in regions, each with its behaviour. */
  readonly proxies?: readonly Proxy[] | undefined
  /** Questions to providers as a whole. */
  readonly actions?: readonly ProviderAction[] | undefined
  /** Types that stand below any scope (role assignments, locks). */
  readonly extensions?: readonly ExtensionBehaviour[] | undefined
  readonly db: Db
  /** Keeps what every request reads until something is committed; default: reads it every time. */
  readonly memo?: ReadMemo | undefined
  readonly work: Work
  /** Is told of every request that does more than read. */
  readonly activity?: ActivityLog | undefined
  /** What providers serve besides types: named where they are listed. */
  readonly services?: readonly ServiceDeclaration[] | undefined
  /** Lists that domains compute: usages, SKUs. */
  readonly lists?: readonly ProviderList[] | undefined
  readonly questions?: readonly ProviderQuestion[] | undefined
  /** Which providers a subscription has before it says so. Default: all. */
  readonly providersRegistered?: 'all' | 'none' | undefined
  /** Counts requests, and refuses them where limits are enforced. */
  readonly rateLimiter?: RateLimiter | undefined
  readonly regions: RegionDirectory
  readonly clock: Clock
  readonly logger: Logger
  /** Home tenant: named in WWW-Authenticate and in /tenants. */
  readonly tenantId: string
  /** Checks an Authorization header or its absence; throws an `unauthenticated` Problem (InvalidAuthenticationToken …). */
  authenticate(authorization: string | undefined): Promise<CallerFacts>
  /** Throws Azure's AuthorizationFailed unless the caller may do `action` on `scope` (an id). */
  authorize(caller: CallerFacts, action: string, scope: string, attributes?: RightAttributes): Promise<void>
  /** The tenants in which the caller has an account, its own first. */
  listTenantsOf(caller: CallerFacts): Promise<readonly TenantFacts[]>
  /** What an object id stands for in a tenant, of those that roles are assigned to. */
  findPrincipalKind(tenantId: string, objectId: string): Promise<'user' | 'group' | 'servicePrincipal' | undefined>
  /** What the caller may, as of now: for lists, which show what it may read. */
  rightsOf(caller: CallerFacts): Promise<Rights>
  /** Throws ScopeLocked where a lock forbids to change, or to delete, what is at a scope. */
  checkLocks?(operation: 'write' | 'delete', scope: string): Promise<void>
  /** Runs in the transaction in which a row goes without an operation (`onSettled` of the work engine sees the others). */
  onRemoved?(tx: Tx, key: string, row: Resource): Promise<void>
  /** Sent with every answer that a client will poll. Default 1. */
  readonly retryAfterSeconds?: number | undefined
  /** Entries of one page of a list. Default 50. */
  readonly pageSize?: number | undefined
  /** How long a DELETE waits for the operation that it cancelled. Default 30 s. */
  readonly cancelTimeoutMs?: number | undefined
}

/** A tenant as /tenants shows it. */
export interface TenantFacts {
  readonly tenantId: string
  readonly displayName: string
  readonly defaultDomain: string
  /** The caller's own tenant, or one in which it is a guest or a principal of its application. */
  readonly isHome: boolean
}

/** The protocol engine's surroundings, made once. Knows no resource type by name. */
export interface Engine extends ArmOptions {
  readonly retryAfterSeconds: number
  readonly pageSize: number
  readonly cancelTimeoutMs: number
  readonly proxies: readonly Proxy[]
  findType(type: string): ResourceTypeDeclaration | undefined
  behaviour(type: string): Behaviour | undefined
  findExtension(type: string): ExtensionBehaviour | undefined
}

export function createEngine(options: ArmOptions): Engine {
  const types = new Map(options.types.map((type) => [type.type.toLowerCase(), type]))
  const behaviours = new Map(options.behaviours.map((behaviour) => [behaviour.type.toLowerCase(), behaviour]))
  const extensions = new Map((options.extensions ?? []).map((one) => [one.type.type.toLowerCase(), one]))
  for (const behaviour of options.behaviours)
    if (!types.has(behaviour.type.toLowerCase()))
      throw new Error(`The behaviour of '${behaviour.type}' belongs to no declared type: check its spelling.`)
  return {
    ...options,
    authenticate: (authorization) => options.authenticate(authorization),
    authorize: (caller, action, scope, attributes) => options.authorize(caller, action, scope, attributes),
    listTenantsOf: (caller) => options.listTenantsOf(caller),
    findPrincipalKind: (tenantId, objectId) => options.findPrincipalKind(tenantId, objectId),
    proxies: options.proxies ?? [],
    rightsOf: (caller) => options.rightsOf(caller),
    retryAfterSeconds: options.retryAfterSeconds ?? 1,
    pageSize: options.pageSize ?? 50,
    cancelTimeoutMs: options.cancelTimeoutMs ?? 30_000,
    findType: (type) => types.get(type.toLowerCase()),
    behaviour: (type) => behaviours.get(type.toLowerCase()),
    findExtension: (type) => extensions.get(type.toLowerCase()),
  }
}

/** `Microsoft.Compute/galleries/images` -> `['Microsoft.Compute', 'galleries/images']`. */
export function splitType(type: string): readonly [namespace: string, path: string] {
  const slash = type.indexOf('/')
  return [type.slice(0, slash), type.slice(slash + 1)]
}
