import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isJsonObject, type Json, type JsonObject } from '../base/json.ts'
import { randomUuid } from '../base/random.ts'
import { GiB } from '../base/units.ts'
import { emptyQcow2Overlay } from '../blocks/write-disk-image.ts'
import { findResource } from '../resources/resource.rows.ts'
import type { Resource } from '../resources/resource.ts'
import type { DiskStore, ImageFile, PlainStorageClass } from '../store/disk-store.ts'
import { inVault } from '../store/vault.ts'
import type { StepContext, Workflow } from '../work/workflow.ts'
import { snapshotType, type ComputeDependencies } from './dependencies.ts'
import { growDisk, holdDisk, pinStored, type HeldDisk } from './capture-disk.ts'
import { diskProperties, editDisk, findDiskFacts, type StoredBytes } from './disk-facts.ts'
import type { MachineRunner } from './machine-runner.ts'
import { computeProblems } from './problems.ts'
import { keepInVault, receiveInto, takeFileInto } from './receive-disk.ts'

interface GrantInput extends JsonObject {
  readonly access: 'Read' | 'Write'
  readonly expiresMs: number
  readonly baseUrl: string
}

/** The work behind disks and snapshots. Every step may run twice. */
export function diskWorkflows(deps: ComputeDependencies, runner: MachineRunner): Workflow[] {
  const grant: Workflow<GrantInput> = {
    name: 'grant-disk-access',
    steps: [{ name: 'grant', run: (step) => grantAccess(step, deps, runner) }],
  }
  return [
    { name: 'create-disk', steps: [{ name: 'bytes', run: (step) => makeBytes(step, deps, runner) }] },
    { name: 'resize-disk', steps: [{ name: 'grow', run: (step) => resizeDisk(step, deps, runner) }] },
    grant,
    {
      name: 'end-disk-access',
      steps: [
        { name: 'take-over', run: (step) => takeOver(step, deps) },
        { name: 'drop-upload', run: ({ resourceKey }) => dropUpload(resourceKey, deps) },
      ],
    },
    {
      name: 'delete-disk',
      steps: [
        {
          name: 'bytes',
          async run({ resourceKey }) {
            await revokeGrants(resourceKey, deps)
            await dropUpload(resourceKey, deps)
          },
        },
      ],
      async settle(_tx, _operation, outcome) {
        if (outcome.state === 'Succeeded') deps.requestSweep()
      },
    },
  ]
}

/** Makes what a new disk stands on: an upload, an empty stored disk, or nothing but the certainty that it is there. */
async function makeBytes(
  step: StepContext<JsonObject>,
  deps: ComputeDependencies,
  runner: MachineRunner,
): Promise<void> {
  const disk = await findResource(deps.db, step.resourceKey)
  if (!disk) return
  const { uploadKey } = findDiskFacts(disk)
  if (uploadKey !== undefined) {
    const sizeBytes = diskProperties(disk).creationData.uploadSizeBytes ?? 0
    await deps.diskBytes.createUpload({ key: uploadKey, subscriptionId: disk.subscriptionId, sizeBytes })
    return
  }
  using held = await holdOrigin(step, disk, deps, runner)
  if (held) return fitDisk(step, disk, held, deps)
  const folder = join(deps.dataDir, 'run', 'empty-disks')
  const path = join(folder, randomUuid())
  await mkdir(folder, { recursive: true, mode: 0o700 })
  try {
    await emptyQcow2Overlay(path, (diskProperties(disk).diskSizeGB ?? 1) * GiB)
    await takeFile(step, disk, { path, format: 'qcow2' }, deps)
  } finally {
    await rm(path, { force: true })
  }
}

/** What a new disk is made of, where that is something that exists; undefined: it is empty. */
async function holdOrigin(
  step: StepContext<JsonObject>,
  disk: Resource,
  deps: ComputeDependencies,
  runner: MachineRunner,
): Promise<HeldDisk | undefined> {
  const { bytes, captureFrom, importUri, copyFrom } = findDiskFacts(disk)
  const { signal } = step
  if (bytes) {
    if (await deps.stores.store(bytes.region, bytes.storageClass).has(bytes.root)) return pinStored(bytes, deps)
    throw computeProblems.ImageBytesGone({ lun: disk.name, region: bytes.region })
  }
  if (importUri !== undefined) {
    const { place } = await deps.blobs.find(importUri)
    if (place.kind === 'file') return takeFileInto(storeOf(disk, deps), place, step)
    return receiveInto(storeOf(disk, deps), place, step, deps)
  }
  const key = captureFrom ?? copyFrom
  if (key === undefined) return undefined
  const source = await findResource(deps.db, key)
  if (!source) throw computeProblems.DiskSourceNotFound({ id: key })
  if (copyFrom === undefined) return holdDisk(source, deps, runner, { signal })
  using held = await holdDisk(source, deps, runner, { signal })
  return receiveInto(storeOf(disk, deps), held.bytes, step, deps)
}

/** What it was made of becomes what was asked for: in its vault, and as large. */
async function fitDisk(
  step: StepContext<JsonObject>,
  disk: Resource,
  held: HeldDisk,
  deps: ComputeDependencies,
): Promise<void> {
  using own = await keepInVault(held, findDiskFacts(disk).vault, step, deps)
  using grown = await growDisk(own, wantedBytes(disk, own.bytes.virtualSizeBytes), deps, { signal: step.signal })
  await noteBytes(disk, grown.bytes, deps)
}

/** A disk is as large as its diskSizeGB says; a snapshot is what it was taken of. */
function wantedBytes(disk: Resource, virtualSizeBytes: number): number {
  const askedGB = disk.type === snapshotType ? 0 : (diskProperties(disk).diskSizeGB ?? 0)
  return askedGB > Math.ceil(virtualSizeBytes / GiB) ? askedGB * GiB : virtualSizeBytes
}

