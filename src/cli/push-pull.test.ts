import assert from 'node:assert/strict'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { MiB } from '../base/units.ts'
import { openDiskImage } from '../blocks/open-disk-image.ts'
import { readGuestData } from '../blocks/guest-data.ts'
import { writeDiskImage } from '../blocks/write-disk-image.ts'
import { signDiskAddress } from '../transfer/disk-routes.ts'
import {
  startTransferServer,
  subscriptionId,
  temporaryFolder,
  token,
  type TransferServer,
} from '../transfer/transfer-server.fixture.ts'
import { createHttpTransport, type HttpTransport } from './http-transport.ts'
import { pullImage } from './pull-image.ts'
import { pushImage } from './push-image.ts'

const virtualSizeBytes = 40 * MiB + 512 * 3
const guest = Buffer.alloc(virtualSizeBytes)
/** Not compressible, so that the connection is broken in the middle of it. */
for (let at = 2 * MiB; at < 10 * MiB; at += 4) guest.writeUInt32LE(Math.imul(at, 2_654_435_761) >>> 0, at)
guest.fill('text ', 33 * MiB, 35 * MiB)
guest.write('the end', virtualSizeBytes - 7)

async function* pieces() {
  for (let at = 0; at < guest.length; at += 100_000) yield { offset: at, bytes: guest.subarray(at, at + 100_000) }
}
async function guestOf(path: string): Promise<Buffer> {
  await using image = await openDiskImage(path)
  const all = Buffer.alloc(image.virtualSizeBytes)
  for await (const { offset, bytes } of readGuestData(image)) all.set(bytes, offset)
  return all
}
const push = (file: string, endpoint: string, transport: HttpTransport) =>
  pushImage({ file, endpoint, transport, token: async () => token, subscriptionId, region: 'westeurope' })
const addressOf = (server: TransferServer, root: string, baseUrl = server.url) =>
  signDiskAddress(
    server.transfer.signer,
    { region: 'westeurope', storageClass: 'Standard_LRS', root },
    { format: 'vhd', expiresMs: Date.now() + 60_000, baseUrl },
  ).uri

