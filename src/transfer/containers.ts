import type { FastifyReply, FastifyRequest } from 'fastify'
import { randomUuid } from '../base/random.ts'
import type { Db } from '../db/tables.ts'
import type { Account } from './account.ts'
import { admitToAccount, type AccountGate, type AccountNeed } from './account-gate.ts'
import { parseContainerName } from './blob-names.ts'
import {
  deleteContainer,
  findContainer,
  insertContainer,
  listBlobIds,
  pageBlobs,
  pageContainers,
  type Container,
} from './container.rows.ts'
import { etagOf, uploadHeaders } from './file-bytes.ts'
import { transferProblems } from './problems.ts'
import { storageVersion } from './readable-bytes.ts'
import { metadataOf } from './request-facts.ts'
import type { UploadArea } from './upload-area.ts'
import type { Upload } from './upload.rows.ts'
import { escapeXml } from './xml.ts'

export interface ContainerDeps extends AccountGate {
  readonly db: Db
  readonly area: UploadArea
}

interface Served {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly account: Account
  readonly query: URLSearchParams
}

const containerAction = 'blobServices/containers'

/** `/blob/{account}?…`: what concerns the account as a whole. */
export async function serveAccount(deps: ContainerDeps, served: Served): Promise<void> {
  const { request, reply, account, query } = served
  const comp = query.get('comp') ?? ''
  const need = (anyOf: string, action: string, level: AccountNeed['level'] = 's'): Promise<void> =>
    admitToAccount(deps, request, account, query, { level, anyOf, action })
  if (request.method === 'GET' && comp === 'list') {
    await need('l', `${containerAction}/read`)
    return await listContainers(deps, served)
  }
  if (query.get('restype') === 'account' && comp === 'properties') {
    await need('rwdlacup', `${containerAction}/read`)
    const facts = {
      'x-ms-sku-name': account.skuName,
      'x-ms-account-kind': account.kind,
      'x-ms-is-hns-enabled': 'false',
    }
    await reply
      .code(200)
      .headers({ 'x-ms-version': storageVersion, ...facts })
      .send()
    return
  }
  if (request.method === 'GET' && query.get('restype') === 'service' && comp === 'properties') {
    await need('r', 'blobServices/read')
    return await sendXml(
      reply,
      '<StorageServiceProperties><DeleteRetentionPolicy><Enabled>false</Enabled></DeleteRetentionPolicy></StorageServiceProperties>',
    )
  }
  throw transferProblems.UnsupportedOperation({ operation: `${request.method} of an account` })
}

/** `/blob/{account}/{container}?restype=container…` of an account that is a resource. */
export async function serveOwnContainer(deps: ContainerDeps, served: Served, container: string): Promise<void> {
  const { request, reply, account, query } = served
  const { container: name } = parseContainerName(account.name, container)
  const comp = query.get('comp') ?? ''
  const { method } = request
  const need = (anyOf: string, right: string): Promise<void> =>
    admitToAccount(deps, request, account, query, {
      level: 'c',
      container: name,
      anyOf,
      action: `${containerAction}/${right}`,
    })
  if (method === 'PUT' && comp === '') {
    await need('cw', 'write')
    return await createContainer(deps, served, name)
  }
  if (method === 'GET' && comp === 'list') {
    await need('l', 'blobs/read')
    await getContainer(deps.db, account, name)
    return await listBlobs(deps, served, name)
  }
  if (method === 'DELETE' && comp === '') {
    await need('d', 'delete')
    await getContainer(deps.db, account, name)
    await deleteContainer(deps.db, account.name, name)
    for (const id of await listBlobIds(deps.db, `${account.name}/${name}/`)) await deps.area.removeUpload(id)
    await reply.code(202).header('x-ms-version', storageVersion).send()
    return
  }
  if ((method === 'GET' || method === 'HEAD') && (comp === '' || comp === 'metadata')) {
    await need('r', 'read')
    await reply
      .code(200)
      .headers(containerHeaders(await getContainer(deps.db, account, name)))
      .send()
    return
  }
  throw transferProblems.UnsupportedOperation({ operation: `${method} of a container` })
}

/** Throws ContainerNotFound. */
export async function getContainer(db: Db, account: Account, name: string): Promise<Container> {
  const found = await findContainer(db, account.name, name)
  if (!found) throw transferProblems.ContainerNotFound({ name })
  return found
}

async function createContainer({ db, clock }: ContainerDeps, served: Served, name: string): Promise<void> {
  const container: Container = {
    account: served.account.name,
    name,
    metadata: metadataOf(served.request),
    etag: `"0x${randomUuid().replaceAll('-', '').slice(0, 15).toUpperCase()}"`,
    changedMs: clock.now(),
  }
  if (!(await insertContainer(db, container))) throw transferProblems.ContainerAlreadyExists({ name })
  await served.reply
    .code(201)
    .headers({
      etag: container.etag,
      'last-modified': new Date(container.changedMs).toUTCString(),
      'x-ms-version': storageVersion,
    })
    .send()
}

function containerHeaders({ etag, changedMs, metadata }: Container): Record<string, string> {
  return {
    'x-ms-version': storageVersion,
    etag,
    'last-modified': new Date(changedMs).toUTCString(),
    'x-ms-lease-status': 'unlocked',
    'x-ms-lease-state': 'available',
    'x-ms-has-immutability-policy': 'false',
    'x-ms-has-legal-hold': 'false',
    ...Object.fromEntries(Object.entries(metadata).map(([key, value]) => [`x-ms-meta-${key}`, value])),
  }
}

const mostResults = 5000

