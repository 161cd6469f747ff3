import { findFeature } from '../contract/features.ts'
import type { GalleryImageProperties } from '../contract/gallery-images.ts'
import { galleryProblems } from './problems.ts'

/** What Azure's documentation and clients write (behaviour.md E); compared without regard to case. */
const securityTypes = [
  'TrustedLaunchSupported',
  'TrustedLaunch',
  'TrustedLaunchAndConfidentialVmSupported',
  'ConfidentialVmSupported',
  'ConfidentialVM',
  'Standard',
]
const truth = ['True', 'False']
const knownFeatures: Readonly<Record<string, readonly string[]>> = {
  SecurityType: securityTypes,
  IsAcceleratedNetworkSupported: truth,
  IsHibernateSupported: truth,
  IsSecureBootSupported: truth,
  DiskControllerTypes: ['SCSI', 'NVMe', 'SCSI, NVMe', 'NVMe, SCSI'],
}
const featurePath = 'galleryImage.properties.features.value'

const plain = (word: string): string => word.toLowerCase().replaceAll(' ', '')

/**
 * The features of a definition: known names have known values, and a security type other than Standard needs UEFI,
 * generation V2. Names that are not known here are kept as they are: Azure adds some now and then.
 */
export function checkFeatures({ features, hyperVGeneration }: GalleryImageProperties): void {
  for (const [name, allowed] of Object.entries(knownFeatures)) {
    const value = findFeature(features, name)
    if (value !== undefined && !allowed.some((one) => plain(one) === plain(value)))
      throw galleryProblems.FeatureValue({ name, value, allowed }, { target: featurePath })
  }
  const securityType = findFeature(features, 'SecurityType')
  if (securityType !== undefined && plain(securityType) !== 'standard' && hyperVGeneration !== 'V2')
    throw galleryProblems.FeatureNeedsV2({ securityType }, { target: featurePath })
}
