import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { signInEvent } from '../activity/sign-in-event.ts'
import { createActivityLog } from '../activity/activity-log.ts'
import type { ActivityLog } from '../activity/activity-log.ts'
import { directoryEvent } from '../activity/directory-event.ts'
import type { DirectoryChange } from '../activity/directory-event.ts'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import { regionDirectory, storagePlaces } from '../base/region.ts'
import type { RegionDirectory } from '../base/region.ts'
import { GiB } from '../base/units.ts'
import { createAccess } from '../access/access.ts'
import { accessBehaviours } from '../access/behaviours.ts'
import { dropAccessBelow, dropAssignmentsOfPrincipal } from '../access/assignment.rows.ts'
import { ensureOwner, grantOwner } from '../access/grant.ts'
import { checkLocks } from '../access/locks.ts'
import { completeAtOnceWorkflow } from '../arm/complete-at-once.ts'
import type { ArmOptions, Engine } from '../arm/engine.ts'
import { createRateLimiter } from '../arm/rate-limits.ts'
import { registerArm } from '../arm/register.ts'
import { deleteResourceGroupWorkflow } from '../arm/resource-groups.ts'
import { openDiskImage } from '../blocks/open-disk-image.ts'
import { createCompute } from '../compute/compute.ts'
import type { Compute } from '../compute/compute.ts'
import { defaultComputeLimits } from '../compute/dependencies.ts'
import { virtualMachineType } from '../compute/dependencies.ts'
import { computeLists } from '../compute/provider-lists.ts'
import { withQuota } from '../compute/quota.ts'
import { computeProblems } from '../compute/problems.ts'
import { qemuProvider } from '../compute/qemu/qemu-provider.ts'
import { resourceTypes } from '../contract/resource-types.ts'
import { services } from '../contract/services.ts'
import { openDatabase } from '../db/open.ts'
import type { Db } from '../db/tables.ts'
import type { Directory } from '../directory/directory.ts'
import { registerGraph } from '../directory/graph/register-graph.ts'
import { openDirectory } from '../directory/open-directory.ts'
import type { DirectoryRoom } from '../directory/room.ts'
import { registerTenants } from '../directory/tenant-routes.ts'
import { ensureInstallation } from '../directory/tenants.ts'
import type { GalleryDependencies } from '../gallery/dependencies.ts'
import { accessProfileVersionsBehaviour } from '../gallery/access-profiles.ts'
import { artifactDefinitionBehaviours } from '../gallery/artifact-definitions.ts'
import { applicationVersions, scriptVersions } from '../gallery/artifact-kinds.ts'
import { artifactVersionsBehaviour, publishArtifact } from '../gallery/artifact-versions.ts'
import { galleriesBehaviour } from '../gallery/galleries.ts'
import { imageVersionsBehaviour } from '../gallery/image-versions.ts'
import { imagesBehaviour } from '../gallery/images.ts'
import { publishVersion, retireVersion } from '../gallery/publish-version.ts'
import { purgeOverdue, purgeVersion, recycleBinBehaviour, recycleVersion } from '../gallery/recycle-bin.ts'
import { checkAccessProfile } from '../gallery/resolve-access-profile.ts'
import { resolveApplication } from '../gallery/resolve-application.ts'
import { resolveImage } from '../gallery/resolve-image.ts'
import { publishInNewRegions, shareGallery } from '../gallery/share-gallery.ts'
import { listCommunityRows, sharingProxies } from '../gallery/sharing-proxies.ts'
import { verifyVersion } from '../gallery/verify-version.ts'
import { baseUrlOf } from '../http/request-facts.ts'
import { createAuthenticator } from '../identity/authenticator.ts'
import type { Authorizer } from '../identity/authorizer.ts'
import { openInstallation } from '../identity/installation.ts'
import type { Installation } from '../identity/installation.ts'
import type { ReportSignIn } from '../identity/sign-in-report.ts'
import { openSignInState, registerIdentity } from '../identity/routes.ts'
import { armAudiences, createTokenSigner, graphAudiences, issuerOf } from '../identity/token.ts'
import {
  dropIdentityOf,
  userAssignedIdentitiesBehaviour,
  withManagedIdentity,
} from '../managed-identity/resource-identity.ts'
import type { Behaviour } from '../resources/behaviour.ts'
import { findResource } from '../resources/resource.rows.ts'
import { resourceGraph } from '../resource-graph/resource-graph.ts'
import { settleResource } from '../resources/settle.rows.ts'
import { checkSubscriptionState } from '../resources/subscription-state.ts'
import { insertSubscription } from '../resources/subscription.rows.ts'
import type { DiskStores } from '../store/disk-store.ts'
import {
  findAccountOfHost,
  findStorageAccount,
  storageAccountsBehaviour,
  storageQuestions,
} from '../storage/storage-accounts.ts'
import { createDiskStores } from '../store/disk-stores.ts'
import { signDiskAddress, signLogAddress } from '../transfer/disk-routes.ts'
import { openTransfer } from '../transfer/open-transfer.ts'
import type { Transfer } from '../transfer/open-transfer.ts'
import { registerTransfer } from '../transfer/register-transfer.ts'
import { createWork } from '../work/engine.ts'
import type { WorkEngine } from '../work/engine.ts'
import { openAddressKey } from './address-key.ts'
import { serverEnvironment } from './config.ts'
import type { ServerConfig } from './config.ts'
import { createMachineMetadata } from './machine-metadata.ts'
import type { MachineMetadata } from './machine-metadata.ts'
import { findBlob, findLiveRoots, findLog } from './stored-bytes.ts'
import { createSweeper } from './sweeper.ts'
import type { Sweeper } from './sweeper.ts'

