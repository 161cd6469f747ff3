import type { FastifyRequest } from 'fastify'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { Db } from '../db/tables.ts'
import type { Authenticator } from '../identity/authenticator.ts'
import type { Authorizer } from '../identity/authorizer.ts'
import type { DiskStores } from '../store/disk-store.ts'
import type { FindAccount } from './account.ts'
import type { AddressSigner } from './address-signer.ts'
import type { UploadArea } from './upload-area.ts'

/** What the routes of blobs stand on. */
export interface BlobRouteDeps {
  readonly db: Db
  readonly clock: Clock
  readonly logger: Logger
  readonly signer: AddressSigner
  readonly area: UploadArea
  readonly authenticate: Authenticator
  readonly authorize: Authorizer
  readonly defaultSubscriptionId: string
  readonly findAccount: FindAccount
  readonly stores: DiskStores
  readonly baseUrlOf: (request: FastifyRequest) => string
  /** Under which clients reach this server besides the address of their request. */
  readonly ownAddresses: readonly string[]
}
