import { ComputeManagementClient as Version21 } from 'arm-compute-21'
import type { ComputeManagementClient } from '@azure/arm-compute'
import { jsWalk } from './js-walk.ts'
import { sdkSuite } from './sdk-steps.ts'

// The walk uses only what both versions have; their types name the same things as different types.
sdkSuite({ client: '@azure/arm-compute 21.6.0', slug: 'sdk-js-21', apiVersion: '2023-07-03' }, (facts) =>
  jsWalk(
    (credential, subscriptionId, options) =>
      new Version21(credential, subscriptionId, {
        endpoint: options.endpoint ?? '',
        credentialScopes: [`${options.endpoint}/.default`],
      }) as unknown as ComputeManagementClient,
    facts,
  ),
)
