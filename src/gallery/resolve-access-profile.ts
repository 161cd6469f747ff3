import { findArmId, parentKey } from '../base/arm-id.ts'
import type { AccessProfileProperties, AccessProfileVersionProperties } from '../contract/access-profiles.ts'
import type { RequestContext } from '../resources/behaviour.ts'
import { findResource } from '../resources/resource.rows.ts'
import { artifactProblems } from './artifact-problems.ts'
import type { GalleryDependencies } from './dependencies.ts'

const versionType = 'Microsoft.Compute/galleries/inVMAccessControlProfiles/versions'

/** What a machine needs of the profile that it names. */
export interface AccessProfileUse {
  readonly endpoint: 'WireServer' | 'IMDS'
  readonly osType: string
  /** Short region name. */
  readonly location: string
}

/**
 * Refuses a reference to a version of an access profile that is not there, not in the machine's region, or made for
 * another endpoint or system; checks that the caller may read it.
 */
export async function checkAccessProfile(
  reference: string,
  use: AccessProfileUse,
  context: Pick<RequestContext, 'authorize'>,
  deps: Pick<GalleryDependencies, 'db' | 'regions'>,
): Promise<void> {
  const refuse = (reason: string): Error =>
    artifactProblems.AccessProfileUnusable({ id: reference, reason }, { target: 'securityProfile.proxyAgentSettings' })
  const id = findArmId(reference)
  if (id?.type.toLowerCase() !== versionType.toLowerCase()) throw refuse('it is no id of a version of such a profile.')
  await context.authorize(`${versionType}/read`, id.id)
  const version = await findResource(deps.db, id.key)
  const profile = await findResource(deps.db, parentKey(id))
  if (version?.provisioningState !== 'Succeeded' || !profile) throw refuse('there is no such version.')
  const { applicableHostEndpoint, osType } = profile.properties as AccessProfileProperties
  const { targetLocations = [] } = version.properties as AccessProfileVersionProperties
  if (applicableHostEndpoint !== use.endpoint)
    throw refuse(`it is for ${applicableHostEndpoint}, not for ${use.endpoint}.`)
  if (osType !== use.osType) throw refuse(`it is for ${osType}, the virtual machine runs ${use.osType}.`)
  if (!targetLocations.some(({ name }) => deps.regions.find(name)?.name === use.location))
    throw refuse(`it is not published to '${use.location}'.`)
}
