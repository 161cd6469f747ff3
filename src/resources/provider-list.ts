import type { JsonObject } from '../base/json.ts'
import type { Region } from '../base/region.ts'

/** What a list of a provider is asked for. */
export interface ProviderListRequest {
  readonly subscriptionId: string
  /** Of the path, where it has one. */
  readonly region: Region | undefined
  /** Of `$filter=location eq '…'`; undefined: every region. */
  readonly filterRegion: Region | undefined
  /** `includeExtendedLocations=true`: edge zones too. */
  readonly withEdgeZones: boolean
  readonly nowMs: number
}

/**
 * A list that a provider computes instead of storing: usages, sizes, SKUs. The domain declares it; the protocol engine
 * serves it under the subscription as `{value: […]}`.
 */
export interface ProviderList {
  /** `Microsoft.Compute/locations/usages`: a segment `locations` is followed by the region's name in the address. */
  readonly type: string
  readonly apiVersions: readonly string[]
  readonly permission: string
  /** Understands `$filter=location eq '…'`. */
  readonly filtersByLocation?: boolean
  list(request: ProviderListRequest): Promise<readonly JsonObject[]>
}
