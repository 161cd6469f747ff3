import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GiB, MiB } from '../base/units.ts'
import type { Case } from './hostile.fixture.ts'
import { copied, data, extension, l1, l2, put32, put64, refusesAll, sane, store } from './hostile.fixture.ts'
import { openDiskImage } from './open-disk-image.ts'

const qcow2Cases: readonly Case[] = [
  { why: 'a backing file', from: 'qcow2', change: put64(8, 1024n), says: /needs a backing file/ },
  { why: 'a backing file length alone', from: 'qcow2', change: put32(16, 11), says: /needs a backing file/ },
  { why: 'a backing format', from: 'qcow2', change: extension(0xe2792aca), says: /needs a backing file/ },
  { why: 'the bit of a data file', from: 'qcow2', change: put64(72, 4n), says: /external file/ },
  { why: 'the name of a data file alone', from: 'qcow2', change: extension(0x44415441), says: /external file/ },
  { why: 'old encryption', from: 'qcow2', change: put32(32, 1), says: /is encrypted/ },
  { why: 'LUKS encryption', from: 'qcow2', change: put32(32, 2), says: /is encrypted/ },
  { why: 'an encryption header alone', from: 'qcow2', change: extension(0x0537be77), says: /is encrypted/ },
  {
    why: 'an extension longer than the cluster',
    from: 'qcow2',
    change: (b) => {
      put32(112, 5)(b)
      put32(116, 0xffffffff)(b)
    },
    says: /header extension length/,
  },
  { why: 'snapshots', from: 'qcow2', change: put32(60, 3), says: /3 internal snapshot/ },
  { why: 'the corrupt bit', from: 'qcow2', change: put64(72, 2n), says: /marked as corrupt/ },
  { why: 'extended L2', from: 'qcow2', change: put64(72, 16n), says: /extended L2/ },
  {
    why: 'an unknown feature',
    from: 'qcow2',
    change: put64(72, 1n << 40n),
    says: /incompatible features 0x10000000000/,
  },
  { why: 'a compression type without its bit', from: 'zstd', change: put64(72, 0n), says: /compression type/ },
  {
    why: 'an unknown compression type',
    from: 'zstd',
    change: (b) => void b.writeUInt8(2, 104),
    says: /compression type 2/,
  },
  {
    why: 'an unknown version',
    from: 'qcow2',
    change: put32(4, 4),
    options: { format: 'qcow2' },
    code: 'InvalidDiskImage',
    says: /qcow \(version 1\)/,
  },
  { why: 'qcow version 1', from: 'qcow2', change: put32(4, 1), code: 'InvalidDiskImage', says: /qcow \(version 1\)/ },
  { why: 'clusters too small', from: 'qcow2', change: put32(20, 8), says: /cluster size is 2\^8/ },
  { why: 'clusters too large', from: 'qcow2', change: put32(20, 22), says: /cluster size is 2\^22/ },
  { why: 'a header of no length', from: 'qcow2', change: put32(100, 0), says: /header length/ },
  { why: 'a header longer than the file', from: 'qcow2', change: put32(100, 0xfffffff8), says: /header length/ },
  { why: 'a size of no whole sectors', from: 'qcow2', change: put64(24, 1000n), says: /virtual size is 1000/ },
  { why: 'a size of 2^63', from: 'qcow2', change: put64(24, 2n ** 63n), says: /virtual size/ },
  { why: 'a size of 0', from: 'qcow2', change: put64(24, 0n), code: 'InvalidDiskImage', says: /0 bytes/ },
  {
    why: 'a size over the limit',
    from: 'qcow2',
    options: { maxVirtualSizeBytes: MiB },
    code: 'InvalidDiskImage',
    says: /the limit is 1048576 bytes/,
  },
  { why: 'an L1 table of 32 GiB', from: 'qcow2', change: put32(36, 0xffffffff), says: /L1 table length/ },
  { why: 'an L1 table too short', from: 'qcow2', change: put64(24, BigInt(GiB)), says: /less than the disk's 2/ },
  { why: 'an L1 table outside', from: 'qcow2', change: put64(40, BigInt(GiB)), says: /L1 table is outside/ },
  { why: 'an L1 table at 2^63', from: 'qcow2', change: put64(40, 2n ** 63n), says: /L1 table is outside/ },
  { why: 'an L1 table not aligned', from: 'qcow2', change: put64(40, BigInt(l1 + 512)), says: /L1 table offset/ },
  { why: 'an L1 table on the header', from: 'qcow2', change: put64(40, 0n), says: /L1 table offset/ },
  { why: 'an L2 table outside', from: 'qcow2', change: put64(l1, copied | BigInt(GiB)), says: /L2 table 0 is outside/ },
  {
    why: 'an L2 table not aligned',
    from: 'qcow2',
    change: put64(l1, copied | BigInt(l2 + 512)),
    says: /entry 0 of its L1 table is malformed/,
  },
  {
    why: 'an L1 entry with reserved bits',
    from: 'qcow2',
    change: put64(l1, (1n << 57n) | BigInt(l2)),
    says: /entry 0 of its L1 table is malformed/,
  },
  {
    why: 'an L1 entry beyond the disk',
    from: 'qcow2',
    change: (b) => {
      put32(36, 2)(b)
      put64(l1 + 8, copied | BigInt(data))(b)
    },
    says: /entry 1 of its L1 table is beyond/,
  },
  {
    why: 'an L2 table on the L1 table',
    from: 'qcow2',
    change: put64(l1, copied | BigInt(l1)),
    says: /overlap|outside|not aligned/,
  },
  { why: 'an L2 table on the header', from: 'qcow2', change: put64(l1, copied), says: /malformed/ },
  {
    why: 'two L1 entries on one L2 table',
    from: 'qcow2',
    change: (b) => {
      put64(24, BigInt(GiB))(b)
      put32(36, 2)(b)
      put64(l1 + 8, copied | BigInt(l2))(b)
    },
    says: /overlap/,
  },
  {
    why: 'a cluster outside',
    from: 'qcow2',
    change: put64(l2 + 8, copied | BigInt(GiB)),
    says: /cluster of guest offset 65536 is outside/,
  },
  {
    why: 'a cluster not aligned',
    from: 'qcow2',
    change: put64(l2 + 8, copied | BigInt(data + 512)),
    says: /not aligned/,
  },
  {
    why: 'an L2 entry with reserved bits',
    from: 'qcow2',
    change: put64(l2, (1n << 60n) | BigInt(data)),
    says: /reserved bits/,
  },
  {
    why: 'an L2 entry with reserved low bits',
    from: 'qcow2',
    change: put64(l2, copied | BigInt(data + 2)),
    says: /reserved bits/,
  },
  { why: 'a copied L2 entry without offset', from: 'qcow2', change: put64(l2, copied), says: /no offset/ },
  {
    why: 'an L2 entry beyond the disk',
    from: 'qcow2',
    change: put64(l2 + 128 * 8, copied | BigInt(data)),
    says: /beyond the disk's end|outside|overlap/,
  },
  {
    why: 'two guest clusters on one host cluster',
    from: 'qcow2',
    change: put64(l2 + 8 * 10, copied | BigInt(data)),
    says: /overlap at byte 196608/,
  },
  {
    why: 'a guest cluster on the L2 table',
    from: 'qcow2',
    change: put64(l2 + 8 * 10, copied | BigInt(l2)),
    says: /overlap at byte 131072/,
  },
  {
    why: 'a guest cluster on the header',
    from: 'zstd',
    change: put64(l2 + 8 * 10, (1n << 62n) | 512n),
    says: /outside the file/,
  },
  {
    why: 'two guest clusters on one compressed cluster',
    from: 'zstd',
    change: (b) => void b.copy(b, l2 + 8, l2 + 64 * 8, l2 + 65 * 8),
    says: /overlap at byte/,
  },
  {
    why: 'a compressed cluster outside',
    from: 'zstd',
    change: put64(l2 + 8, (1n << 62n) | BigInt(GiB)),
    says: /outside/,
  },
  {
    why: 'a compressed cluster marked as copied',
    from: 'zstd',
    change: put64(l2 + 8, (3n << 62n) | BigInt(data)),
    says: /marked as copied/,
  },
  {
    why: 'a compressed cluster of garbage',
    from: 'zstd',
    change: put64(l2 + 64 * 8, (1n << 62n) | BigInt(data + 100)),
    says: /does not unpack|overlap/,
  },
  {
    why: 'zstd clusters said to be deflate',
    from: 'zstd',
    change: (b) => {
      put64(72, 0n)(b)
      b.writeUInt8(0, 104)
    },
    says: /does not unpack/,
  },
  { why: 'a file that is a header only', from: 'qcow2', change: (b) => b.subarray(0, 71), says: /header is outside/ },
  {
    why: 'a file cut off in its data',
    from: 'qcow2',
    change: (b) => b.subarray(0, data + 1000),
    says: /outside the file/,
  },
]

refusesAll('a qcow2 is refused, with the reason', 'InvalidQcow2', qcow2Cases)

test('a bomb of tiny overlapping compressed clusters is refused before anything is unpacked', async () => {
  const cluster = 2 * MiB
  const entries = cluster / 8
  const bytes = Buffer.alloc(5 * cluster)
  sane.zstd.copy(bytes, 0, 0, 112)
  put32(20, 21)(bytes)
  put64(24, BigInt(entries * cluster))(bytes)
  put32(36, 1)(bytes)
  put64(40, BigInt(cluster))(bytes)
  put64(cluster, copied | BigInt(2 * cluster))(bytes)
  for (let i = 0; i < entries; i += 1) put64(2 * cluster + i * 8, (1n << 62n) | BigInt(3 * cluster + i * 4))(bytes)
  await assert.rejects(openDiskImage(await store(bytes)), /costs more to read .* unpack to up to 549755813888/)
})
