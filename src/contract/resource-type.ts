import type { TSchema } from 'typebox'
import type { JsonObject } from '../base/json.ts'
import type { Problem } from '../base/problem.ts'
import type { RegionDirectory } from '../base/region.ts'

/**
 * The vocabulary in which resource types are declared. Everything that can be derived from a declaration is derived:
 * routes, validation, projection per api-version, RBAC actions, the client, the CLI's flags, the docs.
 *
 * Annotations ride on TypeBox schemas as extra options. `schema.ts` has the constructors that check their spelling.
 */
export interface Annotations {
  readonly description?: string
  /** First and last api-version that has the member. */
  readonly since?: string
  readonly until?: string
  /** First api-version that knows a value of an enum, where it is younger than the member. */
  readonly valuesSince?: Readonly<Record<string, string>>
  /** Shown, ignored in requests; what the server once stored survives every PUT. */
  readonly readOnly?: boolean
  /** The last api-version in which it was read-only; later ones may write it. */
  readonly readOnlyUntil?: string
  /** May not change afterwards: PropertyChangeNotAllowed. Left out of a PUT it is unchanged. */
  readonly createOnly?: boolean
  /** The member of the same body that, when true, lifts `createOnly`. */
  readonly changeableWith?: string
  /** May change, but leaving it out of a PUT does not remove it. */
  readonly kept?: boolean
  /** Accepted, never shown. */
  readonly writeOnly?: boolean
  /** Says something about this request only: never shown, never taken over from the stored resource. */
  readonly transient?: boolean
  /** Stored, but shown only where `$expand` or `$select` has this word (one of these words). */
  readonly onDemand?: string | readonly string[]
  /** The last api-version in which it had to be asked for; later ones show it always. */
  readonly onDemandUntil?: string
  /** The last entry whose `since` is not newer than the request's api-version applies. */
  readonly defaults?: readonly { readonly since?: string; readonly value: unknown }[]
  /** Strings compared without regard to case (resource ids, free words); enums always are. */
  readonly anyCase?: boolean
  /** Any spelling of a region in; stored as `short` or `display` name. */
  readonly region?: 'short' | 'display'
  /** A point in time: any ISO form in, canonical ISO in UTC stored, Azure's offset form shown. */
  readonly date?: boolean
  /** Object: members that are not declared are kept as sent, instead of being dropped. */
  readonly open?: boolean
  /** Object: an empty one counts as absent. */
  readonly dropEmpty?: boolean
  /** Object with `min` and `max`: min must not be greater. */
  readonly minMax?: boolean
  /** Array: the member that identifies an element (compared like that member). Its order does not matter then. */
  readonly key?: string
  /** Array with `key`: what a repeated key answers. */
  readonly duplicates?: string
  /** Array with `key`: elements may neither come nor go after creation; this is the answer. */
  readonly fixed?: string
  /** Text: what a violated pattern or length answers; `{path}` is replaced. */
  readonly complaint?: string
}

/** `async` answers with Azure-AsyncOperation, `sync` at once. */
export type Timing = 'sync' | 'async'

export interface ActionDeclaration {
  /** Last segment of the path: `beginGetAccess`. */
  readonly name: string
  /** POST unless it is one of the few that only read (`GET …/instanceView`). */
  readonly method?: 'GET' | 'POST'
  /** What it needs: `Microsoft.Compute/disks/beginGetAccess/action`. */
  readonly permission: string
  readonly since?: string
  readonly body?: TSchema
  readonly timing: Timing
  /** Ours, not Azure's: other clients never call it. */
  readonly extension?: boolean
}

export interface NameRule {
  /**
   * Answers the problem that a bad name raises, or undefined for a good one. `path` is the name with its parents'
   * names, as ARM writes it (`gallery/image`); default: the name.
   */
  check(name: string, path?: string): Problem | undefined
}

/** What a PUT or PATCH wants to make true, after normalisation, defaults and merging. */
export interface DraftShape {
  readonly location: string
  readonly tags: Readonly<Record<string, string>> | undefined
  readonly properties: JsonObject
  readonly envelope: JsonObject
}

/** The part of a stored resource that the rules here need; `src/resources/resource.ts` has all of it. */
export interface ResourceShape extends DraftShape {
  readonly id: string
  readonly name: string
}

export interface CompleteFacts {
  readonly apiVersion: string
  /** What is there; undefined: it is being created. */
  readonly before: ResourceShape | undefined
  /** Undefined where the caller has no directory: rules that need one are skipped. */
  readonly regions: RegionDirectory | undefined
}

export interface ResourceTypeDeclaration {
  /** Canonical spelling: `Microsoft.Compute/galleries/images/versions`. */
  readonly type: string
  /** How errors name it: `galleryImageVersion` -> target `galleryImageVersion.properties.…`. */
  readonly errorName: string
  /**
   * How errors write a path where it is not `errorName.path`: ComputeRP leaves `properties` out, and a member that has
   * moved is named where the request's api-version has it.
   */
  errorPath?(path: readonly string[], apiVersion?: string): string
  /** Ascending. */
  readonly apiVersions: readonly string[]
  readonly name: NameRule
  /** Schema of the whole body: location, tags, properties, and other top-level members (sku, zones, identity …). */
  readonly body: TSchema
  readonly put?: Timing
  readonly patch?: Timing
  /** The first api-version with PATCH; absent: all of them. */
  readonly patchSince?: string
  readonly delete?: Timing
  /** Status of a PUT that creates and of one that updates (disks: 202; galleries: 201 then 200). */
  readonly createStatus: 200 | 201 | 202
  readonly updateStatus: 200 | 202
  /** Where it can be listed besides under its parent (or resource group). */
  readonly listInSubscription: boolean
  readonly actions: readonly ActionDeclaration[]
  /** A `name` in a request's body must be that of the address; elsewhere it says nothing. */
  readonly checksName?: boolean
  /** Azure shows no provisioningState for this type. */
  readonly stateless?: boolean
  /** Has `location` and `tags`. */
  readonly tracked: boolean
  /** Accepted query words of GET: `$expand` values, `$select` values. */
  readonly expands?: readonly string[]
  /** Moves members from where an older api-version has them to where the newest, stored shape has them. */
  upgrade?(apiVersion: string, properties: JsonObject): JsonObject
  /** The way back, before members outside the api-version's window are hidden. */
  downgrade?(apiVersion: string, properties: JsonObject): JsonObject
  /** Defaults that need more than one member to decide; runs after the declared ones. */
  complete?(draft: DraftShape, facts: CompleteFacts): DraftShape
}
