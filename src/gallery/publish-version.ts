import type { Json, JsonObject } from '../base/json.ts'
import { mapLimit } from '../base/map-limit.ts'
import { Problem } from '../base/problem.ts'
import type { ProblemRecord } from '../base/problem.ts'
import { GiB } from '../base/units.ts'
import { isSame, planReplication } from '../replication/plan.ts'
import type { HeldCopy, WantedCopy } from '../replication/plan.ts'
import { editResourceProperties, findResource } from '../resources/resource.rows.ts'
import type { Resource } from '../resources/resource.ts'
import type { StoredResult, TransferOptions, TransferProgress } from '../store/disk-store.ts'
import { DiskMissing, FrameCorrupt, FrameMissing, ManifestCorrupt } from '../store/errors.ts'
import { isTransient } from '../work/failure.ts'
import type { Operation, StepContext, Workflow } from '../work/workflow.ts'
import { deleteArtifactFiles } from './artifact-file.rows.ts'
import type { GalleryDependencies, HeldPlace, HeldWhole } from './dependencies.ts'
import { findVaults } from './encryption-rules.ts'
import { findParentRoot } from './parent-root.ts'
import { galleryProblems } from './problems.ts'
import {
  deleteReplicas,
  listReplicas,
  markReplicaCompleted,
  markReplicaFailed,
  markReplicaProgress,
  markReplicaStarted,
  osDiskLun,
  syncReplicas,
} from './replica.rows.ts'
import type { Replica } from './replica.rows.ts'
import { sourceLuns } from './source-luns.ts'
import { findKeptClasses, holdSourcePlace } from './source-places.ts'
import { withIntegrity } from './validations.ts'
import { isShallow, versionProperties, wantedReplicas } from './version-properties.ts'
import { parseVersionSource } from './version-sources.ts'

interface PublishInput extends JsonObject {
  readonly versionId: string
}
type PublishStep = StepContext<PublishInput>

/** Regions that are served at the same time; more would only share the same disk and cores. */
const regionsAtOnce = 3
const progressEveryMs = 400

export interface HeldParts extends HeldWhole {
  /** What they were taken from. */
  readonly id: string
}

/** What the workflow has to know of a kind of version: its parts, where each comes from, what is written at the end. */
export interface VersionKind {
  readonly workflow: string
  /** Numbers of the parts that a new version has: disks by LUN, files. */
  parts(version: Resource): Promise<readonly number[]>
  holdPlace(version: Resource, part: Replica, signal: AbortSignal): Promise<HeldPlace>
  /** Where parts belong to one moment (disks of a machine): all of them at once; undefined: they come one by one. */
  holdAll?(version: Resource, signal: AbortSignal): Promise<HeldParts | undefined>
  /** What success adds to the properties. */
  complete?(properties: JsonObject, replicas: readonly Replica[]): JsonObject
}

/** Image versions: parts are disks. */
export function publishVersion(deps: GalleryDependencies): Workflow<PublishInput> {
  return publishWorkflow(deps, {
    workflow: 'publish-version',
    parts: (version) => sourceLuns(version, deps),
    holdPlace: (version, disk, signal) => holdSourcePlace(version, disk, deps, signal),
    async holdAll(version, signal) {
      const source = parseVersionSource(versionProperties(version).storageProfile ?? {})
      if (source.kind !== 'whole') return undefined
      const held = await deps.sources.holdWhole(source.id, signal)
      if (!held) throw galleryProblems.SourceNotFound({ id: source.id })
      return { id: source.id, ...held }
    },
    complete: (properties, replicas) => withIntegrity(withDiskSizes(properties, replicas), replicas, deps.clock.now()),
  })
}

/**
 * Makes the replicas of a version what its target regions ask for: ingest into the home region unless some region has
 * the disk already, then each lacking region takes what it lacks. Serves creation, update and retry alike; every step
 * may run twice, because what is complete is left alone and frames are named by their content.
 */
