import assert from 'node:assert/strict'
import { open, readdir, stat, truncate, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { suite, test } from 'node:test'
import { Worker } from 'node:worker_threads'
import * as fc from 'fast-check'
import { Problem } from '../base/problem.ts'
import { GiB, KiB, MiB, TiB } from '../base/units.ts'
import {
  allFormats,
  bytesOf,
  chooseSeed,
  dataOf,
  fingerprint,
  fingerprintOf,
  makeTestFolder,
  randomDisk,
  wholeDisk,
} from './random-disk.fixture.ts'
import type { Extent } from './disk-image.ts'
import { readGuestData } from './guest-data.ts'
import { openDiskImage } from './open-disk-image.ts'
import { dataExtents, isZero, knowsHoles, punchHole } from './sparse-file.ts'
import { emptyQcow2Overlay, writeDiskImage } from './write-disk-image.ts'

const folder = await makeTestFolder()
const seed = chooseSeed()

async function listExtents(path: string): Promise<Extent[]> {
  await using image = await openDiskImage(path)
  return await Array.fromAsync(image.extents())
}

suite('a disk written in a format reads back the same', () => {
  for (const { format, compress } of allFormats) {
    const label = `${format}${compress ? ' with zstd' : ''}`

    test(`${label}: every range of a small disk`, async () => {
      const path = folder.path(`small-${format}-${compress}`)
      const property = fc.asyncProperty(
        randomDisk(12_000),
        fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(200_000)), { maxLength: 8 }),
        async (disk, reads) => {
          await writeDiskImage(path, format, disk.virtualSizeBytes, dataOf(disk), { compress })
          const expected = wholeDisk(disk)
          await using image = await openDiskImage(path, { format })
          assert.equal(image.format, format)
          assert.equal(image.virtualSizeBytes, disk.virtualSizeBytes)
          const whole = Buffer.alloc(disk.virtualSizeBytes, 0xee)
          await image.read(0, whole)
          assert.ok(whole.equals(expected), 'the whole disk')
          for (const [where, length] of reads) {
            const offset = Math.floor(where * (disk.virtualSizeBytes - 1))
            const into = Buffer.alloc(Math.min(length, disk.virtualSizeBytes - offset), 0xee)
            await image.read(offset, into)
            assert.ok(into.equals(expected.subarray(offset, offset + into.length)), `${into.length} at ${offset}`)
          }
          let end = 0
          for await (const extent of image.extents()) {
            assert.ok(extent.length > 0 && extent.offset >= end, 'extents ascend')
            assert.ok(isZero(expected.subarray(end, extent.offset)), 'between extents all is zero')
            end = extent.offset + extent.length
          }
          assert.ok(end <= disk.virtualSizeBytes && isZero(expected.subarray(end)))
        },
      )
      await fc.assert(property, { seed, numRuns: 25 })
    })

    test(`${label}: a large sparse disk, through every other format`, async () => {
      const property = fc.asyncProperty(randomDisk((5 * GiB) / 512), async (disk) => {
        const expected = await fingerprint(disk.virtualSizeBytes, dataOf(disk))
        const first = folder.path(`large-${format}-${compress}`)
        await writeDiskImage(first, format, disk.virtualSizeBytes, dataOf(disk), { compress })
        await using image = await openDiskImage(first)
        assert.equal(await fingerprintOf(image), expected)
        for (const other of allFormats) {
          const second = folder.path(`large-${format}-${compress}-again`)
          await writeDiskImage(second, other.format, disk.virtualSizeBytes, readGuestData(image), other)
          await using again = await openDiskImage(second)
          assert.equal(await fingerprintOf(again, 96 * KiB), expected, other.format)
        }
      })
      await fc.assert(property, { seed, numRuns: 4 })
    })
  }
})

