import type { PublishingProfile } from './placement.ts'
import { galleryProblems } from './problems.ts'

type Encryption = NonNullable<NonNullable<NonNullable<PublishingProfile>['targetRegions']>[number]['encryption']>

/**
 * Frames are named by their content and shared by all versions of a store, so they cannot be encrypted with the key of
 * one customer. What would be accepted without effect is refused: a caller may rely on it. Empty members, which clients
 * send for platform-managed keys, say nothing and pass: how a store's folders are encrypted is the operator's.
 */
export function checkEncryption(profile: PublishingProfile, profilePath: string): void {
  const places = [
    ...(profile?.targetRegions ?? []).map((target) => ({ ...target, member: 'targetRegions' })),
    ...(profile?.targetExtendedLocations ?? []).map((target) => ({ ...target, member: 'targetExtendedLocations' })),
  ]
  for (const { name: region = '', encryption, member } of places) {
    const target = `${profilePath}.${member}.encryption`
    if (encryption && namesKeys(encryption)) throw galleryProblems.EncryptionNotSupported({ region }, { target })
    const type = encryption?.osDiskImage?.securityProfile?.confidentialVMEncryptionType
    if (type !== undefined) throw galleryProblems.ConfidentialNotSupported({ region, type }, { target })
  }
}

function namesKeys({ osDiskImage, dataDiskImages = [] }: Encryption): boolean {
  const ids = [
    osDiskImage?.diskEncryptionSetId,
    osDiskImage?.securityProfile?.secureVMDiskEncryptionSetId,
    ...dataDiskImages.map((image) => image.diskEncryptionSetId),
  ]
  return ids.some((id) => id !== undefined && id !== '')
}
