import { artifactDefinitionBehaviours } from '../gallery/artifact-definitions.ts'
import type { FastifyInstance } from 'fastify'
import { signInEvent } from '../activity/sign-in-event.ts'
import type { ActivityLog } from '../activity/activity-log.ts'
import { directoryEvent } from '../activity/directory-event.ts'
import type { DirectoryChange } from '../activity/directory-event.ts'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import type { RegionDirectory } from '../base/region.ts'
import { createAccess } from '../access/access.ts'
import { accessBehaviours } from '../access/behaviours.ts'
import { dropAccessBelow } from '../access/assignment.rows.ts'
import { checkLocks } from '../access/locks.ts'
import type { ArmOptions, Engine } from '../arm/engine.ts'
import { createRateLimiter } from '../arm/rate-limits.ts'
import { registerArm } from '../arm/register.ts'
import { deleteResourceGroupWorkflow } from '../arm/resource-groups.ts'
import type { Compute } from '../compute/compute.ts'
import { virtualMachineType } from '../compute/dependencies.ts'
import { computeLists } from '../compute/provider-lists.ts'
import { withQuota } from '../compute/quota.ts'
import { resourceTypes } from '../contract/resource-types.ts'
import { services } from '../contract/services.ts'
import type { ReadMemo } from '../db/read-memo.ts'
import type { Db } from '../db/tables.ts'
import { isActive } from '../directory/active.ts'
import type { Directory } from '../directory/directory.ts'
import { registerGraph } from '../directory/graph/register-graph.ts'
import type { DirectoryRoom } from '../directory/room.ts'
import { registerTenants } from '../directory/tenant-routes.ts'
import type { GalleryDependencies } from '../gallery/dependencies.ts'
import { accessProfileVersionsBehaviour } from '../gallery/access-profiles.ts'
import { applicationVersions, scriptVersions } from '../gallery/artifact-kinds.ts'
import { artifactVersionsBehaviour } from '../gallery/artifact-versions.ts'
import { diskEncryptionSetsBehaviour } from '../keys/disk-encryption-sets.ts'
import type { KeyDependencies } from '../keys/disk-encryption-sets.ts'
import { galleriesBehaviour } from '../gallery/galleries.ts'
import { imageVersionsBehaviour } from '../gallery/image-versions.ts'
import { imagesBehaviour } from '../gallery/images.ts'
import { recycleBinBehaviour } from '../gallery/recycle-bin.ts'
import { listCommunityRows, sharingProxies } from '../gallery/sharing-proxies.ts'
import { baseUrlOf } from '../http/request-facts.ts'
import { createAuthenticator } from '../identity/authenticator.ts'
import type { Authenticator, Caller } from '../identity/authenticator.ts'
import type { Authorizer } from '../identity/authorizer.ts'
import type { Installation } from '../identity/installation.ts'
import { registerKeyRoutes } from '../identity/key-routes.ts'
import type { ReportSignIn } from '../identity/sign-in-report.ts'
import { registerIdentity } from '../identity/routes.ts'
import { armAudiences, graphAudiences, issuerOf } from '../identity/token.ts'
import {
  dropIdentityOf,
  userAssignedIdentitiesBehaviour,
  withManagedIdentity,
} from '../managed-identity/resource-identity.ts'
import { resourceGraph } from '../resource-graph/resource-graph.ts'
import { checkSubscriptionState } from '../resources/subscription-state.ts'
import type { DiskStores } from '../store/disk-store.ts'
import { findStorageAccount, storageAccountsBehaviour, storageQuestions } from '../storage/storage-accounts.ts'
import type { Behaviour } from '../resources/behaviour.ts'
import type { Transfer } from '../transfer/open-transfer.ts'
import { hasForeignBlobs } from '../transfer/container.rows.ts'
import { registerTransfer } from '../transfer/register-transfer.ts'
import type { WorkEngine } from '../work/engine.ts'
import type { ServerConfig } from './config.ts'
import type { MachineMetadata } from './machine-metadata.ts'

const serialLogName = /^[0-9a-f-]{36}$/

/** What every room is made with. */
export interface Room {
  readonly config: ServerConfig
  readonly db: Db
  readonly memo: ReadMemo
  readonly stores: DiskStores
  readonly regions: RegionDirectory
  readonly clock: Clock
  readonly logger: Logger
  readonly activity: ActivityLog
}

/** What the routes stand on. */
export interface Parts {
  readonly room: Room
  readonly installation: Installation
  readonly directory: Directory
  readonly directoryRoom: DirectoryRoom
  readonly transfer: Transfer
  readonly compute: Compute
  readonly gallery: GalleryDependencies
  readonly keys: KeyDependencies
  readonly work: WorkEngine
  readonly metadata: MachineMetadata
  /** Filled when the listeners have theirs. */
  readonly ownAddresses: readonly string[]
}

function registerSignIn(app: FastifyInstance, { room, installation, directory, metadata }: Parts): void {
  const { config, db, clock, logger, activity } = room
  const onSignIn: ReportSignIn = (signIn) => activity.record(signInEvent(signIn, clock.now()))
  const { cloud } = config
  registerIdentity(app, { installation, directory, db, logger, clock, baseUrlOf, cloud, onSignIn })
  metadata.registerRoutes(app)
}