export function publishWorkflow(deps: GalleryDependencies, kind: VersionKind): Workflow<PublishInput> {
  return {
    name: kind.workflow,
    steps: [
      { name: 'plan', run: (step) => plan(step, deps, kind) },
      { name: 'ingest', run: (step) => ingest(step, deps, kind) },
      { name: 'replicate', run: (step) => replicate(step, deps) },
    ],
    async settle(tx, operation, outcome) {
      const key = operation.resourceKey
      if (outcome.state === 'Succeeded') {
        const replicas = await listReplicas(tx, key)
        await editResourceProperties(tx, key, (properties) => kind.complete?.(properties, replicas) ?? properties)
      } else await failUnfinished(tx, operation, outcome.error, deps)
    },
  }
}

/** Removes a version: its rows go with the resource, its bytes when the next sweep finds nobody needing them. */
export function retireVersion(deps: GalleryDependencies): Workflow<PublishInput> {
  return {
    name: 'retire-version',
    steps: [],
    async settle(tx, operation, outcome) {
      if (outcome.state !== 'Succeeded') return
      await deleteReplicas(tx, operation.resourceKey)
      await deleteArtifactFiles(tx, operation.resourceKey)
      deps.requestSweep()
    },
  }
}

async function plan(step: PublishStep, deps: GalleryDependencies, kind: VersionKind): Promise<Json> {
  const version = await getVersion(step, deps)
  const before = await listReplicas(deps.db, version.key)
  const luns = before.length > 0 ? unique(before.map((replica) => replica.lun)) : await kind.parts(version)
  const keptIn = isShallow(version) ? await findKeptClasses(version, luns, before, deps) : undefined
  const vaults = await findVaults(version, deps)
  const wanted = wantedReplicas(version, luns, deps.regions, { keptIn, vaults })
  await deps.db.transaction().execute((tx) => syncReplicas(tx, version.key, wanted))
  if (before.some((old) => !wanted.some((want) => isSame(want, old)))) deps.requestSweep()
  return { luns }
}

async function ingest(step: PublishStep, deps: GalleryDependencies, kind: VersionKind): Promise<void> {
  const version = await getVersion(step, deps)
  const replicas = await listReplicas(deps.db, version.key)
  const here = replicas.filter((replica) => replica.region === homeOf(version, deps))
  // One class of each: the region's further classes are made from that.
  const home = here.filter((replica, index) => here.findIndex(({ lun }) => lun === replica.lun) === index)
  const isSomewhere = ({ lun }: Replica): boolean =>
    replicas.some((other) => other.lun === lun && other.state === 'Completed')
  const lacking = home.filter((replica) => !isSomewhere(replica))
  if (lacking.length === 0) return
  using all = await kind.holdAll?.(version, step.signal)
  if (all) return await ingestAll(step, { version, all, home, lacking }, deps)
  for (const replica of lacking) {
    using found = await kind.holdPlace(version, replica, step.signal)
    await transfer(step, replica, version, deps, (options) => takeIn(deps, replica, found, options))
  }
}

interface IngestOfAll {
  readonly version: Resource
  readonly all: HeldParts
  readonly home: readonly Replica[]
  readonly lacking: readonly Replica[]
}

/**
 * All disks of a machine belong to one moment: they are captured together and noted in one transaction, so that a run
 * that stops in between begins anew. What a version already was it stays.
 */
async function ingestAll(
  step: PublishStep,
  { version, all, home, lacking }: IngestOfAll,
  deps: GalleryDependencies,
): Promise<void> {
  using pins = new DisposableStack()
  const done: { readonly replica: Replica; readonly stored: StoredResult }[] = []
  const wanted = home.some((replica) => replica.root !== undefined) ? lacking : home
  for (const replica of wanted) {
    const disk = all.disks.get(replica.lun)
    if (!disk) throw galleryProblems.SourceNotFound({ id: all.id })
    const stored = await runTransfer(step, replica, version, deps, (options) => takeIn(deps, replica, disk, options))
    pins.use(stored.pin)
    if (replica.root !== undefined && replica.root !== stored.root) throw galleryProblems.SourceChanged({ id: all.id })
    done.push({ replica, stored })
  }
  await deps.db.transaction().execute(async (tx) => {
    for (const { replica, stored } of done) await markReplicaCompleted(tx, replica, stored, deps.clock.now())
  })
}

