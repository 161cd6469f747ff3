import type { Json, JsonObject } from '../base/json.ts'
import type { RequestContext } from './behaviour.ts'

/**
 * A question to a provider as a whole, above subscriptions and resources: `POST /providers/{namespace}/{name}`, answered
 * at once. What the caller may see of the answer is the provider's to decide.
 */
export interface ProviderAction {
  /** `Microsoft.ResourceGraph/resources`. */
  readonly type: string
  /** Ascending. */
  readonly apiVersions: readonly string[]
  run(body: Json, context: RequestContext): Promise<JsonObject>
}
