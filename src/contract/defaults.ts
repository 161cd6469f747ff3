import { isJsonObject, type Json, type JsonObject } from '../base/json.ts'
import type { RegionDirectory } from '../base/region.ts'
import { defaultOf } from './normalize.ts'
import type { DraftShape, ResourceShape, ResourceTypeDeclaration } from './resource-type.ts'
import type { SchemaNode } from './schema.ts'
import { envelopeSchema, objectOf, propertiesSchema } from './walk.ts'

export interface DefaultsOptions {
  /** What was there: createOnly members get their defaults on creation only. */
  readonly before?: ResourceShape | undefined
  /** Needed for defaults that depend on what a region can do; without it those are left out. */
  readonly regions?: RegionDirectory | undefined
}

/**
 * Fills in what the request left out, as Azure does for this api-version; run it after merging. Defaults are stored,
 * so every later api-version shows the same resource, members younger than the request included.
 */
export function applyDefaults(
  type: ResourceTypeDeclaration,
  apiVersion: string,
  draft: DraftShape,
  options: DefaultsOptions = {},
): DraftShape {
  const creating = options.before === undefined
  const filled = {
    ...draft,
    properties: fillObject(propertiesSchema(type), draft.properties, apiVersion, creating),
    envelope: fillObject(envelopeSchema(type), draft.envelope, apiVersion, creating),
  }
  return type.complete?.(filled, { apiVersion, before: options.before, regions: options.regions }) ?? filled
}

function fillObject(schema: SchemaNode, value: JsonObject, apiVersion: string, creating: boolean): JsonObject {
  const missing = Object.entries(schema.properties ?? {})
    .filter(([name, member]) => value[name] === undefined && member.defaults !== undefined)
    .filter(([, member]) => creating || member.createOnly !== true)
    .map(([name, member]): [string, Json | undefined] => [name, defaultOf(member, apiVersion)])
  const whole = { ...value, ...objectOf(missing) }
  const entries = Object.entries(whole).map(([name, member]): [string, Json | undefined] => [
    name,
    fillValue(schema.properties?.[name], member, apiVersion, creating),
  ])
  return objectOf(entries)
}

function fillValue(
  schema: SchemaNode | undefined,
  value: Json | undefined,
  apiVersion: string,
  creating: boolean,
): Json | undefined {
  if (schema?.properties !== undefined && isJsonObject(value)) return fillObject(schema, value, apiVersion, creating)
  const { items } = schema ?? {}
  if (items?.properties === undefined || !Array.isArray(value)) return value
  return value.map((element: Json) => fillValue(items, element, apiVersion, creating) ?? null)
}