/** A disk that nobody has attached grows (zeros behind its end), or gets another key. */
async function resizeDisk(
  step: StepContext<JsonObject>,
  deps: ComputeDependencies,
  runner: MachineRunner,
): Promise<void> {
  const disk = await findResource(deps.db, step.resourceKey)
  if (!disk || findDiskFacts(disk).attached) return
  using held = await holdDisk(disk, deps, runner, { signal: step.signal })
  await fitDisk(step, disk, held, deps)
  deps.requestSweep()
}

/** Reads a file into the store of the disk's region and notes where it is, in one go: the pin covers the gap. */
async function takeFile(
  step: StepContext<JsonObject>,
  disk: Resource,
  file: ImageFile,
  deps: ComputeDependencies,
): Promise<void> {
  using held = await takeFileInto(storeOf(disk, deps), file, step)
  await noteBytes(disk, held.bytes, deps)
}

/** The bytes must be pinned until this has ended. */
async function noteBytes(disk: Resource, bytes: StoredBytes, deps: ComputeDependencies): Promise<void> {
  const { virtualSizeBytes } = bytes
  const { attached } = findDiskFacts(disk)
  await deps.db.transaction().execute((tx) =>
    editDisk(tx, disk.key, (facts, row) => ({
      facts: { ...facts, bytes },
      properties: {
        ...(attached ? {} : { diskState: 'Unattached' }),
        diskSizeBytes: virtualSizeBytes,
        diskSizeGB: Math.max(diskProperties(row).diskSizeGB ?? 1, Math.ceil(virtualSizeBytes / GiB)),
      },
    })),
  )
}

async function grantAccess(
  step: StepContext<GrantInput>,
  deps: ComputeDependencies,
  runner: MachineRunner,
): Promise<Json> {
  const disk = await findResource(deps.db, step.resourceKey)
  if (!disk) throw computeProblems.DiskSourceNotFound({ id: step.resourceKey })
  const { access, expiresMs, baseUrl } = step.input
  const { uploadKey } = findDiskFacts(disk)
  if (access === 'Write' && uploadKey !== undefined)
    return { accessSAS: await deps.diskBytes.writeAddress({ key: uploadKey, baseUrl, expiresMs }) }
  // A disk of a machine that is deallocated has to be looked at; its row keeps what was found.
  using held = await holdDisk(disk, deps, runner, { signal: step.signal })
  const { region, storageClass, root } = held.bytes
  const signed = await deps.diskBytes.signStoredDisk({ region, storageClass, root, baseUrl, expiresMs })
  const { grantId } = signed
  await deps.db.transaction().execute((tx) =>
    editDisk(tx, disk.key, (facts) => ({
      facts: { ...facts, bytes: held.bytes, grants: [...facts.grants, { grantId, expiresMs: signed.expiresMs }] },
    })),
  )
  return { accessSAS: signed.url }
}

/** Ends access: what was uploaded becomes the disk's content, or addresses for reading stop to work. */
async function takeOver(step: StepContext<JsonObject>, deps: ComputeDependencies): Promise<void> {
  const disk = await findResource(deps.db, step.resourceKey)
  if (!disk) return
  const { bytes, uploadKey } = findDiskFacts(disk)
  const { diskState } = diskProperties(disk)
  if (bytes === undefined && uploadKey !== undefined && diskState === 'ActiveUpload') {
    const { path, format } = await deps.diskBytes.finish(uploadKey)
    await takeFile(step, disk, { path, format }, deps)
    return
  }
  await revokeGrants(disk.key, deps)
  if (diskState === 'ActiveSAS')
    await deps.db
      .transaction()
      .execute((tx) => editDisk(tx, disk.key, () => ({ properties: { diskState: 'Unattached' } })))
}

async function revokeGrants(key: string, deps: ComputeDependencies): Promise<void> {
  const disk = await findResource(deps.db, key)
  if (!disk) return
  for (const { grantId, expiresMs } of findDiskFacts(disk).grants)
    if (expiresMs > deps.clock.now()) await deps.diskBytes.revokeGrant(grantId, expiresMs)
  await deps.db.transaction().execute((tx) => editDisk(tx, key, (facts) => ({ facts: { ...facts, grants: [] } })))
}

/** Removes the upload of a disk whose bytes are stored, or that is going away itself. */
async function dropUpload(key: string, deps: ComputeDependencies): Promise<void> {
  const disk = await findResource(deps.db, key)
  const facts = disk && findDiskFacts(disk)
  if (!disk || facts?.uploadKey === undefined) return
  if (facts.bytes === undefined && disk.provisioningState !== 'Deleting') return
  await deps.diskBytes.remove(facts.uploadKey)
  await deps.db
    .transaction()
    .execute((tx) => editDisk(tx, key, ({ uploadKey: _gone, ...rest }) => ({ facts: { ...rest } })))
}

function storeOf(disk: Resource, deps: ComputeDependencies): DiskStore {
  const { sku } = disk.envelope
  const name = isJsonObject(sku) && typeof sku['name'] === 'string' ? sku['name'] : 'Standard_LRS'
  const zones = deps.regions.find(disk.location)?.zones.length ?? 0
  const storageClass: PlainStorageClass = name.startsWith('Premium')
    ? 'Premium_LRS'
    : name.endsWith('_ZRS') && zones >= 3
      ? 'Standard_ZRS'
      : 'Standard_LRS'
  return deps.stores.store(disk.location, inVault(storageClass, findDiskFacts(disk).vault))
}
