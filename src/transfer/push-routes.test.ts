import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { randomBytes } from '../base/random.ts'
import { MiB } from '../base/units.ts'
import { frameSizeBytes } from '../store/disk-store.ts'
import { encodeEnd, encodeFrame } from '../store/exchange-records.ts'
import { nameOf } from '../store/frame-name.ts'
import { startTransferServer, subscriptionId, token, type TransferServer } from './transfer-server.fixture.ts'

const auth = { authorization: `Bearer ${token}` }
const region = 'westeurope'

suite('chunk exchange', () => {
  let server: TransferServer
  before(async () => {
    server = await startTransferServer()
  })
  after(async () => {
    await server[Symbol.asyncDispose]()
  })
  const post = (path: string, body: Uint8Array | object) =>
    fetch(`${server.url}/goldleaf/v1/${path}`, {
      method: 'POST',
      headers: auth,
      body: body instanceof Uint8Array ? Buffer.from(body) : JSON.stringify(body),
    })
  const begin = async (): Promise<string> => {
    const made = await post('pushes', { subscriptionId, region, virtualSizeBytes: MiB })
    assert.equal(made.status, 201)
    return ((await made.json()) as { id: string }).id
  }

  test('what lies is refused: frames, pages, sizes, names, cut streams', async () => {
    const id = await begin()
    const bytes = Buffer.alloc(frameSizeBytes, 1)
    const lie = encodeFrame({ name: nameOf(Buffer.alloc(frameSizeBytes, 2)), codec: 'raw', bytes })
    const good = encodeFrame({ name: nameOf(bytes), codec: 'raw', bytes })
    const status = async (path: string, body: Uint8Array | object) => (await post(path, body)).status
    assert.equal(await status(`pushes/${id}/frames`, Buffer.concat([lie, encodeEnd(1)])), 400)
    assert.equal(await status(`pushes/${id}/frames`, good), 400, 'no end')
    assert.equal(await status(`pushes/${id}/frames`, Buffer.concat([good, encodeEnd(2)])), 400)
    assert.equal(await status(`pushes/${id}/frames`, Buffer.from('hello')), 400)
    assert.equal(await status(`pushes/${id}/missing`, Buffer.alloc(33)), 400)
    assert.equal(await status('pushes', { subscriptionId, region, virtualSizeBytes: 1000 }), 400)
    assert.equal(await status('pushes', { subscriptionId, region: 'nowhere', virtualSizeBytes: MiB }), 400)
    assert.equal(await status('pushes', { subscriptionId: 'other', region, virtualSizeBytes: MiB }), 403)
    assert.equal(await status('pushes/none/missing', Buffer.alloc(32)), 404)
    const stranger = await fetch(`${server.url}/goldleaf/v1/pushes/${id}`)
    assert.equal(stranger.status, 401)
  })

  test('a push is finished only with all of its frames, and then is a source', async () => {
    const id = await begin()
    const uri = `${server.url}/goldleaf/v1/pushes/${id}`
    const bytes = Buffer.from(randomBytes(frameSizeBytes))
    const name = nameOf(bytes)
    const missing = await post(`pushes/${id}/missing`, Buffer.concat([name]))
    assert.deepEqual(Buffer.from(await missing.arrayBuffer()), Buffer.alloc(4))
    const leaves = Buffer.alloc(8192)
    leaves.set(name, 32)
    const page = Buffer.concat([Buffer.from([0x50, 0, 0, 0, 0]), leaves, encodeEnd(1)])
    const early = await post(`pushes/${id}/finish`, page)
    assert.deepEqual(
      [early.status, ((await early.json()) as { error: { code: string } }).error.code],
      [409, 'FramesMissing'],
    )
    await assert.rejects(server.transfer.findBlob(uri, [server.url]), { code: 'UploadOpen' })
    const put = await post(
      `pushes/${id}/frames`,
      Buffer.concat([encodeFrame({ name, codec: 'raw', bytes }), encodeEnd(1)]),
    )
    assert.equal(put.status, 200)
    const beyond = Buffer.concat([Buffer.from([0x50, 1, 0, 0, 0]), leaves, encodeEnd(1)])
    assert.equal((await post(`pushes/${id}/finish`, beyond)).status, 400)
    const done = (await (await post(`pushes/${id}/finish`, page)).json()) as { root: string; state: string }
    assert.equal(done.state, 'complete')
    assert.equal(
      ((await (await post(`pushes/${id}/finish`, page)).json()) as { root: string }).root,
      done.root,
      'again',
    )
    const found = await server.transfer.findBlob(uri, [server.url])
    assert.deepEqual(found.place, { kind: 'stored', region, storageClass: 'Standard_LRS', root: done.root })
    await using disk = await server.stores.store(region, 'Standard_LRS').open(done.root)
    assert.deepEqual(Buffer.from(await disk.read(frameSizeBytes, frameSizeBytes)), bytes)
  })
})
