// What the tests of this room share: the room on a real database, work engine and store, and a small stand-in for ARM.
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findArmId, parentKey } from '../base/arm-id.ts'
import { systemClock } from '../base/clock.ts'
import { isJsonObject, type JsonObject } from '../base/json.ts'
import { silentLogger, type Logger } from '../base/logger.ts'
import { randomUuid } from '../base/random.ts'
import { regionDirectory, type Region } from '../base/region.ts'
import { openDiskImage } from '../blocks/open-disk-image.ts'
import { openDatabase } from '../db/open.ts'
import type { Db } from '../db/tables.ts'
import type { ResolvedImage } from '../gallery/resolve-image.ts'
import type { Behaviour, Change, RequestContext, StartWork } from '../resources/behaviour.ts'
import { findResource, insertResource, updateResource } from '../resources/resource.rows.ts'
import type { Draft, Resource } from '../resources/resource.ts'
import { settleResource } from '../resources/settle.rows.ts'
import { createDiskStores } from '../store/disk-stores.ts'
import { createWork, type WorkEngine } from '../work/engine.ts'
import type { Operation } from '../work/workflow.ts'
import { createCompute, type Compute } from './compute.ts'
import { defaultComputeLimits, type ComputeDependencies } from './dependencies.ts'
import type { DiskBytes } from './disk-bytes.ts'
import { computeProblems } from './problems.ts'
import type { HypervisorProvider, VmExit, VmSpec } from './provider.ts'

const subscriptionId = '00000000-0000-0000-0000-000000000001'
const group = `/subscriptions/${subscriptionId}/resourceGroups/rg`
export const idOf = (type: string, name: string): string => `${group}/providers/${type}/${name}`

/** A provider that runs nothing, and remembers. */
export interface FakeProvider extends HypervisorProvider {
  readonly started: VmSpec[]
  /** The first. */
  readonly whenStarted: Promise<VmSpec>
  readonly running: Set<string>
  /** LUNs of disks that were put in; -1 - LUN of those that were taken out. */
  readonly plugged: ('os' | number)[]
  /** LUNs that the guest does not let go of. */
  readonly busy: Set<number>
  /** Lets a machine end by itself. */
  end(vmKey: string, why: VmExit['why']): void
  failNextStart(error: Error): void
}

export function fakeProvider(): FakeProvider {
  const running = new Set<string>()
  const listeners: ((exit: VmExit) => void)[] = []
  const started: VmSpec[] = []
  const plugged: ('os' | number)[] = []
  const busy = new Set<number>()
  const first = Promise.withResolvers<VmSpec>()
  let failure: Error | undefined
  const end = (vmKey: string, why: VmExit['why']): void => {
    if (running.delete(vmKey)) for (const listener of listeners) listener({ vmKey, why, said: '' })
  }
  return {
    started,
    whenStarted: first.promise,
    running,
    plugged,
    busy,
    end,
    failNextStart: (error) => void (failure = error),
    async start(spec) {
      const error = failure
      failure = undefined
      if (error) throw error
      started.push(spec)
      running.add(spec.vmKey)
      first.resolve(spec)
    },
    stop: async (vmKey) => end(vmKey, 'asked'),
    state: (vmKey) => (running.has(vmKey) ? 'running' : 'stopped'),
    replaceApplications: async () => void plugged.push('os'),
    plug: async (_vmKey, disk) => void plugged.push(disk.lun),
    async unplug(_vmKey, lun) {
      if (busy.has(lun)) throw computeProblems.DiskNotReleased({ lun: String(lun), seconds: 1 })
      plugged.push(-1 - lun)
    },
    whilePaused: (_vmKey, work) => work(),
    onExit: (listener) => void listeners.push(listener),
    endOrphans: async () => 0,
    async [Symbol.asyncDispose]() {
      for (const vmKey of running) end(vmKey, 'asked')
    },
  }
}

/** An upload area of plain files: `upload` puts the bytes where a client would. */
function fakeDiskBytes(folder: string) {
  const uploads = new Map<string, { readonly path: string; state: 'open' | 'complete' }>()
  const revoked: string[] = []
  const pathOf = (key: string): string => join(folder, `upload-${key.replaceAll('/', '-')}`)
  const bytes: DiskBytes = {
    async createUpload({ key }) {
      if (uploads.has(key)) return
      await writeFile(pathOf(key), '')
      uploads.set(key, { path: pathOf(key), state: 'open' })
    },
    writeAddress: async ({ key, baseUrl }) => `${baseUrl}/upload/${encodeURIComponent(key)}?sig=w`,
    async finish(key) {
      await using image = await openDiskImage(pathOf(key))
      const { format, virtualSizeBytes } = image
      return { path: pathOf(key), format, virtualSizeBytes }
    },
    async remove(key) {
      uploads.delete(key)
      await rm(pathOf(key), { force: true })
    },
    async signStoredDisk({ root, baseUrl, expiresMs }) {
      const grantId = randomUuid()
      return { url: `${baseUrl}/disk/${root}?sig=${grantId}`, grantId, expiresMs }
    },
    revokeGrant: async (grantId) => void revoked.push(grantId),
  }
  return { bytes, uploads, revoked, upload: (key: string, file: string) => copyFile(file, pathOf(key)) }
}

