import assert from 'node:assert/strict'
import { readFile, truncate } from 'node:fs/promises'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { promisify } from 'node:util'
import { blockBytes, dynamicLayout, dynamicVhd, fixedVhd, sign, someDisk, vhdFooter } from './vhd.ts'
import { assertRefused, diskVersion, openWire, versionBody } from './wire.ts'
import type { Wire } from './wire.ts'

const run = promisify(execFile)
const disk = someDisk(6)
const footerAt = disk.length
/** Changes the footer of a fixed VHD and makes its checksum right again. */
function withFooter(change: (footer: Buffer<ArrayBuffer>) => void): Buffer<ArrayBuffer> {
  const footer = vhdFooter(disk.length)
  change(footer)
  return Buffer.concat([disk, sign(footer, 64)])
}
/** Changes a dynamic VHD: its header's checksum is made right again, so that only the lie remains. */
function withDynamic(change: (bytes: Buffer<ArrayBuffer>) => void): Buffer<ArrayBuffer> {
  const bytes = dynamicVhd(disk)
  change(bytes)
  sign(bytes.subarray(dynamicLayout.header, dynamicLayout.header + 1024), 36)
  return bytes
}

interface Lie {
  readonly why: string
  readonly bytes: () => Buffer<ArrayBuffer>
  readonly code: string
  readonly says: RegExp
}

const lies: readonly Lie[] = [
  {
    why: 'a fixed VHD cut in its middle',
    bytes: () => fixedVhd(disk).subarray(0, 1024 * 1024),
    code: 'InvalidParameter',
    says: /cookie value in VHD footer indicates that disk '.*' with blob .* is not a supported VHD\. Disk is expected to have cookie value 'conectix'\.$/,
  },
  {
    why: 'a fixed VHD without its last 512 bytes',
    bytes: () => disk,
    code: 'InvalidParameter',
    says: /is not a supported VHD/,
  },
  {
    why: 'a wrong cookie',
    bytes: () => withFooter((footer) => void footer.write('conectiy', 0, 'latin1')),
    code: 'InvalidParameter',
    says: /is not a supported VHD/,
  },
  {
    why: 'a wrong checksum',
    bytes: () => {
      const bytes = fixedVhd(disk)
      bytes.writeUInt32BE(12_345, footerAt + 64)
      return bytes
    },
    code: 'InvalidVhd',
    says: /is damaged: the checksum of its footer is wrong\. Make the image anew/,
  },
  {
    why: 'a size that is more than the file has',
    bytes: () => withFooter((footer) => void footer.writeBigUInt64BE(BigInt(disk.length * 2), 48)),
    code: 'InvalidVhd',
    says: /lies about its size|is truncated/,
  },
  {
    why: 'a size that is less than the file has',
    bytes: () => withFooter((footer) => void footer.writeBigUInt64BE(BigInt(disk.length / 2), 48)),
    code: 'InvalidVhd',
    says: /lies about its size/,
  },
  {
    why: 'a size that is no whole number of MiB',
    bytes: () => fixedVhd(disk.subarray(0, disk.length - 4096)),
    code: 'InvalidParameter',
    says: /has an unsupported virtual size of 6287360 bytes\. {1,2}The size must be a whole number \(in MBs\)\.$/,
  },
  {
    why: 'a differencing disk',
    bytes: () => withFooter((footer) => void footer.writeUInt32BE(4, 60)),
    code: 'InvalidVhd',
    says: /differencing disk that needs a parent file\. Flatten it first/,
  },
  {
    why: 'a dynamic VHD cut at its end',
    bytes: () => dynamicVhd(disk).subarray(0, -4096),
    code: 'InvalidVhd',
    says: /truncated.*Upload the whole file/,
  },
  {
    why: 'a block table outside of the file',
    bytes: () => withDynamic((bytes) => void bytes.writeBigUInt64BE(1n << 40n, dynamicLayout.header + 16)),
    code: 'InvalidVhd',
    says: /its block table is outside the file/,
  },
  {
    why: 'a block outside of the file',
    bytes: () => withDynamic((bytes) => void bytes.writeUInt32BE(0x00ff_0000, dynamicLayout.table + 4)),
    code: 'InvalidVhd',
    says: /block 1 is outside the file/,
  },
  {
    why: 'overlapping blocks',
    bytes: () =>
      withDynamic(
        (bytes) => void bytes.writeUInt32BE(bytes.readUInt32BE(dynamicLayout.table), dynamicLayout.table + 4),
      ),
    code: 'InvalidVhd',
    says: /two of its parts overlap at byte \d+/,
  },
  {
    why: 'a block over the table',
    bytes: () => withDynamic((bytes) => void bytes.writeUInt32BE(dynamicLayout.header / 512, dynamicLayout.table)),
    code: 'InvalidVhd',
    says: /two of its parts overlap/,
  },
  {
    why: 'more blocks than the table has',
    bytes: () => withDynamic((bytes) => void bytes.writeUInt32BE(1, dynamicLayout.header + 28)),
    code: 'InvalidVhd',
    says: /\. (?:Make the image anew|Upload the whole file)/,
  },
  {
    why: 'an impossible block size',
    bytes: () => withDynamic((bytes) => void bytes.writeUInt32BE(blockBytes + 1, dynamicLayout.header + 32)),
    code: 'InvalidVhd',
    says: /block size/,
  },
]

