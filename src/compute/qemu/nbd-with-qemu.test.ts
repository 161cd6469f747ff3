import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { silentLogger } from '../../base/logger.ts'
import { randomBytes } from '../../base/random.ts'
import { serveNbd, type ReadableDisk } from '../nbd-export.ts'

const run = promisify(execFile)
const sizeBytes = 5 * 1024 * 1024 + 512
let folder = ''

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'goldleaf-nbd-'))
})
after(() => rm(folder, { recursive: true, force: true }))

function memoryDisk(bytes: Uint8Array): ReadableDisk {
  return { virtualSizeBytes: bytes.length, read: async (offset, length) => bytes.subarray(offset, offset + length) }
}

function randomDisk(): Uint8Array {
  const bytes = new Uint8Array(sizeBytes)
  for (let at = 0; at < sizeBytes - 65_536; at += 300_000) bytes.set(randomBytes(65_536), at)
  return bytes
}

const address = (socketPath: string, name: string): string => `nbd+unix:///${name}?socket=${socketPath}`

test('qemu-img reads the very bytes of the disk, up to an end that is no multiple of anything', async () => {
  const bytes = randomDisk()
  const socketPath = join(folder, 'whole.sock')
  await using _export = await serveNbd({ socketPath, exportName: 'os', disk: memoryDisk(bytes), logger: silentLogger })
  const out = join(folder, 'whole.raw')
  await run('qemu-img', ['convert', '-f', 'raw', '-O', 'raw', address(socketPath, 'os'), out])
  assert.ok(Buffer.from(bytes).equals(await readFile(out)))
  assert.equal((await stat(socketPath)).mode & 0o777, 0o600)
})

test('an unknown export is refused, a write is not permitted, and the disk is as before', async () => {
  const bytes = randomDisk()
  const copy = Uint8Array.from(bytes)
  const socketPath = join(folder, 'refuse.sock')
  await using _export = await serveNbd({ socketPath, exportName: 'os', disk: memoryDisk(bytes), logger: silentLogger })
  await assert.rejects(run('qemu-img', ['info', '-f', 'raw', address(socketPath, 'other')]))
  await assert.rejects(run('qemu-io', ['-f', 'raw', '-c', 'write 0 512', address(socketPath, 'os')]))
  assert.ok(Buffer.from(bytes).equals(copy))
})

test('a frame that cannot be read is an input/output error for the reader, and the next read is served', async () => {
  const bytes = randomDisk()
  const disk: ReadableDisk = {
    virtualSizeBytes: sizeBytes,
    async read(offset, length) {
      if (offset >= 1_048_576 && offset < 2_097_152) throw new Error('a frame is corrupt')
      return bytes.subarray(offset, offset + length)
    },
  }
  const errors: object[] = []
  const logger = { ...silentLogger, error: (fields: object) => void errors.push(fields) }
  const socketPath = join(folder, 'bad.sock')
  await using _export = await serveNbd({ socketPath, exportName: 'os', disk, logger })
  const args = ['-r', '-f', 'raw', '-c', 'read 1048576 4096', '-c', 'read 3145728 4096', address(socketPath, 'os')]
  const done = await run('qemu-io', args).catch((error: { stdout: string }) => error)
  assert.match(done.stdout, /read failed: Input\/output error/)
  assert.match(done.stdout, /read 4096\/4096 bytes at offset 3145728/)
  assert.equal(errors.length, 1)
})

test('requests of a rude client are answered with errors: reads past the end, writes, nonsense', async () => {
  const bytes = randomDisk()
  const socketPath = join(folder, 'rude.sock')
  await using _export = await serveNbd({ socketPath, exportName: 'os', disk: memoryDisk(bytes), logger: silentLogger })
  const socket = connect(socketPath)
  const received: Buffer[] = []
  socket.on('data', (part) => received.push(Buffer.from(part)))
  const ended = new Promise<void>((resolve) => socket.on('close', () => resolve()))
  const option = Buffer.alloc(16 + 2)
  option.write('IHAVEOPT', 0)
  option.writeUInt32BE(1, 8)
  option.writeUInt32BE(2, 12)
  option.write('os', 16)
  const request = (type: number, offset: bigint, length: number, payload = 0): Buffer => {
    const head = Buffer.alloc(28 + payload, 7)
    head.writeUInt32BE(0x25609513, 0)
    head.writeUInt16BE(0, 4)
    head.writeUInt16BE(type, 6)
    head.writeBigUInt64BE(offset, 16)
    head.writeUInt32BE(length, 24)
    return head
  }
  socket.write(Buffer.concat([Buffer.from([0, 0, 0, 3]), option]))
  socket.write(request(0, BigInt(sizeBytes) - 1n, 2))
  socket.write(request(0, 0xffff_ffff_ffff_ffffn, 512))
  socket.write(request(1, 0n, 1000, 1000))
  socket.write(request(99, 0n, 0))
  socket.write(request(0, 0n, 16))
  socket.write(request(2, 0n, 0))
  await ended
  const answers = Buffer.concat(received).subarray(18 + 10)
  const codes = [0, 1, 2, 3, 4].map((i) => answers.readUInt32BE(i * 16 + 4))
  assert.deepEqual(codes, [22, 22, 1, 22, 0])
  assert.ok(answers.subarray(80, 96).equals(Buffer.from(bytes.subarray(0, 16))))
})
