import type { Call } from './call.ts'
import type { Engine } from './engine.ts'
import { armProblems } from './problems.ts'

/** ARM's own routes: throws InvalidApiVersionParameter, which names what is supported. */
export function checkOwnVersion({ apiVersion }: Pick<Call, 'apiVersion'>, supported: readonly string[]): void {
  if (!supported.includes(apiVersion)) throw armProblems.InvalidApiVersionParameter({ apiVersion, supported })
}

/**
 * Routes of a provider: throws NoRegisteredProviderFound, which names what is supported. `type`: without its namespace;
 * `location`: as Azure would name it (default: this server's first).
 */
export function checkVersion(
  engine: Engine,
  { apiVersion }: Pick<Call, 'apiVersion'>,
  type: string,
  supported: readonly string[],
  location?: string,
): void {
  if (supported.includes(apiVersion)) return
  const locations = engine.regions.all.map(({ name }) => name)
  const [first = ''] = locations
  throw armProblems.NoRegisteredProviderFound({ location: location ?? first, apiVersion, type, supported, locations })
}
