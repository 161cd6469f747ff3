import { ComputeManagementClient } from '@azure/arm-compute'
import { jsWalk } from './js-walk.ts'
import { sdkSuite } from './sdk-steps.ts'

sdkSuite({ client: '@azure/arm-compute 25.1.1', slug: 'sdk-js-25', apiVersion: '2025-12-03' }, (facts) =>
  jsWalk((...args) => new ComputeManagementClient(...args), facts),
)