/** Bytes of a source come into the home region's store. */
async function takeIn(
  deps: GalleryDependencies,
  replica: Replica,
  { place, bytesRead }: Omit<HeldPlace, keyof Disposable>,
  options: TransferOptions,
): Promise<StoredResult> {
  if (place.kind === 'file') {
    const { path, format } = place
    return deps.stores.store(replica.region, replica.storageClass).ingest({ path, format }, options)
  }
  const stored = await copyDisk(deps, replica, place, options)
  const { progress } = stored
  return { ...stored, progress: { ...progress, bytesRead: progress.bytesRead + bytesRead } }
}

interface ReplicationFailure {
  readonly region: string
  readonly detail: string
  readonly isTransient: boolean
}

async function replicate(step: PublishStep, deps: GalleryDependencies): Promise<void> {
  const version = await getVersion(step, deps)
  const replicas = await listReplicas(deps.db, version.key)
  const failures: ReplicationFailure[] = []
  for (const lun of unique(replicas.map((replica) => replica.lun))) {
    const disk = replicas.filter((replica) => replica.lun === lun)
    failures.push(...(await replicateDisk(step, version, disk, deps)))
  }
  if (failures.length === 0) return
  if (failures.every((failure) => failure.isTransient)) throw galleryProblems.ReplicationInterrupted({ failures })
  throw galleryProblems.ReplicationFailed({ failures })
}

/** Wave by wave: what a region's first copy brought is where its further copies come from. */
async function replicateDisk(
  step: PublishStep,
  version: Resource,
  disk: readonly Replica[],
  deps: GalleryDependencies,
): Promise<readonly ReplicationFailure[]> {
  const failures: ReplicationFailure[] = []
  let held = disk.flatMap((r) => (r.state === 'Completed' && r.root !== undefined ? [{ ...r, root: r.root }] : []))
  let wanted = disk
  for (;;) {
    const transfers = planReplication(wanted, held, homeOf(version, deps))
    if (transfers.length === 0) return failures
    await mapLimit(transfers, regionsAtOnce, async ({ to, from }) => {
      const replica = disk.find((candidate) => isSame(candidate, to))
      if (!replica) return
      try {
        await transfer(step, replica, version, deps, (options) => copyDisk(deps, to, from, options))
        held = [...held, { ...replica, root: from.root }]
      } catch (error) {
        if (step.signal.aborted) throw error
        deps.logger.error({ err: error, region: to.region, version: version.id }, 'replication to a region failed')
        const detail = error instanceof Problem ? error.message : 'Failed with internal server error.'
        await markReplicaFailed(deps.db, replica, detail, deps.clock.now())
        failures.push({ region: to.region, detail, isTransient: isTransient(error) })
        wanted = wanted.filter((other) => !isSame(other, to))
      }
    })
  }
}

/** One store takes a disk from another; a source that lacks frames is said to be damaged, not an unexpected error. */
async function copyDisk(
  deps: GalleryDependencies,
  to: WantedCopy,
  from: HeldCopy,
  options: TransferOptions,
): Promise<StoredResult> {
  const source = deps.stores.store(from.region, from.storageClass)
  try {
    return await deps.stores.store(to.region, to.storageClass).receive(source, from.root, options)
  } catch (error) {
    const isDamaged =
      error instanceof FrameMissing ||
      error instanceof FrameCorrupt ||
      error instanceof DiskMissing ||
      error instanceof ManifestCorrupt
    if (isDamaged) throw galleryProblems.SourceDamaged({ region: from.region }, { cause: error })
    throw error
  }
}

