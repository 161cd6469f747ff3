import { join } from 'node:path'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/logger.ts'
import { Problem } from '../base/problem.ts'
import { randomUuid } from '../base/random.ts'
import { MiB, TiB } from '../base/units.ts'
import { checkAzureVhd } from '../blocks/check-azure-vhd.ts'
import type { DiskFormat, DiskImage } from '../blocks/disk-image.ts'
import type { Db } from '../db/tables.ts'
import type { AddressSigner } from './address-signer.ts'
import { transferProblems } from './problems.ts'
import type { AddressRight } from './signed-address.ts'
import { createUploadFiles, type UploadFiles } from './upload-files.ts'
import {
  deleteUpload,
  findUpload,
  findUploadByAddress,
  insertUpload,
  listExpiredUploads,
  listUploadIds,
  updateUpload,
  type Upload,
} from './upload.rows.ts'
import { createUsageLocks, type UsageLocks } from './usage-lock.ts'

export interface UploadLimits {
  /** Of any upload, by its declared or received size. */
  readonly maxUploadBytes: number
  /** Azure's: 4 MiB a Put Page, 4000 MiB a Put Block, 50,000 blocks. */
  readonly maxPageWriteBytes: number
  readonly maxBlockBytes: number
  readonly maxBlocks: number
  /** How long something that was begun and not finished is kept. Azure keeps uncommitted blocks for a week. */
  readonly abandonedAfterMs: number
}

const dayMs = 86_400_000

const defaultUploadLimits: UploadLimits = {
  maxUploadBytes: 8 * TiB + 512,
  maxPageWriteBytes: 4 * MiB,
  maxBlockBytes: 4000 * MiB,
  maxBlocks: 50_000,
  abandonedAfterMs: 7 * dayMs,
}

export interface UploadAreaOptions {
  /** Folder of its own; `uploads` is made in it. Used by one process at a time. */
  readonly dataDir: string
  readonly db: Db
  readonly clock: Clock
  readonly logger: Logger
  readonly signer: AddressSigner
  /** `openDiskImage` of src/blocks. */
  readonly openDiskImage: (path: string, options: { readonly name: string }) => Promise<DiskImage>
  readonly limits?: Partial<UploadLimits> | undefined
}

/** A finished upload as others may open it. */
export interface UploadedFile {
  readonly path: string
  readonly format: DiskFormat
  readonly virtualSizeBytes: number
}

/** Where bytes rest that clients handed in and that no resource has taken over yet. */
export interface UploadArea {
  readonly files: UploadFiles
  readonly locks: UsageLocks
  readonly limits: UploadLimits
  /**
   * Opens an upload for the disk `key`. Repeating it (a workflow's step may run twice) answers the open one of the same
   * size. `sizeBytes` is the VHD's whole size, footer included, as Azure's `uploadSizeBytes` is.
   */
  createUpload(request: {
    readonly key: string
    readonly subscriptionId: string
    readonly sizeBytes: number
    readonly expiresMs?: number | undefined
  }): Promise<{ readonly id: string }>
  /** A signed address at which clients write (and read back) the disk's bytes. */
  writeAddress(request: AddressRequest): Promise<string>
  readAddress(request: AddressRequest): Promise<string>
  /** Ends the upload: no address works any more, what is in flight is cut, the file must be a whole VHD or qcow2. */
  finish(key: string): Promise<UploadedFile>
  /** What is there for a disk; undefined: nothing, or it was removed. */
  describe(key: string): Promise<DescribedUpload | undefined>
  /** Takes back every address handed out for the disk, and cuts what is in flight. */
  revoke(key: string): Promise<void>
  remove(key: string): Promise<void>
  /** Marks work on an upload as running: it is aborted by finish, revoke and remove. */
  track<T>(id: string, work: (signal: AbortSignal) => Promise<T>): Promise<T>
  /** Removes rows that expired and files that no row names. Safe to run at any time, also beside uploads. */
  sweepUploads(nowMs: number): Promise<{ readonly removed: number }>
  /** Row first, then the bytes: what is left after a crash in between is swept. */
  removeUpload(id: string): Promise<void>
}

