import type { JsonObject } from '../base/json.ts'
import type { Region } from '../base/region.ts'
import type { RequestContext } from './behaviour.ts'

/** From where a view is looked at: who looks, in which region, at what. */
export interface ProxyPlace {
  /** Of the path; undefined for views above subscriptions. */
  readonly subscriptionId: string | undefined
  /** The subscription's tenant, or above subscriptions the caller's. */
  readonly tenantId: string
  readonly region: Region
  /** Names in the path, without the location; a list has one less. */
  readonly names: readonly string[]
}

export interface ProxyItem {
  readonly name: string
  /** In the newest shape; `arm` shows it per api-version. */
  readonly body: JsonObject
}

/** The hooks by which a domain fills a declared proxy type: what is not there for this viewer does not exist for it. */
export interface ProxyBehaviour {
  /** Canonical type: `Microsoft.Compute/locations/sharedGalleries`. */
  readonly type: string
  /** Throws a NotFound of its own. */
  get?(place: ProxyPlace, context: RequestContext): Promise<JsonObject>
  /** All of them; the engine sorts and pages. Throws where the parent is not there. */
  list?(place: ProxyPlace, context: RequestContext): Promise<readonly ProxyItem[]>
  readonly actions?: Readonly<Record<string, (place: ProxyPlace, context: RequestContext) => Promise<void>>>
}
