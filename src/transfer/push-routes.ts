import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Clock } from '../base/clock.ts'
import { isJsonObject } from '../base/json.ts'
import type { Logger } from '../base/logger.ts'
import { KiB, MiB } from '../base/units.ts'
import { parseJsonBody } from '../http/json-body.ts'
import type { Authenticator } from '../identity/authenticator.ts'
import type { Authorizer } from '../identity/authorizer.ts'
import type { DiskStores, EncodedFrame, LeafPage } from '../store/disk-store.ts'
import { leavesPerPage, pageCount } from '../store/disk-tree.ts'
import type { AddressSigner } from './address-signer.ts'
import { signBlobAddress } from './blob-routes.ts'
import { isStorageClass } from '../store/disk-store.ts'
import { diskThing, openDisk, parseDiskName } from './disk-routes.ts'
import { transferProblems } from './problems.ts'
import type { PushSessions } from './push-sessions.ts'
import { streamOut } from './readable-bytes.ts'
import { decodeRecords, encodeEnd, encodeFrame, encodePage } from '../store/exchange-records.ts'
import { headerOf, rawTargetOf, readSmallBody } from './request-facts.ts'
import type { Upload } from './upload.rows.ts'

export interface PushRouteDeps {
  readonly clock: Clock
  readonly logger: Logger
  readonly signer: AddressSigner
  readonly pushes: PushSessions
  readonly stores: DiskStores
  readonly authenticate: Authenticator
  readonly authorize: Authorizer
  readonly baseUrlOf: (request: FastifyRequest) => string
  readonly defaultSubscriptionId: string
}

const jsonLimitBytes = 64 * KiB
/** Names of one question: 2 MiB of names, 4 GiB of disk. */
const namesLimitBytes = 2 * MiB
/** Frames of one request; the client sends about 8 MiB. */
const framesLimitBytes = 64 * MiB
const pushPath = '/goldleaf/v1/pushes'

function pushUri(baseUrl: string, id: string): string {
  return `${baseUrl}${pushPath}/${id}`
}

/** The chunk exchange, version 1 (docs/design/transfer.md). */
export function registerPushRoutes(scope: FastifyInstance, deps: PushRouteDeps): void {
  type Call = (request: FastifyRequest, reply: FastifyReply, push: Upload) => Promise<void>
  const onPush = (call: Call) => async (request: FastifyRequest<{ Params: { id: string } }>, reply: FastifyReply) => {
    // Who calls comes first: a stranger must not learn which pushes there are.
    const caller = await deps.authenticate(request.headers.authorization)
    const push = await deps.pushes.get(request.params.id)
    await deps.authorize(caller, 'Goldleaf/pushes/write', `/subscriptions/${push.subscriptionId}`)
    await call(request, reply, push)
    return reply
  }
  scope.post(pushPath, async (request, reply) => {
    await createPush(request, reply, deps)
    return reply
  })
  scope.post('/goldleaf/v1/blob-addresses', async (request, reply) => {
    await createBlobAddress(request, reply, deps)
    return reply
  })
  scope.get(
    `${pushPath}/:id`,
    onPush(async (request, reply, push) => void (await reply.send(showPush(push, deps.baseUrlOf(request))))),
  )
  scope.delete(
    `${pushPath}/:id`,
    onPush(async (_request, reply, push) => {
      await deps.pushes.abandon(push)
      await reply.code(204).send()
    }),
  )
  scope.post(
    `${pushPath}/:id/missing`,
    onPush(async (request, reply, push) => {
      const names = await readSmallBody(request.raw, namesLimitBytes, 'A list of names')
      if (names.length % 32 !== 0) throw transferProblems.InvalidBody({ reason: 'names have 32 bytes each.' })
      const indexes = Uint32Array.from(await deps.pushes.missing(push, names))
      await reply.type('application/octet-stream').send(Buffer.from(indexes.buffer))
    }),
  )
  scope.post(
    `${pushPath}/:id/frames`,
    onPush(async (request, reply, push) => {
      await reply.send(await deps.pushes.putFrames(push, framesOf(limited(request))))
    }),
  )
  scope.post(
    `${pushPath}/:id/finish`,
    onPush(async (request, reply, push) => {
      const pages = pagesOf(request.raw.iterator({ destroyOnReturn: false }), push.sizeBytes)
      const done = await deps.pushes.finish(push, pages, headerOf(request, 'x-goldleaf-root'))
      // What a repeated finish did not read is let go.
      request.raw.resume()
      await reply.send(showPush(done, deps.baseUrlOf(request)))
    }),
  )
  scope.get('/goldleaf/v1/disks/:region/:class/:root/pages', (request, reply) =>
    sendDisk(request, reply, deps, 'pages'),
  )
  scope.get('/goldleaf/v1/disks/:region/:class/:root/content', (request, reply) =>
    sendDisk(request, reply, deps, 'content'),
  )
}

