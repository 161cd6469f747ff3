import type { JsonObject } from '../base/json.ts'

/** A POST below a subscription's provider that asks and changes nothing: `checkNameAvailability`. */
export interface ProviderQuestion {
  /** `Microsoft.Storage/checkNameAvailability` */
  readonly type: string
  readonly apiVersions: readonly string[]
  readonly permission: string
  answer(body: JsonObject): Promise<JsonObject>
}
