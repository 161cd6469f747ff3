import { isJsonObject, type Json, type JsonObject } from '../base/json.ts'
import { formatArmDate } from './dates.ts'
import type { ResourceTypeDeclaration } from './resource-type.ts'
import { isMemberOf, type SchemaNode } from './schema.ts'
import { bodySchema, envelopeSchema, isMap, mapValueSchema, objectOf, propertiesSchema } from './walk.ts'

/** A stored resource, as far as it is shown. */
export interface ProjectedResource {
  readonly id: string
  readonly name: string
  readonly type: string
  readonly location: string
  readonly tags?: Readonly<Record<string, string>> | undefined
  readonly properties: JsonObject
  readonly envelope: JsonObject
  readonly provisioningState: string
  /** Shown in the body only by types that declare it. */
  readonly etag?: string | undefined
  readonly systemData?: JsonObject | undefined
}

export interface ProjectOptions {
  /** Words of `$expand` and `$select`, in any case: members that are only shown on demand. */
  readonly expand?: readonly string[]
}

interface View {
  readonly apiVersion: string
  readonly expand: ReadonlySet<string>
}

/**
 * A resource as Azure shows it in one api-version: members of other versions, write-only and undeclared ones are
 * hidden, dates are in Azure's offset form. `shownProperties` are the stored properties with what the type's `show`
 * hook added to them (default: the stored ones).
 */
export function projectResource(
  type: ResourceTypeDeclaration,
  apiVersion: string,
  resource: ProjectedResource,
  shownProperties: JsonObject = resource.properties,
  options: ProjectOptions = {},
): JsonObject {
  const view = { apiVersion, expand: new Set(options.expand?.map((word) => word.toLowerCase())) }
  const properties = type.downgrade?.(apiVersion, shownProperties) ?? shownProperties
  const declared = bodySchema(type).properties ?? {}
  const isShown = (name: string): boolean => {
    const member = declared[name]
    return member !== undefined && isMemberOf(member, apiVersion)
  }
  const { etag, systemData } = resource
  return {
    name: resource.name,
    id: resource.id,
    type: resource.type,
    ...(type.tracked && resource.location !== '' ? { location: resource.location } : {}),
    ...(resource.tags === undefined ? {} : { tags: resource.tags }),
    ...showObject(envelopeSchema(type), resource.envelope, view),
    ...(etag !== undefined && isShown('etag') ? { etag } : {}),
    ...(systemData !== undefined && isShown('systemData') ? { systemData } : {}),
    properties: {
      ...showObject(propertiesSchema(type), properties, view),
      ...(type.stateless === true ? {} : { provisioningState: resource.provisioningState }),
    },
  }
}

/** A whole body in the shape of one api-version, for what is no resource. */
export function showBody(schema: SchemaNode, body: JsonObject, apiVersion: string): JsonObject {
  return showObject(schema, body, { apiVersion, expand: new Set() })
}

function isVisible(schema: SchemaNode, view: View): boolean {
  if (schema.writeOnly === true || schema.transient === true) return false
  const isAlwaysShown = schema.onDemandUntil !== undefined && view.apiVersion > schema.onDemandUntil
  const words = schema.onDemand === undefined || isAlwaysShown ? [] : [schema.onDemand].flat()
  if (words.length > 0 && !words.some((word) => view.expand.has(word.toLowerCase()))) return false
  return isMemberOf(schema, view.apiVersion)
}

function showObject(schema: SchemaNode, value: JsonObject, view: View): JsonObject {
  const entries = Object.entries(value).map(([name, member]): [string, Json | undefined] => {
    const known = isMap(schema) ? mapValueSchema(schema) : schema.properties?.[name]
    if (member === null) return [name, undefined]
    if (known === undefined) return [name, schema.open === true ? member : undefined]
    return [name, isVisible(known, view) ? showValue(known, member, view) : undefined]
  })
  return objectOf(entries)
}

function showValue(schema: SchemaNode, value: Json | undefined, view: View): Json | undefined {
  if (schema.date === true && typeof value === 'string') return formatArmDate(value)
  if (schema.type === 'object' && isJsonObject(value)) {
    const shown = showObject(schema, value, view)
    return schema.dropEmpty === true && Object.keys(shown).length === 0 ? undefined : shown
  }
  const { items } = schema
  if (items === undefined || !Array.isArray(value)) return value
  return value.map((element: Json) => showValue(items, element, view) ?? null)
}
