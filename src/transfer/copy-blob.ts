import type { FastifyRequest } from 'fastify'
import { randomUuid } from '../base/random.ts'
import { diskThing, openDisk, parseDiskName } from './disk-routes.ts'
import { replaceBlob, type BlobWrite } from './blob-write.ts'
import { admit, parseTarget, type BlobTarget } from './blob-target.ts'
import type { BlobRouteDeps } from './blob-route-deps.ts'
import { openFileBytes } from './file-bytes.ts'
import { transferProblems } from './problems.ts'
import type { ReadableBytes } from './readable-bytes.ts'
import { headerOf, rawTargetOf } from './request-facts.ts'
import { findUploadByAddress, type Upload } from './upload.rows.ts'
import { writeSparse } from './sparse-file.ts'
import { storedDiskBytes } from './stored-disk-bytes.ts'

/** `Copy Blob` and `Put Blob From URL`: the source is one of this server's own addresses, and is read here, at once. */
export async function copyBlob(deps: BlobRouteDeps, write: BlobWrite, source: string): Promise<void> {
  await using found = await openSource(deps, write.request, source)
  const { area } = deps
  if (found.sizeBytes > area.limits.maxUploadBytes)
    throw transferProblems.RequestBodyTooLarge({
      what: 'A blob',
      limitBytes: area.limits.maxUploadBytes,
      givenBytes: found.sizeBytes,
    })
  const type = found.headers['x-ms-blob-type'] === 'PageBlob' ? 'page' : 'block'
  write.reply.headers({ 'x-ms-copy-id': randomUuid(), 'x-ms-copy-status': 'success' })
  await replaceBlob(
    deps,
    write,
    type,
    async (id, signal) => {
      await area.files.ensureRoom(0)
      await area.files.create(id, found.sizeBytes)
      await using file = await area.files.open(id)
      for await (const range of found.dataRanges({ start: 0, end: found.sizeBytes })) {
        let at = range.start
        for await (const bytes of found.read(range, signal)) {
          await writeSparse(file, bytes, at)
          at += bytes.length
        }
        await area.files.ensureRoom(0)
      }
      await file.truncate(found.sizeBytes)
      await file.sync()
      return found.sizeBytes
    },
    // A copy is accepted, also when it is done already; the other request puts a blob.
    headerOf(write.request, 'x-ms-requires-sync') === 'true' || headerOf(write.request, 'x-ms-blob-type') !== undefined
      ? 201
      : 202,
  )
}

/** Opens what the header names, with the right that its own address carries, or that the caller has. */
async function openSource(deps: BlobRouteDeps, request: FastifyRequest, source: string): Promise<ReadableBytes> {
  const url = URL.parse(source)
  const own = [deps.baseUrlOf(request), ...deps.ownAddresses]
  // Fetching from others would make this server a proxy into whatever network it stands in.
  if (!url || !own.some((base) => URL.parse(base)?.origin === url.origin))
    throw transferProblems.CopySourceNotSupported({})
  const segments = url.pathname.split('/').slice(1).map(decodeURIComponent)
  const query = url.searchParams
  if (segments[0] === 'disk') {
    const match = /^([0-9a-f]{64})\.(raw|vhd)$/.exec(segments[3] ?? '')
    const name = parseDiskName(segments[1] ?? '', segments[2] ?? '', match?.[1] ?? '')
    await deps.signer.check(diskThing(name), 'read', query)
    return storedDiskBytes(await openDisk(deps.stores, name), match?.[2] === 'raw' ? 'raw' : 'vhd')
  }
  const target = parseTarget({ segments, query })
  if (target.kind !== 'blob') throw transferProblems.CopySourceNotSupported({})
  const upload = await admitSource(deps, request, target, query)
  if (!upload || upload.state !== 'complete') throw transferProblems.BlobNotFound({ name: target.name })
  return openFileBytes(deps.area.files.dataPath(upload.id), {
    name: target.name,
    contentType: upload.facts.contentType ?? 'application/octet-stream',
    headers: { 'x-ms-blob-type': upload.facts.type === 'page' ? 'PageBlob' : 'BlockBlob' },
  })
}

/**
 * A source with a signature is read by it. Without one it is read by the right of the request itself: its token, or the
 * key of the account, if the source is in the same account.
 */
async function admitSource(
  deps: BlobRouteDeps,
  request: FastifyRequest,
  target: BlobTarget & { readonly kind: 'blob' },
  query: URLSearchParams,
): Promise<Upload | undefined> {
  const isKeyed = /^SharedKey /i.test(request.headers.authorization ?? '')
  if (query.has('sig') || !isKeyed) return (await admit(deps, request, target, query, 'read')).upload
  // The request was admitted by the account's key, which is every right to what is in the account.
  const own = parseTarget(rawTargetOf(request))
  if (own.kind !== 'blob' || own.account !== target.account) throw transferProblems.CopySourceNotSupported({})
  return findUploadByAddress(deps.db, 'blob', target.address)
}
