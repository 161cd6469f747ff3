import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Clock } from '../base/clock.ts'
import { randomUuid } from '../base/random.ts'
import type { Db } from '../db/tables.ts'
import { etagOf } from './file-bytes.ts'
import { punchHole } from '../blocks/sparse-file.ts'
import { transferProblems } from './problems.ts'
import { checkConditions, storageVersion } from './readable-bytes.ts'
import { boundBody, bytesHeader, headerOf, metadataOf, pageRangeOf, readSmallBody } from './request-facts.ts'
import { writeSparse } from './sparse-file.ts'
import type { UploadArea } from './upload-area.ts'
import { receiveWhole } from './upload-files.ts'
import {
  deleteUpload,
  findUploadByAddress,
  findUpload,
  insertUpload,
  updateUpload,
  type Upload,
  type UploadFacts,
} from './upload.rows.ts'

export interface BlobWriter {
  readonly area: UploadArea
  readonly db: Db
  readonly clock: Clock
}

/** A write as it was admitted. */
export interface BlobWrite {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  /** For messages. */
  readonly name: string
  readonly address: string
  readonly subscriptionId: string
  readonly upload: Upload | undefined
}

/** Create page blob: a hole of the announced size, which replaces what was there. */
export async function createPageBlob(writer: BlobWriter, write: BlobWrite): Promise<void> {
  const { area } = writer
  const sizeBytes = bytesHeader(write.request, 'x-ms-blob-content-length')
  if (sizeBytes === undefined)
    throw transferProblems.MissingRequiredHeader({
      header: 'x-ms-blob-content-length',
      expected: 'the size of the page blob',
    })
  if (sizeBytes > area.limits.maxUploadBytes)
    throw transferProblems.RequestBodyTooLarge({
      what: 'A page blob',
      limitBytes: area.limits.maxUploadBytes,
      givenBytes: sizeBytes,
    })
  if (sizeBytes % 512 !== 0)
    throw transferProblems.InvalidHeaderValue({
      header: 'x-ms-blob-content-length',
      value: String(sizeBytes),
      expected: 'a multiple of 512',
    })
  await replaceBlob(writer, write, 'page', async (id) => {
    await area.files.ensureRoom(0)
    await area.files.create(id, sizeBytes)
    return sizeBytes
  })
}

/** Put Blob of a whole block blob; also what `curl -T` sends. Written beside what is there, then put in its place. */
export async function putWholeBlob(writer: BlobWriter, write: BlobWrite): Promise<void> {
  const { files, limits } = writer.area
  const { request } = write
  const limitBytes = limits.maxUploadBytes
  const { announced, tooLarge } = boundBody(request, limitBytes, 'A blob')
  await replaceBlob(writer, write, 'block', async (id, signal) => {
    await files.ensureRoom(0)
    await files.create(id, announced ?? 0)
    await using file = await files.open(id)
    const options = {
      maxBytes: limitBytes,
      tooLarge,
      md5: headerOf(request, 'content-md5'),
      ensureRoom: () => files.ensureRoom(0),
    }
    return await receiveWhole(file, abortable(request, signal), options, announced)
  })
}

/** Put Page: update with at most 4 MiB, or clear of any length. Durable before the answer. */
export async function putPage(writer: BlobWriter, write: BlobWrite): Promise<void> {
  const { request, reply, name } = write
  const { area, db } = writer
  const upload = openPages(write)
  const how = headerOf(request, 'x-ms-page-write')?.toLowerCase()
  if (how !== 'update' && how !== 'clear')
    throw transferProblems.InvalidHeaderValue({
      header: 'x-ms-page-write',
      value: how ?? '',
      expected: 'update or clear',
    })
  const range = pageRangeOf(request, upload.sizeBytes)
  const length = range.end - range.start
  const limitBytes = area.limits.maxPageWriteBytes
  if (how === 'update' && length > limitBytes)
    throw transferProblems.RequestBodyTooLarge({ what: 'A page write', limitBytes, givenBytes: length })
  const body = await readSmallBody(request.raw, how === 'update' ? length : 0, 'The body of this page range')
  if (how === 'update' && body.length !== length)
    throw transferProblems.IncompleteBody({ expectedBytes: length, receivedBytes: body.length })
  checkMd5(request, body)
  await area.locks.share(upload.id, async () => {
    const now = await findUpload(db, upload.id)
    if (!now) throw transferProblems.BlobNotFound({ name })
    if (now.kind === 'disk' && now.state !== 'open') throw transferProblems.UploadClosed({ name })
    await using file = await area.files.open(upload.id)
    checkConditions(request, { etag: (await answerFacts(file)).etag })
    if (how === 'update') {
      await area.files.ensureRoom(length)
      await writeSparse(file, body, range.start)
    } else await punchHole(file.fd, range.start, length)
    await file.datasync()
    if (now.facts.type === 'stream') await updateUpload(db, now.id, { facts: { ...now.facts, type: 'page' } })
    await reply
      .code(201)
      .headers({ ...(await answerFacts(file)), 'x-ms-blob-sequence-number': '0' })
      .send()
  })
}