export interface World extends AsyncDisposable {
  readonly folder: string
  readonly compute: Compute
  readonly uploads: ReturnType<typeof fakeDiskBytes>
  /** What `resolveImage` knows, by id. */
  readonly images: Map<string, ResolvedImage>
  readonly deps: ComputeDependencies
  /** Takes a file into the store of westeurope. */
  store(path: string): Promise<ResolvedImage['disks'][number]>
  /** PUT; waits for its operation and answers how that ended. */
  put(id: string, draft: Partial<Draft>): Promise<Operation>
  act(id: string, action: string, body?: JsonObject, query?: Record<string, string>): Promise<Operation | JsonObject>
  remove(id: string): Promise<Operation>
  get(id: string): Promise<Resource | undefined>
  show(id: string, query?: Record<string, string>): Promise<JsonObject>
  /** Ends this process's part as a kill would, and opens the room again on the same data. */
  reopen(provider: HypervisorProvider): Promise<Compute>
}

const region = (folder: string): Region => ({
  name: 'westeurope',
  displayName: 'West Europe',
  zones: [],
  pairedRegion: undefined,
  geographyGroup: 'Europe',
  stampFolders: [join(folder, 'westeurope')],
  zoneFolders: [],
})

export function contextOf(query: Record<string, string> = {}): RequestContext {
  return {
    caller: { objectId: 'me', tenantId: 't', name: 'me', kind: 'servicePrincipal', appId: 'me', roles: [] },
    apiVersion: '2024-07-01',
    baseUrl: 'https://here',
    nowMs: systemClock.now(),
    query,
    signal: new AbortController().signal,
    authorize: async () => {},
  }
}

