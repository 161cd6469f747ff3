import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { frameSizeBytes, type DiskStore, type LeafPage } from './disk-store.ts'
import { DiskMissing, FrameCorrupt, FramesMissing } from './errors.ts'
import { nameOf } from './frame-name.ts'
import {
  bytesOf,
  changeDisk,
  createTestFolder,
  randomDisk,
  randomFrame,
  readAll,
  seeded,
  writeDisk,
  type TestFolder,
} from './store.fixture.ts'

/** What a conformance run needs: the store under test and an empty one of any class in another region. */
export interface StoreUnderTest extends AsyncDisposable {
  readonly store: DiskStore
  readonly peer: DiskStore
}

/** Every store calls this; a new store begins with it. */
export function diskStoreConformance(label: string, open: (folder: string) => Promise<StoreUnderTest>): void {
  suite(`disk store: ${label}`, () => {
    const random = seeded(20_260_801)
    let folder: TestFolder
    let under: StoreUnderTest
    let disks = 0
    before(async () => {
      folder = createTestFolder()
      under = await open(folder.path)
    })
    after(async () => {
      await under[Symbol.asyncDispose]()
      folder[Symbol.dispose]()
    })
    const imageOf = async (disk: Parameters<typeof writeDisk>[1]): Promise<string> => {
      const path = join(folder.path, `disk${(disks += 1)}.raw`)
      await writeDisk(path, disk)
      return path
    }
    const pagesOf = async (store: DiskStore, root: string): Promise<LeafPage[]> => {
      const pages: LeafPage[] = []
      for await (const page of store.leafPages(root)) pages.push(page)
      return pages
    }

    test('gives back every byte, in any range', async () => {
      const disk = randomDisk(random, 600, 0.15)
      const stored = await under.store.ingest({ path: await imageOf(disk), format: 'raw' })
      const want = bytesOf(disk)
      assert.equal(stored.virtualSizeBytes, disk.sizeBytes)
      assert.equal(await under.store.has(stored.root), true)
      await using opened = await under.store.open(stored.root)
      assert.ok(want.equals(await readAll(opened)))
      await Promise.all(
        Array.from({ length: 40 }, async () => {
          const offset = Math.floor(random() * disk.sizeBytes)
          const length = Math.floor(random() * Math.min(300_000, disk.sizeBytes - offset))
          const got = await opened.read(offset, length)
          assert.ok(want.subarray(offset, offset + length).equals(got), `range ${offset}+${length}`)
        }),
      )
      await assert.rejects(opened.read(disk.sizeBytes - 1, 2), RangeError)
    })

    test('knows which ranges hold data', async () => {
      const disk = randomDisk(random, 300, 0.1)
      const stored = await under.store.ingest({ path: await imageOf(disk) })
      await using opened = await under.store.open(stored.root)
      const frames = new Set<number>()
      let previousEnd = 0
      for await (const { offset, length } of opened.extents()) {
        assert.ok(offset >= previousEnd && length > 0)
        previousEnd = offset + length
        for (let at = offset; at < previousEnd; at += frameSizeBytes) frames.add(at / frameSizeBytes)
      }
      assert.ok(previousEnd <= disk.sizeBytes)
      assert.deepEqual(frames, new Set(disk.frames.keys()))
    })

    test('names a disk by its content alone, and stores nothing twice', async () => {
      const disk = randomDisk(random, 300, 0.3)
      const first = await under.store.ingest({ path: await imageOf(disk) })
      const again = await under.store.ingest({ path: await imageOf(disk) })
      assert.equal(again.root, first.root)
      assert.equal(again.progress.bytesStored, 0)
      assert.equal(again.progress.bytesNew, 0)
      const longer = await under.store.ingest({ path: await imageOf({ ...disk, sizeBytes: disk.sizeBytes + 512 }) })
      assert.notEqual(longer.root, first.root)
    })

    test('stores only what changed since the parent, and an empty disk', async () => {
      const parent = randomDisk(random, 300, 0.3)
      const { root: parentRoot } = await under.store.ingest({ path: await imageOf(parent) })
      const next = changeDisk(random, parent, 5)
      const stored = await under.store.ingest({ path: await imageOf(next) }, { parentRoot })
      assert.ok(stored.progress.bytesNew <= 5 * frameSizeBytes)
      await using opened = await under.store.open(stored.root)
      assert.ok(bytesOf(next).equals(await readAll(opened)))
      const empty = { sizeBytes: 1_000_448, frames: new Map<number, Buffer>() }
      const { root } = await under.store.ingest({ path: await imageOf(empty) }, { parentRoot: 'ab'.repeat(32) })
      await using nothing = await under.store.open(root)
      assert.ok(bytesOf(empty).equals(await readAll(nothing)))
    })

    test('reports progress that only grows and ends complete', async () => {
      const seen: number[] = []
      const disk = randomDisk(random, 150, 0.4)
      const onProgress = (progress: { bytesDone: number }): void => void seen.push(progress.bytesDone)
      const { progress } = await under.store.ingest({ path: await imageOf(disk) }, { onProgress })
      assert.deepEqual(
        seen,
        seen.toSorted((a, b) => a - b),
      )
      assert.equal(progress.bytesDone, progress.bytesTotal)
      assert.equal(progress.bytesTotal, disk.frames.size * frameSizeBytes)
    })

    test('takes a disk over from another region, only what is missing', async () => {
      const parent = randomDisk(random, 400, 0.2)
      const { root: parentRoot } = await under.peer.ingest({ path: await imageOf(parent) })
      const first = await under.store.receive(under.peer, parentRoot)
      assert.equal(first.root, parentRoot)
      assert.ok(first.progress.bytesSent > 0)
      assert.equal(first.progress.bytesDone, first.progress.bytesTotal)
      const next = changeDisk(random, parent, 4)
      const { root } = await under.peer.ingest({ path: await imageOf(next) }, { parentRoot })
      const second = await under.store.receive(under.peer, root, { parentRoot })
      assert.ok(second.progress.bytesNew <= 4 * frameSizeBytes)
      assert.ok(second.progress.bytesSent < 4 * frameSizeBytes + 32 * next.frames.size + 1)
      await using opened = await under.store.open(root)
      assert.ok(bytesOf(next).equals(await readAll(opened)))
      const back = await under.peer.receive(under.store, root)
      assert.equal(back.progress.bytesNew, 0)
    })

    test('a disk can be pushed through the frame door', async () => {
      const disk = randomDisk(random, 300, 0.3)
      const { root } = await under.peer.ingest({ path: await imageOf(disk) })
      const pages = await pagesOf(under.peer, root)
      const sendPages = async function* (): AsyncIterable<LeafPage> {
        yield* pages
      }
      await assert.rejects(under.store.assemble(disk.sizeBytes, sendPages()), FramesMissing)
      assert.equal(await under.store.has(root), false)
      using pin = under.store.pinFrames()
      const names = Buffer.concat(pages.map((page) => page.leaves))
      const missing = await under.store.missing(names, pin)
      assert.equal(missing.length, disk.frames.size)
      const wanted = missing.map((index) => names.subarray(index * 32, (index + 1) * 32))
      const { bytesStored } = await under.store.putFrames(await under.peer.readFrames(wanted), pin)
      assert.ok(bytesStored > 0)
      assert.deepEqual(await under.store.missing(names, pin), [])
      const made = await under.store.assemble(disk.sizeBytes, sendPages(), pin)
      assert.equal(made.root, root)
      await using opened = await under.store.open(root)
      assert.ok(bytesOf(disk).equals(await readAll(opened)))
    })

    test('refuses frames that are not what their name says', async () => {
      const frame = randomFrame(random, true)
      const wrong = Buffer.from(frame)
      wrong.writeUInt8(wrong.readUInt8(77) ^ 1, 77)
      const name = nameOf(frame)
      for (const bytes of [wrong, frame.subarray(0, 100), Buffer.alloc(0)])
        await assert.rejects(under.store.putFrames([{ name, codec: 'raw', bytes }]), FrameCorrupt)
      await assert.rejects(under.store.putFrames([{ name, codec: 'zstd', bytes: frame }]), FrameCorrupt)
      assert.deepEqual(await under.store.missing(name), [0])
    })

    test('says when a disk is not here', async () => {
      const root = 'ff'.repeat(32)
      assert.equal(await under.store.has(root), false)
      await assert.rejects(under.store.open(root), (error) => error instanceof DiskMissing && error.root === root)
      await assert.rejects(under.store.receive(under.peer, root), DiskMissing)
      await assert.rejects(under.store.verify(root), DiskMissing)
    })

    test('verifies every byte of every copy', async () => {
      const disk = randomDisk(random, 300, 0.2)
      const { root } = await under.store.ingest({ path: await imageOf(disk) })
      const result = await under.store.verify(root)
      assert.ok(result.framesChecked >= disk.frames.size && result.framesChecked % disk.frames.size === 0)
      assert.deepEqual({ repaired: result.repaired, lost: result.lost }, { repaired: 0, lost: [] })
    })

    test('a sweep frees what is dead and nothing else', async () => {
      const dead = randomDisk(random, 150, 0.4)
      const live = changeDisk(random, dead, 20)
      const a = await under.store.ingest({ path: await imageOf(dead) })
      const b = await under.store.ingest({ path: await imageOf(live) })
      const before = await under.store.usage()
      await under.store.sweep(new Set())
      assert.equal(await under.store.has(a.root), true, 'the pin holds it')
      a.pin[Symbol.dispose]()
      const { bytesFreed } = await under.store.sweep(() => Promise.resolve(new Set([b.root])))
      assert.ok(bytesFreed > 0)
      assert.equal(await under.store.has(a.root), false)
      b.pin[Symbol.dispose]()
      await under.store.sweep(new Set([b.root]))
      await using opened = await under.store.open(b.root)
      assert.ok(bytesOf(live).equals(await readAll(opened)))
      assert.ok((await under.store.usage()).bytesStored <= before.bytesStored)
      assert.equal((await under.store.verify(b.root)).lost.length, 0)
    })

    test('frames that a pin has seen outlive a sweep', async () => {
      await using fresh = await open(join(folder.path, 'fresh'))
      const disk = randomDisk(random, 100, 0.5)
      const stored = await fresh.store.ingest({ path: await imageOf(disk) })
      const pages = await pagesOf(fresh.store, stored.root)
      const names = Buffer.concat(pages.map((page) => page.leaves))
      const pin = fresh.store.pinFrames()
      assert.deepEqual(await fresh.store.missing(names, pin), [])
      stored.pin[Symbol.dispose]()
      await fresh.store.sweep(new Set())
      assert.equal(await fresh.store.has(stored.root), false)
      assert.deepEqual(await fresh.store.missing(names), [])
      pin[Symbol.dispose]()
      await fresh.store.sweep(new Set())
      assert.equal((await fresh.store.missing(names)).length, disk.frames.size)
      assert.equal((await fresh.store.usage()).bytesStored, 0)
    })

    test('stops when its signal says so, and goes on cheaply afterwards', async () => {
      const disk = randomDisk(random, 600, 0.5)
      const path = await imageOf(disk)
      const controller = new AbortController()
      const onProgress = (): void => controller.abort(new Error('enough'))
      await assert.rejects(under.store.ingest({ path }, { signal: controller.signal, onProgress }), /enough/)
      const stored = await under.store.ingest({ path })
      await using opened = await under.store.open(stored.root)
      assert.ok(bytesOf(disk).equals(await readAll(opened)))
    })

    test('many transfers at once keep each other whole', async () => {
      const base = randomDisk(random, 200, 0.4)
      const versions = Array.from({ length: 5 }, () => changeDisk(random, base, 10))
      const stored = await Promise.all(versions.map(async (disk) => under.store.ingest({ path: await imageOf(disk) })))
      for (const [index, { root }] of stored.entries()) {
        await using opened = await under.store.open(root)
        assert.ok(bytesOf(versions[index] ?? base).equals(await readAll(opened)))
      }
    })
  })
}
