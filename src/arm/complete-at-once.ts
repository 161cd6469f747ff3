import type { StartWork } from '../resources/behaviour.ts'
import type { Workflow } from '../work/workflow.ts'

const name = 'arm-complete-at-once'

/**
 * The work of a change that is true as soon as it is written, for types that Azure answers asynchronously all the same:
 * clients then see 201, Creating and an operation, as they are used to.
 */
export const completeAtOnceWorkflow: Workflow = { name, steps: [{ name: 'complete', run: async () => undefined }] }

export const completeAtOnce: StartWork = { workflow: name, input: {} }
