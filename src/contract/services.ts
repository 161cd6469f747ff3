import { computeApiVersions } from './api-versions.ts'
import { extensionTypes } from './extension-types.ts'

/**
 * What providers serve besides resource types: their addresses and api-versions, as `GET …/providers` lists them.
 * Clients (az, Terraform) take api-versions from there.
 */
export interface ServiceDeclaration {
  /** `Microsoft.Compute/locations/usages`. */
  readonly type: string
  readonly apiVersions: readonly string[]
}

export const skuApiVersions = ['2017-03-30', '2017-09-01', '2019-04-01', '2021-07-01'] as const
export const featureApiVersions = ['2014-08-01-preview', '2015-12-01', '2021-07-01'] as const
export const activityApiVersions = ['2014-04-01', '2015-04-01', '2017-03-01-preview'] as const

export const services: readonly ServiceDeclaration[] = [
  { type: 'Microsoft.Compute/locations/usages', apiVersions: computeApiVersions },
  { type: 'Microsoft.Compute/locations/vmSizes', apiVersions: computeApiVersions },
  { type: 'Microsoft.Compute/skus', apiVersions: skuApiVersions },
  { type: 'Microsoft.Features/features', apiVersions: featureApiVersions },
  { type: 'Microsoft.Features/providers', apiVersions: featureApiVersions },
  { type: 'Microsoft.Features/featureProviders', apiVersions: ['2021-07-01'] },
  { type: 'Microsoft.Features/subscriptionFeatureRegistrations', apiVersions: ['2021-07-01'] },
  { type: 'Microsoft.Insights/eventtypes', apiVersions: activityApiVersions },
  { type: 'Microsoft.Insights/eventCategories', apiVersions: activityApiVersions },
  ...extensionTypes.map(({ type, apiVersions }) => ({ type, apiVersions })),
]

/** Providers that every subscription has and that cannot be given back: those of Resource Manager itself. */
export const registrationFree: readonly string[] = [
  'Microsoft.Authorization',
  'Microsoft.Features',
  'Microsoft.ResourceGraph',
  'Microsoft.Management',
  'Microsoft.Resources',
]

/**
 * Features of Microsoft.Compute that guides for galleries ask people to register. What they stand for is there anyway:
 * registering one changes its state and nothing else.
 */
export const previewFeatures: readonly { readonly namespace: string; readonly name: string }[] = [
  'CommunityGalleries',
  'EncryptionAtHost',
  'GalleryPreview',
  'SIGSharing',
  'TrustedLaunchByDefaultPreview',
  'UseStandardSecurityType',
].map((name) => ({ namespace: 'Microsoft.Compute', name }))
