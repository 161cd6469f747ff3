import type { JsonObject } from '../base/json.ts'

export type ProvisioningState = 'Creating' | 'Updating' | 'Succeeded' | 'Failed' | 'Deleting'

/** A stored ARM resource in its newest, canonical shape; `arm` projects it to the api-version that asks. */
export interface Resource {
  /** Lower-case id. */
  readonly key: string
  /** As first written. */
  readonly id: string
  /** Canonical spelling from the contract. */
  readonly type: string
  readonly name: string
  readonly parentKey: string
  readonly subscriptionId: string
  readonly resourceGroupKey: string
  /** Short region name, e.g. `westeurope`; empty for child types that have none. */
  readonly location: string
  readonly tags: Readonly<Record<string, string>> | undefined
  /** Without provisioningState. */
  readonly properties: JsonObject
  /** Other top-level members: sku, identity, zones, plan … */
  readonly envelope: JsonObject
  readonly provisioningState: ProvisioningState
  readonly etag: string
  readonly createdMs: number
  readonly changedMs: number
  readonly createdBy: string
  readonly changedBy: string
  readonly operationId: string | undefined
}

export type { DraftShape as Draft } from '../contract/resource-type.ts'