/** Opens everything in a folder of its own; disposing closes and removes it. */
export async function createWorld(
  makeProvider: (folder: string) => HypervisorProvider,
  logger: Logger = silentLogger,
  given: Partial<ComputeDependencies> = {},
): Promise<World> {
  await using stack = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'goldleaf-compute-'))
  stack.defer(() => rm(folder, { recursive: true, force: true }))
  const { db } = stack.use(await openDatabase({ path: join(folder, 'goldleaf.sqlite') }))
  const stores = stack.use(await createDiskStores({ regions: [region(folder)], workers: 1 }))
  const uploads = fakeDiskBytes(folder)
  const images = new Map<string, ResolvedImage>()
  const deps: ComputeDependencies = {
    dataDir: folder,
    db,
    stores,
    regions: regionDirectory([region(folder)]),
    clock: systemClock,
    logger,
    limits: { ...defaultComputeLimits, maximumMemoryMiB: 128 },
    provider: makeProvider(folder),
    diskBytes: uploads.bytes,
    async resolveImage({ id = '' }) {
      const image = images.get(id)
      if (!image) throw new Error(`no image ${id}`)
      return image
    },
    blobs: {
      admit: () => Promise.reject(new Error('no blobs')),
      find: () => Promise.reject(new Error('no blobs')),
    },
    signSerialLog: async ({ vmId, baseUrl }) => `${baseUrl}/log/${vmId}?sig=1`,
    resolveApplication: () => Promise.reject(new Error('this room has no applications')),
    checkAccessProfile: () => Promise.reject(new Error('this room has no access profiles')),
    readBlob: () => Promise.reject(new Error('this room has no blobs')),
    requestSweep: () => {},
    ...given,
  }
  const compute = stack.use(await createCompute(deps))
  const work = createWork({
    db,
    clock: systemClock,
    logger: silentLogger,
    owner: 'test',
    pollMs: 20,
    retry: { baseMs: 2, maxMs: 10, unexpectedAttempts: 1 },
    workflows: compute.workflows,
    onSettled: settleResource,
  })
  stack.defer(() => work.stop(2000))
  await work.run()
  const owned = stack.move()
  return {
    folder,
    compute,
    uploads,
    images,
    deps,
    ...standInForArm({ db, work, compute }),
    async store(path) {
      const stored = await stores.store('westeurope', 'Standard_LRS').ingest({ path })
      stored.pin[Symbol.dispose]()
      const { root, virtualSizeBytes } = stored
      return { lun: 'os', region: 'westeurope', storageClass: 'Standard_LRS', root, virtualSizeBytes }
    },
    reopen: async (provider) => owned.use(await createCompute({ ...deps, provider })),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

interface Parts {
  readonly db: Db
  readonly work: WorkEngine
  readonly compute: Compute
}

/** What ARM does around the hooks, without its rules. */
function standInForArm(parts: Parts): Pick<World, 'put' | 'act' | 'remove' | 'get' | 'show'> {
  const { db, work } = parts
  const get = (id: string): Promise<Resource | undefined> => findResource(db, id.toLowerCase())
  return {
    get,
    put: (id, draft) => putResource(parts, id, draft),
    async act(text, action, body = {}, query = {}) {
      const id = findArmId(text)
      const resource = await get(text)
      const run = behaviourOf(parts, text).actions?.[action]
      if (!id || !resource || !run) throw new Error(`no action ${action}`)
      const result = await run({ id, resource, body }, contextOf(query))
      if (result.kind === 'done') return isJsonObject(result.body) ? result.body : {}
      const operationId = await hold(db, resource)
      await db.transaction().execute(async (tx) => result.inTransaction?.(tx))
      await begin(parts, resource, 'action', result.start, operationId)
      return work.wait(operationId)
    },
    async remove(text) {
      const resource = await get(text)
      if (!resource) throw new Error('nothing to remove')
      const behaviour = behaviourOf(parts, text)
      await behaviour.checkRemove?.(resource, contextOf())
      const start = await behaviour.remove?.(resource, contextOf())
      const operationId = await hold(db, resource, { provisioningState: 'Deleting' })
      await begin(parts, resource, 'delete', start, operationId)
      return work.wait(operationId)
    },
    async show(text, query = {}) {
      const resource = await get(text)
      if (!resource) throw new Error('nothing to show')
      return (await behaviourOf(parts, text).show?.(resource, contextOf(query))) ?? resource.properties
    },
  }
}

async function putResource(parts: Parts, text: string, given: Partial<Draft>): Promise<Operation> {
  const { db, work } = parts
  const id = findArmId(text)
  if (!id) throw new Error('bad id')
  const before = await findResource(db, id.key)
  const behaviour = behaviourOf(parts, text)
  const context = contextOf()
  const draft: Draft = {
    location: 'westeurope',
    tags: undefined,
    properties: { ...before?.properties },
    envelope: { ...before?.envelope },
    ...given,
  }
  let change: Change = { kind: before ? 'update' : 'create', id, before, after: draft, method: 'PUT' }
  change = { ...change, after: (await behaviour.prepare?.(change, context)) ?? draft }
  await behaviour.check?.(change, context)
  const start = await behaviour.write?.(change, context)
  const operationId = randomUuid()
  const row: Resource = {
    ...change.after,
    key: id.key,
    id: text,
    type: behaviour.type,
    name: id.name,
    parentKey: parentKey(id),
    subscriptionId,
    resourceGroupKey: parentKey(id),
    provisioningState: 'Creating',
    etag: randomUuid(),
    createdMs: 1,
    changedMs: 1,
    createdBy: 'me',
    changedBy: 'me',
    operationId,
  }
  await db.transaction().execute(async (tx) => {
    if (before) await updateResource(tx, row, before)
    else await insertResource(tx, row)
    await behaviour.commit?.(tx, change, context)
  })
  await begin(parts, row, change.kind, start, operationId)
  return work.wait(operationId)
}

function behaviourOf({ compute }: Parts, id: string): Behaviour {
  const found = compute.behaviours.find((one) => one.type === findArmId(id)?.type)
  if (!found) throw new Error(`no behaviour for ${id}`)
  return found
}

async function begin(
  { db, work }: Parts,
  { key: resourceKey, location }: Resource,
  intent: Operation['intent'],
  start: StartWork | undefined,
  id: string,
): Promise<void> {
  if (!start) throw new Error('nothing to do')
  const request = { ...start, id, resourceKey, intent, subscriptionId, location, createdBy: 'me' }
  await db.transaction().execute((tx) => work.start(tx, request))
  work.wake()
}

async function hold(db: Db, resource: Resource, next: Partial<Resource> = {}): Promise<string> {
  const operationId = randomUuid()
  if (!(await updateResource(db, { ...resource, ...next, operationId }, resource))) throw new Error('lost a race')
  return operationId
}

/** An image of a Linux disk, as the gallery answers it. */
export function imageOf(disk: ResolvedImage['disks'][number], imageId = '/image'): ResolvedImage {
  return {
    versionId: `${imageId}/versions/1.0.0`,
    osState: 'Specialized',
    osType: 'Linux',
    hyperVGeneration: 'V1',
    disks: [disk],
  }
}
