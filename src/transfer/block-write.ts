import { constants } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import { randomUuid } from '../base/random.ts'
import { MiB } from '../base/units.ts'
import { abortable, replaceBlob, type BlobWrite, type BlobWriter } from './blob-write.ts'
import { transferProblems } from './problems.ts'
import { storageVersion } from './readable-bytes.ts'
import { boundBody, headerOf, readSmallBody } from './request-facts.ts'
import { writeSparse } from './sparse-file.ts'
import { receiveWhole } from './upload-files.ts'
import { findUpload, findUploadByAddress, insertUpload, type Upload } from './upload.rows.ts'

const listLimitBytes = 8 * MiB

/** Put Block: a part of a block blob to come, durable before the answer; kept a week if no list follows. */
export async function putBlock(writer: BlobWriter, write: BlobWrite, query: URLSearchParams): Promise<void> {
  const { area } = writer
  const { request, reply } = write
  const { files, limits } = area
  const block = parseBlockId(query.get('blockid') ?? '')
  const limitBytes = limits.maxBlockBytes
  const { announced, tooLarge } = boundBody(request, limitBytes, 'A block')
  await withBlockBlob(writer, write, (id) =>
    area.track(id, async (signal) => {
      await files.ensureRoom(0)
      const path = files.blockPath(id, block)
      const temporary = `${path}.${randomUuid()}`
      try {
        await using file = await open(temporary, 'wx+')
        const options = {
          maxBytes: limitBytes,
          tooLarge,
          md5: headerOf(request, 'content-md5'),
          ensureRoom: () => files.ensureRoom(0),
        }
        await receiveWhole(file, abortable(request, signal), options, announced)
        await rename(temporary, path)
        await files.syncFolder(id)
      } catch (error) {
        await rm(temporary, { force: true })
        throw error
      }
    }),
  )
  await reply.code(201).headers({ 'x-ms-version': storageVersion, 'x-ms-request-server-encrypted': 'false' }).send()
}

/**
 * Put Block List: joins staged blocks, in the order given, into the blob. Blocks of an earlier list are part of the blob
 * by then and no longer known by their ids: a list must be made of blocks that were put since.
 */
export async function putBlockList(writer: BlobWriter, write: BlobWrite): Promise<void> {
  const { area, db } = writer
  const text = (await readSmallBody(write.request.raw, listLimitBytes, 'A block list')).toString('utf8')
  const blocks = parseBlockList(text, area.limits.maxBlocks)
  const { upload } = write
  if (upload && upload.facts.type !== 'block')
    throw transferProblems.InvalidBlobType({ name: write.name, is: upload.facts.type })
  if (!upload && blocks.length > 0) throw transferProblems.InvalidBlobOrBlock({ block: blocks[0]?.id ?? '' })
  const commit = () =>
    replaceBlob(writer, write, 'block', async (id) => {
      if (upload && !(await findUpload(db, upload.id))) throw transferProblems.BlobNotFound({ name: write.name })
      return await joinBlocks(writer, id, upload?.id ?? '', blocks)
    })
  // Alone: no block of it is being replaced while it is read.
  await (upload ? area.locks.own(upload.id, commit) : commit())
}

interface ListedBlock {
  /** Base64, as the client wrote it. */
  readonly id: string
  readonly hex: string
}

async function joinBlocks(
  { area }: BlobWriter,
  id: string,
  from: string,
  blocks: readonly ListedBlock[],
): Promise<number> {
  const { files, limits } = area
  await files.create(id, 0)
  await using target = await files.open(id)
  let sizeBytes = 0
  for (const block of blocks) {
    await using source = await openBlock(files.blockPath(from, block.hex), block.id)
    const buffer = Buffer.allocUnsafe(MiB)
    for (let at = 0; ;) {
      const { bytesRead } = await source.read(buffer, { position: at })
      if (bytesRead === 0) break
      await writeSparse(target, buffer.subarray(0, bytesRead), sizeBytes, true)
      at += bytesRead
      sizeBytes += bytesRead
    }
    if (sizeBytes > limits.maxUploadBytes)
      throw transferProblems.RequestBodyTooLarge({
        what: 'A blob',
        limitBytes: limits.maxUploadBytes,
        givenBytes: sizeBytes,
      })
    await files.ensureRoom(0)
  }
  await target.truncate(sizeBytes)
  await target.sync()
  return sizeBytes
}

async function openBlock(path: string, id: string) {
  try {
    return await open(path, constants.O_RDONLY)
  } catch (error) {
    throw transferProblems.InvalidBlobOrBlock({ block: id }, { cause: error })
  }
}

/** Runs `work` on the block blob at this address, whose row it makes where there is none; again if it was replaced. */
async function withBlockBlob(writer: BlobWriter, write: BlobWrite, work: (id: string) => Promise<void>): Promise<void> {
  const { area, db } = writer
  for (;;) {
    const { id } = await area.locks.own(`address/${write.address}`, () => ensureBlockBlob(writer, write))
    const done = await area.locks.share(id, async () => {
      if (!(await findUpload(db, id))) return false
      await work(id)
      return true
    })
    if (done) return
  }
}

async function ensureBlockBlob({ area, db, clock }: BlobWriter, write: BlobWrite): Promise<Upload> {
  const { address, subscriptionId } = write
  const found = await findUploadByAddress(db, 'blob', address)
  if (found && found.facts.type !== 'block')
    throw transferProblems.InvalidBlobType({ name: write.name, is: found.facts.type })
  if (found) return found
  const id = randomUuid()
  await area.files.create(id, 0)
  const createdMs = clock.now()
  const upload: Upload = {
    id,
    kind: 'blob',
    address,
    subscriptionId,
    sizeBytes: 0,
    state: 'open',
    facts: { type: 'block', grants: [] },
    root: undefined,
    region: undefined,
    storageClass: undefined,
    createdMs,
    expiresMs: createdMs + area.limits.abandonedAfterMs,
  }
  await insertUpload(db, upload)
  return upload
}

function parseBlockId(id: string): string {
  const bytes = Buffer.from(id, 'base64')
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(id) || bytes.length === 0 || bytes.length > 64)
    throw transferProblems.InvalidBlockId({})
  return bytes.toString('hex')
}

/** `<BlockList><Latest>id</Latest>…`; `Uncommitted` means the same here, `Committed` nothing we still have. */
function parseBlockList(text: string, maxBlocks: number): ListedBlock[] {
  const inner = /<BlockList\s*>([\s\S]*)<\/BlockList>|<BlockList\s*\/>/.exec(text)
  if (!inner) throw transferProblems.InvalidXmlDocument({ reason: 'it has no BlockList element.' })
  const blocks: ListedBlock[] = []
  for (const [, kind, value] of (inner[1] ?? '').matchAll(/<(Latest|Uncommitted|Committed)>([^<]*)<\/\1>/g)) {
    const id = (value ?? '').trim()
    if (kind === 'Committed') throw transferProblems.InvalidBlobOrBlock({ block: id })
    blocks.push({ id, hex: parseBlockId(id) })
    if (blocks.length > maxBlocks)
      throw transferProblems.InvalidXmlDocument({ reason: `it has more than ${maxBlocks} blocks.` })
  }
  return blocks
}