/** A disk that lies is refused by both doors, and what was there stays as it was. */
suite('bad disks on the wire', () => {
  let wire: Wire
  before(async () => {
    wire = await openWire()
    await wire.gallery('g')
    await wire.definition('g/d')
    await wire.publish('g/d/1.0.0', await wire.blob('good.vhd', fixedVhd(disk)))
  })
  after(() => wire?.[Symbol.asyncDispose]())

  const target = (): string => wire.at('galleries/g/images/d/versions/2.0.0')

  for (const [index, { why, bytes, code, says }] of lies.entries()) {
    test(`a blob: ${why}`, async () => {
      const uri = await wire.blob(`lie-${index}.vhd`, bytes())
      await assertRefused(wire, { why, path: target(), body: versionBody(uri), status: 400, code, says })
    })

    test(`a disk upload: ${why}`, async () => {
      const lie = bytes()
      const path = (more = ''): string => wire.at(`disks/lie${index}${more}`, diskVersion)
      await wire.arm.must('PUT', path(), {
        location: 'westeurope',
        properties: { creationData: { createOption: 'Upload', uploadSizeBytes: lie.length } },
      })
      const granted = await wire.arm.call('POST', path('/beginGetAccess'), { access: 'Write', durationInSeconds: 60 })
      assert.equal((await wire.arm.settle(granted)).status, 'Succeeded')
      const { body } = await wire.arm.call('GET', granted.headers.get('location') ?? '')
      const put = await fetch(body.accessSAS ?? '', { method: 'PUT', body: lie })
      assert.equal(put.status, 201, await put.text())
      const ended = await wire.arm.settle(await wire.arm.call('POST', path('/endGetAccess')))
      assert.equal(ended.status, 'Failed', JSON.stringify(ended))
      // Of an upload it is certain that the footer is missing, whatever its end looks like.
      const isFooterless = code === 'InvalidParameter' && says.source.includes('supported VHD')
      assert.equal(ended.error?.code, isFooterless ? 'InvalidVhd' : code)
      if (isFooterless)
        assert.match(ended.error?.message ?? '', /does not end with a VHD footer.*Upload the whole VHD file/)
      else assert.match(ended.error?.message ?? '', says)
      assert.equal((await wire.arm.call('GET', path())).body.properties?.diskState, 'ActiveUpload')
      const source = { osDiskImage: { source: { id: wire.id(`disks/lie${index}`) } } }
      await assertRefused(wire, {
        why,
        path: target(),
        body: { location: 'westeurope', properties: { storageProfile: source } },
        status: 409,
        code: 'OperationNotAllowed',
        says: /is in state ActiveUpload.*It has no bytes yet: upload them/,
      })
    })
  }

  test('a qcow2 with a backing file; a sound qcow2 passes', async () => {
    const base = join(wire.folder, 'base.qcow2')
    await run('qemu-img', ['create', '-q', '-f', 'qcow2', base, '8M'])
    const top = join(wire.folder, 'top.qcow2')
    await run('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', base, '-F', 'qcow2', top])
    const uri = await wire.blob('top.qcow2', await readFile(top))
    await assertRefused(wire, {
      path: target(),
      body: versionBody(uri),
      status: 400,
      code: 'InvalidQcow2',
      says: /^qcow2 image 'top\.qcow2' needs a backing file\. Flatten it first, for example with 'qemu-img convert -O qcow2'\.$/,
    })
    await wire.publish('g/d/3.0.0', await wire.blob('base.qcow2', await readFile(base)))
  })

  test('a blob of no bytes, and one that is nothing known', async () => {
    for (const bytes of [Buffer.alloc(0), Buffer.from('hello'), Buffer.alloc(4096, 1)]) {
      const uri = await wire.blob('nothing.vhd', bytes)
      await assertRefused(wire, {
        path: target(),
        body: versionBody(uri),
        status: 400,
        code: bytes.length === 0 ? 'InvalidDiskImage' : 'InvalidParameter',
        says: /nothing\.vhd/,
      })
    }
  })

  test('more bytes than announced, fewer than announced, pages beside the grid', async () => {
    const vhd = fixedVhd(disk)
    const path = (more = ''): string => wire.at(`disks/sizes${more}`, diskVersion)
    await wire.arm.must('PUT', path(), {
      location: 'westeurope',
      properties: { creationData: { createOption: 'Upload', uploadSizeBytes: vhd.length } },
    })
    const granted = await wire.arm.call('POST', path('/beginGetAccess'), { access: 'Write', durationInSeconds: 60 })
    assert.equal((await wire.arm.settle(granted)).status, 'Succeeded')
    const { accessSAS = '' } = (await wire.arm.call('GET', granted.headers.get('location') ?? '')).body
    const put = async (
      url: string,
      body: Buffer<ArrayBuffer>,
      headers: Record<string, string> = {},
    ): Promise<string> => {
      const answer = await fetch(url, { method: 'PUT', body, headers })
      assert.match(await answer.text(), /<Code>\w+<\/Code><Message>.+/)
      return `${answer.status} ${answer.headers.get('x-ms-error-code')}`
    }
    assert.equal(await put(accessSAS, Buffer.concat([vhd, Buffer.alloc(512)])), '413 RequestBodyTooLarge')
    assert.equal(await put(accessSAS, vhd.subarray(0, 4096)), '400 IncompleteBody')
    const page = { 'x-ms-page-write': 'update' }
    const pages: readonly (readonly [string, number, string])[] = [
      ['bytes=1-512', 512, '416 InvalidPageRange'],
      [`bytes=${vhd.length}-${vhd.length + 511}`, 512, '416 InvalidPageRange'],
      ['bytes=0-511', 100, '400 IncompleteBody'],
      ['bytes=0-5242879', 100, '413 RequestBodyTooLarge'],
      ['everything', 512, '416 InvalidPageRange'],
    ]
    for (const [range, length, wanted] of pages)
      assert.equal(
        await put(`${accessSAS}&comp=page`, Buffer.alloc(length), { ...page, 'x-ms-range': range }),
        wanted,
        range,
      )
    const early = await wire.arm.settle(await wire.arm.call('POST', path('/endGetAccess')))
    assert.equal(early.status, 'Failed', 'nothing was uploaded yet')
  })

  test('a disk that is announced in a size that no VHD has', async () => {
    for (const uploadSizeBytes of [511, 513, 1000, 512]) {
      await assertRefused(wire, {
        path: wire.at('disks/odd', diskVersion),
        body: { location: 'westeurope', properties: { creationData: { createOption: 'Upload', uploadSizeBytes } } },
        status: 400,
        code: 'InvalidParameter',
        says: /^The value of parameter disk\.creationData\.uploadSizeBytes is invalid\. It is the size of the whole VHD file/,
      })
    }
  })

  test('an image over the size limit', async () => {
    const file = join(wire.folder, 'huge.qcow2')
    await run('qemu-img', ['create', '-q', '-f', 'qcow2', file, '40T'])
    const uri = await wire.blob('huge.qcow2', await readFile(file))
    const { status, body } = await wire.arm.call('PUT', target(), versionBody(uri))
    assert.ok([400, 413].includes(status), JSON.stringify(body))
    assert.match(body.error?.message ?? '', /40960|43980465111040/)
    await truncate(file, 0)
    assert.equal((await wire.arm.call('GET', target())).status, 404)
  })
})
