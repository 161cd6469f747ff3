import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { createActivityLog } from '../activity/activity-log.ts'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import { regionDirectory, storagePlaces } from '../base/region.ts'
import { GiB } from '../base/units.ts'
import { dropAccessBelow, dropAssignmentsOfPrincipal } from '../access/assignment.rows.ts'
import { ensureOwner, grantOwner } from '../access/grant.ts'
import { openDiskImage } from '../blocks/open-disk-image.ts'
import { createCompute } from '../compute/compute.ts'
import type { Compute } from '../compute/compute.ts'
import { defaultComputeLimits } from '../compute/dependencies.ts'
import { computeProblems } from '../compute/problems.ts'
import { qemuProvider } from '../compute/qemu/qemu-provider.ts'
import { openDatabase } from '../db/open.ts'
import { createReadMemo } from '../db/read-memo.ts'
import type { Db } from '../db/tables.ts'
import { openDirectory } from '../directory/open-directory.ts'
import type { DirectoryRoom } from '../directory/room.ts'
import { ensureInstallation } from '../directory/tenants.ts'
import type { GalleryDependencies } from '../gallery/dependencies.ts'
import { applicationVersions, scriptVersions } from '../gallery/artifact-kinds.ts'
import { publishArtifact } from '../gallery/artifact-versions.ts'
import { publishVersion, retireVersion } from '../gallery/publish-version.ts'
import { listLiveRoots } from '../gallery/replica.rows.ts'
import { purgeOverdue, purgeVersion, recycleVersion } from '../gallery/recycle-bin.ts'
import { checkAccessProfile } from '../gallery/resolve-access-profile.ts'
import { resolveApplication } from '../gallery/resolve-application.ts'
import { resolveImage } from '../gallery/resolve-image.ts'
import { publishInNewRegions, shareGallery } from '../gallery/share-gallery.ts'
import { verifyVersion } from '../gallery/verify-version.ts'
import { openDataKeys } from '../keys/data-keys.ts'
import type { DataKeys } from '../keys/data-keys.ts'
import { keyWorkflows } from '../keys/disk-encryption-sets.ts'
import type { KeyDependencies } from '../keys/disk-encryption-sets.ts'
import { openInstallation } from '../identity/installation.ts'
import type { Installation } from '../identity/installation.ts'
import { openSignInState } from '../identity/routes.ts'
import { createTokenSigner } from '../identity/token.ts'
import { dropIdentityOf } from '../managed-identity/resource-identity.ts'
import { findResource } from '../resources/resource.rows.ts'
import { settleResource } from '../resources/settle.rows.ts'
import { insertSubscription } from '../resources/subscription.rows.ts'
import type { DiskStore } from '../store/disk-store.ts'
import { findAccountOfHost } from '../storage/storage-accounts.ts'
import { createDiskStores } from '../store/disk-stores.ts'
import type { OpenDiskStores } from '../store/disk-stores.ts'
import type { FindVaultKey } from '../store/vault.ts'
import { signDiskAddress, signLogAddress } from '../transfer/disk-routes.ts'
import { openTransfer } from '../transfer/open-transfer.ts'
import type { Transfer } from '../transfer/open-transfer.ts'
import { listUploadRoots } from '../transfer/upload.rows.ts'
import { createWork } from '../work/engine.ts'
import type { WorkEngine } from '../work/engine.ts'
import { openAddressKey } from './address-key.ts'
import { serverEnvironment } from './config.ts'
import type { ServerConfig } from './config.ts'
import { keyDependencies } from './key-users.ts'
import { createMachineMetadata } from './machine-metadata.ts'
import type { MachineMetadata } from './machine-metadata.ts'
import { createSweeper } from './sweeper.ts'
import type { Sweeper } from './sweeper.ts'

import { registerRoutes } from './routes.ts'
import type { Room } from './routes.ts'

const upgradeEveryMs = 10_000
const sweepEveryMs = 10 * 60_000
const sweepDelayMs = 3_000
const purgeEveryMs = 10 * 60_000
/** A client may take its time; the address dies by itself. */

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
  const dataKeys = openDataKeys(join(config.dataFolder, 'data-keys'), config.keysFolder)
  const stores = cleanup.use(await openStores(config, dataKeys, logger))
  const regions = regionDirectory(config.regions)
  const memo = createReadMemo(database)
  const room = { config, db, memo, stores, regions, clock, logger, activity }

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
  const keys = keyDependencies(db, dataKeys, config.keyVaults, compute)
  const work = cleanup.use(createWorkEngine(room, gallery, compute, keys, directoryRoom))
  addSchedules(work, { sweeper, transfer, gallery, compute }, room)
  const signInState = openSignInState({ installation, db, clock })
  work.every('sweep-sign-in', sweepEveryMs, () => signInState.sweep())
  work.every('refresh-keys', sweepEveryMs, () => installation.keys.refresh(clock.now()))
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
        keys,
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