function pageOf(query: URLSearchParams): { prefix: string; from: string; limit: number } {
  const asked = Number(query.get('maxresults') ?? mostResults)
  if (!Number.isInteger(asked) || asked < 1)
    throw transferProblems.OutOfRangeQueryParameterValue({ parameter: 'maxresults' })
  return { prefix: query.get('prefix') ?? '', from: query.get('marker') ?? '', limit: Math.min(asked, mostResults) }
}

async function listContainers({ db }: ContainerDeps, { request, reply, account, query }: Served): Promise<void> {
  const page = pageOf(query)
  const found = await pageContainers(db, account.name, { ...page, limit: page.limit + 1 })
  const shown = found
    .slice(0, page.limit)
    .map(
      ({ name, etag, changedMs, metadata }) =>
        `<Container><Name>${escapeXml(name)}</Name><Properties><Last-Modified>${new Date(changedMs).toUTCString()}</Last-Modified>` +
        `<Etag>${escapeXml(etag)}</Etag><LeaseStatus>unlocked</LeaseStatus><LeaseState>available</LeaseState></Properties>` +
        `${metadataXml(metadata)}</Container>`,
    )
  const endpoint = `${request.protocol}://${request.host}/blob/${account.name}/`
  await sendXml(
    reply,
    `<EnumerationResults ServiceEndpoint="${escapeXml(endpoint)}">${askedXml(query)}<Containers>${shown.join('')}</Containers>` +
      `<NextMarker>${escapeXml(found[page.limit]?.name ?? '')}</NextMarker></EnumerationResults>`,
  )
}

/** With a delimiter, names that go on behind it are shown as one prefix. A page may be short, its marker goes on. */
async function listBlobs(deps: ContainerDeps, { request, reply, account, query }: Served, name: string): Promise<void> {
  const page = pageOf(query)
  const container = `${account.name}/${name}`
  const delimiter = query.get('delimiter') ?? ''
  const nameOf = ({ address }: Upload): string => address.slice(container.length + 1)
  const parts: string[] = []
  let next = page.from
  let marker: string | undefined
  for (;;) {
    const found = await pageBlobs(deps.db, container, { ...page, from: next, limit: page.limit + 1 })
    let jump: string | undefined
    for (const blob of found) {
      const own = nameOf(blob)
      if (jump !== undefined && own < jump) continue
      if (parts.length === page.limit) {
        marker = own
        break
      }
      const cut = delimiter === '' ? -1 : own.indexOf(delimiter, page.prefix.length)
      if (cut < 0) parts.push(await blobXml(deps, own, blob))
      else {
        const prefix = own.slice(0, cut + delimiter.length)
        jump = `${prefix}\u{10ffff}`
        parts.push(`<BlobPrefix><Name>${escapeXml(prefix)}</Name></BlobPrefix>`)
      }
    }
    const last = found.at(-1)
    if (marker !== undefined || !last || found.length <= page.limit) break
    next = jump !== undefined && jump > nameOf(last) ? jump : `${nameOf(last)}\u0000`
  }
  const endpoint = `${request.protocol}://${request.host}/blob/${account.name}/`
  await sendXml(
    reply,
    `<EnumerationResults ServiceEndpoint="${escapeXml(endpoint)}" ContainerName="${escapeXml(name)}">${askedXml(query)}` +
      `<Blobs>${parts.join('')}</Blobs><NextMarker>${escapeXml(marker ?? '')}</NextMarker></EnumerationResults>`,
  )
}

async function blobXml({ area }: ContainerDeps, name: string, blob: Upload): Promise<string> {
  await using file = await area.files.openForRead(blob.id)
  const { mtimeNs } = await file.stat({ bigint: true })
  const kind = uploadHeaders(blob)['x-ms-blob-type'] ?? 'BlockBlob'
  const members = {
    'Creation-Time': new Date(blob.createdMs).toUTCString(),
    'Last-Modified': new Date(Number(mtimeNs / 1_000_000n)).toUTCString(),
    Etag: etagOf(mtimeNs),
    'Content-Length': String(blob.sizeBytes),
    'Content-Type': blob.facts.contentType ?? 'application/octet-stream',
    BlobType: kind,
    LeaseStatus: 'unlocked',
    LeaseState: 'available',
  }
  const inner = Object.entries(members).map(([key, value]) => `<${key}>${escapeXml(value)}</${key}>`)
  return `<Blob><Name>${escapeXml(name)}</Name><Properties>${inner.join('')}</Properties>${metadataXml(blob.facts.metadata ?? {})}</Blob>`
}

function metadataXml(metadata: Readonly<Record<string, string>>): string {
  const inner = Object.entries(metadata)
    .filter(([key]) => /^[a-z_][\w.-]*$/i.test(key))
    .map(([key, value]) => `<${key}>${escapeXml(value)}</${key}>`)
  return inner.length === 0 ? '' : `<Metadata>${inner.join('')}</Metadata>`
}

function askedXml(query: URLSearchParams): string {
  const members = { prefix: 'Prefix', marker: 'Marker', maxresults: 'MaxResults', delimiter: 'Delimiter' }
  return Object.entries(members)
    .map(([key, tag]) => (query.has(key) ? `<${tag}>${escapeXml(query.get(key) ?? '')}</${tag}>` : ''))
    .join('')
}

async function sendXml(reply: FastifyReply, document: string): Promise<void> {
  await reply
    .code(200)
    .headers({ 'content-type': 'application/xml', 'x-ms-version': storageVersion })
    .send(`<?xml version="1.0" encoding="utf-8"?>${document}`)
}
