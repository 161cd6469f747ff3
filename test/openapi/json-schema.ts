/** The little of JSON Schema that the published models are turned into. */
export interface JsonSchema {
  readonly $ref?: string
  readonly type?: string
  readonly format?: string
  readonly enum?: readonly unknown[]
  readonly pattern?: string
  readonly minLength?: number
  readonly maxLength?: number
  readonly minimum?: number
  readonly maximum?: number
  readonly items?: JsonSchema
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean | JsonSchema
  readonly anyOf?: readonly JsonSchema[]
}

/** One published operation: which requests it is, and what it takes and answers. */
export interface PublishedOperation {
  /** Where it stands, for messages. */
  readonly source: string
  readonly apiVersion: string
  readonly method: string
  /** Matches the path of a request, in any case. */
  readonly path: RegExp
  readonly body?: JsonSchema | undefined
  /** By status; undefined: an answer without a body. */
  readonly responses: ReadonlyMap<number, JsonSchema | undefined>
  readonly error?: JsonSchema | undefined
}

/** Operations and the definitions that their schemas name by `#/$defs/…`. */
export interface PublishedModel {
  readonly operations: readonly PublishedOperation[]
  readonly definitions: Readonly<Record<string, JsonSchema>>
}

export type Node = Readonly<Record<string, unknown>>

export function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function nodeAt(value: unknown, ...path: readonly string[]): Node {
  let found: unknown = value
  for (const name of path) found = isNode(found) ? found[name] : undefined
  return isNode(found) ? found : {}
}

/** `/subscriptions/{subscriptionId}/…` as a pattern; a parameter is one segment. */
export function pathPattern(template: string): RegExp {
  const escaped = template.replaceAll(/[.*+?^$|[\]\\()]/g, String.raw`\$&`)
  return new RegExp(`^/*${escaped.replace(/^\//, '').replaceAll(/\{[^}]+\}/g, '[^/]+')}/*$`, 'i')
}
