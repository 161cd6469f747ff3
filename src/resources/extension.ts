import type { Json, JsonObject } from '../base/json.ts'
import type { ScopeKind } from '../base/scope.ts'
import type { ExtensionTypeDeclaration } from '../contract/extension-type.ts'
import type { CallerFacts } from './behaviour.ts'

/** A request about something that stands below a scope; the caller was found to have the declared right. */
export interface ExtensionCall {
  readonly scope: {
    /** As the caller wrote it; `/` for the tenant's root. */
    readonly id: string
    /** Lower case. */
    readonly key: string
    readonly kind: ScopeKind
    /** Lower case. */
    readonly subscriptionId: string | undefined
  }
  /** The names in the address, outermost first; of a list those of its parents. */
  readonly names: readonly string[]
  readonly body: JsonObject
  readonly caller: CallerFacts
  readonly apiVersion: string
  readonly nowMs: number
  /** Query parameters by lower-case name. */
  readonly query: Readonly<Record<string, string>>
  /** Throws AuthorizationFailed unless the caller may do this as well. */
  authorize(action: string, scope: string): Promise<void>
}

/** 201 with a body, 200 with a body, 204. */
export type ExtensionResult = { readonly kind: 'created' | 'shown'; readonly body: Json } | { readonly kind: 'nothing' }

/** What conditions of role assignments may ask: by `request:` or `resource:` and the attribute's name, lower case. */
export type RightAttributes = Readonly<Record<string, string>>

/** The hooks by which a room gives an extension type its meaning: one for each operation that the type declares. */
export interface ExtensionBehaviour {
  readonly type: ExtensionTypeDeclaration
  list?(call: ExtensionCall): Promise<ExtensionResult>
  read?(call: ExtensionCall): Promise<ExtensionResult>
  write?(call: ExtensionCall): Promise<ExtensionResult>
  remove?(call: ExtensionCall): Promise<ExtensionResult>
  run?(call: ExtensionCall): Promise<ExtensionResult>
  /** What the right to write or remove may hang on; asked before that right is. Never throws for a bad request. */
  attributes?(call: ExtensionCall): Promise<RightAttributes>
}
