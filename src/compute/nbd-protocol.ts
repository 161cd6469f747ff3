/**
 * The words of the NBD protocol that a read-only export needs, as numbers and bytes.
 * Source: https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md (fixed newstyle, simple replies).
 */
export const optionCode = { exportName: 1, abort: 2, list: 3, info: 6, go: 7 } as const
export const command = { read: 0, write: 1, disconnect: 2, flush: 3, trim: 4, cache: 5, writeZeroes: 6 } as const
export const nbdError = { none: 0, notPermitted: 1, io: 5, invalid: 22, overflow: 75, shutdown: 108 } as const
const reply = { ack: 1, server: 2, info: 3, unsupported: 0x8000_0001, invalid: 0x8000_0003, unknown: 0x8000_0006 }

const initMagic = 0x4e42444d41474943n // NBDMAGIC
const optionMagic = 0x49484156454f5054n // IHAVEOPT
const optionReplyMagic = 0x0003e889045565a9n
const requestMagic = 0x25609513
const simpleReplyMagic = 0x67446698

const fixedNewstyle = 1
const noZeroes = 2
// HAS_FLAGS, READ_ONLY, SEND_FLUSH, CAN_MULTI_CONN: nothing is ever written, so every connection sees the same bytes.
const exportFlags = 0x001 | 0x002 | 0x004 | 0x100

/** The most that one READ may ask for; QEMU never sends more than this. */
export const maxReadBytes = 32 * 1024 * 1024

export const clientFlagsBytes = 4
export const optionHeaderBytes = 16
export const requestBytes = 28

export function greeting(): Buffer {
  const bytes = Buffer.alloc(18)
  bytes.writeBigUInt64BE(initMagic, 0)
  bytes.writeBigUInt64BE(optionMagic, 8)
  bytes.writeUInt16BE(fixedNewstyle | noZeroes, 16)
  return bytes
}

/** Whether the client also left out the 124 zeros of the old answer; undefined: it does not speak fixed newstyle. */
export function parseClientFlags(bytes: Buffer): { readonly noZeroes: boolean } | undefined {
  const flags = bytes.readUInt32BE(0)
  if ((flags & fixedNewstyle) === 0 || (flags & ~(fixedNewstyle | noZeroes)) !== 0) return undefined
  return { noZeroes: (flags & noZeroes) !== 0 }
}

export interface OptionHeader {
  readonly option: number
  readonly length: number
}

export function parseOptionHeader(bytes: Buffer): OptionHeader | undefined {
  if (bytes.readBigUInt64BE(0) !== optionMagic) return undefined
  return { option: bytes.readUInt32BE(8), length: bytes.readUInt32BE(12) }
}

/** The export's name in the data of INFO and GO; undefined: malformed. */
export function parseInfoName(data: Buffer): string | undefined {
  if (data.length < 6) return undefined
  const length = data.readUInt32BE(0)
  if (4 + length + 2 > data.length) return undefined
  const count = data.readUInt16BE(4 + length)
  if (4 + length + 2 + count * 2 !== data.length) return undefined
  return data.toString('utf8', 4, 4 + length)
}

function optionReply(option: number, type: number, data: Buffer = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(20)
  header.writeBigUInt64BE(optionReplyMagic, 0)
  header.writeUInt32BE(option, 8)
  header.writeUInt32BE(type, 12)
  header.writeUInt32BE(data.length, 16)
  return Buffer.concat([header, data])
}

export const optionAck = (option: number): Buffer => optionReply(option, reply.ack)
export const optionUnsupported = (option: number): Buffer => optionReply(option, reply.unsupported)
export const optionInvalid = (option: number): Buffer => optionReply(option, reply.invalid)
export const optionUnknownExport = (option: number): Buffer => optionReply(option, reply.unknown)

export function optionServer(option: number, name: string): Buffer {
  const text = Buffer.from(name)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(text.length, 0)
  return optionReply(option, reply.server, Buffer.concat([length, text]))
}

/** Size, flags and block sizes of an export, as INFO and GO answer them, closed by the acknowledgement. */
export function optionInfo(option: number, sizeBytes: number): Buffer {
  const size = Buffer.alloc(12)
  size.writeUInt16BE(0, 0)
  size.writeBigUInt64BE(BigInt(sizeBytes), 2)
  size.writeUInt16BE(exportFlags, 10)
  const blocks = Buffer.alloc(14)
  blocks.writeUInt16BE(3, 0)
  blocks.writeUInt32BE(1, 2)
  blocks.writeUInt32BE(65_536, 6)
  blocks.writeUInt32BE(maxReadBytes, 10)
  return Buffer.concat([
    optionReply(option, reply.info, size),
    optionReply(option, reply.info, blocks),
    optionAck(option),
  ])
}

export function exportNameAnswer(sizeBytes: number, withoutZeroes: boolean): Buffer {
  const bytes = Buffer.alloc(withoutZeroes ? 10 : 134)
  bytes.writeBigUInt64BE(BigInt(sizeBytes), 0)
  bytes.writeUInt16BE(exportFlags, 8)
  return bytes
}

export interface Request {
  readonly flags: number
  readonly type: number
  /** The client's own mark, given back as it came. */
  readonly handle: Buffer
  readonly offset: bigint
  readonly length: number
}

export function parseRequest(bytes: Buffer): Request | undefined {
  if (bytes.readUInt32BE(0) !== requestMagic) return undefined
  return {
    flags: bytes.readUInt16BE(4),
    type: bytes.readUInt16BE(6),
    handle: Buffer.from(bytes.subarray(8, 16)),
    offset: bytes.readBigUInt64BE(16),
    length: bytes.readUInt32BE(24),
  }
}

export function simpleReply(handle: Buffer, error: number): Buffer {
  const bytes = Buffer.alloc(16)
  bytes.writeUInt32BE(simpleReplyMagic, 0)
  bytes.writeUInt32BE(error, 4)
  handle.copy(bytes, 8)
  return bytes
}
