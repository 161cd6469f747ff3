import type { DiskImage, Extent } from './disk-image.ts'
import { assertWithin, createExtentJoiner } from './extent-runs.ts'
import type { HostFile } from './host-file.ts'
import { readBytes } from './host-file.ts'
import { checkHostRanges } from './host-ranges.ts'
import { createLru } from './lru.ts'
import { blockProblems } from './problems.ts'
import { flatImage } from './raw-image.ts'
import type { VhdDynamicHeader } from './vhd-footer.ts'
import {
  parseVhdDynamicHeader,
  parseVhdFooter,
  vhdDiskType,
  vhdFooterBytes,
  vhdHeaderBytes,
  vhdSectorBytes,
} from './vhd-footer.ts'

const unusedBlock = 0xffff_ffff

/**
 * Opens a VHD whose cookie was seen. Checks everything that can be checked without reading the data: after this no
 * table entry points outside the file or to a place that another part uses.
 */
export async function openVhd(file: HostFile, checkSize: (sizeBytes: number) => void): Promise<DiskImage> {
  const { name } = file
  if (file.sizeBytes < vhdFooterBytes) throw blockProblems.VhdCookieMissing(file)
  const footerBytes = await readBytes(file, file.sizeBytes - vhdFooterBytes, vhdFooterBytes)
  const footer = parseVhdFooter(footerBytes, file)
  const size = footer.currentSizeBytes
  checkSize(size)
  const copy = await readBytes(file, 0, vhdFooterBytes)
  if (footer.diskType === vhdDiskType.fixed) {
    // QEMU takes a cookie at the start for a dynamic disk whatever the end says: nobody could tell which is meant.
    if (file.sizeBytes > vhdFooterBytes && copy.toString('latin1', 0, 8) === 'conectix')
      throw blockProblems.TwoFormats({ name, found: ['dynamic VHD', 'fixed VHD'] })
    if (file.sizeBytes !== size + vhdFooterBytes) {
      const reason = `its footer says ${size} bytes, the file holds ${file.sizeBytes - vhdFooterBytes}`
      throw file.sizeBytes < size + vhdFooterBytes
        ? blockProblems.VhdTruncated({ name, reason })
        : blockProblems.VhdSizeWrong({ name, reason })
    }
    return flatImage(file, 'vhd-fixed', size, size)
  }
  if (!copy.equals(footerBytes)) throw blockProblems.VhdFootersDiffer({ name })
  const headerAt = footer.dataOffset ?? 0
  if (headerAt < vhdFooterBytes || headerAt % vhdSectorBytes !== 0)
    throw blockProblems.VhdFieldInvalid({ name, field: 'data offset', value: headerAt })
  if (headerAt + vhdHeaderBytes > file.sizeBytes - vhdFooterBytes)
    throw blockProblems.VhdTruncated({ name, reason: 'its dynamic header is outside the file' })
  const header = parseVhdDynamicHeader(await readBytes(file, headerAt, vhdHeaderBytes), name)
  const table = await loadTable(file, header, size, headerAt)
  return dynamicImage(file, header, table, size)
}

/** Reads the block table (4 bytes a block, at most 16 MiB) and checks every entry. */
async function loadTable(file: HostFile, header: VhdDynamicHeader, size: number, headerAt: number): Promise<Buffer> {
  const { name } = file
  const blocks = Math.ceil(size / header.blockSizeBytes)
  if (header.tableEntries !== blocks)
    throw blockProblems.VhdFieldInvalid({
      name,
      field: 'number of blocks',
      value: `${header.tableEntries}, not ${blocks}`,
    })
  const dataEnd = file.sizeBytes - vhdFooterBytes
  const tableEnd = header.tableOffset + roundUp(blocks * 4, vhdSectorBytes)
  if (tableEnd > dataEnd)
    throw blockProblems.VhdTableOutside({ name, reason: `it should end at byte ${tableEnd} of ${dataEnd}` })
  const table = await readBytes(file, header.tableOffset, blocks * 4)
  const storedBytes = bitmapBytes(header) + header.blockSizeBytes
  for (let block = 0; block < blocks; block += 1) {
    const sector = table.readUInt32BE(block * 4)
    if (sector !== unusedBlock && sector * vhdSectorBytes + storedBytes > dataEnd)
      throw blockProblems.VhdBlockOutside({ name, block })
  }
  const verdict = await checkHostRanges(
    { fileSizeBytes: file.sizeBytes, rangeGuestBytes: header.blockSizeBytes },
    async (visit) => {
      visit(0, vhdFooterBytes)
      visit(headerAt, headerAt + vhdHeaderBytes)
      visit(header.tableOffset, tableEnd)
      for (let at = 0; at < table.length; at += 4) {
        const sector = table.readUInt32BE(at)
        if (sector !== unusedBlock) visit(sector * vhdSectorBytes, sector * vhdSectorBytes + storedBytes)
      }
    },
  )
  if (verdict.kind === 'overlap') throw blockProblems.VhdBlocksOverlap({ name, offset: verdict.offset })
  if (verdict.kind === 'inflates') throw blockProblems.ImageInflates({ name, reason: verdict.reason })
  return table
}

