import type { Json } from '../base/json.ts'
import { requestContext } from './call.ts'
import { checkOwnVersion } from './check-version.ts'
import { splitType, type Engine } from './engine.ts'
import type { Routes } from './routes.ts'

/** Questions to a provider as a whole: `POST /providers/Microsoft.ResourceGraph/resources`. */
export function addProviderActions(engine: Engine, route: Routes): void {
  for (const action of engine.actions ?? []) {
    const [namespace, name] = splitType(action.type)
    route('POST', `/providers/${namespace}/${name}`, async (call) => {
      checkOwnVersion(call, action.apiVersions)
      const context = requestContext(engine, call, { action: `${action.type}/read`, scope: '/' })
      return { status: 200, body: await action.run((call.body ?? {}) as Json, context) }
    })
  }
}
