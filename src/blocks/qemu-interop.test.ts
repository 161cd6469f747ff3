import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { truncate } from 'node:fs/promises'
import { suite, test } from 'node:test'
import { promisify } from 'node:util'
import * as fc from 'fast-check'
import { GiB, KiB, MiB } from '../base/units.ts'
import { readGuestData } from './guest-data.ts'
import { openDiskImage } from './open-disk-image.ts'
import type { Piece, RandomDisk } from './random-disk.fixture.ts'
import {
  allFormats,
  chooseSeed,
  dataOf,
  fingerprint,
  fingerprintOf,
  makeTestFolder,
  randomDisk,
} from './random-disk.fixture.ts'
import { emptyQcow2Overlay, writeDiskImage } from './write-disk-image.ts'

const run = promisify(execFile)
const hasQemu = spawnSync('qemu-img', ['--version']).status === 0
const skip = hasQemu ? false : 'qemu-img is not installed (apt install qemu-utils): nothing is compared with QEMU'
const folder = await makeTestFolder()
const seed = chooseSeed()

async function qemuImg(...args: string[]): Promise<string> {
  const { stdout } = await run('qemu-img', args)
  return stdout
}

/** What QEMU can be asked to make; `size` is what it may do to the size. */
const made = [
  { label: 'raw', name: 'raw', args: [] },
  { label: 'fixed VHD', name: 'vpc', args: ['-o', 'subformat=fixed,force_size=on'] },
  { label: 'dynamic VHD', name: 'vpc', args: ['-o', 'subformat=dynamic,force_size=on'] },
  { label: 'dynamic VHD with a size by geometry', name: 'vpc', args: [], mayGrow: true },
  { label: 'fixed VHD with a size by geometry', name: 'vpc', args: ['-o', 'subformat=fixed'], mayGrow: true },
  { label: 'qcow2', name: 'qcow2', args: [] },
  { label: 'qcow2 version 2', name: 'qcow2', args: ['-o', 'compat=0.10'] },
  { label: 'qcow2 of 512-byte clusters', name: 'qcow2', args: ['-o', 'cluster_size=512'] },
  { label: 'qcow2 of 4 KiB clusters', name: 'qcow2', args: ['-o', 'cluster_size=4k,lazy_refcounts=on'] },
  { label: 'qcow2 of 2 MiB clusters', name: 'qcow2', args: ['-o', 'cluster_size=2M'] },
  { label: 'qcow2 preallocated', name: 'qcow2', args: ['-o', 'preallocation=metadata'] },
  { label: 'qcow2 with 1-bit refcounts', name: 'qcow2', args: ['-o', 'refcount_bits=1'] },
  { label: 'qcow2 with deflate', name: 'qcow2', args: ['-c'] },
  { label: 'qcow2 version 2 with deflate', name: 'qcow2', args: ['-c', '-o', 'compat=0.10'] },
  { label: 'qcow2 with zstd', name: 'qcow2', args: ['-c', '-o', 'compression_type=zstd'] },
  {
    label: 'qcow2 with zstd, 4 KiB clusters',
    name: 'qcow2',
    args: ['-c', '-o', 'compression_type=zstd,cluster_size=4k'],
  },
  {
    label: 'qcow2 with zstd, 2 MiB clusters',
    name: 'qcow2',
    args: ['-c', '-o', 'compression_type=zstd,cluster_size=2M'],
  },
  { label: 'qcow2 with deflate, 512-byte clusters', name: 'qcow2', args: ['-c', '-o', 'cluster_size=512'] },
] as const

async function writeRaw(path: string, disk: RandomDisk): Promise<string> {
  await writeDiskImage(path, 'raw', disk.virtualSizeBytes, dataOf(disk))
  return fingerprint(disk.virtualSizeBytes, dataOf(disk))
}

suite('what QEMU writes, we read', { skip }, () => {
  for (const [number, { label, name, args, ...rest }] of made.entries())
    test(label, async () => {
      const source = folder.path(`made-${number}.raw`)
      const target = folder.path(`made-${number}`)
      const property = fc.asyncProperty(randomDisk(20_000), async (disk) => {
        const expected = await writeRaw(source, disk)
        await qemuImg('convert', '-f', 'raw', '-O', name, ...args, source, target)
        await using image = await openDiskImage(target)
        if ('mayGrow' in rest) {
          assert.ok(image.virtualSizeBytes >= disk.virtualSizeBytes)
          assert.equal(await fingerprint(disk.virtualSizeBytes, readGuestData(image)), expected)
        } else assert.equal(await fingerprintOf(image, 100 * KiB), expected)
      })
      await fc.assert(property, { seed: seed + number, numRuns: 4 })
    })

  test('a preallocated qcow2 yields no more than was written', async () => {
    const path = folder.path('preallocated')
    await qemuImg('create', '-f', 'qcow2', '-o', 'preallocation=metadata', path, '1G')
    await using image = await openDiskImage(path)
    let yielded = 0
    for await (const extent of image.extents()) yielded += extent.length
    assert.ok(yielded <= MiB, `${yielded} bytes`)
  })

  test('a qcow2 that QEMU did not close is read: only its refcounts may be stale', async () => {
    const path = folder.path('dirty')
    await qemuImg('create', '-f', 'qcow2', '-o', 'lazy_refcounts=on', path, '64M')
    spawnSync('qemu-io', ['-c', 'write -P 7 1M 64k', '-c', 'flush', '-c', 'sigraise 9', path])
    assert.match(await qemuImg('info', '-U', path), /qcow2/)
    await using image = await openDiskImage(path)
    const bytes = Buffer.alloc(64 * KiB)
    await image.read(MiB, bytes)
    assert.ok(bytes.equals(Buffer.alloc(64 * KiB, 7)))
  })
})

