import type { ArmId } from '../base/arm-id.ts'
import type { JsonObject } from '../base/json.ts'
import type { RegionDirectory } from '../base/region.ts'
import { checkCreateOnly, mergePatch, mergePut } from '../contract/change.ts'
import { applyDefaults } from '../contract/defaults.ts'
import { normalizeBody } from '../contract/normalize.ts'
import { projectResource } from '../contract/project.ts'
import type { ResourceTypeDeclaration } from '../contract/resource-type.ts'
import type { Draft, Resource } from '../resources/resource.ts'

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
  return projectResource(type, apiVersion, resource, shown ?? resource.properties, { expand })
}
