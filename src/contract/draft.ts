import type { RegionDirectory } from '../base/region.ts'
import { checkCreateOnly, checkRanges, mergePatch, mergePut } from './change.ts'
import { applyDefaults } from './defaults.ts'
import { normalizeBody } from './normalize.ts'
import type { DraftShape, ResourceShape, ResourceTypeDeclaration } from './resource-type.ts'

export interface DraftFacts {
  readonly type: ResourceTypeDeclaration
  readonly apiVersion: string
  readonly regions: RegionDirectory
}

/**
 * The whole road from a PUT's body to what is to be stored, in the one order that is right: normalise, merge with what
 * is there, fill in defaults, refuse what may not change or is no range. Throws the Problems of each.
 */
export function draftOfPut(facts: DraftFacts, body: unknown, before: ResourceShape | undefined): DraftShape {
  const { type, apiVersion, regions } = facts
  const next = normalizeBody(type, apiVersion, body, regions, { method: 'PUT', existing: before !== undefined })
  const merged = mergePut(type, apiVersion, before, next)
  const draft = applyDefaults(type, apiVersion, merged, { before, regions })
  if (before !== undefined) checkCreateOnly(type, apiVersion, before, draft)
  checkRanges(type, draft)
  return draft
}

/** The same for a PATCH, which needs something to change. */
export function draftOfPatch(facts: DraftFacts, body: unknown, before: ResourceShape): DraftShape {
  const { type, apiVersion, regions } = facts
  const patch = normalizeBody(type, apiVersion, body, regions, { method: 'PATCH' })
  const merged = mergePatch(type, apiVersion, before, patch)
  const draft = applyDefaults(type, apiVersion, merged, { before, regions })
  checkCreateOnly(type, apiVersion, before, draft)
  checkRanges(type, draft)
  return draft
}
