import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { isJsonObject } from '../base/json.ts'
import type { JsonObject } from '../base/json.ts'
import type { Tenant } from './directory.ts'
import { listTenantRows } from './directory.rows.ts'
import { parseBody } from './graph/bodies.ts'
import type { GraphDeps } from './graph/call.ts'
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

type TenantRequest = FastifyRequest<{ Params: { tenant?: string } }>

/**
 * `/goldleaf/v1/tenants`: tenants are made, renamed and deleted by the installation's operator alone; Azure has no
 * such API. Errors have Resource Manager's envelope.
 */
export function registerTenants(
  app: FastifyInstance,
  { room, authenticate }: Pick<GraphDeps, 'room' | 'authenticate'>,
): void {
  const asOperator = async (request: FastifyRequest): Promise<void> => {
    if (!isOperator(room, await authenticate(request.headers.authorization)))
      throw directoryProblems.Authorization_RequestDenied({ need: "being the installation's operator (goldleaf env)" })
  }
  const bodyOf = ({ body }: FastifyRequest) => parseBody(tenantBody, isJsonObject(body) ? body : {})
  const home = '/goldleaf/v1/tenants'

  app.get(home, async (request) => {
    await asOperator(request)
    return { value: (await listTenantRows(room.db)).map(show) }
  })
  app.post(home, async (request, reply) => {
    await asOperator(request)
    const body = bodyOf(request)
    const tenant = await createTenant(room, { ...body, displayName: body.displayName ?? '' })
    return reply.code(201).send(show(tenant))
  })
  app.get(`${home}/:tenant`, async (request: TenantRequest) => {
    await asOperator(request)
    return show(await getTenant(room, request.params.tenant ?? ''))
  })
  app.patch(`${home}/:tenant`, async (request: TenantRequest) => {
    await asOperator(request)
    return show(await renameTenant(room, request.params.tenant ?? '', bodyOf(request).displayName ?? ''))
  })
  app.delete(`${home}/:tenant`, async (request: TenantRequest, reply) => {
    await asOperator(request)
    await deleteTenant(room, request.params.tenant ?? '')
    return reply.code(204).send()
  })
}

function show({ tenantId, displayName, defaultDomain }: Tenant): JsonObject {
  return { tenantId, displayName, defaultDomain }
}
