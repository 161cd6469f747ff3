import assert from 'node:assert/strict'
import { request as httpRequest } from 'node:http'
import { stat } from 'node:fs/promises'
import { test } from 'node:test'
import { AnonymousCredential, PageBlobClient } from '@azure/storage-blob'
import { MiB } from '../base/units.ts'
import { fixedVhdFooter } from '../blocks/vhd-footer.ts'
import { startTransferServer, subscriptionId, temporaryFolder, type TransferServer } from './transfer-server.fixture.ts'

const inAnHour = () => Date.now() + 3_600_000
const diskBytes = 16 * MiB
function makeVhd(): Buffer {
  const data = Buffer.alloc(diskBytes)
  for (let at = 3 * MiB; at < 4 * MiB; at++) data[at] = (at * 7) % 253
  data.write('boot', 0)
  return Buffer.concat([data, fixedVhdFooter(diskBytes, { uniqueId: Buffer.alloc(16, 9), timestampMs: Date.now() })])
}
const vhd = makeVhd()

async function begin(server: TransferServer, key = '/subscriptions/s/…/disks/d1') {
  const { diskBytes: bytes } = server.transfer
  await bytes.createUpload({ key, subscriptionId, sizeBytes: vhd.length })
  const request = { key, baseUrl: server.url, expiresMs: inAnHour() }
  return { bytes, key, request, write: await bytes.writeAddress(request) }
}
const put = (url: string, body: Uint8Array | undefined, headers: Record<string, string> = {}) =>
  fetch(url, { method: 'PUT', headers, ...(body ? { body: Buffer.from(body) } : {}) })
const slice = (start: number, end: number) => ({ 'content-range': `bytes ${start}-${end - 1}/${vhd.length}` })

test('a disk is uploaded page by page by the official client, stays sparse, and is finished', async () => {
  await using server = await startTransferServer()
  const { bytes, key, write, request } = await begin(server)
  const client = new PageBlobClient(write, new AnonymousCredential())
  assert.equal((await client.getProperties()).contentLength, vhd.length)
  for (const [start, end] of [
    [0, 512],
    [3 * MiB, 4 * MiB],
    [diskBytes, vhd.length],
  ] as const)
    await client.uploadPages(vhd.subarray(start, end), start, end - start)
  const read = new PageBlobClient(await bytes.readAddress(request), new AnonymousCredential())
  assert.deepEqual(await read.downloadToBuffer(), vhd)
  await assert.rejects(read.uploadPages(vhd, 0, 512), { statusCode: 403 })
  await assert.rejects(client.delete(), { statusCode: 405 })
  const finished = await bytes.finish(key)
  assert.deepEqual([finished.format, finished.virtualSizeBytes], ['vhd-fixed', diskBytes])
  assert.ok((await stat(finished.path)).blocks * 512 < 2 * MiB)
  assert.equal((await bytes.describe(key))?.state, 'complete')
  assert.equal((await fetch(write)).status, 403, 'finishing takes the addresses back')
  assert.equal((await fetch(await bytes.readAddress(request))).status, 200)
  await bytes.remove(key)
  assert.equal(await bytes.describe(key), undefined)
  await assert.rejects(stat(finished.path))
})

test('a disk is uploaded by one plain PUT; one that is no VHD, short or long is refused', async () => {
  await using server = await startTransferServer()
  const { bytes, key, write } = await begin(server)
  assert.equal((await put(write, vhd.subarray(512))).status, 400)
  assert.equal((await put(write, Buffer.concat([vhd, Buffer.alloc(512)]))).status, 413)
  await assert.rejects(bytes.finish(key), { code: 'InvalidVhd' })
  const again = await begin(server)
  assert.equal((await put(again.write, vhd)).status, 201)
  assert.equal((await bytes.finish(key)).virtualSizeBytes, diskBytes)
  await assert.rejects(bytes.writeAddress(again.request), { code: 'UploadClosed' })
})

test('addresses of a disk are revoked and expire; one of another disk does not fit', async () => {
  let skew = 0
  const clock = { now: () => Date.now() + skew, sleep: async () => undefined }
  await using server = await startTransferServer({ clock })
  const one = await begin(server, 'one')
  const two = await begin(server, 'two')
  assert.equal((await fetch(one.write)).status, 200)
  const forged = new URL(one.write)
  forged.pathname = new URL(two.write).pathname
  assert.equal((await fetch(forged)).status, 403)
  await one.bytes.revoke('one')
  assert.equal((await fetch(one.write)).status, 403)
  assert.equal((await fetch(two.write)).status, 200)
  skew = 7_200_000
  assert.equal((await fetch(two.write)).status, 403)
})

test('a broken PUT keeps what arrived; it is asked for and resumed, also after a restart', async () => {
  await using folder = await temporaryFolder()
  let path = ''
  {
    await using server = await startTransferServer({ folder: folder.path })
    const { write } = await begin(server)
    path = write.slice(server.url.length)
    assert.equal((await put(write, vhd.subarray(0, MiB), slice(0, MiB))).status, 202)
    const gap = await put(write, vhd.subarray(2 * MiB, 3 * MiB), slice(2 * MiB, 3 * MiB))
    assert.deepEqual([gap.status, gap.headers.get('x-ms-error-code')], [416, 'InvalidContentRange'])
    await new Promise<void>((resolve) => {
      const { hostname, port } = new URL(server.url)
      const headers = { ...slice(MiB, vhd.length), 'content-length': vhd.length - MiB }
      const call = httpRequest({ hostname, port, path, method: 'PUT', headers })
      call.on('error', () => undefined).on('close', () => resolve())
      call.write(vhd.subarray(MiB, 2 * MiB + 100), () => setTimeout(() => call.destroy(), 50))
    })
  }
  await using server = await startTransferServer({ folder: folder.path })
  const write = server.url + path
  const ask = await put(write, undefined, { 'content-range': `bytes */${vhd.length}` })
  assert.equal(ask.status, 202)
  const next = Number(ask.headers.get('x-goldleaf-received-bytes'))
  assert.ok(next >= MiB && next <= 2 * MiB + 100, String(next))
  assert.equal(ask.headers.get('range'), `bytes=0-${next - 1}`)
  await assert.rejects(server.transfer.diskBytes.finish('/subscriptions/s/…/disks/d1'), { code: 'UploadIncomplete' })
})

test('an upload in flight is cut by its revocation', async () => {
  await using server = await startTransferServer()
  const { bytes, key, write } = await begin(server)
  const { hostname, port, pathname, search } = new URL(write)
  const cut = new Promise<string>((resolve) => {
    const call = httpRequest({
      hostname,
      port,
      path: pathname + search,
      method: 'PUT',
      headers: { 'content-length': vhd.length },
    })
    call.on('error', () => resolve('cut')).on('response', (answer) => resolve(String(answer.statusCode)))
    call.write(vhd.subarray(0, MiB), () => setTimeout(() => void bytes.revoke(key), 30))
  })
  assert.match(await cut, /cut|403/)
})
