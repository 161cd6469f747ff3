import { isJsonObject } from '../base/json.ts'
import { getSubscription } from './call.ts'
import { checkVersion } from './check-version.ts'
import { splitType, type Engine } from './engine.ts'
import { subscriptionPath, type Routes } from './routes.ts'

/** The questions of providers: `…/providers/Microsoft.Storage/checkNameAvailability`. */
export function addProviderQuestions(engine: Engine, route: Routes): void {
  for (const question of engine.questions ?? []) {
    const [namespace, name] = splitType(question.type)
    route('POST', `${subscriptionPath}/providers/${namespace}/${name}`, async (call) => {
      const { subscriptionId } = await getSubscription(engine, call)
      checkVersion(engine, call, name, question.apiVersions)
      await engine.authorize(call.caller, question.permission, `/subscriptions/${subscriptionId}`)
      return { status: 200, body: await question.answer(isJsonObject(call.body) ? call.body : {}) }
    })
  }
}
