import type { FileHandle } from 'node:fs/promises'
import { systemClock } from '../base/clock.ts'
import { randomBytes } from '../base/random.ts'
import { KiB, MiB } from '../base/units.ts'
import type { DiskFormat } from './disk-image.ts'
import type { GuestData } from './guest-data.ts'
import { dataRuns, inOrder, inUnits } from './guest-data.ts'
import { writeQcow2 } from './qcow2-writer.ts'
import { replaceFile, writeFully } from './replace-file.ts'
import type { VhdIdentity } from './vhd-footer.ts'
import { dynamicVhdFooter, fixedVhdFooter, vhdDynamicHeader, vhdFooterBytes, vhdHeaderBytes } from './vhd-footer.ts'

export interface WriteDiskImageOptions {
  readonly signal?: AbortSignal | undefined
  /** qcow2 only: clusters are compressed with zstd. */
  readonly compress?: boolean | undefined
  /** VHD only: its unique id and date; random and now unless given. The same identity gives the same file. */
  readonly vhdIdentity?: VhdIdentity | undefined
}

/**
 * Writes a disk as a file in the given format, whole or not at all, durable once resolved. `data` is ascending and may
 * come in any pieces; what it leaves out and what is zero takes no space. Throws DiskSpaceExhausted if the disk is full.
 */
export function writeDiskImage(
  path: string,
  format: DiskFormat,
  virtualSizeBytes: number,
  data: AsyncIterable<GuestData>,
  options: WriteDiskImageOptions = {},
): Promise<void> {
  if (!Number.isSafeInteger(virtualSizeBytes) || virtualSizeBytes <= 0 || virtualSizeBytes % 512 !== 0)
    throw new RangeError(`a disk cannot have ${virtualSizeBytes} bytes`)
  const ordered = inOrder(data, virtualSizeBytes, options.signal)
  const identity = options.vhdIdentity ?? { uniqueId: randomBytes(16), timestampMs: systemClock.now() }
  return replaceFile(path, async (handle) => {
    switch (format) {
      case 'raw':
        await writeFlat(handle, ordered)
        return handle.truncate(virtualSizeBytes)
      case 'vhd-fixed':
        await writeFlat(handle, ordered)
        return writeFully(handle, fixedVhdFooter(virtualSizeBytes, identity), virtualSizeBytes)
      case 'vhd-dynamic':
        return writeDynamicVhd(handle, virtualSizeBytes, ordered, identity)
      case 'qcow2':
        return writeQcow2(handle, virtualSizeBytes, ordered, options.compress === true)
    }
  })
}

/**
 * Makes an empty qcow2 to serve as a copy-on-write layer. It names no backing file: QEMU is told the backing node on
 * its command line, so that nothing in the file decides what is opened.
 */
export function emptyQcow2Overlay(path: string, virtualSizeBytes: number): Promise<void> {
  return writeDiskImage(path, 'qcow2', virtualSizeBytes, noData())
}

async function* noData(): AsyncGenerator<GuestData> {}

async function writeFlat(handle: FileHandle, data: AsyncIterable<GuestData>): Promise<void> {
  for await (const { offset, bytes } of data)
    for (const { start, end } of dataRuns(offset, bytes))
      await writeFully(handle, bytes.subarray(start, end), offset + start)
}

const vhdBlockBytes = 2 * MiB

/** Footer copy, header, block table, blocks (bitmap, data), footer. Blocks lie so that their data is on a 4 KiB grid. */
async function writeDynamicVhd(
  handle: FileHandle,
  virtualSizeBytes: number,
  data: AsyncIterable<GuestData>,
  identity: VhdIdentity,
): Promise<void> {
  const tableEntries = Math.ceil(virtualSizeBytes / vhdBlockBytes)
  const tableOffset = vhdFooterBytes + vhdHeaderBytes
  const table = Buffer.alloc(Math.ceil((tableEntries * 4) / 512) * 512, 0xff)
  const bitmapBytes = 512
  let end = tableOffset + table.length
  for await (const { index, bytes } of inUnits(data, vhdBlockBytes)) {
    const dataAt = Math.ceil((end + bitmapBytes) / (4 * KiB)) * 4 * KiB
    const bitmap = Buffer.alloc(bitmapBytes)
    for (const run of dataRuns(0, bytes)) {
      await writeFully(handle, bytes.subarray(run.start, run.end), dataAt + run.start)
      // Runs are on the 4 KiB grid: 8 sectors, one byte of the bitmap.
      bitmap.fill(0xff, run.start / (4 * KiB), run.end / (4 * KiB))
    }
    await writeFully(handle, bitmap, dataAt - bitmapBytes)
    table.writeUInt32BE((dataAt - bitmapBytes) / 512, index * 4)
    end = dataAt + vhdBlockBytes
  }
  const footer = dynamicVhdFooter(virtualSizeBytes, identity)
  await writeFully(handle, footer, end)
  await writeFully(handle, table, tableOffset)
  await writeFully(
    handle,
    vhdDynamicHeader({ tableOffset, tableEntries, blockSizeBytes: vhdBlockBytes }),
    vhdFooterBytes,
  )
  await writeFully(handle, footer, 0)
}
