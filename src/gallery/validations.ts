import { formatArmTime } from '../base/clock.ts'
import { isJsonObject, type JsonObject } from '../base/json.ts'
import { osDiskLun } from './replica.rows.ts'
import type { Replica } from './replica.rows.ts'

/** Every byte was read, hashed and compared: the one validation that this server runs. Azure's is `TrustedLaunch`. */
const integrity = { type: 'Integrity', version: '1.0.0' }

/**
 * `properties.validationsProfile` with what has just been found out: on publishing, as the store acknowledges nothing
 * that it did not check, and after each `verify`. The etag names the bytes that were checked.
 */
export function withIntegrity(properties: JsonObject, replicas: readonly Replica[], nowMs: number): JsonObject {
  const known = properties['validationsProfile']
  const root = replicas.find((replica) => replica.lun === osDiskLun && replica.root !== undefined)?.root
  const isWhole = replicas.length > 0 && replicas.every((replica) => replica.state === 'Completed')
  const status = isWhole ? 'Succeeded' : 'Failed'
  return {
    ...properties,
    validationsProfile: {
      ...(isJsonObject(known) ? known : {}),
      ...(root === undefined ? {} : { validationEtag: root }),
      executedValidations: [{ ...integrity, status, executionTime: formatArmTime(nowMs) }],
    },
  }
}
