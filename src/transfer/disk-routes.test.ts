import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { AnonymousCredential, PageBlobClient } from '@azure/storage-blob'
import { MiB } from '../base/units.ts'
import { openDiskImage } from '../blocks/open-disk-image.ts'
import type { DiskStores } from '../store/disk-store.ts'
import { FrameCorrupt } from '../store/errors.ts'
import { signDiskAddress, signLogAddress } from './disk-routes.ts'
import { startTransferServer, type TransferServer } from './transfer-server.fixture.ts'

const sizeBytes = 24 * MiB
const raw = Buffer.alloc(sizeBytes)
raw.fill(0x5a, 5 * MiB + 4096, 7 * MiB)
raw.fill('end', sizeBytes - 70_000)

suite('downloads of stored disks', () => {
  let server: TransferServer
  let root = ''
  let corrupt = false
  const address = (format: 'raw' | 'vhd' = 'raw', region = 'westeurope') =>
    signDiskAddress(
      server.transfer.signer,
      { region, storageClass: 'Standard_LRS', root },
      { format, expiresMs: Date.now() + 60_000, baseUrl: server.url },
    )
  before(async () => {
    server = await startTransferServer({
      wrapStores: (stores) => corrupting(stores, () => corrupt),
      findLog: async (name) => (name === 'vm/1' ? { path: join(server.folder, 'serial.log') } : undefined),
    })
    const path = join(server.folder, 'disk.raw')
    await writeFile(path, raw)
    const stored = await server.stores.store('westeurope', 'Standard_LRS').ingest({ path, format: 'raw' })
    root = stored.root
  })
  after(async () => {
    await server[Symbol.asyncDispose]()
  })

  test('raw and fixed VHD, whole and by ranges, also over the footer', async () => {
    const whole = await fetch(address().uri)
    assert.equal(whole.headers.get('etag'), `"${root}"`)
    assert.deepEqual(Buffer.from(await whole.arrayBuffer()), raw)
    const vhd = Buffer.from(await (await fetch(address('vhd').uri)).arrayBuffer())
    assert.deepEqual(vhd.subarray(0, sizeBytes), raw)
    const path = join(server.folder, 'back.vhd')
    await writeFile(path, vhd)
    await using image = await openDiskImage(path)
    assert.deepEqual([image.format, image.virtualSizeBytes], ['vhd-fixed', sizeBytes])
    for (const [start, end] of [
      [0, 1],
      [5 * MiB + 4095, 5 * MiB + 4097],
      [sizeBytes - 100, sizeBytes + 512],
      [sizeBytes + 10, sizeBytes + 20],
    ] as const) {
      const part = await fetch(address('vhd').uri, { headers: { range: `bytes=${start}-${end - 1}` } })
      assert.equal(part.status, 206)
      assert.equal(part.headers.get('content-range'), `bytes ${start}-${end - 1}/${vhd.length}`)
      assert.deepEqual(Buffer.from(await part.arrayBuffer()), vhd.subarray(start, end))
    }
    assert.equal((await fetch(address().uri, { headers: { range: `bytes=${sizeBytes}-` } })).status, 416)
    const head = await fetch(address().uri, { method: 'HEAD' })
    assert.deepEqual(
      [head.status, head.headers.get('content-length'), head.headers.get('accept-ranges')],
      [200, String(sizeBytes), 'bytes'],
    )
  })

  test('the official client reads it as a page blob, with its page ranges', async () => {
    const client = new PageBlobClient(address('vhd').uri, new AnonymousCredential())
    assert.deepEqual((await client.downloadToBuffer()).subarray(0, sizeBytes), raw)
    const ranges = (await client.getPageRanges()).pageRange ?? []
    assert.deepEqual(ranges[0], { offset: 5 * MiB, count: 2 * MiB - 1 })
    assert.equal(ranges.length, 2)
  })

  test('the signature is for one disk and reading; unknown disks and regions are not told apart from it', async () => {
    const { uri, grantId } = address()
    const status = async (url: string, init: RequestInit = {}) => (await fetch(url, init)).status
    assert.equal(await status(uri.replace(root, '0'.repeat(64))), 403)
    assert.equal(await status(uri.replace('Standard_LRS', 'Premium_LRS')), 403)
    assert.equal(await status(uri.split('?')[0] ?? ''), 403)
    assert.equal(await status(uri, { method: 'PUT', body: 'x' }), 404)
    const absent = signDiskAddress(
      server.transfer.signer,
      { region: 'westeurope', storageClass: 'Standard_LRS', root: '0'.repeat(64) },
      { format: 'raw', expiresMs: Date.now() + 60_000, baseUrl: server.url },
    )
    assert.equal(await status(absent.uri), 404)
    await server.transfer.diskBytes.revokeGrant(grantId, Date.now() + 60_000)
    assert.equal(await status(uri), 403)
  })

  test('bytes that cannot be verified cut the connection and are logged', async () => {
    corrupt = true
    try {
      const answer = await fetch(address().uri)
      assert.equal(answer.status, 200)
      await assert.rejects(answer.arrayBuffer())
      assert.match(server.errors.join(), /download cut/)
    } finally {
      corrupt = false
    }
  })

  test('a log by its signed address, with ranges', async () => {
    await writeFile(join(server.folder, 'serial.log'), 'Linux version 6\nlogin:')
    const { uri } = signLogAddress(server.transfer.signer, 'vm/1', {
      expiresMs: Date.now() + 60_000,
      baseUrl: server.url,
    })
    assert.equal(await (await fetch(uri)).text(), 'Linux version 6\nlogin:')
    assert.equal(await (await fetch(uri, { headers: { range: 'bytes=-6' } })).text(), 'login:')
    assert.equal((await fetch(uri.replace('vm%2F1', 'vm%2F2'))).status, 403)
  })
})

/** The stores, whose disks fail to verify beyond 6 MiB while `isCorrupt` says so. */
function corrupting(stores: DiskStores, isCorrupt: () => boolean): DiskStores {
  return {
    all: () => stores.all(),
    store(region, storageClass) {
      const store = stores.store(region, storageClass)
      const open: typeof store.open = async (root) => {
        const disk = await store.open(root)
        return {
          ...disk,
          async read(offset, length, signal) {
            if (isCorrupt() && offset + length > 6 * MiB) throw new FrameCorrupt('ab'.repeat(32))
            return await disk.read(offset, length, signal)
          },
        }
      }
      return { ...store, open }
    },
  }
}
