import pino from 'pino'
import { systemClock } from '../base/clock.ts'
import { createHttpServer } from '../http/server.ts'
import type { ServerConfig } from './config.ts'
import { publishServerFacts, refuseSecondServer, withdrawServerFacts } from './runtime-file.ts'
import { certificateNames, openTls } from './tls.ts'
import { wire } from './wiring.ts'
import { returnFreedMemory } from './return-memory.ts'

export interface RunningServer {
  readonly httpUrl: string
  readonly httpsUrl: string
  /** Finishes what runs within bounds, hands unfinished operations over to the next start, closes everything. */
  close(): Promise<void>
}

/**
 * Starts the server of a data folder: opens or makes what rests there, listens, resumes operations. Resolves when it
 * answers. Throws Problems that name what stands in the way (a folder in use, a port taken, a damaged database).
 */
export async function startServer(config: ServerConfig): Promise<RunningServer> {
  await refuseSecondServer(config.dataFolder)
  returnFreedMemory()
  const clock = systemClock
  // Logs go to stderr: stdout belongs to the ready line.
  const logger = pino({ level: config.logLevel, base: null }, pino.destination(2))
  await using cleanup = new AsyncDisposableStack()
  const wired = cleanup.use(await wire(config, clock, logger))
  const names = certificateNames([config.http.host, config.https.host], config.publicNames)
  const tls = await openTls(config.dataFolder, names, clock)
  const server = createHttpServer({ logger, clock, tls: { cert: tls.cert, key: tls.key } })
  cleanup.defer(() => server.close())
  wired.register(server.app)
  const { http, https } = await server.listen({ http: config.http, https: config.https })
  if (https === undefined) throw new Error('the HTTPS listener did not start')
  await wired.start([http, https])
  await publishServerFacts(config.dataFolder, {
    startedMs: clock.now(),
    endpoint: https,
    httpEndpoint: http,
    caFile: tls.caFile,
    tenantId: wired.installation.tenantId,
    subscriptionId: wired.installation.subscriptionId,
    clientId: wired.installation.clientId,
    clientSecretFile: wired.installation.clientSecretFile,
  })
  cleanup.defer(() => withdrawServerFacts(config.dataFolder))
  logger.info({ http, https, data: config.dataFolder }, 'goldleaf is ready')
  const parts = cleanup.move()
  return { httpUrl: http, httpsUrl: https, close: () => parts.disposeAsync() }
}