async function createPush(request: FastifyRequest, reply: FastifyReply, deps: PushRouteDeps): Promise<void> {
  const caller = await deps.authenticate(request.headers.authorization)
  const body = await readJson(request)
  const { subscriptionId = deps.defaultSubscriptionId, region, storageClass = 'Standard_LRS', virtualSizeBytes } = body
  if (typeof subscriptionId !== 'string' || typeof region !== 'string' || typeof virtualSizeBytes !== 'number')
    throw transferProblems.InvalidBody({ reason: 'it needs subscriptionId, region and virtualSizeBytes.' })
  if (typeof storageClass !== 'string' || !isStorageClass(storageClass))
    throw transferProblems.InvalidBody({ reason: 'storageClass is Standard_LRS, Standard_ZRS or Premium_LRS.' })
  await deps.authorize(caller, 'Goldleaf/pushes/write', `/subscriptions/${subscriptionId}`)
  const push = await deps.pushes.create({ subscriptionId, region, storageClass, virtualSizeBytes })
  await reply.code(201).send(showPush(push, deps.baseUrlOf(request)))
}

function showPush(push: Upload, baseUrl: string) {
  const { id, subscriptionId, region, storageClass, state, root, sizeBytes, expiresMs } = push
  const expiresOn = expiresMs === undefined ? undefined : new Date(expiresMs).toISOString()
  const uri = pushUri(baseUrl, id)
  return { id, uri, subscriptionId, region, storageClass, state, root, virtualSizeBytes: sizeBytes, expiresOn }
}

/** `{account, container, blob, right, seconds}` -> a signed address of that blob. */
async function createBlobAddress(request: FastifyRequest, reply: FastifyReply, deps: PushRouteDeps): Promise<void> {
  const caller = await deps.authenticate(request.headers.authorization)
  const { account, container, blob, right = 'write', seconds = 3600 } = await readJson(request)
  if (typeof account !== 'string' || typeof container !== 'string' || typeof blob !== 'string')
    throw transferProblems.InvalidBody({ reason: 'it needs account, container and blob.' })
  if (
    (right !== 'read' && right !== 'write') ||
    typeof seconds !== 'number' ||
    !(seconds > 0 && seconds <= 30 * 86_400)
  )
    throw transferProblems.InvalidBody({ reason: "right is 'read' or 'write', seconds up to 30 days." })
  const action = 'Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action'
  await deps.authorize(caller, action, `/subscriptions/${deps.defaultSubscriptionId}`)
  const expiresMs = deps.clock.now() + seconds * 1000
  const signed = signBlobAddress(deps.signer, {
    account,
    container,
    blob,
    right,
    expiresMs,
    baseUrl: deps.baseUrlOf(request),
  })
  await reply.code(201).send({ ...signed, expiresOn: new Date(expiresMs).toISOString() })
}

async function readJson(request: FastifyRequest) {
  const text = (await readSmallBody(request.raw, jsonLimitBytes, 'A request')).toString('utf8')
  const body = parseJsonBody(text)
  if (!isJsonObject(body)) throw transferProblems.InvalidBody({ reason: 'it is not a JSON object.' })
  return body
}

