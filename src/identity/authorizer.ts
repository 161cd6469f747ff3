import type { CallerFacts } from '../resources/behaviour.ts'
import type { RightAttributes } from '../resources/extension.ts'

/**
 * Returns if `caller` may do `action` on `scope` (an ARM id, or `/`), throws the Problem that ARM answers otherwise.
 * `attributes`: what conditions of assignments may ask of the request. The rule behind it is the room `access`.
 */
export type Authorizer = (
  caller: CallerFacts,
  action: string,
  scope: string,
  attributes?: RightAttributes,
) => Promise<void>