function dynamicImage(file: HostFile, header: VhdDynamicHeader, table: Buffer, size: number): DiskImage {
  const { blockSizeBytes } = header
  const bitmapSize = bitmapBytes(header)
  const bitmaps = createLru<Buffer>(512)
  const blockAt = (block: number): number | undefined => {
    const sector = table.readUInt32BE(block * 4)
    return sector === unusedBlock ? undefined : sector * vhdSectorBytes
  }
  const bitmapOf = (at: number): Promise<Buffer> => bitmaps.get(at, () => readBytes(file, at, bitmapSize))

  async function readBlock(block: number, within: number, into: Uint8Array): Promise<void> {
    const at = blockAt(block)
    if (at === undefined) return void into.fill(0)
    const bitmap = await bitmapOf(at)
    for (const run of sectorRuns(bitmap, within, within + into.length)) {
      const part = into.subarray(run.start - within, run.end - within)
      if (run.isSet) await file.read(at + bitmapSize + run.start, part)
      else part.fill(0)
    }
  }

  async function* extents(signal?: AbortSignal): AsyncGenerator<Extent> {
    const joiner = createExtentJoiner()
    const findData = file.createDataFinder()
    for (let block = 0; block * 4 < table.length; block += 1) {
      const at = blockAt(block)
      if (at === undefined) continue
      signal?.throwIfAborted()
      const guest = block * blockSizeBytes
      const host = at + bitmapSize
      for (const run of sectorRuns(await bitmapOf(at), 0, Math.min(blockSizeBytes, size - guest))) {
        if (!run.isSet) continue
        for (const data of findData(host + run.start, host + run.end)) {
          const done = joiner.add(guest + data.offset - host, data.length)
          if (done) yield done
        }
      }
    }
    const last = joiner.end()
    if (last) yield last
  }

  return {
    format: 'vhd-dynamic',
    virtualSizeBytes: size,
    extents,
    async read(offset, into) {
      assertWithin(size, offset, into.length)
      for (let done = 0; done < into.length;) {
        const block = Math.floor((offset + done) / blockSizeBytes)
        const within = (offset + done) % blockSizeBytes
        const part = Math.min(into.length - done, blockSizeBytes - within)
        await readBlock(block, within, into.subarray(done, done + part))
        done += part
      }
    },
    close: () => file.close(),
    [Symbol.asyncDispose]: () => file.close(),
  }
}

interface SectorRun {
  readonly isSet: boolean
  /** Bytes within the block. */
  readonly start: number
  readonly end: number
}

/** The runs of sectors of one kind within a part of a block; a set bit (most significant first) means written. */
function* sectorRuns(bitmap: Buffer, from: number, to: number): Generator<SectorRun> {
  const isSetAt = (sector: number): boolean => ((bitmap[sector >>> 3] ?? 0) & (0x80 >>> (sector & 7))) !== 0
  let start = from
  while (start < to) {
    const isSet = isSetAt(Math.floor(start / vhdSectorBytes))
    const whole = isSet ? 0xff : 0
    let sector = Math.floor(start / vhdSectorBytes) + 1
    while (sector * vhdSectorBytes < to)
      if ((sector & 7) === 0 && bitmap[sector >>> 3] === whole) sector += 8
      else if (isSetAt(sector) === isSet) sector += 1
      else break
    const end = Math.min(sector * vhdSectorBytes, to)
    yield { isSet, start, end }
    start = end
  }
}

const roundUp = (value: number, unit: number): number => Math.ceil(value / unit) * unit

/** The bitmap before each block: one bit a sector, padded to whole sectors. */
const bitmapBytes = (header: VhdDynamicHeader): number =>
  roundUp(header.blockSizeBytes / vhdSectorBytes / 8, vhdSectorBytes)