export interface AddressRequest {
  readonly key: string
  /** `scheme://host` as the client sees this server. */
  readonly baseUrl: string
  readonly expiresMs: number
}

export interface DescribedUpload {
  readonly id: string
  readonly state: 'open' | 'complete'
  readonly sizeBytes: number
  readonly path: string
  /** Known once finished. */
  readonly format: DiskFormat | undefined
  readonly virtualSizeBytes: number | undefined
}

/** A folder without a row may be one that is being filled: young ones are left alone. */
const strayAfterMs = 3_600_000

export async function createUploadArea(options: UploadAreaOptions): Promise<UploadArea> {
  const files = await createUploadFiles(join(options.dataDir, 'uploads'))
  const locks = createUsageLocks()
  const core: Core = {
    options,
    files,
    locks,
    limits: { ...defaultUploadLimits, ...options.limits },
    running: new Map(),
  }
  return {
    files,
    locks,
    limits: core.limits,
    ...diskUploads(core),
    track: (id, work) => track(core, id, work),
    sweepUploads: (nowMs) => sweepUploads(core, nowMs),
    removeUpload: (id) => removeUpload(core, id),
  }
}

/** What the functions below share. */
interface Core {
  readonly options: UploadAreaOptions
  readonly files: UploadFiles
  readonly locks: UsageLocks
  readonly limits: UploadLimits
  /** Requests in flight by upload. */
  readonly running: Map<string, Set<AbortController>>
}

type DiskUploads = Pick<
  UploadArea,
  'createUpload' | 'writeAddress' | 'readAddress' | 'finish' | 'describe' | 'revoke' | 'remove'
>

function diskUploads(core: Core): DiskUploads {
  const { files } = core
  const find = (key: string) => findUploadByAddress(core.options.db, 'disk', key)
  return {
    createUpload: (request) => createDiskUpload(core, request),
    writeAddress: (request) => signUpload(core, request, 'write'),
    readAddress: (request) => signUpload(core, request, 'read'),
    async finish(key) {
      const { id } = await getDisk(core, key)
      await revokeAll(core, id)
      return await core.locks.own(id, () => finishUpload(core, id, key))
    },
    async describe(key) {
      const upload = await find(key)
      if (!upload) return undefined
      const { id, state, sizeBytes, facts } = upload
      const format = facts.format as DiskFormat | undefined
      return { id, state, sizeBytes, path: files.dataPath(id), format, virtualSizeBytes: facts.virtualSizeBytes }
    },
    async revoke(key) {
      const upload = await find(key)
      if (upload) await revokeAll(core, upload.id)
    },
    async remove(key) {
      for (let upload = await find(key); upload; upload = await find(key)) await removeUpload(core, upload.id)
    },
  }
}

async function createDiskUpload(
  core: Core,
  { key, subscriptionId, sizeBytes, expiresMs }: Parameters<UploadArea['createUpload']>[0],
): Promise<{ readonly id: string }> {
  const { files, limits } = core
  const { db, clock } = core.options
  checkSize(sizeBytes, limits.maxUploadBytes)
  const found = await findUploadByAddress(db, 'disk', key)
  if (found && found.state === 'open' && found.sizeBytes === sizeBytes) return { id: found.id }
  if (found) await removeUpload(core, found.id)
  await files.ensureRoom(0)
  const id = randomUuid()
  await files.create(id, sizeBytes)
  const createdMs = clock.now()
  await insertUpload(db, {
    id,
    kind: 'disk',
    address: key,
    subscriptionId,
    sizeBytes,
    state: 'open',
    facts: { type: 'page', grants: [] },
    root: undefined,
    region: undefined,
    storageClass: undefined,
    createdMs,
    expiresMs: expiresMs ?? createdMs + limits.abandonedAfterMs,
  })
  return { id }
}

async function getDisk({ options }: Core, key: string): Promise<Upload> {
  const upload = await findUploadByAddress(options.db, 'disk', key)
  if (!upload) throw transferProblems.BlobNotFound({ name: nameOfKey(key) })
  return upload
}

