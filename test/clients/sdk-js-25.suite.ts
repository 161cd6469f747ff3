import { ComputeManagementClient } from '@azure/arm-compute'
import { jsWalk } from './js-walk.ts'
import { sdkSuite } from './sdk-steps.ts'

sdkSuite('@azure/arm-compute 25.1.1', 'sdk-js-25', (facts) =>
  jsWalk((...args) => new ComputeManagementClient(...args), facts),
)
