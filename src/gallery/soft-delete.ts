import { isJsonObject, type JsonObject } from '../base/json.ts'
import type { GalleryProperties } from '../contract/galleries.ts'
import type { Resource } from '../resources/resource.ts'

/** How long a deleted version can be brought back: first it is only out of sight, then it is unusable as well. */
export interface SoftDeletePolicy {
  readonly retentionDays: number
  readonly graceDays: number
}

const dayMs = 86_400_000

/**
 * What stands in a policy where nothing is said: 7 days up to 2025-12-03 (the documentation), 31 and 8 from 2026-03-03 on
 * (recording R3), when the members came.
 */
function defaultPolicy(apiVersion: string): SoftDeletePolicy {
  return apiVersion < '2026-03-03' ? { retentionDays: 7, graceDays: 0 } : { retentionDays: 31, graceDays: 8 }
}

/** The properties of a gallery with the periods of its policy spelt out, so that every later reader sees the same. */
export function withPolicyPeriods(properties: JsonObject, apiVersion: string): JsonObject {
  const policy = properties['softDeletePolicy']
  if (!isJsonObject(policy) || policy['isSoftDeleteEnabled'] !== true) return properties
  const usual = defaultPolicy(apiVersion)
  return {
    ...properties,
    softDeletePolicy: {
      ...policy,
      retentionPeriodInDays: policy['retentionPeriodInDays'] ?? usual.retentionDays,
      gracePeriodInDays: policy['gracePeriodInDays'] ?? usual.graceDays,
    },
  }
}

/** Undefined: deletion in this gallery is for good. */
export function findSoftDeletePolicy(gallery: Pick<Resource, 'properties'> | undefined): SoftDeletePolicy | undefined {
  const policy = (gallery?.properties as GalleryProperties | undefined)?.softDeletePolicy
  if (policy?.isSoftDeleteEnabled !== true) return undefined
  const { retentionPeriodInDays, gracePeriodInDays } = policy as {
    readonly retentionPeriodInDays?: number
    readonly gracePeriodInDays?: number
  }
  const usual = defaultPolicy('')
  return {
    retentionDays: retentionPeriodInDays ?? usual.retentionDays,
    graceDays: gracePeriodInDays ?? usual.graceDays,
  }
}

export interface RecycleTimes {
  readonly consumptionEndMs: number
  readonly hardDeleteMs: number
}

export function recycleTimes(deletedMs: number, policy: SoftDeletePolicy): RecycleTimes {
  const consumptionEndMs = deletedMs + policy.retentionDays * dayMs
  return { consumptionEndMs, hardDeleteMs: consumptionEndMs + policy.graceDays * dayMs }
}

/**
 * Azure of a deleted version: "available for use only when a specific version is requested, and it will not be resolved
 * as the latest version" (GalleryImageVersionState); after `consumptionEndTime` it can be brought back only.
 */
export function isConsumable({ consumptionEndMs }: Pick<RecycleTimes, 'consumptionEndMs'>, nowMs: number): boolean {
  return nowMs < consumptionEndMs
}

/**
 * Whether a PUT of a deleted version's name asks for it back: `properties.restore`, or no word of a source (az and the
 * documentation send the location alone, recording R3).
 */
export function asksForRestore(body: unknown, apiVersion: string): boolean {
  if (apiVersion < '2024-03-03') return false
  const properties = isJsonObject(body) && isJsonObject(body['properties']) ? body['properties'] : {}
  if (properties['restore'] === true) return true
  const { storageProfile } = properties
  return !isJsonObject(storageProfile) || Object.keys(storageProfile).length === 0
}

export function saysRestore(body: unknown): boolean {
  return isJsonObject(body) && isJsonObject(body['properties']) && body['properties']['restore'] === true
}
