import { isJsonObject } from '../base/json.ts'
import { getSubscription } from './call.ts'
import { splitType, type Engine } from './engine.ts'
import { armProblems } from './problems.ts'
import { subscriptionPath, type Routes } from './routes.ts'

/** The questions of providers: `…/providers/Microsoft.Storage/checkNameAvailability`. */
export function addProviderQuestions(engine: Engine, route: Routes): void {
  for (const question of engine.questions ?? []) {
    const [namespace, name] = splitType(question.type)
    route('POST', `${subscriptionPath}/providers/${namespace}/${name}`, async (call) => {
      const { subscriptionId } = await getSubscription(engine, call)
      const { apiVersion } = call
      if (!question.apiVersions.includes(apiVersion)) {
        const locations = engine.regions.all.map((region) => region.name)
        const facts = {
          location: locations[0] ?? '',
          apiVersion,
          type: name,
          supported: question.apiVersions,
          locations,
        }
        throw armProblems.NoRegisteredProviderFound(facts)
      }
      await engine.authorize(call.caller, question.permission, `/subscriptions/${subscriptionId}`)
      return { status: 200, body: await question.answer(isJsonObject(call.body) ? call.body : {}) }
    })
  }
}
