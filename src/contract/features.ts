import { isJsonObject } from '../base/json.ts'
import type { CompleteFacts, DraftShape } from './resource-type.ts'

/** The api-version from which a definition is a Trusted Launch one unless it says otherwise (contract.md section 6). */
const trustedLaunchSince = '2025-03-03'

const sameWord = (a: unknown, b: string): boolean => typeof a === 'string' && a.toLowerCase() === b.toLowerCase()

/**
 * From 2025-03-03 a new definition of generation V2 gets the feature SecurityType=TrustedLaunchSupported, unless it
 * names a SecurityType itself (`Standard` opts out). V1 cannot have it, so an explicit V1 is left alone.
 */
export function withTrustedLaunchDefault(draft: DraftShape, facts: CompleteFacts): DraftShape {
  if (facts.before !== undefined || facts.apiVersion < trustedLaunchSince) return draft
  const { hyperVGeneration, features } = draft.properties
  const given = Array.isArray(features) ? features : []
  const hasSecurityType = given.some((feature) => isJsonObject(feature) && sameWord(feature['name'], 'SecurityType'))
  if (hyperVGeneration !== 'V2' || hasSecurityType) return draft
  return {
    ...draft,
    properties: {
      ...draft.properties,
      features: [...given, { name: 'SecurityType', value: 'TrustedLaunchSupported' }],
    },
  }
}

/** The value of a definition's feature, compared as Azure does: name and value in any case. */
export function findFeature(
  features: readonly { readonly name?: string; readonly value?: string }[] | undefined,
  name: string,
): string | undefined {
  return features?.find((feature) => sameWord(feature.name, name))?.value
}
