import { ComputeManagementClient as Version21 } from 'arm-compute-21'
import type { ComputeManagementClient } from '@azure/arm-compute'
import { jsWalk } from './js-walk.ts'
import { sdkSuite } from './sdk-steps.ts'

// The walk uses only what both versions have; their types name the same things as different types.
sdkSuite('@azure/arm-compute 21.6.0', 'sdk-js-21', (facts) =>
  jsWalk(
    (credential, subscriptionId, options) =>
      new Version21(credential, subscriptionId, {
        endpoint: options.endpoint ?? '',
        credentialScopes: [`${options.endpoint}/.default`],
      }) as unknown as ComputeManagementClient,
    facts,
  ),
)
