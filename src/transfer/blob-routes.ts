import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { AddressSigner } from './address-signer.ts'
import { blobPath, parseBlobName, parseContainerName } from './blob-names.ts'
import { admit, parseTarget } from './blob-target.ts'
import { createPageBlob, deleteBlob, putPage, putWholeBlob, setBlobFacts, type BlobWrite } from './blob-write.ts'
import { putBlock, putBlockList } from './block-write.ts'
import type { BlobRouteDeps } from './blob-route-deps.ts'
import { copyBlob } from './copy-blob.ts'
import { serveAccount, serveOwnContainer } from './containers.ts'
import { openFileBytes, uploadHeaders } from './file-bytes.ts'
import { sendPageList } from './page-list.ts'
import { transferProblems } from './problems.ts'
import { sendBytes, storageVersion } from './readable-bytes.ts'
import { headerOf, rawTargetOf } from './request-facts.ts'
import { putStream } from './stream-write.ts'
import type { Upload } from './upload.rows.ts'

/** `/blob/{account}/{container}/{blob…}` and `/disk-upload/{id}/abcd`: the subset of Azure Blob that clients send. */
export function registerBlobRoutes(scope: FastifyInstance, deps: BlobRouteDeps): void {
  const serve = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    await serveBlob(request, reply, deps)
    return reply
  }
  for (const url of ['/blob/*', '/disk-upload/*'])
    scope.route({ method: ['GET', 'HEAD', 'PUT', 'DELETE'], url, handler: serve })
}

async function serveBlob(request: FastifyRequest, reply: FastifyReply, deps: BlobRouteDeps): Promise<void> {
  const raw = rawTargetOf(request)
  const { segments, query } = raw
  const account =
    segments[0]?.toLowerCase() === 'blob' ? await deps.findAccount((segments[1] ?? '').toLowerCase()) : undefined
  const [, , container = '', ...rest] = segments
  if (account && rest.every((segment) => segment === '')) {
    const served = { request, reply, account, query }
    if (container === '') return await serveAccount(deps, served)
    if (query.get('restype') === 'container') return await serveOwnContainer(deps, served, container)
  }
  if (query.get('restype') === 'container') return await serveContainer(request, reply, deps, segments, query)
  const target = parseTarget(raw)
  const isRead = request.method === 'GET' || request.method === 'HEAD'
  const { upload, subscriptionId } = await admit(deps, request, target, query, isRead ? 'read' : 'write')
  if (isRead) return await readBlob(request, reply, deps, target.name, upload, query)
  const address = target.kind === 'blob' ? target.address : ''
  const write: BlobWrite = { request, reply, name: target.name, address, subscriptionId, upload }
  if (request.method === 'DELETE') return await deleteBlob(deps, write)
  if (target.kind === 'disk') return await putDisk(write, deps, query)
  await putBlob(write, deps, query)
}

async function putBlob(write: BlobWrite, deps: BlobRouteDeps, query: URLSearchParams): Promise<void> {
  const { request } = write
  const operation = query.get('comp') ?? ''
  const copySource = headerOf(request, 'x-ms-copy-source')
  if (copySource !== undefined) {
    if (operation !== '') throw transferProblems.CopySourceNotSupported({})
    return await copyBlob(deps, write, copySource)
  }
  switch (operation) {
    case '': {
      const type = headerOf(request, 'x-ms-blob-type') ?? 'BlockBlob'
      if (type === 'PageBlob') return await createPageBlob(deps, write)
      if (type === 'BlockBlob') return await putWholeBlob(deps, write)
      throw transferProblems.InvalidHeaderValue({
        header: 'x-ms-blob-type',
        value: type,
        expected: 'PageBlob or BlockBlob',
      })
    }
    case 'page':
      return await putPage(deps, write)
    case 'block':
      return await putBlock(deps, write, query)
    case 'blocklist':
      return await putBlockList(deps, write)
    case 'metadata':
    case 'properties':
      return await setBlobFacts(deps, write, operation)
    default:
      throw transferProblems.UnsupportedOperation({ operation: `PUT comp=${operation.slice(0, 40)}` })
  }
}