async function* limited(request: FastifyRequest): AsyncGenerator<Uint8Array> {
  const tooLarge = (givenBytes?: number) =>
    transferProblems.RequestBodyTooLarge({ what: 'A batch of frames', limitBytes: framesLimitBytes, givenBytes })
  const announced = Number(request.headers['content-length'] ?? 0)
  if (announced > framesLimitBytes) throw tooLarge(announced)
  let bytes = 0
  for await (const part of request.raw.iterator({ destroyOnReturn: false })) {
    bytes += part.length
    if (bytes > framesLimitBytes) throw tooLarge()
    yield part as Uint8Array
  }
}

async function* framesOf(body: AsyncIterable<Uint8Array>): AsyncGenerator<EncodedFrame> {
  for await (const record of decodeRecords(body)) {
    if (record.kind === 'page') throw transferProblems.InvalidBody({ reason: 'only frames are expected here.' })
    if (record.kind === 'frame') yield record.frame
  }
}

/** Pages ascend and lie within the disk: what comes from outside is checked before the store sees it. */
async function* pagesOf(body: AsyncIterable<Uint8Array>, virtualSizeBytes: number): AsyncGenerator<LeafPage> {
  const count = pageCount(virtualSizeBytes)
  let last = -1
  for await (const record of decodeRecords(body)) {
    if (record.kind === 'frame') throw transferProblems.InvalidBody({ reason: 'only pages are expected here.' })
    if (record.kind === 'end') continue
    if (record.page.index <= last || record.page.index >= count)
      throw transferProblems.InvalidBody({ reason: `page ${record.page.index} is out of order or beyond the disk.` })
    last = record.page.index
    yield record.page
  }
}

type DiskRequest = FastifyRequest<{ Params: { region: string; class: string; root: string } }>

/** Pull: the leaf pages of a disk, alone or each followed by its frames. By the signed address of that disk only. */
async function sendDisk(
  request: FastifyRequest,
  reply: FastifyReply,
  deps: PushRouteDeps,
  what: 'pages' | 'content',
): Promise<FastifyReply> {
  const { params } = request as DiskRequest
  const { query } = rawTargetOf(request)
  const name = parseDiskName(params.region, params.class, params.root)
  await deps.signer.check(diskThing(name), 'read', query)
  const from = Number(query.get('from') ?? 0)
  if (!Number.isSafeInteger(from) || from < 0)
    throw transferProblems.InvalidUri({ reason: "'from' is the number of a page." })
  await using disk = await openDisk(deps.stores, name)
  const store = deps.stores.store(name.region, name.storageClass)
  const headers = {
    'content-type': 'application/octet-stream',
    'x-goldleaf-root': name.root,
    'x-goldleaf-virtual-size': String(disk.virtualSizeBytes),
  }
  const body = async function* (signal: AbortSignal): AsyncGenerator<Uint8Array> {
    let count = 0
    for await (const page of store.leafPages(name.root)) {
      if (page.index < from) continue
      yield encodePage(page)
      count += 1
      if (what === 'pages') continue
      for (const names of namesOf(page)) {
        const frames = await store.readFrames(names, signal)
        count += frames.length
        yield Buffer.concat(frames.map(encodeFrame))
      }
    }
    yield encodeEnd(count)
  }
  await streamOut(request, reply, 200, headers, body, deps.logger)
  return reply
}

const namesPerRead = 32

/** The distinct frames of a page in the order of their first place, in groups. */
function* namesOf({ leaves }: LeafPage): Generator<Uint8Array[]> {
  const seen = new Set<string>(['0'.repeat(64)])
  let group: Uint8Array[] = []
  for (let leaf = 0; leaf < leavesPerPage; leaf++) {
    const name = leaves.subarray(leaf * 32, leaf * 32 + 32)
    const key = Buffer.from(name.buffer, name.byteOffset, 32).toString('hex')
    if (seen.has(key)) continue
    seen.add(key)
    group.push(name)
    if (group.length < namesPerRead) continue
    yield group
    group = []
  }
  if (group.length > 0) yield group
}
