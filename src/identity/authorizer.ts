import type { CallerFacts } from '../resources/behaviour.ts'

/**
 * Returns if `caller` may do `action` on `scope` (an ARM id, or `/`), throws the Problem that ARM answers otherwise.
 * The rule behind it is the room `access`.
 */
export type Authorizer = (caller: CallerFacts, action: string, scope: string) => Promise<void>