const sweepEveryMs = 10 * 60_000
const sweepDelayMs = 3_000
const purgeEveryMs = 10 * 60_000

/** The assembled server without its listeners. Dispose in the end: machines, work, stores, database, in this order. */
export interface Wired extends AsyncDisposable {
  readonly installation: Installation
  /** Registers every route; call once, before listening. */
  register(app: FastifyInstance): void
  /**
   * Resumes operations and schedules, then the machines that should run. `addresses`: what the listeners got; sources
   * may be named under any of them.
   */
  start(addresses: readonly string[]): Promise<void>
}

/** The only place that constructs things: reads the configuration, opens what rests on disk, joins the rooms. */
export async function wire(config: ServerConfig, clock: Clock, logger: Logger): Promise<Wired> {
  await using cleanup = new AsyncDisposableStack()
  await mkdir(config.dataFolder, { recursive: true, mode: 0o755 })
  const installation = await openInstallation(config.dataFolder)
  const database = cleanup.use(await openDatabase({ path: join(config.dataFolder, 'goldleaf.db'), clock }))
  const { db } = database
  const activity = cleanup.use(createActivityLog({ db, clock, logger, retentionDays: config.activityDays }))
  await insertSubscription(db, {
    subscriptionId: installation.subscriptionId,
    tenantId: installation.tenantId,
    displayName: 'Goldleaf',
    state: 'Enabled',
  })
  const directoryRoom = describeDirectory(installation, db, clock)
  await ensureInstallation(directoryRoom)
  const directory = openDirectory(directoryRoom)
  await ensureOwner(db, {
    tenantId: installation.tenantId,
    principalId: installation.objectId,
    principalType: 'ServicePrincipal',
    nowMs: clock.now(),
  })
  const stores = cleanup.use(await createDiskStores({ regions: storagePlaces(config.regions), logger }))
  const regions = regionDirectory(config.regions)
  const room = { config, db, stores, regions, clock, logger, activity }

  const addressKey = await openAddressKey(config.dataFolder)
  const transfer = await openTransfer({
    dataDir: config.dataFolder,
    db,
    clock,
    logger,
    key: addressKey,
    stores,
    openDiskImage: (path, options) => openDiskImage(path, { ...options, maxVirtualSizeBytes: diskLimit(config) }),
    limits: { maxUploadBytes: diskLimit(config) + 512 },
    findAccountOfHost: (host) => findAccountOfHost(db, host, config.storageSuffixes),
  })
  const live: { compute: Compute | undefined } = { compute: undefined }
  const sweeper = cleanup.use(
    createSweeper({ ...room, findLiveRoots: (store) => findLiveRoots(store, db, live.compute), delayMs: sweepDelayMs }),
  )
  const ownAddresses: string[] = []
  const signer = createTokenSigner(installation, clock)
  const metadata = createMachineMetadata({ ...room, directory, signer, key: addressKey })
  const compute = cleanup.use(await openCompute(room, transfer, sweeper, ownAddresses, metadata))
  live.compute = compute
  const gallery = galleryDependencies(room, transfer, compute, sweeper, ownAddresses)
  const work = cleanup.use(createWorkEngine(room, gallery, compute, directoryRoom))
  addSchedules(work, sweeper, transfer, room)
  const signInState = openSignInState({ installation, db, clock })
  work.every('sweep-sign-in', sweepEveryMs, () => signInState.sweep())
  work.every('refresh-keys', sweepEveryMs, () => installation.keys.refresh(clock.now()))
  work.every('publish-sharing', sweepEveryMs, (signal) => publishInNewRegions(gallery, signal))
  work.every('purge-recycle-bins', purgeEveryMs, (signal) => purgeOverdue(gallery, signal))
  const parts = cleanup.move()
  return {
    installation,
    register: (app) =>
      registerRoutes(app, {
        room,
        installation,
        directory,
        directoryRoom,
        transfer,
        compute,
        gallery,
        work,
        metadata,
        ownAddresses,
      }),
    async start(addresses) {
      ownAddresses.push(...addresses)
      await work.run()
      // In the background: a machine that cannot start must not keep the server from answering.
      compute.startMachines().catch((error: unknown) => logger.error({ err: error }, 'machines were not started'))
    },
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  }
}