function openStores(config: ServerConfig, dataKeys: DataKeys, logger: Logger): Promise<OpenDiskStores> {
  const findVaultKey: FindVaultKey = (vault) => dataKeys.find(vault)
  return createDiskStores({ regions: storagePlaces(config.regions), logger, findVaultKey })
}

function describeDirectory(installation: Installation, db: Db, clock: Clock): DirectoryRoom {
  const { tenantId, objectId, clientId: appId } = installation
  const signInState = openSignInState({ installation, db, clock })
  return {
    db,
    clock,
    operator: { tenantId, objectId, appId, isSecret: (secret) => installation.isClientSecret(secret) },
    async onDeleted(tx, tenantId, objectIds) {
      for (const objectId of objectIds) await dropAssignmentsOfPrincipal(tx, tenantId, objectId)
    },
    onPasswordChanged: (tx, user) => signInState.revokePerson(tx, user),
    onOperatorAdmitted: (tx, tenantId, principalId) =>
      grantOwner(tx, { tenantId, principalId, principalType: 'ServicePrincipal', scope: '/', nowMs: clock.now() }),
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
    limits: { ...defaultComputeLimits, applicationTimeoutMs: config.applicationTimeoutSeconds * 1000 },
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
    resolveImage: (reference, consumer, context) => resolveImage(reference, consumer, context, { db, regions, clock }),
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
    serveNetwork: (vmId, cable) => metadata.serve(vmId, cable),
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
    limits: {
      ...config.limits,
      maximumReplicas: config.limits.replicas,
      maximumArtifactReplicas: config.limits.artifactReplicas,
      maximumDiskBytes: diskLimit(config),
      maximumFullDiskBytes: config.limits.fullDiskSizeGiB * GiB,
    },
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
  keys: KeyDependencies,
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
      publishVersion(gallery),
      retireVersion(gallery),
      verifyVersion(gallery),
      publishArtifact(applicationVersions, gallery),
      publishArtifact(scriptVersions, gallery),
      recycleVersion(),
      purgeVersion(gallery),
      shareGallery(gallery),
      ...compute.workflows,
      ...keyWorkflows(keys),
    ],
  })
}

function addSchedules(
  work: WorkEngine,
  parts: {
    readonly sweeper: Sweeper
    readonly transfer: Transfer
    readonly gallery: GalleryDependencies
    readonly compute: Compute
  },
  { clock, activity }: Room,
): void {
  const { sweeper, transfer, gallery, compute } = parts
  work.every('upgrade-applications', upgradeEveryMs, (signal) => compute.upgradeApplications(signal))
  work.every('sweep-uploads', sweepEveryMs, async () => {
    await transfer.sweep(clock.now())
    await transfer.signer.sweep()
  })
  work.every('sweep-activity', sweepEveryMs, (signal) => activity.sweep(signal))
  work.every('sweep-stores', sweepEveryMs, (signal) => sweeper.run(signal))
  work.every('publish-sharing', sweepEveryMs, (signal) => publishInNewRegions(gallery, signal))
  work.every('purge-recycle-bins', purgeEveryMs, (signal) => purgeOverdue(gallery, signal))
}

/** Every root that a version, a disk, a machine or a finished push needs in a store. */
async function findLiveRoots(store: DiskStore, db: Db, compute: Compute | undefined): Promise<ReadonlySet<string>> {
  const others = [...((await compute?.liveRoots()) ?? []), ...(await listUploadRoots(db))]
  const here = others.filter(
    ({ region, storageClass }) => region === store.region && storageClass === store.storageClass,
  )
  const versions = await listLiveRoots(db, store.region, store.storageClass)
  return new Set([...versions, ...here.map(({ root }) => root)])
}

/** `baseUrl`: how the client that names it sees this server; undefined: it was admitted before. */
async function findBlob(transfer: Transfer, ownAddresses: readonly string[], uri: string, baseUrl: string | undefined) {
  const found = await transfer.findBlob(uri, baseUrl === undefined ? [new URL(uri).origin] : [baseUrl, ...ownAddresses])
  return found.place.kind === 'stored' ? { ...found, storedIn: found.place } : found
}