async function signUpload(core: Core, request: AddressRequest, right: AddressRight): Promise<string> {
  const { db, signer } = core.options
  const upload = await getDisk(core, request.key)
  if (right === 'write' && upload.state !== 'open')
    throw transferProblems.UploadClosed({ name: nameOfKey(request.key) })
  const issued = signer.issue(`upload/${upload.id}`, right, request.expiresMs)
  await changeFacts(db, core.locks, upload.id, (facts) => ({ ...facts, grants: [...facts.grants, issued.grantId] }))
  // `abcd` as in Azure: storage SDKs insist on container and blob names in an address.
  return `${request.baseUrl}/disk-upload/${upload.id}/abcd?${issued.query}`
}

async function revokeAll({ options, locks, running }: Core, id: string): Promise<void> {
  await changeFacts(options.db, locks, id, (facts) => ({ ...facts, grants: [] }))
  for (const abort of running.get(id) ?? [])
    abort.abort(transferProblems.AuthenticationFailed({ reason: 'it was revoked.' }))
}

async function finishUpload({ options, files }: Core, id: string, key: string): Promise<UploadedFile> {
  const upload = await findUpload(options.db, id)
  const name = nameOfKey(key)
  if (!upload) throw transferProblems.BlobNotFound({ name })
  const { facts, sizeBytes } = upload
  const path = files.dataPath(id)
  if (facts.type === 'stream' && (facts.receivedBytes ?? 0) < sizeBytes)
    throw transferProblems.UploadIncomplete({ name, receivedBytes: facts.receivedBytes ?? 0, sizeBytes })
  await using image = await options.openDiskImage(path, { name })
  const { format, virtualSizeBytes } = image
  // An upload is declared with its footer: what looks raw was not written to its end.
  if (format === 'raw') throw transferProblems.UploadNotVhd({ name })
  checkAzureVhd(image, { name })
  await updateUpload(options.db, id, {
    state: 'complete',
    facts: { ...facts, format, virtualSizeBytes },
    expiresMs: undefined,
  })
  return { path, format, virtualSizeBytes }
}

async function removeUpload({ options, files, locks, running }: Core, id: string): Promise<void> {
  for (const abort of running.get(id) ?? []) abort.abort(transferProblems.BlobNotFound({ name: id }))
  await locks.own(id, async () => {
    await deleteUpload(options.db, id)
    await files.remove(id)
  })
}

async function track<T>({ running }: Core, id: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const abort = new AbortController()
  const all = running.get(id) ?? new Set()
  running.set(id, all.add(abort))
  try {
    return await work(abort.signal)
  } catch (error) {
    if (abort.signal.aborted && !(error instanceof Problem)) throw abort.signal.reason
    throw error
  } finally {
    all.delete(abort)
    if (all.size === 0) running.delete(id)
  }
}

async function sweepUploads(core: Core, nowMs: number): Promise<{ readonly removed: number }> {
  const { files, locks } = core
  const { db, logger, signer } = core.options
  let removed = 0
  for (const upload of await listExpiredUploads(db, nowMs)) {
    if (locks.isUsed(upload.id)) continue
    await removeUpload(core, upload.id)
    removed += 1
  }
  const found = await files.list()
  const known = await listUploadIds(db)
  for (const { id, changedMs } of found) {
    if (known.has(id) || locks.isUsed(id) || changedMs > nowMs - strayAfterMs) continue
    await files.remove(id)
    removed += 1
  }
  await signer.sweep()
  if (removed > 0) logger.info({ removed }, 'abandoned uploads removed')
  return { removed }
}

/** Reads, changes and writes the facts of a row with nobody in between in this process. */
async function changeFacts(
  db: Db,
  locks: UsageLocks,
  id: string,
  change: (facts: Upload['facts']) => Upload['facts'],
): Promise<void> {
  await locks.own(`facts/${id}`, async () => {
    const upload = await findUpload(db, id)
    if (upload) await updateUpload(db, id, { facts: change(upload.facts) })
  })
}

function checkSize(sizeBytes: number, limitBytes: number): void {
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes <= 0 || sizeBytes % 512 !== 0 || sizeBytes > limitBytes)
    throw transferProblems.UploadSizeInvalid({ sizeBytes, limitBytes })
}

/** The last name of an ARM id: what a person calls the disk. */
function nameOfKey(key: string): string {
  return key.split('/').at(-1) ?? key
}
