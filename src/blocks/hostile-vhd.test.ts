import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GiB, MiB, TiB } from '../base/units.ts'
import { checkAzureVhd } from './check-azure-vhd.ts'
import type { Case } from './hostile.fixture.ts'
import { fixed, footer, header, identity, refusesAll } from './hostile.fixture.ts'
import { fixedVhdFooter } from './vhd-footer.ts'

const vhdCases: readonly Case[] = [
  {
    why: 'no cookie',
    from: 'vhd-fixed',
    change: (b) => b.fill(0, fixed, fixed + 8),
    options: { format: 'vhd', blob: 'https://a/b.vhd' },
    code: 'InvalidParameter',
    says: /^The specified cookie value in VHD footer indicates that disk 'web.vhd' with blob https:\/\/a\/b.vhd is not a supported VHD\. Disk is expected to have cookie value 'conectix'\.$/,
  },
  {
    why: 'raw bytes declared as VHD',
    from: 'raw',
    options: { format: 'vhd-fixed' },
    code: 'InvalidParameter',
    says: /cookie value/,
  },
  {
    why: 'shorter than a footer',
    from: 'raw',
    change: (b) => b.subarray(0, 100),
    options: { format: 'vhd' },
    code: 'InvalidParameter',
    says: /cookie value/,
  },
  {
    why: 'a wrong checksum',
    from: 'vhd-fixed',
    change: (b) => void b.writeUInt8(1, fixed + 100),
    says: /checksum of its footer/,
  },
  {
    why: 'a fixed disk with a beginning cut off',
    from: 'vhd-fixed',
    change: (b) => b.subarray(MiB),
    says: /truncated: its footer says 8388608 bytes, the file holds 7340032/,
  },
  {
    why: 'a fixed disk with more than it says',
    from: 'vhd-fixed',
    change: (b) => Buffer.concat([Buffer.alloc(512), b]),
    says: /lies about its size/,
  },
  {
    why: 'a size of no whole sectors',
    from: 'vhd-fixed',
    change: footer((b) => b.writeBigUInt64BE(8388607n, 48)),
    says: /not a whole number of sectors/,
  },
  {
    why: 'a size of 2^64 - 512',
    from: 'vhd-fixed',
    change: footer((b) => b.writeBigUInt64BE(2n ** 64n - 512n, 48)),
    says: /more than any disk has/,
  },
  {
    why: 'a size of 0',
    from: 'vhd-dynamic',
    change: footer((b) => b.writeBigUInt64BE(0n, 48)),
    code: 'InvalidDiskImage',
    says: /0 bytes/,
  },
  {
    why: 'a size over the limit',
    from: 'vhd-dynamic',
    change: footer((b) => b.writeBigUInt64BE(BigInt(TiB) + 512n, 48)),
    code: 'InvalidDiskImage',
    says: /the limit is 1099511627776 bytes/,
  },
  {
    why: 'a differencing disk',
    from: 'vhd-dynamic',
    change: footer((b) => b.writeUInt32BE(4, 60)),
    says: /differencing disk/,
  },
  {
    why: 'an unknown disk type',
    from: 'vhd-dynamic',
    change: footer((b) => b.writeUInt32BE(6, 60)),
    says: /disk type is 6/,
  },
  {
    why: 'an unknown version',
    from: 'vhd-fixed',
    change: footer((b) => b.writeUInt32BE(0x20000, 12)),
    says: /format version is 0x20000/,
  },
  { why: 'a saved state', from: 'vhd-fixed', change: footer((b) => b.writeUInt8(1, 84)), says: /saved state/ },
  {
    why: 'a dynamic disk with its end cut off',
    from: 'vhd-dynamic',
    change: (b) => b.subarray(0, 3 * MiB),
    says: /no footer at its end/,
  },
  {
    why: 'footers that differ',
    from: 'vhd-dynamic',
    change: (b) => void b.writeUInt8(1, 70),
    says: /footer at its end and the copy/,
  },
  {
    why: 'a data offset outside',
    from: 'vhd-dynamic',
    change: footer((b) => b.writeBigUInt64BE(BigInt(512 * MiB), 16)),
    says: /dynamic header is outside/,
  },
  {
    why: 'a data offset on the footer',
    from: 'vhd-dynamic',
    change: footer((b) => b.writeBigUInt64BE(0n, 16)),
    says: /data offset/,
  },
  { why: 'no dynamic header', from: 'vhd-dynamic', change: header((b) => b.fill(0, 0, 8)), says: /header cookie/ },
  {
    why: 'a wrong header checksum',
    from: 'vhd-dynamic',
    change: (b) => void b.writeUInt8(9, 540),
    says: /checksum of its dynamic header/,
  },
  {
    why: 'an unknown header version',
    from: 'vhd-dynamic',
    change: header((b) => b.writeUInt32BE(0x30000, 24)),
    says: /dynamic header version/,
  },
  {
    why: 'a parent id',
    from: 'vhd-dynamic',
    change: header((b) => b.writeUInt8(1, 55)),
    says: /parent file \(its parent id/,
  },
  {
    why: 'a parent name',
    from: 'vhd-dynamic',
    change: header((b) => b.writeUInt16BE(65, 64)),
    says: /parent file \(its parent name/,
  },
  {
    why: 'a parent locator',
    from: 'vhd-dynamic',
    change: header((b) => b.write('W2ku', 576 + 7 * 24)),
    says: /parent file \(its parent locator/,
  },
  {
    why: 'an odd block size',
    from: 'vhd-dynamic',
    change: header((b) => b.writeUInt32BE(4096, 32)),
    says: /block size is 4096/,
  },
  {
    why: 'a table too long',
    from: 'vhd-dynamic',
    change: header((b) => b.writeUInt32BE(0xffffffff, 28)),
    says: /number of blocks is 4294967295, not 4/,
  },
  {
    why: 'a table too short',
    from: 'vhd-dynamic',
    change: header((b) => b.writeUInt32BE(3, 28)),
    says: /number of blocks is 3, not 4/,
  },
  {
    why: 'a table outside the file',
    from: 'vhd-dynamic',
    change: header((b) => b.writeBigUInt64BE(BigInt(GiB), 16)),
    says: /block table is outside the file/,
  },
  {
    why: 'a table on the header',
    from: 'vhd-dynamic',
    change: header((b) => b.writeBigUInt64BE(1024n, 16)),
    says: /outside the file|overlap/,
  },
  {
    why: 'a block outside the file',
    from: 'vhd-dynamic',
    change: (b) => void b.writeUInt32BE(0x7fffffff, 1536 + 4),
    says: /block 1 is outside the file/,
  },
  {
    why: 'a block into the footer',
    from: 'vhd-dynamic',
    change: (b) => void b.writeUInt32BE(b.readUInt32BE(1536 + 8) + 1, 1536 + 8),
    says: /block 2 is outside the file/,
  },
  {
    why: 'two blocks in one place',
    from: 'vhd-dynamic',
    change: (b) => void b.copy(b, 1536 + 4, 1536, 1540),
    says: /overlap at byte 3584/,
  },
  {
    why: 'a block half over another',
    from: 'vhd-dynamic',
    change: (b) => void b.writeUInt32BE(b.readUInt32BE(1536) + 100, 1536 + 4),
    says: /overlap at byte/,
  },
  {
    why: 'a block over the header',
    from: 'vhd-dynamic',
    change: (b) => void b.writeUInt32BE(1, 1536 + 4),
    says: /overlap at byte/,
  },
  {
    why: 'a fixed disk that begins as a dynamic one',
    from: 'vhd-fixed',
    change: (b) => void b.write('conectix', 0),
    code: 'InvalidDiskImage',
    says: /more than one format \(dynamic VHD, fixed VHD\)/,
  },
  {
    why: 'the 511-byte footer of old tools',
    from: 'vhd-fixed',
    change: (b) => b.subarray(0, -1),
    code: 'InvalidDiskImage',
    says: /511-byte footer/,
  },
]

refusesAll('a VHD is refused, with the reason', 'InvalidVhd', vhdCases)

test("Azure's rule of whole MiB is a check of its own", () => {
  assert.throws(() => checkAzureVhd({ format: 'vhd-fixed', virtualSizeBytes: MiB + 512 }, { name: 'a.vhd' }), {
    code: 'InvalidParameter',
    message:
      'The VHD a.vhd has an unsupported virtual size of 1049088 bytes. The size must be a whole number (in MBs).',
  })
  checkAzureVhd({ format: 'vhd-fixed', virtualSizeBytes: MiB }, { name: 'a.vhd' })
  checkAzureVhd({ format: 'qcow2', virtualSizeBytes: 512 }, { name: 'a' })
})

test('a footer is the same bytes for the same facts', () => {
  const bytes = Buffer.from(fixedVhdFooter(30 * GiB, identity))
  assert.equal(bytes.length, 512)
  assert.equal(bytes.toString('latin1', 28, 32), 'win ')
  assert.equal(bytes.readBigUInt64BE(48), BigInt(30 * GiB))
  assert.equal(bytes.readUInt32BE(24), (identity.timestampMs - 946_684_800_000) / 1000)
  assert.deepEqual(bytes, Buffer.from(fixedVhdFooter(30 * GiB, identity)))
})