/** A network between client and server: some connections break after a number of bytes, and the server may move. */
async function startNetwork(to: () => string) {
  let breakAfter = Number.POSITIVE_INFINITY
  let breaks = 0
  let broken = 0
  const sockets = new Set<Socket>()
  const proxy = createServer((client) => {
    const { hostname, port } = new URL(to())
    const server = connect(Number(port), hostname)
    let passed = 0
    const end = (): void => void (client.destroy(), server.destroy())
    const pass = (from: Socket, into: Socket): void => {
      sockets.add(from)
      from.on('error', end).on('close', () => (sockets.delete(from), end()))
      from.on('data', (part) => {
        passed += part.length
        if (passed > breakAfter && breaks > 0) {
          breaks -= 1
          broken += 1
          return end()
        }
        if (into.write(part)) return
        from.pause()
        into.once('drain', () => from.resume())
      })
    }
    pass(client, server)
    pass(server, client)
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  const address = proxy.address()
  return {
    url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`,
    broken: () => broken,
    breakNext(count: number, afterBytes: number): void {
      breaks = count
      breakAfter = afterBytes
    },
    [Symbol.dispose]() {
      for (const socket of sockets) socket.destroy()
      proxy.close()
    },
  }
}

test('push sends only what is missing; pull gives the same disk in every format', async () => {
  await using folder = await temporaryFolder()
  await using server = await startTransferServer()
  using transport = createHttpTransport()
  const raw = join(folder.path, 'disk.raw')
  await writeFile(raw, guest)
  const first = await push(raw, server.url, transport)
  assert.equal(first.virtualSizeBytes, virtualSizeBytes)
  assert.ok(first.progress.bytesSent > 8 * MiB && first.progress.bytesSent < 9 * MiB, String(first.progress.bytesSent))
  const found = await server.transfer.findBlob(first.sourceUri, [server.url])
  assert.equal(found.virtualSizeBytes, virtualSizeBytes)
  const qcow2 = join(folder.path, 'disk.qcow2')
  await writeDiskImage(qcow2, 'qcow2', virtualSizeBytes, pieces(), { compress: true })
  const second = await push(qcow2, server.url, transport)
  assert.deepEqual([second.root, second.progress.bytesSent, second.progress.bytesNew], [first.root, 0, 0])
  for (const format of ['raw', 'vhd-fixed', 'vhd-dynamic', 'qcow2'] as const) {
    const out = join(folder.path, `back.${format}`)
    const pulled = await pullImage({ address: addressOf(server, first.root), out, format, transport })
    assert.equal(pulled.root, first.root)
    assert.equal(pulled.progress.bytesDone, pulled.progress.bytesTotal)
    assert.deepEqual(await guestOf(out), guest, format)
  }
  assert.deepEqual(await readFile(join(folder.path, 'back.raw')), guest)
  assert.ok((await stat(join(folder.path, 'back.raw'))).blocks * 512 < 12 * MiB, 'holes stay holes')
})

test('push and pull go on over broken connections', async () => {
  await using folder = await temporaryFolder()
  await using server = await startTransferServer()
  using network = await startNetwork(() => server.url)
  using transport = createHttpTransport()
  const raw = join(folder.path, 'disk.raw')
  await writeFile(raw, guest)
  network.breakNext(3, MiB)
  const { root } = await push(raw, network.url, transport)
  assert.equal(network.broken(), 3)
  network.breakNext(2, 3 * MiB)
  const out = join(folder.path, 'back.qcow2')
  await pullImage({ address: addressOf(server, root, network.url), out, format: 'qcow2', transport })
  assert.equal(network.broken(), 5)
  assert.deepEqual(await guestOf(out), guest)
})

test('push goes on over a restart of the server, without sending again what was stored', async () => {
  await using folder = await temporaryFolder()
  const data = join(folder.path, 'data')
  const raw = join(folder.path, 'disk.raw')
  await writeFile(raw, guest)
  let server = await startTransferServer({ folder: data })
  try {
    using network = await startNetwork(() => server.url)
    using transport = createHttpTransport()
    let restarted: Promise<void> | undefined
    const restart = async (): Promise<void> => {
      await server[Symbol.asyncDispose]()
      server = await startTransferServer({ folder: data })
    }
    const pushed = await pushImage({
      file: raw,
      endpoint: network.url,
      transport,
      token: async () => token,
      subscriptionId,
      region: 'westeurope',
      parallel: 1,
      onProgress: ({ bytesSent }) => void (bytesSent > 0 && (restarted ??= restart())),
    })
    assert.ok(restarted)
    await restarted
    await using disk = await server.stores.store('westeurope', 'Standard_LRS').open(pushed.root)
    assert.deepEqual(Buffer.from(await disk.read(2 * MiB, MiB)), guest.subarray(2 * MiB, 3 * MiB))
    assert.ok(pushed.progress.bytesSent < 12 * MiB)
  } finally {
    await server[Symbol.asyncDispose]()
  }
})

test('what the server refuses is told at once, with its code', async () => {
  await using folder = await temporaryFolder()
  await using server = await startTransferServer()
  using transport = createHttpTransport()
  const file = join(folder.path, 'disk.raw')
  await writeFile(file, Buffer.alloc(MiB, 1))
  const refused = { file, endpoint: server.url, transport, subscriptionId, region: 'westeurope' }
  await assert.rejects(pushImage({ ...refused, token: async () => 'bad' }), { code: 'InvalidAuthenticationToken' })
  await assert.rejects(pushImage({ ...refused, token: async () => token, region: 'nowhere' }), { kind: 'invalid' })
  await assert.rejects(pushImage({ ...refused, token: async () => token, file: join(folder.path, 'none') }))
  const out = join(folder.path, 'out')
  const address = addressOf(server, 'ab'.repeat(32))
  await assert.rejects(pullImage({ address, out, format: 'raw', transport }), { code: 'DiskNotFound' })
  const forged = address.replace('ab'.repeat(32), 'cd'.repeat(32))
  await assert.rejects(pullImage({ address: forged, out, format: 'raw', transport }), { code: 'AuthenticationFailed' })
  await assert.rejects(pullImage({ address: server.url, out, format: 'raw', transport }), { code: 'InvalidUri' })
  await assert.rejects(stat(out), { code: 'ENOENT' })
})

test('a server that sends another disk than the address names is not believed', async () => {
  await using folder = await temporaryFolder()
  await using server = await startTransferServer()
  using transport = createHttpTransport()
  const file = join(folder.path, 'disk.raw')
  await writeFile(file, Buffer.alloc(MiB, 1))
  const wanted = await push(file, server.url, transport)
  await writeFile(file, Buffer.alloc(MiB, 2))
  const other = await push(file, server.url, transport)
  const { search } = new URL(addressOf(server, other.root))
  const swap = (url: string): string => `${url.slice(0, url.indexOf('?')).replace(wanted.root, other.root)}${search}`
  const swapped: HttpTransport = {
    ...transport,
    call: (call) => transport.call({ ...call, url: swap(call.url) }),
  }
  const out = join(folder.path, 'out')
  const pull = pullImage({ address: addressOf(server, wanted.root), out, format: 'raw', transport: swapped })
  await assert.rejects(pull, { code: 'TransferDamaged' })
  await assert.rejects(stat(out), { code: 'ENOENT' })
})