interface Parts {
  readonly room: Room
  readonly installation: Installation
  readonly directory: Directory
  readonly directoryRoom: DirectoryRoom
  readonly transfer: Transfer
  readonly compute: Compute
  readonly gallery: GalleryDependencies
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

function registerRoutes(app: FastifyInstance, parts: Parts): void {
  const { room, installation, directory, transfer, compute, gallery, work } = parts
  const { config, db, stores, regions, clock, logger, activity } = room
  const isTenant = async (tenantId: string): Promise<boolean> => (await directory.findTenant(tenantId)) !== undefined
  const authenticate = createAuthenticator({ installation, clock, isTenant, issuers: config.issuers })
  // Clients that know no Graph of their own ask for ARM's audience there too (`graphAudience` of the metadata).
  const audiences = [...armAudiences, ...graphAudiences]
  const authenticateGraph = createAuthenticator({ installation, clock, isTenant, audiences, issuers: config.issuers })
  const access = createAccess({ db, clock, directory, issuerOf })
  const authorize: Authorizer = async (caller, action, scope) => {
    await access.authorize(caller, action, scope)
    await checkSubscriptionState(db, action, scope)
  }
  registerSignIn(app, parts)
  const onChange = (change: DirectoryChange): void => activity.record(directoryEvent(change, clock.now()))
  registerTenants(app, { room: parts.directoryRoom, authenticate, onChange })
  registerGraph(app, { room: parts.directoryRoom, directory, logger, authenticate: authenticateGraph, onChange })
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
    ownAddresses: parts.ownAddresses,
    findLog: (name) => findLog(name, compute),
  })
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

/** What each type means. */
function behavioursOf(parts: Parts): Behaviour[] {
  const { room, transfer, compute, gallery } = parts
  const { db, config } = room
  return [
    galleriesBehaviour(gallery),
    imagesBehaviour(gallery),
    imageVersionsBehaviour(gallery),
    recycleBinBehaviour(gallery),
    ...artifactDefinitionBehaviours(gallery),
    artifactVersionsBehaviour(applicationVersions, gallery),
    artifactVersionsBehaviour(scriptVersions, gallery),
    accessProfileVersionsBehaviour(gallery),
    userAssignedIdentitiesBehaviour(parts.directoryRoom),
    ...compute.behaviours
      .map((one) =>
        one.type === virtualMachineType ? withManagedIdentity(one, parts.directoryRoom, parts.metadata.addresses) : one,
      )
      .map((one) => withQuota(one, config.limits)),
    storageAccountsBehaviour({ db, removeBlobs: (account) => transfer.removeAccount(account) }),
  ]
}

interface Room {
  readonly config: ServerConfig
  readonly db: Db
  readonly stores: DiskStores
  readonly regions: RegionDirectory
  readonly clock: Clock
  readonly logger: Logger
  readonly activity: ActivityLog
}

