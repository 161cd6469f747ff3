import { findArmId } from '../base/arm-id.ts'
import { formatArmTime } from '../base/clock.ts'
import type { JsonObject } from '../base/json.ts'
import { randomUuid } from '../base/random.ts'
import { GiB } from '../base/units.ts'
import type { DiskProperties } from '../contract/disks.ts'
import type { Tx } from '../db/tables.ts'
import type { ImagePlan } from '../gallery/resolve-image.ts'
import type { Change, RequestContext } from '../resources/behaviour.ts'
import { findResource, lockResource } from '../resources/resource.rows.ts'
import type { Draft, Resource } from '../resources/resource.ts'
import { diskTypes, factsMember, snapshotType, type ComputeDependencies } from './dependencies.ts'
import { planEncryption } from './disk-encryption.ts'
import { diskProperties, findDiskFacts, formatDiskFacts, type DiskFacts, type StoredBytes } from './disk-facts.ts'
import { namesImage } from './image-reference.ts'
import { placeOf } from './place.ts'
import { computeProblems } from './problems.ts'

type CreationData = NonNullable<DiskProperties['creationData']>
// A VHD is its data and a footer of one sector.
const footerBytes = 512
const defaultBlockBytes = 512

interface Origin {
  readonly facts: DiskFacts
  readonly state: 'Unattached' | 'ReadyToUpload'
  readonly sizeBytes: number
  readonly properties?: JsonObject
  /** The disk or snapshot that it is a copy of. */
  readonly source?: Resource
}

/** Completes a disk or snapshot: a new one learns where its bytes come from; of an existing one the facts are kept. */
export async function prepareDisk(change: Change, context: RequestContext, deps: ComputeDependencies): Promise<Draft> {
  const { before, after } = change
  if (before) {
    checkSize(change, diskProperties(before).diskSizeGB ?? 0)
    const { vault, ...encrypted } = await planEncryption(change, undefined, context, deps)
    const facts = { ...findDiskFacts(before), vault }
    return {
      ...after,
      properties: { ...after.properties, ...encrypted },
      envelope: { ...after.envelope, [factsMember]: formatDiskFacts(facts) },
    }
  }
  const origin = await findOrigin(change, context, deps)
  const { vault, ...encrypted } = await planEncryption(change, origin.source, context, deps)
  const isSnapshot = findDiskType(change.id.id) === snapshotType
  const neededGB = Math.max(1, Math.ceil(origin.sizeBytes / GiB))
  checkSize(change, neededGB)
  return {
    ...after,
    properties: {
      ...origin.properties,
      ...after.properties,
      ...encrypted,
      timeCreated: formatArmTime(context.nowMs),
      uniqueId: randomUuid(),
      diskState: origin.state,
      diskSizeGB: diskProperties(after).diskSizeGB ?? neededGB,
      ...(isSnapshot && after.properties['incremental'] === true ? { completionPercent: 100 } : {}),
      diskSizeBytes: origin.sizeBytes,
    },
    envelope: { ...after.envelope, [factsMember]: formatDiskFacts({ ...origin.facts, vault }) },
  }
}

/** In the transaction that writes the row: the source of a copy is still there, and stays until the copy is written. */
export async function holdCopySource(tx: Tx, change: Change): Promise<void> {
  const creation = diskProperties(change.after).creationData
  const id = creation && copySourceOf(creation)
  if (change.before || id === undefined || !['Copy', 'CopyStart'].includes(creation.createOption)) return
  const source = await lockResource(tx, id.toLowerCase())
  if (!source || source.provisioningState === 'Deleting') throw computeProblems.DiskSourceNotFound({ id })
}

