import assert from 'node:assert/strict'
import { request as httpRequest } from 'node:http'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { AnonymousCredential, BlockBlobClient, PageBlobClient } from '@azure/storage-blob'
import { fixedVhdFooter } from '../blocks/vhd-footer.ts'
import { MiB } from '../base/units.ts'
import {
  startTransferServer,
  subscriptionId,
  temporaryFolder,
  token,
  type TransferServer,
} from './transfer-server.fixture.ts'

const auth = { authorization: `Bearer ${token}` }
/** Its constructors are overloaded in a way that TypeScript only resolves with all arguments. */
const pageClient = (address: string) => new PageBlobClient(address, new AnonymousCredential())
const inAnHour = () => Date.now() + 3_600_000

suite('blobs', () => {
  let server: TransferServer
  before(async () => {
    server = await startTransferServer({ limits: { maxUploadBytes: 256 * MiB } })
  })
  after(async () => {
    await server[Symbol.asyncDispose]()
  })
  const url = (blob: string) => `${server.url}/blob/acct/images/${blob}`
  async function signed(blob: string, right: 'read' | 'write' = 'write'): Promise<string> {
    const answer = await fetch(`${server.url}/goldleaf/v1/blob-addresses`, {
      method: 'POST',
      headers: { ...auth, 'content-type': 'application/json' },
      body: JSON.stringify({ account: 'acct', container: 'images', blob, right }),
    })
    assert.equal(answer.status, 201)
    const { signedUri } = (await answer.json()) as { signedUri: string }
    return signedUri
  }

  test('the official client creates, writes, clears, reads and lists pages of a sparse page blob', async () => {
    const blob = pageClient(await signed('disk.vhd'))
    const size = 64 * MiB
    await blob.create(size)
    const page = Buffer.alloc(4 * MiB, 0xab)
    await blob.uploadPages(page, 8 * MiB, page.length)
    await blob.uploadPages(Buffer.alloc(MiB), 32 * MiB, MiB)
    await blob.clearPages(9 * MiB, MiB)
    const properties = await blob.getProperties()
    assert.equal(properties.contentLength, size)
    assert.equal(properties.blobType, 'PageBlob')
    const part = await blob.downloadToBuffer(8 * MiB - 512, 2 * MiB + 512)
    assert.deepEqual(part, Buffer.concat([Buffer.alloc(512), page.subarray(0, MiB), Buffer.alloc(MiB)]))
    const ranges = await blob.getPageRanges()
    assert.deepEqual(ranges.pageRange, [
      { offset: 8 * MiB, count: MiB - 1 },
      { offset: 10 * MiB, count: 2 * MiB - 1 },
    ])
    const row = await server.db
      .selectFrom('upload')
      .selectAll()
      .where('address', '=', 'acct/images/disk.vhd')
      .executeTakeFirstOrThrow()
    const { blocks } = await stat(server.transfer.area.files.dataPath(row.id))
    assert.ok(blocks * 512 <= 3 * MiB + 65_536, `${blocks} blocks`)
  })

  test('the official client uploads blocks, reads them back and deletes', async () => {
    const blob = new BlockBlobClient(await signed('a folder/blocks ü.bin'))
    const data = Buffer.alloc(3 * MiB + 17)
    for (let at = 0; at < data.length; at++) data[at] = at % 251
    await blob.uploadData(data, { blockSize: MiB, maxSingleShotSize: 1, concurrency: 3, metadata: { a: 'b' } })
    assert.deepEqual(await blob.downloadToBuffer(), data)
    assert.deepEqual((await blob.getProperties()).metadata, { a: 'b' })
    await blob.uploadData(Buffer.from('short'))
    assert.equal((await blob.downloadToBuffer()).toString(), 'short')
    await blob.delete()
    await assert.rejects(blob.getProperties(), { statusCode: 404 })
  })

  test('plain PUT and GET with a bearer token, ranges, conditions', async () => {
    const put = await fetch(url('plain'), { method: 'PUT', headers: auth, body: Buffer.from('0123456789') })
    assert.equal(put.status, 201)
    const etag = put.headers.get('etag') ?? ''
    const get = (headers: Record<string, string>) => fetch(url('plain'), { headers: { ...auth, ...headers } })
    const cases: [Record<string, string>, number, string][] = [
      [{}, 200, '0123456789'],
      [{ range: 'bytes=2-4' }, 206, '234'],
      [{ range: 'bytes=8-' }, 206, '89'],
      [{ range: 'bytes=-3' }, 206, '789'],
      [{ range: 'bytes=0-999' }, 206, '0123456789'],
      [{ range: 'bytes=2-4', 'if-range': '"other"' }, 200, '0123456789'],
      [{ range: 'bytes=2-4', 'if-range': etag }, 206, '234'],
      [{ 'if-none-match': etag }, 304, ''],
    ]
    for (const [headers, status, body] of cases) {
      const answer = await get(headers)
      assert.deepEqual([answer.status, await answer.text()], [status, body], JSON.stringify(headers))
    }
    for (const range of ['bytes=10-', 'bytes=4-2', 'bytes=1-2,5-6', 'lines=1-2', 'bytes=-']) {
      const answer = await get({ range })
      assert.equal(answer.status, 416, range)
      assert.equal(answer.headers.get('content-range'), 'bytes */10')
      await answer.body?.cancel()
    }
    assert.equal((await get({ 'if-match': '"x"' })).status, 412)
    const again = await fetch(url('plain'), { method: 'PUT', headers: { ...auth, 'if-none-match': '*' }, body: 'x' })
    assert.equal(again.status, 409)
    assert.match(await again.text(), /<Code>BlobAlreadyExists<\/Code>/)
    const damaged = await fetch(url('plain'), {
      method: 'PUT',
      headers: { ...auth, 'content-md5': 'AAAAAAAAAAAAAAAAAAAAAA==' },
      body: 'x',
    })
    assert.equal(damaged.headers.get('x-ms-error-code'), 'Md5Mismatch')
    assert.equal(await (await get({})).text(), '0123456789', 'a refused PUT changes nothing')
  })

  test('no credentials, a bad token, another scope, a reading address for writing, a revoked one: refused', async () => {
    const status = async (address: string, init: RequestInit = {}) => (await fetch(address, init)).status
    await fetch(url('secret'), { method: 'PUT', headers: auth, body: 'x' })
    const read = await signed('secret', 'read')
    assert.equal(await status(read), 200)
    assert.equal(await status(url('secret')), 401)
    assert.equal(await status(url('secret'), { headers: { authorization: 'Bearer bad' } }), 401)
    assert.equal(
      await status(url('secret'), { headers: { ...auth, 'x-goldleaf-subscription': 'other' } }),
      200,
      'it belongs to ours',
    )
    assert.equal(
      await status(url('new'), { method: 'PUT', body: 'x', headers: { ...auth, 'x-goldleaf-subscription': 'other' } }),
      403,
    )
    assert.equal(await status(read, { method: 'PUT', body: 'y' }), 403)
    assert.equal(await status(read.replace('/secret?', '/secret2?')), 403)
    assert.equal(await status(read.replace('sig=', 'sig=AA'), { headers: auth }), 403, 'a signature decides alone')
    await server.transfer.signer.revoke(new URL(read).searchParams.get('gi') ?? '', inAnHour())
    assert.equal(await status(read), 403)
  })

  test('names with path tricks are refused or only names', async () => {
    const raw = (path: string) =>
      new Promise<number>((resolve, reject) => {
        const { hostname, port } = new URL(server.url)
        httpRequest({ hostname, port, path, method: 'PUT', headers: { ...auth, 'content-length': 1 } }, (answer) => {
          answer.resume()
          resolve(answer.statusCode ?? 0)
        })
          .on('error', reject)
          .end('x')
      })
    for (const name of [
      '../../etc/passwd',
      'a/../b',
      '%2e%2e/x',
      'a/%2e%2e/%2e%2e/b',
      '..%2fx',
      'a%5c..%5cb',
      'a%00b',
      '%zz',
      '',
    ])
      assert.equal(await raw(`/blob/acct/images/${name}`), 400, name)
    assert.equal(await raw('/blob/../images/x'), 400)
    assert.equal(await raw('/blob/acct/im..ages/x'), 400)
    assert.equal(await raw('/disk-upload/../../x'), 404)
    assert.equal(await raw('/blob/acct/images/a%2fb'), 201)
    assert.equal(
      await (await fetch(url('a/b'), { headers: auth })).text(),
      'x',
      'an encoded slash is a slash of the name',
    )
    for (const entry of await readdir(join(server.folder, 'uploads'))) assert.match(entry, /^[0-9a-f-]{36}$/)
  })

  test('bodies over the limit are refused before they are read', async () => {
    const { hostname, port } = new URL(server.url)
    const status = (path: string, headers: Record<string, string | number>) =>
      new Promise<number>((resolve, reject) => {
        const call = httpRequest(
          { hostname, port, path, method: 'PUT', headers: { ...auth, ...headers } },
          (answer) => {
            answer.resume()
            resolve(answer.statusCode ?? 0)
            call.destroy()
          },
        )
        call.on('error', reject)
        call.flushHeaders()
      })
    assert.equal(await status('/blob/acct/images/big', { 'content-length': 257 * MiB }), 413)
    assert.equal(
      await status('/blob/acct/images/big', {
        'content-length': 0,
        'x-ms-blob-type': 'PageBlob',
        'x-ms-blob-content-length': 257 * MiB,
      }),
      413,
    )
    assert.equal(await status('/blob/acct/images/big?comp=block&blockid=AAAA', { 'content-length': 4001 * MiB }), 413)
    await pageClient(await signed('pages')).create(8 * MiB)
    const page = { 'x-ms-page-write': 'update' }
    assert.equal(
      await status('/blob/acct/images/pages?comp=page', {
        ...page,
        'x-ms-range': 'bytes=0-8388607',
        'content-length': 8 * MiB,
      }),
      413,
    )
    assert.equal(
      await status('/blob/acct/images/pages?comp=page', {
        ...page,
        'x-ms-range': 'bytes=0-511',
        'content-length': 5 * MiB,
      }),
      413,
    )
    assert.equal(
      await status('/blob/acct/images/pages?comp=page', {
        ...page,
        'x-ms-range': 'bytes=1-511',
        'content-length': 511,
      }),
      416,
    )
    assert.equal(
      await status('/blob/acct/images/pages?comp=page', {
        ...page,
        'x-ms-range': 'bytes=8388608-8389119',
        'content-length': 512,
      }),
      416,
    )
  })

  test('a broken PUT leaves nothing behind, and a list of unknown blocks makes no blob', async () => {
    const { hostname, port } = new URL(server.url)
    const before = (await readdir(join(server.folder, 'uploads'))).length
    await new Promise<void>((resolve) => {
      const call = httpRequest({
        hostname,
        port,
        path: '/blob/acct/images/broken',
        method: 'PUT',
        headers: { ...auth, 'content-length': MiB },
      })
      call.on('error', () => resolve()).on('close', () => resolve())
      call.write(Buffer.alloc(1000, 1), () => call.destroy())
    })
    for (let tries = 0; tries < 100 && (await readdir(join(server.folder, 'uploads'))).length > before; tries++)
      await new Promise((resolve) => setTimeout(resolve, 10))
    assert.equal((await readdir(join(server.folder, 'uploads'))).length, before)
    assert.equal((await fetch(url('broken'), { headers: auth })).status, 404)
    const list = await fetch(`${url('broken')}?comp=blocklist`, {
      method: 'PUT',
      headers: auth,
      body: '<?xml version="1.0"?><BlockList><Latest>QUFB</Latest></BlockList>',
    })
    assert.deepEqual([list.status, list.headers.get('x-ms-error-code')], [400, 'InvalidBlockList'])
  })

  test('a source uri is ours or refused with the reason', async () => {
    const vhd = Buffer.concat([
      Buffer.alloc(MiB, 3),
      fixedVhdFooter(MiB, { uniqueId: Buffer.alloc(16), timestampMs: Date.now() }),
    ])
    await fetch(url('ok.vhd'), { method: 'PUT', headers: auth, body: vhd })
    await fetch(url('cut.vhd'), { method: 'PUT', headers: auth, body: vhd.subarray(4096) })
    const { transfer } = server
    const found = await transfer.findBlob(url('ok.vhd'), ['https://elsewhere', server.url])
    assert.deepEqual([found.place.kind, found.virtualSizeBytes, found.subscriptionId], ['file', MiB, subscriptionId])
    await assert.rejects(transfer.findBlob(url('cut.vhd'), [server.url]))
    await assert.rejects(transfer.findBlob(url('none.vhd'), [server.url]), { code: 'BlobNotFound' })
    await assert.rejects(
      transfer.findBlob('https://acct.blob.core.windows.net/c/b.vhd', [server.url]),
      /not supported.*upload/,
    )
    await assert.rejects(
      transfer.findBlob('http://169.254.169.254/blob/acct/images/ok.vhd', [server.url]),
      /not supported/,
    )
    await assert.rejects(transfer.findBlob('/etc/passwd', [server.url]), /not valid/)
    await assert.rejects(transfer.findBlob(`${server.url}/disk/x`, [server.url]), /not valid/)
  })

  const refusals: readonly (readonly [why: string, query: string, headers: Record<string, string>, code: string])[] = [
    ['a blob of no type', '', { 'x-ms-blob-type': 'RopeBlob' }, 'InvalidHeaderValue'],
    ['a page blob without size', '', { 'x-ms-blob-type': 'PageBlob' }, 'MissingRequiredHeader'],
    ['a block without a proper id', '?comp=block&blockid=%23', {}, 'InvalidBlockId'],
    ['a list that is none', '?comp=blocklist', {}, 'InvalidXmlDocument'],
    ['a page of a block blob', '?comp=page', { 'x-ms-page-write': 'update', range: 'bytes=0-511' }, 'InvalidBlobType'],
  ]
  test('what is no blob is refused in the words of Azure Storage, and the old one stays', async () => {
    assert.equal((await fetch(url('refusals'), { method: 'PUT', headers: auth, body: 'whole' })).status, 201)
    for (const [why, query, headers, code] of refusals) {
      const sent = { method: 'PUT', headers: { ...auth, ...headers }, body: 'x' }
      const answer = await fetch(url('refusals') + query, sent)
      assert.equal(answer.headers.get('x-ms-error-code'), code, `${why}: ${await answer.text()}`)
    }
    assert.equal(await (await fetch(url('refusals'), { headers: auth })).text(), 'whole')
  })
})

