import { isJsonObject, type Json, type JsonObject } from '../base/json.ts'
import { normalizeRegionName } from '../base/region.ts'
import type { ResourceTypeDeclaration } from './resource-type.ts'
import { readSchema, type SchemaNode } from './schema.ts'

/** What the rules over schemas (normalise, defaults, change, project) share. */

export const bodySchema = (type: ResourceTypeDeclaration): SchemaNode => readSchema(type.body)

const noMembers: SchemaNode = { type: 'object', properties: {} }

export const propertiesSchema = (type: ResourceTypeDeclaration): SchemaNode =>
  bodySchema(type).properties?.['properties'] ?? noMembers

/** The body without what every tracked resource has: sku, identity, zones, plan … */
export function envelopeSchema(type: ResourceTypeDeclaration): SchemaNode {
  const schema = bodySchema(type)
  const members = Object.entries(schema.properties ?? {}).filter(([name]) => !standardMembers.has(name))
  const required = schema.required?.filter((name) => !standardMembers.has(name)) ?? []
  return { ...schema, properties: Object.fromEntries(members), required }
}

const standardMembers = new Set(['location', 'tags', 'properties'])

/** Members of any resource that ARM itself writes: in a request they say nothing. */
export const serverMembers = new Set([...standardMembers, 'id', 'name', 'type', 'systemData', 'etag'])

export const isMap = (schema: SchemaNode): boolean => schema.patternProperties !== undefined
export const mapValueSchema = (schema: SchemaNode): SchemaNode => Object.values(schema.patternProperties ?? {})[0] ?? {}

/** How an error names a place in a body: without array indexes, e.g. `galleryImage.properties.osType`. */
export function errorPath(type: ResourceTypeDeclaration, path: readonly string[], apiVersion?: string): string {
  return type.errorPath?.(path, apiVersion) ?? [type.errorName, ...path].join('.')
}

/** The form in which two texts of this member are compared. */
export function comparable(schema: SchemaNode, value: string): string {
  if (schema.region !== undefined) return normalizeRegionName(value)
  return schema.anyCase === true || schema.enum !== undefined ? value.toLowerCase() : value
}

/** What identifies an element of a keyed array; undefined where it has none. */
export function elementKey(array: SchemaNode, element: Json | undefined): string | undefined {
  if (array.key === undefined || !isJsonObject(element)) return undefined
  const value = element[array.key]
  if (value === undefined || value === null || typeof value === 'object') return undefined
  return comparable(array.items?.properties?.[array.key] ?? {}, String(value))
}

export const asObject = (value: Json | undefined): JsonObject => (isJsonObject(value) ? value : {})
export const asArray = (value: Json | undefined): readonly Json[] => (Array.isArray(value) ? value : [])

/** Builds an object from what is defined. Own properties always: a member called `__proto__` is just a name. */
export function objectOf(entries: Iterable<readonly [string, Json | undefined]>): JsonObject {
  return Object.fromEntries([...entries].filter(([, value]) => value !== undefined))
}
