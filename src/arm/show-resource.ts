import { formatArmTime } from '../base/clock.ts'
import type { JsonObject } from '../base/json.ts'
import { projectResource } from '../contract/project.ts'
import type { ResourceTypeDeclaration } from '../contract/resource-type.ts'
import type { Resource } from '../resources/resource.ts'
import { quoteEtag } from './conditions.ts'

/** A resource as the api-version of the request shows it; `shown` are its properties after the `show` hook. */
export function showResource(
  type: ResourceTypeDeclaration,
  apiVersion: string,
  resource: Resource,
  shown: JsonObject | undefined,
  query: Readonly<Record<string, string>>,
): JsonObject {
  const words = [query['$expand'] ?? '', query['$select'] ?? '']
  const expand = words.flatMap((list) => list.split(',')).map((word) => word.trim())
  const whole = { ...resource, etag: quoteEtag(resource.etag), systemData: systemDataOf(resource) }
  return projectResource(type, apiVersion, whole, shown ?? resource.properties, { expand })
}

/** Texts of rows by the words that chose their form. As long as a row is kept (`ReadMemo`), it is written once. */
const textsOf = new WeakMap<Resource, Map<string, string>>()

/** What `showResource` answers for the stored properties, as JSON; in a list with its own form of the id. */
export function resourceText(
  type: ResourceTypeDeclaration,
  apiVersion: string,
  resource: Resource,
  query: Readonly<Record<string, string>>,
  inList = false,
): string {
  const texts = textsOf.get(resource) ?? new Map<string, string>()
  textsOf.set(resource, texts)
  const form = JSON.stringify([apiVersion, inList, query['$expand'], query['$select']])
  const known = texts.get(form)
  if (known !== undefined) return known
  const body = showResource(type, apiVersion, resource, undefined, query)
  const text = JSON.stringify(inList ? withUpperGroup(body) : body)
  if (texts.size < mostTexts) texts.set(form, text)
  return text
}

/** Clients mix a handful of api-versions; whoever asks in a thousand ways is answered without memory. */
const mostTexts = 8

/** Lists show the resource group of an id in upper case, single GETs do not (behaviour.md L, contract.md section 5). */
export function withUpperGroup(body: JsonObject): JsonObject {
  const { id } = body
  if (typeof id !== 'string') return body
  const parts = id.split('/')
  // A group's own id ends there and keeps its spelling.
  if (parts.length < 6) return body
  return { ...body, id: parts.map((part, index) => (index === 4 ? part.toUpperCase() : part)).join('/') }
}

/** Callers are written down by name: a person's principal name has an `@`, a program's application id has none. */
const kindOf = (name: string): string => (name.includes('@') ? 'User' : 'Application')

/** Who made and changed it and when. */
function systemDataOf({ createdBy, createdMs, changedBy, changedMs }: Resource): JsonObject {
  return {
    createdBy,
    createdByType: kindOf(createdBy),
    createdAt: formatArmTime(createdMs),
    lastModifiedBy: changedBy,
    lastModifiedByType: kindOf(changedBy),
    lastModifiedAt: formatArmTime(changedMs),
  }
}