function openPages(write: BlobWrite): Upload {
  const { upload, name } = write
  if (!upload) throw transferProblems.BlobNotFound({ name })
  if (upload.facts.type === 'block') throw transferProblems.InvalidBlobType({ name, is: 'block' })
  return upload
}

/** Set Blob Metadata and Set Blob Properties. */
export async function setBlobFacts(
  writer: BlobWriter,
  write: BlobWrite,
  what: 'metadata' | 'properties',
): Promise<void> {
  const { request, reply, upload, name } = write
  if (!upload || upload.state !== 'complete') throw transferProblems.BlobNotFound({ name })
  const change =
    what === 'metadata'
      ? { metadata: metadataOf(request) }
      : { contentType: headerOf(request, 'x-ms-blob-content-type') }
  await updateUpload(writer.db, upload.id, { facts: { ...upload.facts, ...change } })
  await using file = await writer.area.files.openForRead(upload.id)
  await reply
    .code(200)
    .headers(await answerFacts(file))
    .send()
}

export async function deleteBlob(writer: BlobWriter, write: BlobWrite): Promise<void> {
  const { upload, reply, name } = write
  if (upload?.kind === 'disk') throw transferProblems.UnsupportedOperation({ operation: 'delete of a disk upload' })
  if (!upload) throw transferProblems.BlobNotFound({ name })
  await writer.area.removeUpload(upload.id)
  await reply.code(202).header('x-ms-version', storageVersion).send()
}

/**
 * Makes a new upload (its bytes made durable by `fill`, which answers their number) and puts it in the place of the one
 * at this address, in one transaction: after a crash there is the old blob or the new one, never a mixture.
 */
export async function replaceBlob(
  writer: BlobWriter,
  write: BlobWrite,
  type: 'page' | 'block',
  fill: (id: string, signal: AbortSignal) => Promise<number>,
  status: 201 | 202 = 201,
): Promise<void> {
  const { area, db, clock } = writer
  const { request, reply, name, address, subscriptionId } = write
  const refuseExisting = (found: Upload | undefined): void => {
    if (headerOf(request, 'if-none-match') === '*' && found?.state === 'complete')
      throw transferProblems.BlobAlreadyExists({ name })
  }
  refuseExisting(write.upload)
  const id = randomUuid()
  // The lock keeps the sweep away from files that have no row yet.
  await area.locks.share(id, async () => {
    try {
      const sizeBytes = await area.track(id, (signal) => fill(id, signal))
      const facts: UploadFacts = {
        type,
        grants: [],
        metadata: metadataOf(request),
        contentType: headerOf(request, 'x-ms-blob-content-type') ?? headerOf(request, 'content-type'),
      }
      const row: Upload = {
        id,
        kind: 'blob',
        address,
        subscriptionId,
        sizeBytes,
        state: 'complete',
        facts,
        root: undefined,
        region: undefined,
        storageClass: undefined,
        createdMs: clock.now(),
        expiresMs: undefined,
      }
      const before = await db.transaction().execute(async (tx) => {
        const found = await findUploadByAddress(tx, 'blob', address)
        refuseExisting(found)
        if (found) await deleteUpload(tx, found.id)
        await insertUpload(tx, row)
        return found
      })
      if (before) await area.files.remove(before.id)
    } catch (error) {
      await area.files.remove(id)
      throw error
    }
    await using file = await area.files.openForRead(id)
    await reply
      .code(status)
      .headers(await answerFacts(file))
      .send()
  })
}

/** The body, ended with an error when the work is cut. */
export async function* abortable(request: FastifyRequest, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const body = request.raw.iterator({ destroyOnReturn: false })
  const onAbort = (): void => void request.raw.destroy()
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    for await (const chunk of body) yield chunk as Uint8Array
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

function checkMd5(request: FastifyRequest, body: Uint8Array): void {
  const announced = headerOf(request, 'content-md5')
  if (announced !== undefined && createHash('md5').update(body).digest('base64') !== announced)
    throw transferProblems.Md5Mismatch({})
}

export async function answerFacts(file: FileHandle): Promise<{ etag: string; [header: string]: string }> {
  const { mtimeNs } = await file.stat({ bigint: true })
  return {
    etag: etagOf(mtimeNs),
    'last-modified': new Date(Number(mtimeNs / 1_000_000n)).toUTCString(),
    'x-ms-version': storageVersion,
    'x-ms-request-server-encrypted': 'false',
  }
}
