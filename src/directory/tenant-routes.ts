import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify'
import { Type } from 'typebox'
import type { Static } from 'typebox'
import { isJsonObject } from '../base/json.ts'
import type { JsonObject } from '../base/json.ts'
import type { Tenant } from './directory.ts'
import { listTenantRows } from './directory.rows.ts'
import { parseBody } from './graph/bodies.ts'
import { tellChange } from './graph/call.ts'
import type { GraphAnswer, GraphDeps } from './graph/call.ts'
import { directoryProblems } from './problems.ts'
import { isOperator } from './room.ts'
import { createTenant, deleteTenant, getTenant, renameTenant } from './tenants.ts'

const tenantBody = Type.Object({
  displayName: Type.Optional(Type.String()),
  defaultDomain: Type.Optional(Type.String()),
  tenantId: Type.Optional(Type.String()),
  /** Whether the installation's client administers it. Default: true. */
  withOperator: Type.Optional(Type.Boolean()),
})

type TenantBody = Static<typeof tenantBody>
type TenantRequest = FastifyRequest<{ Params: { tenant?: string } }>

/**
 * `/goldleaf/v1/tenants`: tenants are made, renamed and deleted by the installation's operator alone; Azure has no
 * such API. Errors have Resource Manager's envelope.
 */
export function registerTenants(app: FastifyInstance, deps: Omit<GraphDeps, 'directory' | 'logger'>): void {
  const { room } = deps
  const route = (method: HTTPMethods, path: string, run: (tenant: string, body: TenantBody) => Promise<GraphAnswer>) =>
    app.route({
      method,
      url: `/goldleaf/v1/tenants${path}`,
      async handler(request: TenantRequest, reply: FastifyReply) {
        const caller = await deps.authenticate(request.headers.authorization)
        const answer = await tellChange(deps, request, reply, caller, async () => {
          if (!isOperator(room, caller))
            throw directoryProblems.Authorization_RequestDenied({
              need: "being the installation's operator (goldleaf env)",
            })
          const body = parseBody(tenantBody, isJsonObject(request.body) ? request.body : {})
          return run(request.params.tenant ?? '', body)
        })
        return reply.code(answer.status).send(answer.body)
      },
    })
  route('GET', '', async () => ({ status: 200, body: { value: (await listTenantRows(room.db)).map(show) } }))
  route('POST', '', async (_, body) => ({
    status: 201,
    body: show(await createTenant(room, { ...body, displayName: body.displayName ?? '' })),
  }))
  route('GET', '/:tenant', async (tenant) => ({ status: 200, body: show(await getTenant(room, tenant)) }))
  route('PATCH', '/:tenant', async (tenant, { displayName = '' }) => ({
    status: 200,
    body: show(await renameTenant(room, tenant, displayName)),
  }))
  route('DELETE', '/:tenant', async (tenant) => {
    await deleteTenant(room, tenant)
    return { status: 204 }
  })
}

function show({ tenantId, displayName, defaultDomain }: Tenant): JsonObject {
  return { tenantId, displayName, defaultDomain }
}