/** A disk's upload is a page blob that exists already, of fixed size; or a stream of bytes by plain PUT. */
async function putDisk(write: BlobWrite, deps: BlobRouteDeps, query: URLSearchParams): Promise<void> {
  const operation = query.get('comp') ?? ''
  if (operation === 'page') return await putPage(deps, write)
  if (operation !== '') throw transferProblems.UnsupportedOperation({ operation: `PUT comp=${operation.slice(0, 40)}` })
  if (headerOf(write.request, 'x-ms-blob-type') === 'PageBlob')
    throw transferProblems.BlobAlreadyExists({ name: write.name })
  await putStream(deps, write)
}

async function readBlob(
  request: FastifyRequest,
  reply: FastifyReply,
  { area, logger }: BlobRouteDeps,
  name: string,
  upload: Upload | undefined,
  query: URLSearchParams,
): Promise<void> {
  // A block blob without a committed list is not there yet, as in Azure.
  if (!upload || (upload.kind === 'blob' && upload.state !== 'complete') || upload.kind === 'push')
    throw transferProblems.BlobNotFound({ name })
  const contentType = upload.facts.contentType ?? 'application/octet-stream'
  const facts = { name, contentType, headers: uploadHeaders(upload) }
  await using source = await openFileBytes(area.files.dataPath(upload.id), facts)
  const operation = query.get('comp') ?? ''
  if (operation === '' || operation === 'metadata') return await sendBytes(request, reply, source, logger)
  if (operation !== 'pagelist')
    throw transferProblems.UnsupportedOperation({ operation: `GET comp=${operation.slice(0, 40)}` })
  if (upload.facts.type === 'block') throw transferProblems.InvalidBlobType({ name, is: 'block' })
  await sendPageList(request, reply, source, query, logger)
}

/** Containers need no making: every well-formed name is there. Clients that make them are told that it worked. */
async function serveContainer(
  request: FastifyRequest,
  reply: FastifyReply,
  deps: BlobRouteDeps,
  [, account = '', container = '']: readonly string[],
  query: URLSearchParams,
): Promise<void> {
  parseContainerName(account, container)
  if (request.headers.authorization === undefined) throw transferProblems.NoAuthenticationInformation({})
  const caller = await deps.authenticate(request.headers.authorization)
  const action = 'Microsoft.Storage/storageAccounts/blobServices/containers'
  const need = request.method === 'PUT' ? 'write' : 'read'
  await deps.authorize(caller, `${action}/${need}`, `/subscriptions/${deps.defaultSubscriptionId}`)
  if (query.has('comp') || request.method === 'DELETE')
    throw transferProblems.UnsupportedOperation({ operation: `${request.method} of a container` })
  await reply
    .code(request.method === 'PUT' ? 201 : 200)
    .headers({
      'x-ms-version': storageVersion,
      etag: '"0x1"',
      'last-modified': new Date(0).toUTCString(),
      'x-ms-lease-status': 'unlocked',
      'x-ms-lease-state': 'available',
      'x-ms-has-immutability-policy': 'false',
    })
    .send()
}

/** A signed address for one blob, there already or to be written. */
export function signBlobAddress(
  signer: AddressSigner,
  request: {
    readonly account: string
    readonly container: string
    readonly blob: string
    readonly right: 'read' | 'write'
    readonly expiresMs: number
    readonly baseUrl: string
  },
): { readonly uri: string; readonly signedUri: string; readonly grantId: string } {
  const name = parseBlobName(request.account, request.container, request.blob)
  const { query, grantId } = signer.issue(`blob/${name.address}`, request.right, request.expiresMs)
  const uri = request.baseUrl + blobPath(name)
  return { uri, signedUri: `${uri}?${query}`, grantId }
}
