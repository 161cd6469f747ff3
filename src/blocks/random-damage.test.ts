import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import * as fc from 'fast-check'
import { Problem } from '../base/problem.ts'
import { KiB } from '../base/units.ts'
import type { Sane } from './hostile.fixture.ts'
import { fixed, footer, header, l1, l2, readAll, sane, store } from './hostile.fixture.ts'
import { chooseSeed } from './random-disk.fixture.ts'

const seed = chooseSeed()

suite('random damage never hangs, crashes or reads outside', () => {
  const isSafe = async (bytes: Uint8Array): Promise<void> => {
    const path = await store(bytes)
    for (const format of [undefined, 'vhd', 'qcow2', 'raw'] as const)
      try {
        await readAll(path, { format })
      } catch (error) {
        if (!(error instanceof Problem)) throw error
        assert.notEqual(error.kind, 'internal')
      }
  }
  // Small images, so that most of the bytes are metadata.
  const parts = {
    'vhd-fixed': (b: Buffer) => b.subarray(fixed - 4096),
    'vhd-dynamic': (b: Buffer) => b,
    qcow2: (b: Buffer) => b,
    zstd: (b: Buffer) => b,
  }
  for (const [name, part] of Object.entries(parts)) {
    const image = part(sane[name as Sane])
    const metadata =
      name === 'vhd-dynamic' ? [0, 4096] : name === 'vhd-fixed' ? [image.length - 512, image.length] : [0, 256 * KiB]
    const [from = 0, to = 0] = metadata
    const spot = fc.oneof(
      fc.integer({ min: from, max: to - 1 }),
      fc.integer({ min: 0, max: 200 }).map((n) => from + n),
      fc.nat(image.length - 1),
    )
    const used = [112, l1, l1 + 8, l2, l2 + 8, l2 + 16, l2 + 512, 1536, 1540, 1544].filter(
      (at) => at < image.length - 8,
    )
    const flips = fc.array(fc.tuple(fc.oneof(spot, fc.constantFrom(...used)), fc.nat(255)), {
      minLength: 1,
      maxLength: 4,
    })

    test(`${name}: bytes changed anywhere, then cut`, async () => {
      const cut = fc.option(fc.nat(image.length - 1), { freq: 5, nil: undefined })
      const property = fc.asyncProperty(flips, cut, fc.boolean(), async (changes, end, repair) => {
        const bytes = Buffer.from(image)
        for (const [at, value] of changes) bytes[at] = value
        if (repair && name.startsWith('vhd')) footer(() => {})(header(() => {})(bytes))
        await isSafe(bytes.subarray(0, end))
      })
      await fc.assert(property, { seed, numRuns: 40 })
    })
  }

  test('every word of every header, at its extremes', async () => {
    const extremes = [0, 0x8000_0000, 0xffff_ffff]
    for (const value of extremes) {
      for (let at = 0; at < 120; at += 4) {
        const bytes = Buffer.from(sane.zstd)
        bytes.writeUInt32BE(value, at)
        await isSafe(bytes)
      }
      for (let at = 0; at < 88; at += 4) await isSafe(footer((b) => b.writeUInt32BE(value, at))(smallDynamic()))
      for (let at = 0; at < 64; at += 4) await isSafe(header((b) => b.writeUInt32BE(value, at))(smallDynamic()))
    }
  })

  const smallDynamic = (): Buffer => {
    const bytes = Buffer.from(sane['vhd-dynamic'])
    // Without blocks: headers, table, footer.
    bytes.fill(0xff, 1536, 2048)
    return Buffer.concat([bytes.subarray(0, 2048), bytes.subarray(bytes.length - 512)])
  }
})
