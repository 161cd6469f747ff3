import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { suite, test } from 'node:test'
import { Problem } from '../base/problem.ts'
import { KiB, MiB } from '../base/units.ts'
import type { DiskFormat } from './disk-image.ts'
import type { OpenDiskImageOptions } from './open-disk-image.ts'
import { openDiskImage } from './open-disk-image.ts'
import type { RandomDisk } from './random-disk.fixture.ts'
import { dataOf, makeTestFolder } from './random-disk.fixture.ts'
import { vhdChecksum } from './vhd-footer.ts'
import { writeDiskImage } from './write-disk-image.ts'

const folder = await makeTestFolder()
export const identity = { uniqueId: Buffer.alloc(16, 7), timestampMs: 1_700_000_000_000 }
const disk: RandomDisk = {
  virtualSizeBytes: 8 * MiB,
  pieces: [
    { offset: 0, length: 128 * KiB, kind: 'noise', salt: 1 },
    { offset: 4 * MiB, length: 64 * KiB, kind: 'text', salt: 2 },
  ],
}

async function makeImage(format: DiskFormat, compress = false): Promise<Buffer> {
  const path = folder.path(`sane-${format}`)
  await writeDiskImage(path, format, disk.virtualSizeBytes, dataOf(disk), { compress, vhdIdentity: identity })
  return readFile(path)
}

export const sane = {
  raw: await makeImage('raw'),
  'vhd-fixed': await makeImage('vhd-fixed'),
  'vhd-dynamic': await makeImage('vhd-dynamic'),
  qcow2: await makeImage('qcow2'),
  zstd: await makeImage('qcow2', true),
}
export type Sane = keyof typeof sane

let files = 0
export async function store(bytes: Uint8Array): Promise<string> {
  const path = folder.path(`image-${files++ % 8}`)
  await writeFile(path, bytes)
  return path
}

/** Opens, lists and reads all that is listed, and the ends; whatever is wrong must come out as a Problem. */
export async function readAll(path: string, options?: OpenDiskImageOptions): Promise<void> {
  await using image = await openDiskImage(path, options)
  const bytes = Buffer.alloc(MiB)
  for await (const extent of image.extents())
    for (let done = 0; done < Math.min(extent.length, 64 * MiB); done += MiB)
      await image.read(extent.offset + done, bytes.subarray(0, Math.min(MiB, extent.length - done)))
  const edge = Math.min(MiB, image.virtualSizeBytes)
  await image.read(0, bytes.subarray(0, edge))
  await image.read(image.virtualSizeBytes - edge, bytes.subarray(0, edge))
}

export interface Case {
  readonly why: string
  readonly from: Sane
  readonly change?: (bytes: Buffer) => Buffer | void
  readonly options?: OpenDiskImageOptions
  /** Where it is not the table's. */
  readonly code?: string
  readonly says: RegExp
}

async function refuses({ from, change, options, code, says }: Required<Pick<Case, 'code'>> & Case): Promise<void> {
  const bytes = Buffer.from(sane[from])
  const path = await store(change?.(bytes) ?? bytes)
  await assert.rejects(readAll(path, { name: 'web.vhd', ...options }), (error) => {
    assert.ok(error instanceof Problem, `not a problem: ${String(error)}`)
    assert.match(error.message, says)
    assert.equal(error.code, code)
    assert.ok(!error.message.includes(path), 'a message has no paths')
    return true
  })
}

export const fixed = 8 * MiB
/** Changes a footer (both copies of a dynamic disk) and makes its checksum right again. */
export function footer(change: (bytes: Buffer) => void): (bytes: Buffer) => Buffer {
  return (bytes) => {
    const end = bytes.subarray(bytes.length - 512)
    change(end)
    end.writeUInt32BE(vhdChecksum(end, 64), 64)
    if (bytes.toString('latin1', 0, 8) === 'conectix') end.copy(bytes, 0)
    return bytes
  }
}
export function header(change: (bytes: Buffer) => void): (bytes: Buffer) => Buffer {
  return (bytes) => {
    const part = bytes.subarray(512, 1536)
    change(part)
    part.writeUInt32BE(vhdChecksum(part, 36), 36)
    return bytes
  }
}

/** Of the sane qcow2: header, L1 at 64 KiB, L2 at 128 KiB, data at 192, 256 and 320 KiB. */
export const l1 = 64 * KiB
export const l2 = 128 * KiB
export const data = 192 * KiB
export const put64 =
  (at: number, value: bigint) =>
  (b: Buffer): void =>
    void b.writeBigUInt64BE(value, at)
export const put32 =
  (at: number, value: number) =>
  (b: Buffer): void =>
    void b.writeUInt32BE(value, at)
export const copied = 2n ** 63n
export const extension =
  (type: number) =>
  (b: Buffer): void => {
    b.writeUInt32BE(type, 112)
    b.writeUInt32BE(8, 116)
  }

export const put =
  (magic: string, at: number) =>
  (b: Buffer): void =>
    void b.write(magic, at, 'latin1')
export const end =
  (magic: string) =>
  (b: Buffer): Buffer =>
    Buffer.concat([b, Buffer.from(magic.padEnd(512, '\0'), 'latin1')])

/** One test a case: refused with its code, or this one, and its text, and without the path. */
export function refusesAll(title: string, code: string, cases: readonly Case[]): void {
  suite(title, () => {
    for (const one of cases) test(one.why, () => refuses({ code, ...one }))
  })
}
