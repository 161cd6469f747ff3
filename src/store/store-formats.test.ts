import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { blake3 } from '@napi-rs/blake-hash'
import * as fc from 'fast-check'
import { frameSizeBytes, type LeafPage } from './disk-store.ts'
import { pageBytes, pageCount, rootOf } from './disk-tree.ts'
import { nodeFileSystem } from './durable-file.ts'
import {
  createFrameCodec,
  createPortableFrameCodec,
  checksum,
  encodeBoundBytes,
  rawCodec,
  zstdCodec,
} from './frame-codec.ts'
import { isZeroName, nameAt, nameOf, zeroName } from './frame-name.ts'
import { batchRuns, frameRuns, framesOf } from './frame-runs.ts'
import { createManifestWriter, openManifest } from './manifest.ts'
import { encodePackHead, encodeSeal, layOutGroup, type PackRecord } from './pack-format.ts'
import { scanPack } from './pack-scan.ts'
import { rankPlaces } from './placement.ts'
import { slidingWindow } from './sliding-window.ts'
import { yieldTurn } from './yield-turn.ts'
import { createTestFolder, randomFrame, seeded } from './store.fixture.ts'

const random = seeded(99)

async function* each<T>(items: readonly T[]): AsyncIterable<T> {
  yield* items
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

suite('names', () => {
  test('the root is what the format says, and never changes', () => {
    const hash = nameOf(Buffer.alloc(pageBytes, 1))
    const head = Buffer.alloc(12)
    head.writeBigUInt64LE(2n ** 40n, 0)
    head.writeUInt32LE(65_536, 8)
    const hashes = Buffer.alloc(65_536 * 32)
    hashes.set(hash, 7 * 32)
    const want = blake3(Buffer.concat([Buffer.from('goldleaf.disk.v1'), head, hashes])).toString('hex')
    assert.equal(rootOf(2 ** 40, [{ index: 7, hash }]), want)
    assert.equal(want, '156f494a4c64088596032f84f34036b687bf639ddd352e39d5dae70ae0a15f87')
  })

  test('size, place and content of a page all change the root', () => {
    const hash = nameOf(Buffer.alloc(pageBytes, 1))
    const roots = [
      rootOf(2 ** 30, []),
      rootOf(2 ** 30 + 512, []),
      rootOf(2 ** 30, [{ index: 0, hash }]),
      rootOf(2 ** 30, [{ index: 1, hash }]),
      rootOf(2 ** 30, [{ index: 1, hash: nameOf(hash) }]),
    ]
    assert.equal(new Set(roots).size, roots.length)
  })
})

suite('frame codec', () => {
  const codecs = [createFrameCodec(), createPortableFrameCodec()]
  test('both ways to zstd decode what either encoded; what does not shrink is kept raw', () => {
    for (const frame of [randomFrame(random, true), randomFrame(random, false), Buffer.alloc(frameSizeBytes, 'abc')])
      for (const encoder of codecs)
        for (const decoder of codecs) {
          const into = Buffer.alloc(encodeBoundBytes)
          const { codec, length } = encoder.encode(frame, zstdCodec, into)
          assert.ok(codec === zstdCodec ? length <= (frameSizeBytes * 15) / 16 : length === frameSizeBytes)
          const out = Buffer.alloc(frameSizeBytes)
          assert.ok(decoder.decode(into.subarray(0, length), codec, out))
          assert.ok(out.equals(frame))
        }
  })

  test('what is not exactly one frame is refused, whatever it claims', () => {
    const out = Buffer.alloc(frameSizeBytes)
    const bomb = Buffer.alloc(encodeBoundBytes)
    for (const codec of codecs) {
      const { length } = codec.encode(Buffer.alloc(frameSizeBytes), zstdCodec, bomb)
      assert.equal(codec.decode(bomb.subarray(0, length - 1), zstdCodec, out), false)
      assert.equal(codec.decode(Buffer.from('not zstd at all'), zstdCodec, out), false)
      assert.equal(codec.decode(Buffer.alloc(0), zstdCodec, out), false)
      assert.equal(codec.decode(Buffer.alloc(frameSizeBytes - 1), rawCodec, out), false)
    }
  })
})

suite('packs', () => {
  const records = (count: number): PackRecord[] =>
    Array.from({ length: count }, () => {
      const bytes = randomFrame(random, true).subarray(0, 100 + Math.floor(random() * 5000))
      return { name: nameOf(bytes), codec: zstdCodec, bytes, crc: checksum(bytes) }
    })
  const build = (align: number, groups: readonly PackRecord[][]) => {
    const parts: Buffer[] = [encodePackHead(42, align)]
    const entries = []
    const starts: number[] = []
    let position = align
    for (const group of groups) {
      const laid = layOutGroup(42, align, position, entries.length, group)
      parts.push(laid.head, ...group.map(({ bytes }) => Buffer.from(bytes)), Buffer.alloc(laid.padding))
      starts.push(position)
      entries.push(...laid.entries)
      position = laid.end
    }
    return { bytes: Buffer.concat(parts), entries, starts, position }
  }
  const named = (entries: readonly { readonly name: Uint8Array }[]) =>
    entries.map(({ name }) => Buffer.from(name).toString('hex'))

  for (const align of [512, 4096])
    test(`a scan finds every frame, sealed or not, and cuts a torn tail (align ${align})`, async () => {
      using folder = createTestFolder()
      const path = join(folder.path, 'a.pack')
      const { bytes, entries, starts, position } = build(align, [records(3), records(64), records(1)])
      writeFileSync(path, bytes)
      const open = await scanPack(path, 42)
      assert.deepEqual(named(open?.entries ?? []), named(entries))
      assert.equal(open?.endBytes, position)
      writeFileSync(path, Buffer.concat([bytes, encodeSeal(position, entries)]))
      const sealed = await scanPack(path, 42)
      assert.equal(sealed?.sealed, true)
      assert.deepEqual(sealed?.entries, open?.entries)
      assert.equal(await scanPack(path, 43), undefined, 'another pack')
      for (const cut of [1, 600, bytes.length - (starts[2] ?? 0)]) {
        writeFileSync(path, bytes.subarray(0, bytes.length - cut))
        const torn = await scanPack(path, 42)
        assert.ok(torn && named(entries).join().startsWith(named(torn.entries).join()))
        assert.ok(torn.entries.length >= 67)
      }
      const damaged = Buffer.from(bytes)
      damaged.writeUInt8(damaged.readUInt8((starts[1] ?? 0) + 40) ^ 1, (starts[1] ?? 0) + 40)
      writeFileSync(path, damaged)
      const rest = await scanPack(path, 42)
      assert.equal(rest?.entries.length, 4, 'the group behind a damaged one is found')
    })
})

suite('manifests', () => {
  test('any pages come back as they went in', async () => {
    using folder = createTestFolder()
    const pages = fc.uniqueArray(fc.tuple(fc.nat(99), fc.constantFrom(0, 1, 2, 7, 255, 256), fc.nat()), {
      selector: ([index]) => index,
      maxLength: 8,
    })
    await fc.assert(
      fc.asyncProperty(pages, fc.integer({ min: 99 * 256 + 256, max: 30_000 }), async (made, frames) => {
        const sizeBytes = frames * frameSizeBytes - 512
        const want = made
          .toSorted(([a], [b]) => a - b)
          .map(([index, count, seed]) => {
            const leaves = new Uint8Array(pageBytes)
            for (let leaf = 0; leaf < count; leaf += 1)
              leaves.set(nameOf(Buffer.from(`${seed} ${leaf}`)), (count === 256 ? leaf : (leaf * 7 + seed) % 256) * 32)
            return { index, leaves }
          })
        const path = join(folder.path, 'manifest')
        const writer = await createManifestWriter(nodeFileSystem, `${path}.new`, sizeBytes)
        for (const page of want) await writer.add(page)
        const root = await writer.seal()
        await writer.place(path)
        const manifest = await openManifest(path, root)
        const data = want.filter(({ leaves }) => leaves.some((byte) => byte !== 0))
        const asText = ({ index, leaves }: LeafPage): string => `${index} ${Buffer.from(leaves).toString('base64')}`
        assert.deepEqual((await collect(manifest.pages())).map(asText), data.map(asText))
        for (let index = 0; index < pageCount(sizeBytes); index += 13)
          assert.equal((await manifest.page(index)) === undefined, !data.some((page) => page.index === index))
        await manifest.close()
      }),
      { numRuns: 30 },
    )
  })

  test('pages out of order, behind the end, or naming frames behind the end are refused', async () => {
    using folder = createTestFolder()
    const writer = await createManifestWriter(nodeFileSystem, join(folder.path, 'm'), 300 * frameSizeBytes)
    const leaves = new Uint8Array(pageBytes)
    leaves.set(nameOf(Buffer.from('x')), 44 * 32)
    await assert.rejects(writer.add({ index: 1, leaves }), RangeError)
    await assert.rejects(writer.add({ index: 2, leaves: new Uint8Array(pageBytes) }), RangeError)
    await writer.add({ index: 0, leaves })
    await assert.rejects(writer.add({ index: 0, leaves }), RangeError)
    await writer.abandon()
    assert.ok(isZeroName(nameAt(leaves, 0)) && isZeroName(zeroName))
  })
})

suite('pieces', () => {
  test('extents become whole frames, each once, in order', async () => {
    const extent = fc.record({ gap: fc.nat(200_000), length: fc.integer({ min: 1, max: 400_000 }) })
    await fc.assert(
      fc.asyncProperty(fc.array(extent, { maxLength: 30 }), fc.integer({ min: 1, max: 9 }), async (shapes, limit) => {
        let at = 0
        const extents = shapes.map(({ gap, length }) => {
          const offset = at + gap
          at = offset + length
          return { offset, length }
        })
        const want = new Set<number>()
        for (const { offset, length } of extents)
          for (let frame = Math.floor(offset / frameSizeBytes); frame * frameSizeBytes < offset + length; frame += 1)
            want.add(frame)
        const batches = await collect(batchRuns(frameRuns(each(extents)), limit))
        assert.deepEqual(batches.flatMap(framesOf), [...want])
        assert.ok(batches.slice(0, -1).every((runs) => framesOf(runs).length === limit))
      }),
    )
  })

  test('a place that goes moves only its own disks', () => {
    const places = ['a', 'b', 'c', 'd']
    for (let disk = 0; disk < 200; disk += 1) {
      const before = rankPlaces(String(disk), places).map((index) => places[index])
      const after = rankPlaces(String(disk), ['a', 'b', 'd']).map((index) => ['a', 'b', 'd'][index])
      assert.deepEqual(
        after,
        before.filter((place) => place !== 'c'),
      )
    }
  })

  test('the window keeps the order, its limit, and waits for what it started before it fails', async () => {
    let running = 0
    let most = 0
    const seen: number[] = []
    const start = async (item: number): Promise<number> => {
      most = Math.max(most, (running += 1))
      for (let turn = 0; turn < 1 + ((item * 7) % 5); turn += 1) await yieldTurn()
      running -= 1
      if (item === 17) throw new Error('seventeen')
      return item
    }
    const consume = async (item: number): Promise<void> => void seen.push(item)
    const items = Array.from({ length: 40 }, (_, index) => index)
    await assert.rejects(slidingWindow(each(items), 4, start, consume), /seventeen/)
    assert.deepEqual(seen, items.slice(0, 17))
    assert.deepEqual([most, running], [4, 0])
  })
})
