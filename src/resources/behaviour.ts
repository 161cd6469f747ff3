import type { ArmId } from '../base/arm-id.ts'
import type { Json, JsonObject } from '../base/json.ts'
import type { Tx } from '../db/tables.ts'
import type { Draft, Resource } from './resource.ts'

/** Who calls, as far as a domain may know: domain code never looks at tokens. */
export interface CallerFacts {
  /** In the tenant of `tenantId`: what roles are assigned to. */
  readonly objectId: string
  /** The tenant that the token is for: a guest acts in the host's tenant. */
  readonly tenantId: string
  /** As `createdBy` and the activity log show the caller: a user's principal name, otherwise the application id. */
  readonly name: string
  readonly kind: CallerKind
  /** The application (client) id: of the program itself, or of the one through which a user signed in. */
  readonly appId: string
  /** A user's principal name. */
  readonly upn?: string | undefined
  /** App roles that the token states. */
  readonly roles: readonly string[]
  /** Groups that the token states; undefined: it states none, ask the directory. */
  readonly groupIds?: readonly string[] | undefined
  /** Who the caller is in other tenants, by further tokens: for what a request links to there. */
  readonly auxiliary?: readonly CallerFacts[] | undefined
}

export type CallerKind = 'user' | 'servicePrincipal' | 'managedIdentity'

/** What a hook is told about the request it serves. */
export interface RequestContext {
  readonly caller: CallerFacts
  readonly apiVersion: string
  /** `scheme://host` as the client sees this server: absolute addresses are made from it. */
  readonly baseUrl: string
  readonly nowMs: number
  /** Query parameters by lower-case name (`$expand`, `sharedto` …). */
  readonly query: Readonly<Record<string, string>>
  readonly signal: AbortSignal
  /** Throws Azure's LinkedAuthorizationFailed unless the caller may do `action` on `scope`. */
  authorize(action: string, scope: string): Promise<void>
}

export interface Change {
  readonly kind: 'create' | 'update'
  readonly id: ArmId
  readonly before: Resource | undefined
  readonly after: Draft
  readonly method: 'PUT' | 'PATCH'
  /** `before` is what `recall` answered: this PUT brings it back. */
  readonly recalled?: boolean
}

/** A durable workflow to start together with the resource row. */
export interface StartWork {
  readonly workflow: string
  readonly input: JsonObject
}

export interface ActionCall {
  readonly id: ArmId
  readonly resource: Resource
  readonly body: JsonObject
}

export type ActionResult =
  /** Done: 200 with a body, or 200 without. */
  | { readonly kind: 'done'; readonly body?: Json | undefined }
  /** Started: 202 with the operation's addresses; the operation's `result` is the final body. */
  | { readonly kind: 'started'; readonly start: StartWork; inTransaction?(tx: Tx): Promise<void> }

/**
 * The resources of a type that are no rows of their own but seen through others: what is in a recycle bin. They are read,
 * listed and removed; nothing writes them. Ids come in the spelling of the request.
 */
export interface ResourceView {
  find(id: ArmId, context: RequestContext): Promise<Resource | undefined>
  /** All of one parent; the engine sorts and pages. Throws ResourceNotFound where there is no such parent. */
  list(parent: ArmId, context: RequestContext): Promise<readonly Resource[]>
  /** The work that removes one; it may run twice. */
  remove?(resource: Resource, context: RequestContext): Promise<StartWork>
}

/**
 * The hooks by which a domain gives a declared resource type its meaning. All are optional: a type without hooks is
 * plain data. Order for a write: contract validation -> prepare -> check -> transaction { row, commit, work }.
 */
export interface Behaviour {
  /** Canonical type: `Microsoft.Compute/galleries`. */
  readonly type: string
  /** For types whose resources are seen through others; without it they are rows. */
  readonly view?: ResourceView
  /**
   * What a PUT of a name without a row brings back (soft delete): it then counts as what was there before, and `commit`
   * takes it out of where it rests. `body` as the client sent it. Throws where the name may not be used.
   */
  recall?(id: ArmId, body: unknown, context: RequestContext): Promise<Resource | undefined>
  /** Completes the draft (computed and default values); pure but for look-ups. */
  prepare?(change: Change, context: RequestContext): Promise<Draft>
  /** Refuses the change by throwing a Problem; nothing has been written yet. */
  check?(change: Change, context: RequestContext): Promise<void>
  /** Runs in the transaction that writes the row; repeats uniqueness checks that races could break. */
  commit?(tx: Tx, change: Change, context: RequestContext): Promise<void>
  /** The work that makes the change true; undefined: it is true as soon as it is written. */
  write?(change: Change, context: RequestContext): Promise<StartWork | undefined>
  /** Refuses a removal by throwing a Problem. Children are checked by the engine. */
  checkRemove?(resource: Resource, context: RequestContext): Promise<void>
  /** Runs in the transaction that marks or removes the row; repeats checks that races could break. */
  commitRemove?(tx: Tx, resource: Resource, context: RequestContext): Promise<void>
  /** The work that removes it; undefined: the row is removed at once. */
  remove?(resource: Resource, context: RequestContext): Promise<StartWork | undefined>
  /** Adds read-only members to what a GET shows, e.g. replicationStatus or instanceView; returns merged properties. */
  show?(resource: Resource, context: RequestContext): Promise<JsonObject>
  readonly actions?: Readonly<Record<string, (call: ActionCall, context: RequestContext) => Promise<ActionResult>>>
}