async function findOrigin(change: Change, context: RequestContext, deps: ComputeDependencies): Promise<Origin> {
  const { creationData } = diskProperties(change.after)
  switch (creationData.createOption) {
    case 'Upload':
      return uploadOrigin(change, creationData)
    case 'FromImage':
      return imageOrigin(change, creationData, context, deps)
    case 'Copy':
      return copyOrigin(change, creationData, context, deps)
    case 'CopyStart':
      return startedCopyOrigin(change, creationData, context, deps)
    case 'Import':
      return importOrigin(creationData, context, deps)
    case 'Empty': {
      const { diskSizeGB } = diskProperties(change.after)
      if (diskSizeGB === undefined) throw missing('disk.diskSizeGB')
      return { facts: { grants: [] }, state: 'Unattached', sizeBytes: diskSizeGB * GiB }
    }
  }
}

/** A VHD in this server's own storage becomes a disk; its account is named by id, as Azure wants it. */
async function importOrigin(
  { sourceUri, storageAccountId }: CreationData,
  context: RequestContext,
  deps: ComputeDependencies,
): Promise<Origin> {
  if (sourceUri === undefined) throw missing('disk.creationData.sourceUri')
  if (storageAccountId === undefined) throw missing('disk.creationData.storageAccountId')
  const { virtualSizeBytes } = await deps.blobs.admit(sourceUri, context)
  return { facts: { importUri: sourceUri, grants: [] }, state: 'Unattached', sizeBytes: virtualSizeBytes }
}

async function getSource(
  { db }: ComputeDependencies,
  id: string,
  target: { readonly target: string },
): Promise<Resource> {
  const source = await findResource(db, id.toLowerCase())
  if (source && source.provisioningState !== 'Deleting') return source
  throw computeProblems.DiskSourceNotFound({ id }, target)
}

/** A snapshot of another region: its bytes cross in the work, only those that are missing there. */
async function startedCopyOrigin(
  change: Change,
  creation: CreationData,
  context: RequestContext,
  deps: ComputeDependencies,
): Promise<Origin> {
  const id = copySourceOf(creation)
  const target = { target: 'snapshot.creationData' }
  if (id === undefined) throw missing('snapshot.creationData.sourceResourceId')
  const isSnapshot = findDiskType(id) === snapshotType && findDiskType(change.id.id) === snapshotType
  if (!isSnapshot || change.after.properties['incremental'] !== true)
    throw computeProblems.InvalidParameterValue(
      {
        parameter: 'snapshot.creationData.createOption',
        reason: 'CopyStart copies a snapshot into an incremental snapshot. Use Copy for anything else.',
      },
      target,
    )
  await context.authorize(`${snapshotType}/read`, id)
  const source = await getSource(deps, id, target)
  const { virtualSizeBytes } = getBytes(source)
  return {
    source,
    facts: { copyFrom: source.key, grants: [] },
    state: 'Unattached',
    sizeBytes: virtualSizeBytes,
    properties: systemOf(source),
  }
}

function uploadOrigin(change: Change, { uploadSizeBytes }: CreationData): Origin {
  const parameter = 'disk.creationData.uploadSizeBytes'
  if (uploadSizeBytes === undefined) throw missing(parameter)
  if (uploadSizeBytes % defaultBlockBytes !== 0 || uploadSizeBytes < 2 * footerBytes)
    throw computeProblems.InvalidParameterValue(
      {
        parameter,
        reason: 'It is the size of the whole VHD file: its data, a multiple of 512 bytes, and a footer of 512.',
      },
      { target: parameter },
    )
  const uploadKey = `disk/${randomUuid()}/${change.id.name}`
  return { facts: { uploadKey, grants: [] }, state: 'ReadyToUpload', sizeBytes: uploadSizeBytes - footerBytes }
}

async function imageOrigin(
  change: Change,
  { galleryImageReference, imageReference }: CreationData,
  context: RequestContext,
  deps: ComputeDependencies,
): Promise<Origin> {
  const reference = galleryImageReference ?? imageReference
  if (!namesImage(reference)) throw missing('disk.creationData.galleryImageReference')
  const consumer = { subscriptionId: change.id.subscriptionId, location: placeOf(change.after) }
  const image = await deps.resolveImage(reference, consumer, context)
  const lun = reference.lun ?? 'os'
  const found = image.disks.find((disk) => disk.lun === lun)
  if (!found)
    throw computeProblems.InvalidParameterValue(
      { parameter: 'imageReference', reason: `The image has no data disk at LUN ${lun}.` },
      { target: 'imageReference' },
    )
  const { region, storageClass, root, virtualSizeBytes } = found
  return {
    ...atRest({ region, storageClass, root, virtualSizeBytes }),
    properties:
      lun === 'os' ? withPlan({ osType: image.osType, hyperVGeneration: image.hyperVGeneration }, image.plan) : {},
  }
}