test('after a restart every acknowledged blob and block is there; abandoned ones are swept', async () => {
  await using folder = await temporaryFolder()
  const path = (server: TransferServer, blob: string) => `${server.url}/blob/acct/images/${blob}`
  {
    await using server = await startTransferServer({ folder: folder.path })
    await fetch(path(server, 'whole'), { method: 'PUT', headers: auth, body: 'whole' })
    const block = await fetch(`${path(server, 'parts')}?comp=block&blockid=QUFB`, {
      method: 'PUT',
      headers: auth,
      body: 'part',
    })
    assert.equal(block.status, 201)
    assert.equal((await fetch(path(server, 'parts'), { headers: auth })).status, 404)
  }
  await using server = await startTransferServer({ folder: folder.path })
  assert.equal(await (await fetch(path(server, 'whole'), { headers: auth })).text(), 'whole')
  const body = '<BlockList><Uncommitted>QUFB</Uncommitted></BlockList>'
  const list = await fetch(`${path(server, 'parts')}?comp=blocklist`, { method: 'PUT', headers: auth, body })
  assert.equal(list.status, 201)
  assert.equal(await (await fetch(path(server, 'parts'), { headers: auth })).text(), 'part')
  await fetch(`${path(server, 'left')}?comp=block&blockid=QUFB`, { method: 'PUT', headers: auth, body: 'part' })
  await server.transfer.sweep(Date.now())
  assert.equal((await readdir(join(folder.path, 'uploads'))).length, 3)
  await server.transfer.sweep(Date.now() + 8 * 86_400_000)
  assert.equal((await readdir(join(folder.path, 'uploads'))).length, 2)
})