function describeDirectory(installation: Installation, db: Db, clock: Clock): DirectoryRoom {
  const { tenantId, objectId, clientId: appId } = installation
  return {
    db,
    clock,
    operator: { tenantId, objectId, appId, isSecret: (secret) => installation.isClientSecret(secret) },
    async onDeleted(tx, tenantId, objectIds) {
      for (const objectId of objectIds) await dropAssignmentsOfPrincipal(tx, tenantId, objectId)
    },
    onOperatorAdmitted: (tx, tenantId, principalId) =>
      grantOwner(tx, { tenantId, principalId, principalType: 'ServicePrincipal', scope: '/', nowMs: clock.now() }),
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

function diskLimit(config: ServerConfig): number {
  return config.limits.diskSizeGiB * GiB
}

async function openCompute(
  room: Room,
  transfer: Transfer,
  sweeper: Sweeper,
  ownAddresses: readonly string[],
  metadata: MachineMetadata,
): Promise<Compute> {
  const { config, db, stores, regions, clock, logger } = room
  const machinesFolder = join(config.dataFolder, 'vms')
  await mkdir(machinesFolder, { recursive: true, mode: 0o700 })
  return createCompute({
    dataDir: config.dataFolder,
    db,
    stores,
    regions,
    clock,
    logger,
    limits: defaultComputeLimits,
    provider: qemuProvider({
      qemu: 'qemu-system-x86_64',
      searchPath: serverEnvironment.path,
      accelerator: config.accelerator,
      network: 'none',
      machinesFolder,
      clock,
      logger,
    }),
    diskBytes: transfer.diskBytes,
    resolveImage: (reference, consumer, context) => resolveImage(reference, consumer, context, { db, regions }),
    blobs: {
      async admit(uri, { authorize, baseUrl }) {
        const found = await findBlob(transfer, ownAddresses, uri, baseUrl)
        await authorize('Microsoft.Storage/storageAccounts/listKeys/action', `/subscriptions/${found.subscriptionId}`)
        return found
      },
      find: (uri) => findBlob(transfer, ownAddresses, uri, undefined),
    },
    resolveApplication: (reference, location, context) =>
      resolveApplication(reference, location, context, { db, regions }),
    checkAccessProfile: (reference, use, context) => checkAccessProfile(reference, use, context, { db, regions }),
    async readBlob(uri, maximumBytes, { authorize, baseUrl }) {
      const { path, sizeBytes, subscriptionId } = await transfer.findFile(uri, [baseUrl, ...ownAddresses])
      await authorize('Microsoft.Storage/storageAccounts/listKeys/action', `/subscriptions/${subscriptionId}`)
      if (sizeBytes > maximumBytes) throw computeProblems.BlobTooLarge({ sizeBytes, maximumBytes })
      return readFile(path)
    },
    signSerialLog: async ({ vmId, expiresMs, baseUrl }) =>
      signLogAddress(transfer.signer, vmId, { expiresMs, baseUrl }).uri,
    serveMetadata: (vmId, socketPath) => metadata.serve(vmId, socketPath),
    requestSweep: () => sweeper.request(),
  })
}

function galleryDependencies(
  room: Room,
  transfer: Transfer,
  compute: Compute,
  sweeper: Sweeper,
  ownAddresses: readonly string[],
): GalleryDependencies {
  const { config, db, stores, regions, clock, logger } = room
  return {
    db,
    regions,
    stores,
    clock,
    logger,
    limits: { ...config.limits, maximumReplicas: config.limits.replicas, maximumDiskBytes: diskLimit(config) },
    sources: {
      findDisk: (id) => compute.findDisk(id),
      holdDisk: (id, signal) => compute.holdDisk(id, signal),
      findWhole: (id) => compute.findWhole(id),
      holdWhole: (id, signal) => compute.holdWhole(id, signal),
      findBlob: (uri, baseUrl) => findBlob(transfer, ownAddresses, uri, baseUrl),
      findFile: (uri, baseUrl) =>
        transfer.findFile(uri, baseUrl === undefined ? [new URL(uri).origin] : [baseUrl, ...ownAddresses]),
    },
    signDiskAddress: async ({ format, durationSeconds, baseUrl, ...disk }) =>
      signDiskAddress(transfer.signer, disk, { format, baseUrl, expiresMs: clock.now() + durationSeconds * 1000 }).uri,
    requestSweep: () => sweeper.request(),
  }
}

function createWorkEngine(
  room: Room,
  gallery: GalleryDependencies,
  compute: Compute,
  directoryRoom: DirectoryRoom,
): WorkEngine {
  const { db, clock, logger, activity } = room
  return createWork({
    db,
    clock,
    logger,
    owner: 'embedded',
    // One server a data folder: refuseSecondServer and the stores' locks see to it.
    reclaimOnStart: true,
    async onSettled(tx, operation, outcome) {
      const isRemoved = operation.intent === 'delete' && outcome.state === 'Succeeded'
      if (isRemoved) await dropIdentityOf(tx, await findResource(tx, operation.resourceKey), directoryRoom)
      await settleResource(tx, operation, outcome)
      await activity.recordEnd(tx, operation, outcome)
      if (isRemoved) await dropAccessBelow(tx, operation.resourceKey)
    },
    workflows: [
      completeAtOnceWorkflow,
      publishVersion(gallery),
      retireVersion(gallery),
      verifyVersion(gallery),
      publishArtifact(applicationVersions, gallery),
      publishArtifact(scriptVersions, gallery),
      recycleVersion(),
      purgeVersion(gallery),
      shareGallery(gallery),
      ...compute.workflows,
    ],
  })
}

function addSchedules(work: WorkEngine, sweeper: Sweeper, transfer: Transfer, { clock, activity }: Room): void {
  work.every('sweep-uploads', sweepEveryMs, async () => {
    await transfer.sweep(clock.now())
    await transfer.signer.sweep()
  })
  work.every('sweep-activity', sweepEveryMs, (signal) => activity.sweep(signal))
  work.every('sweep-stores', sweepEveryMs, (signal) => sweeper.run(signal))
}
