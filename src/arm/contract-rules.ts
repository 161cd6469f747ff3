import type { ArmId } from '../base/arm-id.ts'
import { formatArmTime } from '../base/clock.ts'
import type { JsonObject } from '../base/json.ts'
import type { RegionDirectory } from '../base/region.ts'
import { checkCreateOnly, mergePatch, mergePut } from '../contract/change.ts'
import { applyDefaults } from '../contract/defaults.ts'
import { normalizeBody } from '../contract/normalize.ts'
import { projectResource } from '../contract/project.ts'
import type { ResourceTypeDeclaration } from '../contract/resource-type.ts'
import type { Draft, Resource } from '../resources/resource.ts'
import { quoteEtag } from './conditions.ts'

interface Facts {
  readonly type: ResourceTypeDeclaration
  readonly apiVersion: string
  readonly regions: RegionDirectory
  readonly id: ArmId
}

/** Body of a PUT -> draft: read, merge with what is there, defaults of the api-version, nothing immutable changed. */
export function draftOfPut({ type, apiVersion, regions }: Facts, body: unknown, before: Resource | undefined): Draft {
  const next = normalizeBody(type, apiVersion, body, regions, { method: 'PUT', existing: before !== undefined })
  const merged = mergePut(type, apiVersion, before, next)
  const after = applyDefaults(type, apiVersion, merged, { before, regions })
  if (before) checkCreateOnly(type, before, after)
  return after
}

/** Body of a PATCH -> draft; there are no defaults: what is not named stays as it is. */
export function draftOfPatch({ type, apiVersion, regions }: Facts, body: unknown, before: Resource): Draft {
  const patch = normalizeBody(type, apiVersion, body, regions, { method: 'PATCH', existing: true })
  const after = mergePatch(type, apiVersion, before, patch)
  checkCreateOnly(type, before, after)
  return after
}

/** A resource as the api-version of the request shows it; `shown` are its properties after the `show` hook. */
export function showResource(
  type: ResourceTypeDeclaration,
  apiVersion: string,
  resource: Resource,
  shown: JsonObject | undefined,
  query: Readonly<Record<string, string>>,
): JsonObject {
  const expand = (query['$expand'] ?? '').split(',').map((word) => word.trim())
  const whole = { ...resource, etag: quoteEtag(resource.etag), systemData: systemDataOf(resource) }
  return projectResource(type, apiVersion, whole, shown ?? resource.properties, { expand })
}

/** Who made and changed it and when; today every caller is an application (its own signed token). */
function systemDataOf({ createdBy, createdMs, changedBy, changedMs }: Resource): JsonObject {
  return {
    createdBy,
    createdByType: 'Application',
    createdAt: formatArmTime(createdMs),
    lastModifiedBy: changedBy,
    lastModifiedByType: 'Application',
    lastModifiedAt: formatArmTime(changedMs),
  }
}