suite('holes', () => {
  const data = [
    { offset: 8 * MiB, length: 64 * KiB, kind: 'noise', salt: 1 },
    { offset: 600 * MiB, length: 4 * KiB, kind: 'noise', salt: 2 },
  ] as const
  for (const { format, compress } of allFormats)
    test(`${format}${compress ? ' with zstd' : ''}: only what was written takes space and is yielded`, async () => {
      const path = folder.path(`holes-${format}-${compress}`)
      await writeDiskImage(path, format, GiB, dataOf({ virtualSizeBytes: GiB, pieces: data }), { compress })
      if (knowsHoles) assert.ok((await stat(path)).blocks * 512 < MiB)
      const extents = await listExtents(path)
      assert.deepEqual(
        extents.map((e) => e.offset),
        [8 * MiB, 600 * MiB],
      )
      assert.ok(extents.every((e) => e.length <= 64 * KiB))
    })

  test('a hole that is punched is no longer yielded, and the size stays', async () => {
    const path = folder.path('punched')
    await writeFile(path, Buffer.alloc(MiB, 7))
    await using file = await open(path, 'r+')
    await punchHole(file.fd, 256 * KiB, 256 * KiB)
    await punchHole(file.fd, MiB - 100, 5000)
    const expected = Buffer.alloc(MiB, 7)
      .fill(0, 256 * KiB, 512 * KiB)
      .fill(0, MiB - 100)
    const bytes = Buffer.alloc(MiB + 1)
    assert.equal((await file.read(bytes, 0, bytes.length, 0)).bytesRead, MiB)
    assert.ok(bytes.subarray(0, MiB).equals(expected))
    if (knowsHoles)
      assert.deepEqual(
        [...dataExtents(file.fd, MiB)],
        [
          { offset: 0, length: 256 * KiB },
          { offset: 512 * KiB, length: 512 * KiB },
        ],
      )
    assert.deepEqual([...dataExtents(file.fd, 600 * KiB, 500 * KiB)].at(-1)?.offset, knowsHoles ? 512 * KiB : 500 * KiB)
  })

  test('a sector of a dynamic VHD whose bit is clear reads as zeros, whatever the file holds there', async () => {
    const path = folder.path('bitmap')
    const piece = { offset: 0, length: 2 * MiB, kind: 'noise', salt: 3 } as const
    await writeDiskImage(path, 'vhd-dynamic', 4 * MiB, dataOf({ virtualSizeBytes: 4 * MiB, pieces: [piece] }))
    await using file = await open(path, 'r+')
    const entry = Buffer.alloc(4)
    await file.read(entry, 0, 4, 1536)
    // Sectors 1, 2 and 4095 become unwritten.
    await file.write(Buffer.from([0b1001_1111]), 0, 1, entry.readUInt32BE() * 512)
    await file.write(Buffer.from([0b1111_1110]), 0, 1, entry.readUInt32BE() * 512 + 511)
    await using image = await openDiskImage(path)
    const expected = Buffer.alloc(4 * MiB)
    expected.set(bytesOf(piece))
    expected.fill(0, 512, 1536).fill(0, 4095 * 512, 4096 * 512)
    const bytes = Buffer.alloc(4 * MiB, 0xee)
    await image.read(0, bytes)
    assert.ok(bytes.equals(expected))
    const ragged = Buffer.alloc(1000)
    await image.read(700, ragged)
    assert.ok(ragged.equals(expected.subarray(700, 1700)))
    assert.deepEqual(await Array.fromAsync(image.extents()), [
      { offset: 0, length: 512 },
      { offset: 1536, length: 4095 * 512 - 1536 },
    ])
  })
})

test('a raw file that is no whole number of sectors is filled up with zeros', async () => {
  const path = folder.path('ragged')
  await writeFile(path, Buffer.alloc(1000, 5))
  await using image = await openDiskImage(path)
  assert.equal(image.virtualSizeBytes, 1024)
  const bytes = Buffer.alloc(1024, 0xee)
  await image.read(0, bytes)
  assert.ok(bytes.equals(Buffer.concat([Buffer.alloc(1000, 5), Buffer.alloc(24)])))
  const tail = Buffer.alloc(10, 0xee)
  await image.read(1010, tail)
  assert.ok(isZero(tail))
  assert.deepEqual(await Array.fromAsync(image.extents()), [{ offset: 0, length: 1024 }])
})

test('reading outside the disk is a bug and says so', async () => {
  const path = folder.path('outside')
  for (const { format, compress } of allFormats) {
    await writeDiskImage(path, format, MiB, dataOf({ virtualSizeBytes: MiB, pieces: [] }), { compress })
    await using image = await openDiskImage(path, { format })
    await assert.rejects(image.read(MiB - 10, Buffer.alloc(11)), RangeError)
    await assert.rejects(image.read(-1, Buffer.alloc(1)), RangeError)
  }
})

test('a terabyte with little in it opens, lists and is written in no time', async () => {
  const pieces = [0, 300 * GiB, TiB - 64 * KiB].map(
    (offset, salt) => ({ offset, length: 64 * KiB, kind: 'noise', salt }) as const,
  )
  for (const { format, compress } of allFormats) {
    const path = folder.path(`terabyte-${format}-${compress}`)
    await writeDiskImage(path, format, TiB, dataOf({ virtualSizeBytes: TiB, pieces }), { compress })
    const before = performance.now()
    const extents = await listExtents(path)
    assert.deepEqual(
      extents.map((e) => e.offset),
      pieces.map((p) => p.offset),
    )
    assert.ok(performance.now() - before < 1000, format)
  }
})

