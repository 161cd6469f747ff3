import type { ScopeKind } from '../base/scope.ts'

/**
 * A type whose resources stand below any scope, at `{scope}/providers/{type}/{name}`: role assignments, locks. Declared
 * like other types; its body and its rows are its room's own (`ExtensionBehaviour`).
 */
export interface ExtensionTypeDeclaration {
  /** Canonical spelling: `Microsoft.Authorization/roleAssignments`. */
  readonly type: string
  /** Ascending. */
  readonly apiVersions: readonly string[]
  /** What it may stand below. */
  readonly scopes: readonly ScopeKind[]
  /** What each operation needs; an operation that is not named is not served. `anyone`: whoever is signed in. */
  readonly operations: {
    /** GET of all at a scope. */
    readonly list?: string
    readonly read?: string
    /** PUT. */
    readonly write?: string
    readonly remove?: string
    /** POST to the type itself: a question, not a resource. */
    readonly run?: string
  }
  /** Ours, not Azure's. */
  readonly extension?: boolean
}

export const anyone = 'anyone'
