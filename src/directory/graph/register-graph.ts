import type { FastifyInstance } from 'fastify'
import { pathOf } from '../../http/problem-response.ts'
import { directoryProblems } from '../problems.ts'
import { addApplicationRoutes } from './application-routes.ts'
import { graphHandler, useGraphErrors } from './call.ts'
import type { GraphDeps, GraphRoute } from './call.ts'
import { addGroupRoutes } from './group-routes.ts'
import { addObjectRoutes } from './object-routes.ts'
import { addUserRoutes } from './user-routes.ts'

/**
 * Registers the part of Microsoft Graph that Azure's clients use, at `/v1.0` and `/beta`: the same but for the members
 * of users that are shown by themselves. In a scope of its own, for errors have Graph's envelope there.
 */
export function registerGraph(app: FastifyInstance, deps: GraphDeps): void {
  void app.register(async (scope) => {
    useGraphErrors(scope, deps)
    for (const version of ['v1.0', 'beta'] as const) {
      const route: GraphRoute = (method, path, run) => {
        scope.route({ method, url: `/${version}${path}`, handler: graphHandler(deps, version, run) })
      }
      addUserRoutes(route)
      addGroupRoutes(route)
      addApplicationRoutes(route)
      addObjectRoutes(route)
      scope.all(`/${version}/*`, async (request) => {
        await deps.authenticate(request.headers.authorization)
        const message = `Resource not found for the segments '${pathOf(request)}' (${request.method}). This part of Microsoft Graph is not served here.`
        throw directoryProblems.Request_BadRequest({ message })
      })
    }
  })
}