suite('what we write, QEMU reads', { skip }, () => {
  for (const [number, { format, compress, qemuName }] of allFormats.entries())
    for (const [size, maxSectors] of Object.entries({ small: 20_000, large: (3 * GiB) / 512 }))
      test(`${format}${compress ? ' with zstd' : ''}, ${size}`, async () => {
        const source = folder.path(`ours-${number}-${size}.raw`)
        const target = folder.path(`ours-${number}-${size}`)
        const property = fc.asyncProperty(randomDisk(maxSectors), async (disk) => {
          await writeRaw(source, disk)
          await writeDiskImage(target, format, disk.virtualSizeBytes, dataOf(disk), { compress })
          const info: unknown = JSON.parse(await qemuImg('info', '--output=json', '-f', qemuName, target))
          assert.equal((info as { 'virtual-size': number })['virtual-size'], disk.virtualSizeBytes)
          await qemuImg('compare', '-f', 'raw', '-F', qemuName, source, target)
          if (format === 'qcow2') await qemuImg('check', '-f', 'qcow2', target)
        })
        await fc.assert(property, { seed: seed + number, numRuns: size === 'small' ? 6 : 2 })
      })

  test('an odd size by geometry is shown exactly, fixed and dynamic', async () => {
    for (const format of ['vhd-fixed', 'vhd-dynamic'] as const)
      for (const sizeBytes of [512, MiB + 512, 1023 * MiB, 30 * GiB + 512, 127 * GiB + 1024 * 512, 1024 * GiB]) {
        const path = folder.path(`geometry-${format}`)
        await writeDiskImage(path, format, sizeBytes, dataOf({ virtualSizeBytes: sizeBytes, pieces: [] }))
        assert.match(await qemuImg('info', '-f', 'vpc', path), new RegExp(`\\(${sizeBytes} bytes\\)`))
      }
  })

  test('an overlay shows its backing node, and keeps what is written over it', async () => {
    const base = folder.path('base.raw')
    const overlay = folder.path('overlay.qcow2')
    const piece: Piece = { offset: 0, length: 4 * MiB, kind: 'constant', salt: 4 }
    await writeRaw(base, { virtualSizeBytes: 8 * MiB, pieces: [piece] })
    await emptyQcow2Overlay(overlay, 8 * MiB)
    await qemuImg('check', '-f', 'qcow2', overlay)
    const node = JSON.stringify({
      driver: 'qcow2',
      file: { driver: 'file', filename: overlay },
      backing: { driver: 'raw', 'read-only': true, file: { driver: 'file', filename: base } },
    })
    const commands = ['read -P 5 0 4M', 'read -P 0 4M 4M', 'write -P 9 1M 64k', 'read -P 9 1M 64k', 'read -P 5 2M 1M']
    const { stdout } = await run('qemu-io', [...commands.flatMap((c) => ['-c', c]), `json:${node}`])
    assert.doesNotMatch(stdout, /verification failed|error/i)
    await qemuImg('check', '-f', 'qcow2', overlay)
    await using image = await openDiskImage(overlay)
    assert.deepEqual(await Array.fromAsync(image.extents()), [{ offset: MiB, length: 64 * KiB }])
  })
})

// LUKS is missing here: QEMU cannot make it where CPU time is not accounted. hostile-formats.test.ts has it.
suite('what QEMU writes that we do not take', { skip }, () => {
  const refused = [
    { why: 'VMDK', args: ['-f', 'vmdk'], says: /is VMDK, which is not supported/ },
    { why: 'VHDX', args: ['-f', 'vhdx'], says: /is VHDX, which is not supported/ },
    { why: 'VDI', args: ['-f', 'vdi'], says: /is VDI, which is not supported/ },
    { why: 'QED', args: ['-f', 'qed'], says: /is QED, which is not supported/ },
    { why: 'Parallels', args: ['-f', 'parallels'], says: /is Parallels, which is not supported/ },
    { why: 'extended L2', args: ['-f', 'qcow2', '-o', 'extended_l2=on'], says: /extended L2/ },
  ]
  for (const [number, { why, args, says }] of refused.entries())
    test(why, async () => {
      const path = folder.path(`refused-${number}`)
      await qemuImg('create', '-q', ...args, path, '8M')
      await assert.rejects(openDiskImage(path), says)
    })

  test('a backing file, a data file, a snapshot, a cut-off end', async () => {
    const backed = folder.path('backed')
    await qemuImg('create', '-q', '-f', 'raw', folder.path('below'), '8M')
    await qemuImg('create', '-q', '-f', 'qcow2', '-b', folder.path('below'), '-F', 'raw', backed)
    await assert.rejects(openDiskImage(backed), /needs a backing file/)
    const outside = folder.path('outside')
    await qemuImg('create', '-q', '-f', 'qcow2', '-o', `data_file=${folder.path('data')}`, outside, '8M')
    await assert.rejects(openDiskImage(outside), /external file/)
    const kept = folder.path('kept')
    await qemuImg('create', '-q', '-f', 'qcow2', kept, '8M')
    await run('qemu-io', ['-c', 'write -P 1 0 1M', kept])
    await qemuImg('snapshot', '-c', 'one', kept)
    await assert.rejects(openDiskImage(kept), /1 internal snapshot/)
    const cut = folder.path('cut')
    await qemuImg('create', '-q', '-f', 'qcow2', cut, '8M')
    await run('qemu-io', ['-c', 'write -P 1 0 8M', cut])
    await truncate(cut, 4 * MiB)
    await assert.rejects(openDiskImage(cut), /outside the file/)
  })
})
