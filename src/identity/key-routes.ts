import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Clock } from '../base/clock.ts'
import { isJsonObject } from '../base/json.ts'
import type { JsonObject } from '../base/json.ts'
import { tellChange } from '../directory/graph/call.ts'
import type { GraphDeps } from '../directory/graph/call.ts'
import { directoryProblems } from '../directory/problems.ts'
import { isOperator } from '../directory/room.ts'
import type { KeyRing } from './keys.ts'

export interface KeyRoutesDeps extends Pick<GraphDeps, 'room' | 'authenticate' | 'onChange'> {
  readonly keys: KeyRing
  readonly clock: Clock
}

/**
 * `/goldleaf/v1/signingKeys`, for the installation's operator alone: GET lists the keys, POST lets a new one sign at
 * once. With `dropOld` every token that the ones before it signed is refused from then on: for a key that was stolen.
 */
export function registerKeyRoutes(app: FastifyInstance, { room, authenticate, onChange, keys, clock }: KeyRoutesDeps) {
  const route = (method: 'GET' | 'POST', status: 200 | 201, run: (body: JsonObject) => Promise<JsonObject>) =>
    app.route({
      method,
      url: '/goldleaf/v1/signingKeys',
      async handler(request: FastifyRequest, reply: FastifyReply) {
        const caller = await authenticate(request.headers.authorization)
        const answer = await tellChange({ onChange }, request, reply, caller, async () => {
          if (!isOperator(room, caller))
            throw directoryProblems.Authorization_RequestDenied({
              need: "being the installation's operator (goldleaf env)",
            })
          return { status, body: await run(isJsonObject(request.body) ? request.body : {}) }
        })
        return reply.code(answer.status).send(answer.body)
      },
    })
  route('GET', 200, async () => ({ value: showKeys(keys) }))
  route('POST', 201, async ({ dropOld }) => {
    await keys.rotate(clock.now(), dropOld === true ? 'drop' : 'keep')
    return { value: showKeys(keys) }
  })
}

function showKeys(keys: KeyRing): JsonObject[] {
  return keys.all().map(({ createdMs, publicJwk }, at) => ({
    id: publicJwk.kid,
    createdDateTime: new Date(createdMs).toISOString(),
    use: at === 0 ? 'signs' : 'verifies',
  }))
}
