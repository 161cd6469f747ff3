import { isJsonObject, type JsonObject } from '../base/json.ts'
import type { Change, RequestContext } from '../resources/behaviour.ts'
import type { ComputeDependencies } from './dependencies.ts'
import { vmProperties } from './vm-properties.ts'

const endpoints = [
  ['wireServer', 'WireServer'],
  ['imds', 'IMDS'],
] as const

/**
 * Checks the access profiles that a machine names (`securityProfile.proxyAgentSettings`). They are kept and shown; no
 * machine here has a host endpoint that they could guard.
 */
export async function checkAccessProfiles(
  { before, after }: Change,
  context: RequestContext,
  deps: Pick<ComputeDependencies, 'checkAccessProfile'>,
): Promise<void> {
  for (const [member, endpoint] of endpoints) {
    const reference = referenceOf(after.properties, member)
    if (reference === undefined || reference === (before && referenceOf(before.properties, member))) continue
    const osType = vmProperties(after).storageProfile?.osDisk?.osType ?? ''
    await deps.checkAccessProfile(reference, { endpoint, osType, location: after.location }, context)
  }
}

function referenceOf(properties: JsonObject, member: 'wireServer' | 'imds'): string | undefined {
  const { securityProfile } = properties
  const settings = isJsonObject(securityProfile) ? securityProfile['proxyAgentSettings'] : undefined
  const endpoint = isJsonObject(settings) ? settings[member] : undefined
  const reference = isJsonObject(endpoint) ? endpoint['inVMAccessControlProfileReferenceId'] : undefined
  return typeof reference === 'string' ? reference : undefined
}
