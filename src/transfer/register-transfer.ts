import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { Db } from '../db/tables.ts'
import { useRawBodies } from '../http/json-body.ts'
import { drainRest, problemOfError, sendProblem, statusOfKind } from '../http/problem-response.ts'
import type { Authenticator } from '../identity/authenticator.ts'
import type { Authorizer } from '../identity/authorizer.ts'
import type { DiskStores } from '../store/disk-store.ts'
import type { FindAccount } from './account.ts'
import type { AddressSigner } from './address-signer.ts'
import { registerBlobRoutes } from './blob-routes.ts'
import { registerDiskRoutes } from './disk-routes.ts'
import { registerPushRoutes } from './push-routes.ts'
import type { PushSessions } from './push-sessions.ts'
import type { UploadArea } from './upload-area.ts'
import { escapeXml } from './xml.ts'

export interface TransferDeps {
  readonly db: Db
  readonly clock: Clock
  readonly logger: Logger
  readonly signer: AddressSigner
  readonly area: UploadArea
  readonly pushes: PushSessions
  readonly stores: DiskStores
  readonly authenticate: Authenticator
  readonly authorize: Authorizer
  readonly baseUrlOf: (request: FastifyRequest) => string
  /** Under which clients reach this server besides the address of their request. */
  readonly ownAddresses: readonly string[]
  /** Owns blobs whose writer names no subscription. */
  readonly defaultSubscriptionId: string
  /** Storage accounts that are resources; blobs of other names are the open upload area's. */
  readonly findAccount: FindAccount
  /** The file of a log that was signed with `signLogAddress`, or undefined. */
  readonly findLog: (name: string) => Promise<{ readonly path: string } | undefined>
}

/** Registers the data plane: blobs, disk uploads, downloads of disks and logs, and the chunk exchange. */
export function registerTransfer(app: FastifyInstance, deps: TransferDeps): void {
  void app.register(async (scope) => {
    useRawBodies(scope)
    scope.setErrorHandler(async (error, request, reply) => sendStorageError(error, request, reply, deps))
    registerBlobRoutes(scope, deps)
    registerDiskRoutes(scope, deps)
  })
  void app.register(async (scope) => {
    useRawBodies(scope)
    scope.setErrorHandler(async (error, request, reply) => {
      const problem = problemOfError(await deps.area.files.explain(error))
      sendProblem(reply, request, problem, deps.logger)
    })
    registerPushRoutes(scope, deps)
  })
}

/** Azure Storage's form: the code in a header (HEAD has no body) and in an XML document. */
async function sendStorageError(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  { logger, area }: TransferDeps,
): Promise<void> {
  const problem = problemOfError(await area.files.explain(error))
  const status = statusOfKind(problem.kind)
  const fields = { requestId: request.id, method: request.method, status, code: problem.code }
  if (status >= 500) logger.error({ ...fields, err: problem.cause ?? problem }, 'data-plane request failed')
  else if (status === 401 || status === 403) logger.warn(fields, 'data-plane request refused')
  if (!drainRest(request)) reply.header('connection', 'close')
  const xml = `<?xml version="1.0" encoding="utf-8"?><Error><Code>${problem.code}</Code><Message>${escapeXml(problem.message)}\nRequestId:${request.id}</Message></Error>`
  reply
    .code(status)
    .headers({ 'x-ms-error-code': problem.code, 'x-ms-version': '2024-11-04', 'content-type': 'application/xml' })
  await (request.method === 'HEAD' ? reply.send() : reply.send(xml))
}
