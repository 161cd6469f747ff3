import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { promisify } from 'node:util'
import { emptyQcow2Overlay } from '../blocks/write-disk-image.ts'
import { createDiskStores } from './disk-stores.ts'
import { frameSizeBytes } from './disk-store.ts'
import { DiskMissing } from './errors.ts'
import { createTestFolder, seeded, testRegion } from './store.fixture.ts'

const run = promisify(execFile)
const hasQemu = spawnSync('qemu-io', ['--version']).status === 0
const skip = hasQemu ? false : 'qemu-io is not installed (apt install qemu-utils): no layer is written as QEMU does'
const seed = Number(process.env['GOLDLEAF_SEED'] ?? Date.now())

/** QEMU's own reading of the layer over the base is the judge. */
suite(`a layer is captured by what it changed (GOLDLEAF_SEED=${seed})`, { skip }, () => {
  const frames = 600
  const cases: readonly { readonly why: string; readonly io: readonly string[]; readonly readFrames: number }[] = [
    { why: 'nothing was written', io: [], readFrames: 0 },
    {
      why: 'writes within a frame, over two, at the start and the end',
      io: ['write -P 1 0 512', 'write -P 2 130000 70000', `write -P 3 ${599 * frameSizeBytes} 512`],
      readFrames: 5,
    },
    {
      why: 'zeros and discards hide what is under them',
      io: ['write -z 65536 1048576', 'discard 20971520 1048576', 'write -P 9 1048576 65536'],
      readFrames: 1,
    },
    {
      why: 'the same bytes again',
      io: ['write -P 1 0 512', 'write -P 4 327680 65536', 'write -z 327680 65536'],
      readFrames: 1,
    },
  ]
  for (const storageClass of ['Standard_LRS', 'Standard_ZRS'] as const)
    for (const one of cases)
      test(`${storageClass}: ${one.why}`, async () => {
        using folder = createTestFolder()
        await using stores = await createDiskStores({ regions: [testRegion(folder.path, 'here', 2)], workers: 1 })
        const store = stores.store('here', storageClass)
        const random = seeded(seed)
        const bytes = Buffer.alloc(frames * frameSizeBytes)
        for (let frame = 0; frame < frames; frame += 1)
          if (random() < 0.5)
            bytes.fill(1 + Math.floor(random() * 255), frame * frameSizeBytes, (frame + 1) * frameSizeBytes)
        const [basePath, layerPath, wholePath] = ['base', 'layer', 'whole'].map((name) => join(folder.path, name))
        assert.ok(basePath && layerPath && wholePath)
        await writeFile(basePath, bytes)
        // Larger than its base: a disk may grow.
        const sizeBytes = bytes.length + 5 * frameSizeBytes + 512
        await emptyQcow2Overlay(layerPath, sizeBytes)
        const opts = `driver=qcow2,discard=unmap,file.driver=file,file.filename=${layerPath},backing.driver=raw,backing.file.filename=${basePath}`
        const io = one.io.flatMap((command) => ['-c', command])
        if (io.length > 0) await run('qemu-io', [...io, '--image-opts', opts])
        const base = await store.ingest({ path: basePath, format: 'raw' })
        const captured = await store.capture(base.root, layerPath)
        assert.equal(captured.progress.bytesRead, one.readFrames * frameSizeBytes, 'only what changed is read')
        assert.equal(captured.virtualSizeBytes, sizeBytes)
        await run('qemu-img', ['convert', '--image-opts', '-O', 'raw', opts, wholePath])
        const whole = await store.ingest({ path: wholePath, format: 'raw' })
        assert.equal(captured.root, whole.root, 'byte for byte what QEMU reads')
        assert.equal(whole.progress.bytesStored, 0)
        base.pin[Symbol.dispose]()
        whole.pin[Symbol.dispose]()
        await store.sweep(async () => new Set())
        assert.deepEqual((await store.verify(captured.root)).lost, [], 'the pin keeps base frames too')
        captured.pin[Symbol.dispose]()
      })
  test('over nothing, and over a disk that is not here', async () => {
    using folder = createTestFolder()
    await using stores = await createDiskStores({ regions: [testRegion(folder.path, 'here')], workers: 1 })
    const store = stores.store('here', 'Premium_LRS')
    const layerPath = join(folder.path, 'layer')
    await emptyQcow2Overlay(layerPath, 10 * frameSizeBytes)
    await run('qemu-io', ['-c', 'write -P 7 65536 65536', '-f', 'qcow2', layerPath])
    const captured = await store.capture(undefined, layerPath)
    await using disk = await store.open(captured.root)
    assert.equal(disk.virtualSizeBytes, 10 * frameSizeBytes)
    const bytes = Buffer.from(await disk.read(0, disk.virtualSizeBytes))
    assert.ok(bytes.equals(Buffer.concat([Buffer.alloc(65536), Buffer.alloc(65536, 7), Buffer.alloc(8 * 65536)])))
    await assert.rejects(store.capture('0'.repeat(64), layerPath), DiskMissing)
  })
})
