import type { StartWork } from '../resources/behaviour.ts'

/**
 * The work of a change that is true as soon as it is written, for types that Azure answers asynchronously all the same:
 * clients then see 201, Creating and an operation, as they are used to. Nothing runs: the operation is stored as ended
 * in the transaction of the change.
 */
export const completeAtOnce: StartWork = { workflow: 'arm-complete-at-once', input: {} }
