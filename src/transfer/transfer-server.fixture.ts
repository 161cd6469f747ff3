import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Clock } from '../base/clock.ts'
import { systemClock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import { Problem } from '../base/problem.ts'
import type { Region } from '../base/region.ts'
import { openDiskImage } from '../blocks/open-disk-image.ts'
import { openDatabase } from '../db/open.ts'
import { baseUrlOf } from '../http/request-facts.ts'
import { createHttpServer } from '../http/server.ts'
import { createDiskStores } from '../store/disk-stores.ts'
import { openTransfer, type Transfer } from './open-transfer.ts'
import { registerTransfer } from './register-transfer.ts'
import type { UploadLimits } from './upload-area.ts'
import type { DiskStores } from '../store/disk-store.ts'
import type { Db } from '../db/tables.ts'

export const subscriptionId = '00000000-0000-0000-0000-000000000001'
export const token = 'good'

export interface TransferServer extends AsyncDisposable {
  readonly url: string
  readonly transfer: Transfer
  readonly stores: DiskStores
  readonly db: Db
  readonly folder: string
  readonly errors: string[]
}

export interface ServerOptions {
  /** Kept on disposal when given: the same data again is a restart. */
  readonly folder?: string
  readonly clock?: Clock
  readonly limits?: Partial<UploadLimits>
  readonly wrapStores?: (stores: DiskStores) => DiskStores
  readonly findLog?: (name: string) => Promise<{ path: string } | undefined>
}

export async function temporaryFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'goldleaf-transfer-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

/** A real server on a real port with a real database and store. */
export async function startTransferServer(options: ServerOptions = {}): Promise<TransferServer> {
  const own = options.folder === undefined ? await temporaryFolder() : undefined
  const folder = options.folder ?? own?.path ?? ''
  const clock = options.clock ?? systemClock
  const errors: string[] = []
  const logger: Logger = {
    debug() {},
    info() {},
    warn() {},
    error: (fields, message) => errors.push(`${message} ${JSON.stringify(fields)}`),
  }
  await mkdir(folder, { recursive: true })
  const database = await openDatabase({ path: join(folder, 'goldleaf.db') })
  const openStores = await createDiskStores({ regions: [region(folder, 'westeurope')], workers: 1 })
  const stores = options.wrapStores?.(openStores) ?? openStores
  const transfer = await openTransfer({
    dataDir: folder,
    db: database.db,
    clock,
    logger,
    key: Buffer.alloc(32, 7),
    stores,
    openDiskImage,
    limits: options.limits,
  })
  const server = createHttpServer({ logger, closeTimeoutMs: 100 })
  registerTransfer(server.app, {
    ...transfer,
    db: database.db,
    clock,
    logger,
    stores,
    baseUrlOf,
    defaultSubscriptionId: subscriptionId,
    findAccount: async () => undefined,
    ownAddresses: [],
    authenticate: async (header) => {
      if (header !== `Bearer ${token}`) throw new Problem('unauthenticated', 'InvalidAuthenticationToken', 'no')
      return { objectId: 'o', tenantId: 't', name: 'n', kind: 'servicePrincipal', appId: 'a', roles: [] }
    },
    authorize: async (_caller, _action, scope) => {
      if (!scope.startsWith(`/subscriptions/${subscriptionId}`))
        throw new Problem('forbidden', 'AuthorizationFailed', 'no')
    },
    findLog: options.findLog ?? (async () => undefined),
  })
  const { http } = await server.listen({ http: { host: '127.0.0.1', port: 0 } })
  return {
    url: http,
    transfer,
    stores,
    db: database.db,
    folder,
    errors,
    async [Symbol.asyncDispose]() {
      await server.close()
      await openStores[Symbol.asyncDispose]()
      await database.close()
      await own?.[Symbol.asyncDispose]()
    },
  }
}

function region(folder: string, name: string): Region {
  return {
    name,
    displayName: 'West Europe',
    zones: [],
    pairedRegion: undefined,
    geographyGroup: 'Europe',
    zoneFolders: [],
    stampFolders: [join(folder, 'regions', name)],
  }
}
