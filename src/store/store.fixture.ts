import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Logger } from '../base/logger.ts'
import type { Region } from '../base/region.ts'
import { frameSizeBytes, type StorageClass, type StoredDisk } from './disk-store.ts'

/** For tests only: regions in a temporary folder, sparse disks, damage. */
export interface TestFolder extends Disposable {
  readonly path: string
}

export function createTestFolder(): TestFolder {
  const path = mkdtempSync(join(tmpdir(), 'goldleaf-store-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}

export function testRegion(root: string, name: string, stamps = 1): Region {
  return {
    name,
    displayName: name,
    zones: ['1', '2', '3'],
    pairedRegion: undefined,
    geographyGroup: 'Test',
    stampFolders: Array.from({ length: stamps }, (_, index) => join(root, name, `stamp${index + 1}`)),
    zoneFolders: ['1', '2', '3'].map((zone) => join(root, name, `zone${zone}`)),
  }
}

/** A vault, and the key of any. */
export const testVault = '0123456789abcdef0123456789abcdef'
export function findTestKey(vault: string): Promise<Uint8Array> {
  return Promise.resolve(createHash('sha256').update(vault).digest())
}

/** Stores of one stamp, and the folder of each below its region's. */
export const oneStampPlaces: readonly { readonly storageClass: StorageClass; readonly part: string }[] = [
  { storageClass: 'Standard_LRS', part: 'stamp1/standard' },
  { storageClass: 'Premium_LRS', part: 'stamp1/premium' },
  { storageClass: `Standard_LRS.${testVault}`, part: `stamp1/encrypted/${testVault}/standard` },
]

/** Repeatable randomness: mulberry32. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** What a guest would read: frames by number, everything else zeros. */
export interface ModelDisk {
  readonly sizeBytes: number
  readonly frames: ReadonlyMap<number, Buffer>
}

export function randomFrame(random: () => number, isText: boolean): Buffer {
  const frame = Buffer.alloc(frameSizeBytes)
  const word = Math.floor(random() * 0xffff_ffff)
  for (let at = 0; at < frameSizeBytes; at += 4)
    frame.writeUInt32LE(isText ? word + (at & 255) : Math.floor(random() * 0xffff_ffff), at)
  return frame
}

/** A disk of `frames` frames' size (its last one cut short) of which about `share` hold data. */
export function randomDisk(random: () => number, frames: number, share: number): ModelDisk {
  const sizeBytes = frames * frameSizeBytes - Math.floor(random() * 127) * 512
  const data = new Map<number, Buffer>()
  for (let frame = 0; frame < frames; frame += 1)
    if (random() < share) data.set(frame, cutFrame(sizeBytes, frame, randomFrame(random, random() < 0.7)))
  return { sizeBytes, frames: data }
}

function cutFrame(sizeBytes: number, frame: number, bytes: Buffer): Buffer {
  return bytes.subarray(0, Math.min(frameSizeBytes, sizeBytes - frame * frameSizeBytes))
}

/** The same disk with a few frames changed, as a next version has. */
export function changeDisk(random: () => number, disk: ModelDisk, changes: number): ModelDisk {
  const frames = new Map(disk.frames)
  const count = Math.ceil(disk.sizeBytes / frameSizeBytes)
  for (let change = 0; change < changes; change += 1) {
    const frame = Math.floor(random() * count)
    if (random() < 0.2) frames.delete(frame)
    else frames.set(frame, cutFrame(disk.sizeBytes, frame, randomFrame(random, random() < 0.5)))
  }
  return { sizeBytes: disk.sizeBytes, frames }
}

export async function writeDisk(path: string, disk: ModelDisk): Promise<void> {
  const file = await open(path, 'w')
  try {
    await file.truncate(disk.sizeBytes)
    for (const [frame, bytes] of disk.frames) await file.write(bytes, 0, bytes.length, frame * frameSizeBytes)
  } finally {
    await file.close()
  }
}

export function bytesOf(disk: ModelDisk): Buffer {
  const bytes = Buffer.alloc(disk.sizeBytes)
  for (const [frame, data] of disk.frames) data.copy(bytes, frame * frameSizeBytes)
  return bytes
}

export async function readAll(disk: StoredDisk): Promise<Buffer> {
  return Buffer.from(await disk.read(0, disk.virtualSizeBytes))
}

/** Paths of the packs in a store's folder. */
export function packsIn(storeFolder: string): string[] {
  return readdirSync(join(storeFolder, 'packs')).map((name) => join(storeFolder, 'packs', name))
}

export function manifestIn(storeFolder: string, root: string): string {
  return join(storeFolder, 'manifests', root.slice(0, 2), root)
}

export async function flipBit(path: string, offset: number): Promise<void> {
  const file = await open(path, 'r+')
  try {
    const byte = Buffer.alloc(1)
    await file.read(byte, 0, 1, offset)
    byte.writeUInt8(byte.readUInt8(0) ^ 4)
    await file.write(byte, 0, 1, offset)
  } finally {
    await file.close()
  }
}

/** Flips one bit in each of `count` places spread over a file. */
export async function flipBits(path: string, count: number, random: () => number): Promise<void> {
  const file = await open(path, 'r')
  const { size } = await file.stat()
  await file.close()
  for (let flip = 0; flip < count; flip += 1) await flipBit(path, Math.floor(random() * size))
}

/** Keeps what was logged. */
export function recordingLogger(): Logger & { readonly messages: string[] } {
  const messages: string[] = []
  const keep = (_fields: object, message: string): void => {
    messages.push(message)
  }
  return { messages, debug: keep, info: keep, warn: keep, error: keep }
}