async function copyOrigin(
  change: Change,
  creation: CreationData,
  context: RequestContext,
  deps: ComputeDependencies,
): Promise<Origin> {
  const id = copySourceOf(creation)
  if (id === undefined) throw missing('disk.creationData.sourceResourceId')
  const type = findDiskType(id)
  if (type === undefined) throw computeProblems.DiskSourceNotFound({ id }, { target: 'disk.creationData' })
  await context.authorize(`${type}/read`, id)
  const source = await getSource(deps, id, { target: 'disk.creationData' })
  if (source.location !== change.after.location)
    throw computeProblems.InvalidParameterValue(
      {
        parameter: 'disk.location',
        reason: `The source is in '${source.location}'. Copy it there; to take it to another region publish it as an image version.`,
      },
      { target: 'disk.location' },
    )
  const { diskSizeBytes = 0 } = diskProperties(source)
  const isAttached = findDiskFacts(source).attached !== undefined
  return {
    source,
    ...(isAttached
      ? { facts: { captureFrom: source.key, grants: [] }, state: 'Unattached' as const, sizeBytes: diskSizeBytes }
      : atRest(getBytes(source))),
    properties: systemOf(source),
  }
}

/** What is known of the system on a disk that is copied. */
function systemOf(source: Resource): JsonObject {
  const { osType, hyperVGeneration, purchasePlan } = diskProperties(source)
  const known = {
    ...(osType === undefined ? {} : { osType }),
    ...(hyperVGeneration === undefined ? {} : { hyperVGeneration }),
  }
  return withPlan(known, purchasePlan)
}

/** Azure shows it of disks made of an image with a plan; whoever starts a machine on one names it again. */
function withPlan(properties: JsonObject, plan: ImagePlan | undefined): JsonObject {
  if (plan === undefined) return properties
  const { name = '', publisher = '', product = '' } = plan
  return { ...properties, purchasePlan: { name, publisher, product } }
}

/** The stored bytes of a disk that is ready; throws DiskNotReady. */
export function getBytes(disk: Resource): StoredBytes {
  const { bytes } = findDiskFacts(disk)
  if (bytes && disk.provisioningState !== 'Failed') return bytes
  const state = diskProperties(disk).diskState ?? disk.provisioningState
  const needed =
    'It has no bytes yet: upload them (beginGetAccess with Write, PUT the VHD, endGetAccess), then try again.'
  throw computeProblems.DiskNotReady({ name: disk.name, state, needed })
}

/** Canonical type of an id that names a disk or a snapshot. */
export function findDiskType(id: string): (typeof diskTypes)[number] | undefined {
  const type = findArmId(id)?.type.toLowerCase()
  return diskTypes.find((known) => known.toLowerCase() === type)
}

function copySourceOf({ sourceResourceId, sourceUri }: CreationData): string | undefined {
  // Terraform names a disk as sourceUri (CLIENTS.md).
  return sourceResourceId ?? sourceUri
}

function atRest(bytes: StoredBytes): Origin {
  return { facts: { bytes, grants: [] }, state: 'Unattached', sizeBytes: bytes.virtualSizeBytes }
}

function checkSize(change: Change, neededGB: number): void {
  const askedGB = diskProperties(change.after).diskSizeGB
  if (askedGB === undefined || askedGB >= neededGB) return
  throw computeProblems.DiskSizeTooSmall({ name: change.id.name, askedGB, neededGB }, { target: 'disk.diskSizeGB' })
}

function missing(parameter: string): Error {
  return computeProblems.RequiredParameterMissing({ parameter }, { target: parameter })
}