test('an empty overlay is small, maps nothing and names no other file', async () => {
  const path = folder.path('overlay')
  await emptyQcow2Overlay(path, TiB)
  assert.ok((await stat(path)).size <= 512 * KiB)
  assert.deepEqual(await listExtents(path), [])
})

suite('writing', () => {
  test('leaves nothing behind when its source fails, and keeps the file that was there', async () => {
    const path = folder.path('kept')
    await writeFile(path, 'before')
    async function* failing(): AsyncGenerator<{ offset: number; bytes: Uint8Array }> {
      yield { offset: 0, bytes: Buffer.alloc(MiB, 1) }
      throw new Error('source is gone')
    }
    for (const { format, compress } of allFormats) {
      const written = writeDiskImage(path, format, 2 * MiB, failing(), { compress })
      await assert.rejects(written, /source is gone/)
    }
    assert.equal((await stat(path)).size, 6)
    assert.deepEqual(
      (await readdir(dirname(path))).filter((name) => name.endsWith('.tmp')),
      [],
    )
  })

  test('stops when it is told to', async () => {
    const written = writeDiskImage(
      folder.path('stopped'),
      'raw',
      MiB,
      dataOf({ virtualSizeBytes: MiB, pieces: [{ offset: 0, length: 512, kind: 'noise', salt: 1 }] }),
      { signal: AbortSignal.abort(new Error('enough')) },
    )
    await assert.rejects(written, /enough/)
  })

  test('refuses data out of order', async () => {
    const pieces = [
      { offset: 512, length: 512, kind: 'noise', salt: 1 },
      { offset: 0, length: 512, kind: 'noise', salt: 1 },
    ] as const
    await assert.rejects(
      writeDiskImage(folder.path('order'), 'qcow2', MiB, dataOf({ virtualSizeBytes: MiB, pieces })),
      RangeError,
    )
  })

  test('the same identity gives the same VHD', async () => {
    const vhdIdentity = { uniqueId: Buffer.alloc(16, 9), timestampMs: 1_700_000_000_000 }
    const paths = [folder.path('same-a'), folder.path('same-b')]
    const disk = { virtualSizeBytes: 4 * MiB, pieces: [{ offset: 0, length: 512, kind: 'text', salt: 1 }] } as const
    const files: Buffer[] = []
    for (const path of paths) {
      await writeDiskImage(path, 'vhd-dynamic', disk.virtualSizeBytes, dataOf(disk), { vhdIdentity })
      await using file = await open(path)
      files.push(await file.readFile())
    }
    assert.ok(files[0]?.equals(files[1] ?? Buffer.alloc(0)))
  })
})

test('a file that shrinks while it is read is a problem, not a crash', async () => {
  const path = folder.path('shrinks')
  await writeFile(path, Buffer.alloc(MiB, 1))
  await using image = await openDiskImage(path)
  await truncate(path, 1000)
  const isChanged = (e: unknown): boolean => e instanceof Problem && e.message.includes('became shorter')
  await assert.rejects(image.read(0, Buffer.alloc(MiB)), isChanged)
  await assert.rejects(Array.fromAsync(image.extents()), isChanged)
})

test('it works the same in a worker thread', async () => {
  const path = folder.path('worker')
  const disk = { virtualSizeBytes: 4 * MiB, pieces: [{ offset: MiB, length: 100_000, kind: 'text', salt: 1 }] } as const
  await writeDiskImage(path, 'qcow2', disk.virtualSizeBytes, dataOf(disk), { compress: true })
  const source = `
    import { parentPort } from 'node:worker_threads'
    import { openDiskImage } from ${JSON.stringify(new URL('open-disk-image.ts', import.meta.url).href)}
    import { knowsHoles } from ${JSON.stringify(new URL('sparse-file.ts', import.meta.url).href)}
    await using image = await openDiskImage(${JSON.stringify(path)})
    const bytes = Buffer.alloc(image.virtualSizeBytes)
    await image.read(0, bytes)
    parentPort.postMessage({ bytes, knowsHoles, extents: await Array.fromAsync(image.extents()) })`
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`))
  const answer = await new Promise<{ bytes: Uint8Array; knowsHoles: boolean; extents: Extent[] }>((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('error', reject)
  })
  assert.ok(Buffer.from(answer.bytes).equals(wholeDisk(disk)))
  assert.equal(answer.knowsHoles, knowsHoles)
  assert.deepEqual(answer.extents, await listExtents(path))
})
