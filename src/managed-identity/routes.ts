import type { FastifyInstance, FastifyRequest } from 'fastify'
import { baseUrlOf } from '../http/request-facts.ts'
import { hostPathPrefix, type HostAddresses } from './host-address.ts'
import { answerMetadata, type Machine, type MetadataDependencies } from './metadata.ts'

export interface HostRoutesDependencies extends MetadataDependencies {
  readonly addresses: HostAddresses
  findMachine(vmId: string): Promise<Machine | undefined>
}

type HostRequest = FastifyRequest<{ Params: { vmId: string; expires: string; signature: string; '*': string } }>

/** A machine's metadata service for developers on the host, at its signed address. */
export function registerHostMetadata(app: FastifyInstance, deps: HostRoutesDependencies): void {
  app.route({
    method: ['GET', 'POST', 'PUT', 'DELETE'],
    url: `${hostPathPrefix}/:vmId/:expires/:signature/*`,
    async handler(request: HostRequest, reply) {
      const { vmId, expires, signature, '*': rest } = request.params
      void reply.header('cache-control', 'no-store')
      if (!deps.addresses.isGood(vmId, expires, signature, deps.clock.now()))
        return reply
          .code(403)
          .send({ error: 'forbidden', error_description: 'The address is forged or expired. Ask for a new one.' })
      const headers = Object.fromEntries(
        Object.entries(request.headers).map(([name, value]) => [name, Array.isArray(value) ? value[0] : value]),
      )
      const query = new URLSearchParams(request.url.split('?')[1] ?? '')
      const { method } = request
      const asked = { method, path: `/${rest}`, query, headers, ownAddresses: [baseUrlOf(request)] }
      const { status, body } = await answerMetadata(asked, await deps.findMachine(vmId.toLowerCase()), deps)
      return reply.code(status).send(body)
    },
  })
}
