import type { FastifyRequest } from 'fastify'
import { answerFacts, abortable, type BlobWrite, type BlobWriter } from './blob-write.ts'
import { transferProblems } from './problems.ts'
import { bytesHeader, headerOf } from './request-facts.ts'
import { receiveBody } from './upload-files.ts'
import { findUpload, updateUpload, type Upload } from './upload.rows.ts'

/**
 * A disk by plain HTTP PUT: the whole file in one body, or in order by parts with `Content-Range: bytes a-b/total`.
 * What arrived before a connection broke is kept: `Content-Range: bytes *\/total` with an empty body asks how much that
 * is. Answers 201 when all is there, else 202 with `Range: bytes=0-last`.
 */
export async function putStream(writer: BlobWriter, write: BlobWrite): Promise<void> {
  const { area, db } = writer
  const { upload, name } = write
  if (!upload) throw transferProblems.BlobNotFound({ name })
  await area.track(upload.id, (signal) =>
    area.locks.own(upload.id, async () => {
      const now = await findUpload(db, upload.id)
      if (!now) throw transferProblems.BlobNotFound({ name })
      if (now.state !== 'open') throw transferProblems.UploadClosed({ name })
      await receivePart(writer, write, now, signal)
    }),
  )
}

async function receivePart(writer: BlobWriter, write: BlobWrite, upload: Upload, signal: AbortSignal): Promise<void> {
  const { request, reply, name } = write
  const { files } = writer.area
  const { sizeBytes } = upload
  const before = upload.facts.type === 'stream' ? (upload.facts.receivedBytes ?? 0) : 0
  const part = partOf(request, sizeBytes, before)
  let receivedBytes = before
  await using file = await files.open(upload.id)
  if (part) {
    const { start, end } = part
    const tooLarge = () => transferProblems.RequestBodyTooLarge({ what: `Upload '${name}'`, limitBytes: sizeBytes })
    const keep = async (bytes: number): Promise<void> => {
      await file.datasync()
      receivedBytes = start + bytes
      await updateUpload(writer.db, upload.id, { facts: { ...upload.facts, type: 'stream', receivedBytes } })
    }
    await files.ensureRoom(0)
    // From here on, what was beyond `start` is no longer what it was.
    if (start < before) await keep(0)
    const received = await receiveBody(file, abortable(request, signal), {
      offset: start,
      maxBytes: end - start,
      tooLarge,
      fresh: false,
      ensureRoom: () => files.ensureRoom(0),
      // What is kept so far survives a crash of this server.
      keep,
    })
    await keep(received.bytes)
    if ('broken' in received || received.bytes < end - start)
      throw transferProblems.IncompleteBody({ expectedBytes: end - start, receivedBytes: received.bytes })
  }
  const isWhole = receivedBytes === sizeBytes
  await reply
    .code(isWhole ? 201 : 202)
    .headers({
      ...(await answerFacts(file)),
      'x-goldleaf-received-bytes': String(receivedBytes),
      ...(receivedBytes > 0 && !isWhole ? { range: `bytes=0-${receivedBytes - 1}` } : {}),
    })
    .send()
}

/** Where this body goes; undefined: it only asks. Throws before a byte is read. */
function partOf(
  request: FastifyRequest,
  sizeBytes: number,
  nextByte: number,
): { start: number; end: number } | undefined {
  const announced = bytesHeader(request, 'content-length')
  const range = headerOf(request, 'content-range')
  if (range === undefined) {
    if (announced !== undefined && announced > sizeBytes)
      throw transferProblems.RequestBodyTooLarge({ what: 'This upload', limitBytes: sizeBytes, givenBytes: announced })
    if (announced !== undefined && announced < sizeBytes)
      throw transferProblems.IncompleteBody({ expectedBytes: sizeBytes, receivedBytes: announced })
    return { start: 0, end: sizeBytes }
  }
  const match = /^bytes (?:(\d{1,16})-(\d{1,16})|\*)\/(\d{1,16})$/.exec(range.trim())
  const refuse = () => transferProblems.InvalidContentRange({ range, sizeBytes, nextByte })
  if (!match || Number(match[3]) !== sizeBytes) throw refuse()
  if (match[1] === undefined) return undefined
  const [start, end] = [Number(match[1]), Number(match[2]) + 1]
  if (start > nextByte || end <= start || end > sizeBytes) throw refuse()
  if (announced !== undefined && announced !== end - start) throw refuse()
  return { start, end }
}