/** Registers every route of every room on one Fastify instance. */
export function registerRoutes(app: FastifyInstance, parts: Parts): void {
  const { room, installation, directory, gallery, work } = parts
  const { config, db, memo, regions, clock, logger, activity } = room
  const isTenant = async (tenantId: string): Promise<boolean> =>
    (await memo(`tenant ${tenantId}`, () => directory.findTenant(tenantId))) !== undefined
  const trust = {
    installation,
    clock,
    isTenant,
    isActive: (one: Pick<Caller, 'tenantId' | 'objectId'>) =>
      memo(`active ${one.tenantId} ${one.objectId}`, () => isActive(directory, one)),
    issuers: config.issuers,
  }
  const authenticate = createAuthenticator(trust)
  // Clients that know no Graph of their own ask for ARM's audience there too (`graphAudience` of the metadata).
  const audiences = [...armAudiences, ...graphAudiences]
  const authenticateGraph = createAuthenticator({ ...trust, audiences })
  const access = createAccess({ db, memo, clock, directory, issuerOf })
  const authorize: Authorizer = async (caller, action, scope, attributes) => {
    await access.authorize(caller, action, scope, attributes)
    await checkSubscriptionState(db, action, scope)
  }
  registerSignIn(app, parts)
  const onChange = (change: DirectoryChange): void => activity.record(directoryEvent(change, clock.now()))
  registerTenants(app, { room: parts.directoryRoom, authenticate, onChange })
  const { keys } = parts.installation
  registerKeyRoutes(app, { room: parts.directoryRoom, authenticate, onChange, keys, clock })
  registerGraph(app, { room: parts.directoryRoom, directory, logger, authenticate: authenticateGraph, onChange })
  registerTransferRoutes(app, parts, authenticate, authorize)
  const engine: Engine = registerArm(app, {
    types: resourceTypes,
    behaviours: behavioursOf(parts),
    proxies: sharingProxies(gallery),
    actions: [
      resourceGraph({
        db,
        rightsOf: (caller) => access.rightsOf(caller),
        listCommunityRows: (viewer) => listCommunityRows(viewer, gallery),
      }),
    ],
    ...rightsFor(access, db),
    db,
    memo,
    work,
    activity,
    services,
    questions: storageQuestions(db),
    lists: computeLists({ db, regions, computeQuota: config.limits, galleryLimits: gallery.limits }),
    rateLimiter: createRateLimiter(config.rateLimits, clock),
    providersRegistered: config.providersRegistered,
    regions,
    clock,
    logger,
    tenantId: installation.tenantId,
    ...tenantsOf(directory),
    authenticate,
    authorize,
    async onRemoved(tx, key, row) {
      await dropIdentityOf(tx, row, parts.directoryRoom)
      await dropAccessBelow(tx, key)
    },
    retryAfterSeconds: config.retryAfterSeconds,
  })
  work.register(deleteResourceGroupWorkflow(() => engine))
}

/** What each type means. */
function behavioursOf(parts: Parts): Behaviour[] {
  const { room, transfer, compute, gallery } = parts
  const { db, config } = room
  const withIdentity = (one: Behaviour) => withManagedIdentity(one, parts.directoryRoom, parts.metadata.addresses)
  return [
    withIdentity(galleriesBehaviour(gallery)),
    imagesBehaviour(gallery),
    imageVersionsBehaviour(gallery),
    recycleBinBehaviour(gallery),
    ...artifactDefinitionBehaviours(gallery),
    artifactVersionsBehaviour(applicationVersions, gallery),
    artifactVersionsBehaviour(scriptVersions, gallery),
    accessProfileVersionsBehaviour(gallery),
    userAssignedIdentitiesBehaviour(parts.directoryRoom),
    withIdentity(diskEncryptionSetsBehaviour(parts.keys)),
    ...compute.behaviours
      .map((one) => (one.type === virtualMachineType ? withIdentity(one) : one))
      .map((one) => withQuota(one, config.limits)),
    storageAccountsBehaviour({ db, hasForeignBlobs, removeBlobs: (account) => transfer.removeAccount(account) }),
  ]
}

function registerTransferRoutes(
  app: FastifyInstance,
  { room, installation, transfer, compute, ownAddresses }: Parts,
  authenticate: Authenticator,
  authorize: Authorizer,
): void {
  const { db, stores, clock, logger } = room
  registerTransfer(app, {
    ...transfer,
    db,
    clock,
    logger,
    stores,
    authenticate,
    authorize,
    baseUrlOf,
    defaultSubscriptionId: installation.subscriptionId,
    findAccount: (name) => findStorageAccount(db, name),
    ownAddresses,
    findLog: (name) => findLog(name, compute),
  })
}

/** What ARM's engine asks `access` for, besides the one question. */
function rightsFor(
  access: ReturnType<typeof createAccess>,
  db: Db,
): Pick<ArmOptions, 'extensions' | 'rightsOf' | 'checkLocks'> {
  return {
    extensions: accessBehaviours(access.parts),
    rightsOf: (caller) => access.rightsOf(caller),
    checkLocks: (operation, scope) => checkLocks(db, operation, scope),
  }
}

function tenantsOf(directory: Directory): Pick<Engine, 'listTenantsOf' | 'findPrincipalKind'> {
  return {
    async listTenantsOf(caller) {
      const found = await directory.listTenantsOf(caller)
      // Outside issuers speak for people whom the directory does not know: they see the tenant of their token.
      const tenants = found.length > 0 ? found : [await directory.findTenant(caller.tenantId)]
      return tenants
        .filter((tenant) => tenant !== undefined)
        .map((tenant, index) => ({ ...tenant, isHome: index === 0 }))
    },
    async findPrincipalKind(tenantId, objectId) {
      const kind = (await directory.findObject(tenantId, objectId))?.kind
      return kind === 'application' ? undefined : kind
    },
  }
}

async function findLog(name: string, compute: Compute): Promise<{ readonly path: string } | undefined> {
  if (!serialLogName.test(name)) return undefined
  const path = await compute.findSerialLog(name)
  return path === undefined ? undefined : { path }
}