/** Runs one transfer; the row names the root only once it is durable. */
async function transfer(
  step: PublishStep,
  replica: Replica,
  version: Resource,
  deps: GalleryDependencies,
  run: (options: TransferOptions) => Promise<StoredResult>,
): Promise<void> {
  const stored = await runTransfer(step, replica, version, deps, run)
  using _pin = stored.pin
  await markReplicaCompleted(deps.db, replica, stored, deps.clock.now())
}

/** Runs one transfer with its progress in the replica's row; what comes of it is pinned. */
async function runTransfer(
  step: PublishStep,
  replica: Replica,
  version: Resource,
  deps: GalleryDependencies,
  run: (options: TransferOptions) => Promise<StoredResult>,
): Promise<StoredResult> {
  await markReplicaStarted(deps.db, replica, deps.clock.now())
  const parentRoot = await findParentRoot(deps.db, version, replica)
  let lastMs = 0
  let writing: Promise<void> = Promise.resolve()
  const onProgress = (progress: TransferProgress): void => {
    if (deps.clock.now() - lastMs < progressEveryMs) return
    lastMs = deps.clock.now()
    // Progress is for people: a write that fails must not end the transfer.
    writing = writing
      .then(() => markReplicaProgress(deps.db, replica, progress))
      .catch((error: unknown) => deps.logger.warn({ err: error }, 'progress could not be written'))
    step.report({ region: replica.region, lun: replica.lun, ...progress })
  }
  const stored = await run({ signal: step.signal, parentRoot, onProgress, copies: replica.replicaCount })
  await writing
  return stored
}

async function failUnfinished(
  tx: GalleryDependencies['db'],
  operation: Operation,
  error: ProblemRecord,
  deps: GalleryDependencies,
): Promise<void> {
  for (const replica of await listReplicas(tx, operation.resourceKey))
    if (replica.state === 'Replicating') await markReplicaFailed(tx, replica, error.message, deps.clock.now())
}

/** What Azure fills in after completion: sizes and caching of the disks (behaviour.md B16). */
function withDiskSizes(properties: JsonObject, replicas: readonly Replica[]): JsonObject {
  const profile = versionProperties({ properties }).storageProfile ?? {}
  const sizeInGB = (lun: number): number =>
    Math.ceil(Math.max(...replicas.filter((r) => r.lun === lun).map((r) => r.virtualSizeBytes), 0) / GiB)
  const luns = unique(replicas.map((replica) => replica.lun)).filter((lun) => lun !== osDiskLun)
  const osDiskImage = { hostCaching: 'ReadWrite', ...profile.osDiskImage, sizeInGB: sizeInGB(osDiskLun) }
  const dataDiskImages = luns.map((lun) => {
    const known = (profile.dataDiskImages ?? []).find((image) => image.lun === lun)
    // Recorded: azure-cli, test_gallery_image_version_vhd and test_image_version_create_for_diff_source.
    const hostCaching = known?.source === undefined ? 'None' : 'ReadOnly'
    return { hostCaching, ...known, lun, sizeInGB: sizeInGB(lun) }
  })
  return {
    ...properties,
    storageProfile: { ...profile, osDiskImage, ...(dataDiskImages.length > 0 ? { dataDiskImages } : {}) },
  }
}

async function getVersion(step: PublishStep, deps: GalleryDependencies): Promise<Resource> {
  const version = await findResource(deps.db, step.resourceKey)
  if (!version) throw galleryProblems.SourceNotFound({ id: step.input.versionId })
  return version
}

function homeOf(version: Resource, deps: GalleryDependencies): string {
  return deps.regions.find(version.location)?.name ?? version.location
}

function unique(numbers: readonly number[]): readonly number[] {
  return [...new Set(numbers)].toSorted((a, b) => a - b)
}
