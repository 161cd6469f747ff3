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
