import { isJsonObject } from '../base/json.ts'
import { edgePlaceName } from '../base/region.ts'
import type { Draft } from '../resources/resource.ts'

/** Where a machine or disk takes its image's replica from: its region, or the edge zone that it names. */
export function placeOf({ location, envelope }: Pick<Draft, 'location' | 'envelope'>): string {
  const extended = envelope['extendedLocation']
  const zone = isJsonObject(extended) ? extended['name'] : undefined
  return typeof zone === 'string' && zone !== '' ? edgePlaceName(location, zone) : location
}
