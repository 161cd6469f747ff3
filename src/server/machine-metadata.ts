import type { Duplex } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import type { ActivityLog } from '../activity/activity-log.ts'
import { signInEvent } from '../activity/sign-in-event.ts'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import { parseReport } from '../compute/application-reports.ts'
import { putReport } from '../compute/application-report.rows.ts'
import { findMachine } from '../compute/find-machine.ts'
import type { Db } from '../db/tables.ts'
import type { Directory } from '../directory/directory.ts'
import type { TokenSigner } from '../identity/token.ts'
import { createHostAddresses } from '../managed-identity/host-address.ts'
import type { HostAddresses } from '../managed-identity/host-address.ts'
import { answerMetadata } from '../managed-identity/metadata.ts'
import type { Machine, MetadataDependencies } from '../managed-identity/metadata.ts'
import { serveMetadataLink } from '../managed-identity/metadata-link.ts'
import { registerHostMetadata } from '../managed-identity/routes.ts'
import { findSubscription } from '../resources/subscription.rows.ts'

export interface MachineMetadataOptions {
  readonly db: Db
  readonly clock: Clock
  readonly logger: Logger
  readonly directory: Directory
  readonly signer: TokenSigner
  readonly activity: ActivityLog
  /** Signs the addresses for developers on the host. */
  readonly key: Uint8Array
}

/** The metadata service of machines, joined from the rooms that know machines, principals and tokens. */
export interface MachineMetadata {
  readonly addresses: HostAddresses
  registerRoutes(app: FastifyInstance): void
  /** For one machine's guest: whoever speaks through this cable is that machine. */
  serve(vmId: string, cable: Duplex): void
}

export function createMachineMetadata(options: MachineMetadataOptions): MachineMetadata {
  const { db, key, logger, clock, activity } = options
  const deps: MetadataDependencies = {
    ...options,
    onSignIn: (signIn) => activity.record(signInEvent(signIn, clock.now())),
  }
  const addresses = createHostAddresses(key)
  const describe = async (vmId: string): Promise<Machine | undefined> => {
    const vm = await findMachine(db, vmId)
    const tenantId = vm && (await findSubscription(db, vm.subscriptionId))?.tenantId
    return vm && tenantId !== undefined ? { vm, vmId, tenantId } : undefined
  }
  const takeReport = async (vmId: string, query: URLSearchParams, text: string): Promise<boolean> => {
    const report = parseReport(query, text)
    if (report) await putReport(db, vmId, report, clock.now())
    return report !== undefined
  }
  return {
    addresses,
    registerRoutes: (app) => registerHostMetadata(app, { ...deps, addresses, findMachine: describe }),
    serve: (vmId, cable) =>
      serveMetadataLink(cable, {
        clock,
        logger,
        answer: async (request) => answerMetadata(request, await describe(vmId), { ...deps, takeReport }),
      }),
  }
}
