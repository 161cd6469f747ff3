import { randomBytes } from 'node:crypto'

const footerBytes = 512

function checksum(bytes: Buffer): number {
  let sum = 0
  for (const byte of bytes) sum += byte
  return ~sum >>> 0
}

/** Puts the checksum into a footer (at 64) or dynamic header (at 36). */
export function sign(bytes: Buffer<ArrayBuffer>, at: number): Buffer<ArrayBuffer> {
  bytes.writeUInt32BE(0, at)
  bytes.writeUInt32BE(checksum(bytes), at)
  return bytes
}

/**
 * A VHD footer, written from Microsoft's specification 1.0 and not with the server's own code, so that a mistake there
 * is not repeated here.
 */
export function vhdFooter(sizeBytes: number, type: 'fixed' | 'dynamic' = 'fixed'): Buffer<ArrayBuffer> {
  const footer = Buffer.alloc(footerBytes)
  footer.write('conectix', 0, 'latin1')
  footer.writeUInt32BE(2, 8)
  footer.writeUInt32BE(0x0001_0000, 12)
  footer.writeBigUInt64BE(type === 'fixed' ? 0xffff_ffff_ffff_ffffn : 512n, 16)
  footer.write('wire', 28, 'latin1')
  footer.writeBigUInt64BE(BigInt(sizeBytes), 40)
  footer.writeBigUInt64BE(BigInt(sizeBytes), 48)
  footer.writeUInt32BE(type === 'fixed' ? 2 : 3, 60)
  footer.set(Buffer.alloc(16, 7), 68)
  return sign(footer, 64)
}

/** The same disk as a fixed VHD file. */
export function fixedVhd(disk: Uint8Array): Buffer<ArrayBuffer> {
  return Buffer.concat([disk, vhdFooter(disk.length)])
}

export const blockBytes = 2 * 1024 * 1024
/** Where a dynamic VHD of this file has its header, its block table and its first block. */
export const dynamicLayout = { header: 512, table: 1536, firstBlock: 2048 }

/** A dynamic VHD of whole 2 MiB blocks; blocks of zeros are left out. */
export function dynamicVhd(disk: Uint8Array): Buffer<ArrayBuffer> {
  const count = Math.ceil(disk.length / blockBytes)
  const footer = vhdFooter(disk.length, 'dynamic')
  const header = Buffer.alloc(1024)
  header.write('cxsparse', 0, 'latin1')
  header.writeBigUInt64BE(0xffff_ffff_ffff_ffffn, 8)
  header.writeBigUInt64BE(BigInt(dynamicLayout.table), 16)
  header.writeUInt32BE(0x0001_0000, 24)
  header.writeUInt32BE(count, 28)
  header.writeUInt32BE(blockBytes, 32)
  const table = Buffer.alloc(512, 0xff)
  const blocks: Buffer<ArrayBuffer>[] = []
  let at = dynamicLayout.firstBlock
  for (let block = 0; block < count; block += 1) {
    const data = Buffer.alloc(blockBytes)
    data.set(disk.subarray(block * blockBytes, Math.min(disk.length, (block + 1) * blockBytes)))
    if (data.every((byte) => byte === 0)) continue
    table.writeUInt32BE(at / 512, block * 4)
    blocks.push(Buffer.alloc(512, 0xff), data)
    at += 512 + blockBytes
  }
  return Buffer.concat([footer, sign(header, 36), table, ...blocks, footer])
}

/** A disk of whole MiB with random bytes in a few places and holes between, and a boot signature. */
export function someDisk(sizeMiB: number, noisePerMiB = 40_000): Buffer<ArrayBuffer> {
  const disk = Buffer.alloc(sizeMiB * 1024 * 1024)
  disk.set([0xeb, 0xfe], 0)
  disk.set([0x55, 0xaa], 510)
  for (let at = 65_536; at + 65_536 <= disk.length; at += 1024 * 1024)
    disk.set(randomBytes(Math.min(noisePerMiB, disk.length - at)), at)
  return disk
}
