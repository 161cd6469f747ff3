import type { TSchema } from 'typebox'
import type { Problem } from '../base/problem.ts'

/**
 * The vocabulary in which resource types are declared. Everything that can be derived from a declaration is derived:
 * routes, validation, projection per api-version, RBAC actions, the client, the CLI's flags, the docs.
 *
 * Annotations ride on TypeBox schemas as extra options:
 *   since / until   first / last api-version that has the member
 *   readOnly        shown, ignored in requests
 *   createOnly      may not change afterwards: PropertyChangeNotAllowed
 *   writeOnly       accepted, never shown
 *   defaults        [{ since?, value }] the last entry whose `since` is not newer than the request's api-version applies
 *   anyCase         enum of strings compared without regard to case, stored in the declared spelling
 *   region          any spelling of a region in; stored as `short` or `display` name
 */
export interface Annotations {
  readonly since?: string
  readonly until?: string
  readonly readOnly?: boolean
  readonly createOnly?: boolean
  readonly writeOnly?: boolean
  readonly defaults?: readonly { readonly since?: string; readonly value: unknown }[]
  readonly anyCase?: boolean
  readonly region?: 'short' | 'display'
}

/** `async` answers with Azure-AsyncOperation, `sync` at once. */
export type Timing = 'sync' | 'async'

export interface ActionDeclaration {
  /** Last segment of the path: `beginGetAccess`. */
  readonly name: string
  /** What it needs: `Microsoft.Compute/disks/beginGetAccess/action`. */
  readonly permission: string
  readonly since?: string
  readonly body?: TSchema
  readonly timing: Timing
  /** Ours, not Azure's: other clients never call it. */
  readonly extension?: boolean
}

export interface NameRule {
  /** Answers the problem that a bad name raises, or undefined for a good one. */
  check(name: string): Problem | undefined
}

export interface ResourceTypeDeclaration {
  /** Canonical spelling: `Microsoft.Compute/galleries/images/versions`. */
  readonly type: string
  /** How errors name it: `galleryImageVersion` -> target `galleryImageVersion.properties.…`. */
  readonly errorName: string
  /** Ascending. */
  readonly apiVersions: readonly string[]
  readonly name: NameRule
  /** Schema of the whole body: location, tags, properties, and other top-level members (sku, zones, identity …). */
  readonly body: TSchema
  readonly put?: Timing
  readonly patch?: Timing
  readonly delete?: Timing
  /** Status of a PUT that creates and of one that updates (disks: 202; galleries: 201 then 200). */
  readonly createStatus: 200 | 201 | 202
  readonly updateStatus: 200 | 202
  /** Where it can be listed besides under its parent (or resource group). */
  readonly listInSubscription: boolean
  readonly actions: readonly ActionDeclaration[]
  /** Has `location` and `tags`. */
  readonly tracked: boolean
  /** Accepted query words of GET: `$expand` values, `$select` values. */
  readonly expands?: readonly string[]
}
