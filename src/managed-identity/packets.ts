/** The few packets of which a guest's little network consists: Ethernet, ARP, IPv4, UDP, TCP (RFC 826, 791, 768, 9293). */

export const etherType = { ipv4: 0x0800, arp: 0x0806 } as const
export const protocol = { tcp: 6, udp: 17 } as const

export interface Ipv4Packet {
  readonly source: number
  readonly target: number
  readonly protocol: number
  readonly payload: Buffer
}

export function parseIpv4(bytes: Buffer): Ipv4Packet | undefined {
  if (bytes.length < 20 || bytes.readUInt8(0) >>> 4 !== 4) return undefined
  const headerBytes = (bytes.readUInt8(0) & 0x0f) * 4
  const length = bytes.readUInt16BE(2)
  // Fragments are not put together: everything here fits into one packet.
  if (headerBytes < 20 || length < headerBytes || length > bytes.length || (bytes.readUInt16BE(6) & 0x3fff) !== 0)
    return undefined
  return {
    source: bytes.readUInt32BE(12),
    target: bytes.readUInt32BE(16),
    protocol: bytes.readUInt8(9),
    payload: bytes.subarray(headerBytes, length),
  }
}

export function formatIpv4(packet: Ipv4Packet): Buffer {
  const header = Buffer.alloc(20)
  header.writeUInt8(0x45, 0)
  header.writeUInt16BE(20 + packet.payload.length, 2)
  header.writeUInt16BE(0x4000, 6)
  header.writeUInt8(64, 8)
  header.writeUInt8(packet.protocol, 9)
  header.writeUInt32BE(packet.source, 12)
  header.writeUInt32BE(packet.target, 16)
  header.writeUInt16BE(checksum([header]), 10)
  return Buffer.concat([header, packet.payload])
}

/** The Internet checksum (RFC 1071); each part but the last has an even length. */
export function checksum(parts: readonly Buffer[]): number {
  let sum = 0
  for (const part of parts)
    for (let at = 0; at < part.length; at += 2)
      sum += at + 1 < part.length ? part.readUInt16BE(at) : part.readUInt8(at) << 8
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}

export const tcpFlag = { fin: 1, syn: 2, rst: 4, push: 8, ack: 16 } as const

export interface TcpSegment {
  readonly sourcePort: number
  readonly targetPort: number
  readonly sequence: number
  readonly acknowledged: number
  readonly flags: number
  readonly window: number
  /** Of a SYN: the longest payload that the other side takes. */
  readonly maximumBytes: number | undefined
  readonly payload: Buffer
}

export function parseTcp(bytes: Buffer): TcpSegment | undefined {
  if (bytes.length < 20) return undefined
  const headerBytes = (bytes.readUInt8(12) >>> 4) * 4
  if (headerBytes < 20 || headerBytes > bytes.length) return undefined
  return {
    sourcePort: bytes.readUInt16BE(0),
    targetPort: bytes.readUInt16BE(2),
    sequence: bytes.readUInt32BE(4),
    acknowledged: bytes.readUInt32BE(8),
    flags: bytes.readUInt8(13),
    window: bytes.readUInt16BE(14),
    maximumBytes: findMaximum(bytes.subarray(20, headerBytes)),
    payload: bytes.subarray(headerBytes),
  }
}

function findMaximum(options: Buffer): number | undefined {
  for (let at = 0; at + 1 < options.length;) {
    const kind = options.readUInt8(at)
    if (kind === 0) return undefined
    const length = kind === 1 ? 1 : options.readUInt8(at + 1)
    if (kind === 2 && length === 4 && at + 4 <= options.length) return options.readUInt16BE(at + 2)
    at += Math.max(1, length)
  }
  return undefined
}

export function formatTcp(segment: TcpSegment, source: number, target: number): Buffer {
  const { maximumBytes, payload } = segment
  const header = Buffer.alloc(maximumBytes === undefined ? 20 : 24)
  header.writeUInt16BE(segment.sourcePort, 0)
  header.writeUInt16BE(segment.targetPort, 2)
  header.writeUInt32BE(segment.sequence, 4)
  header.writeUInt32BE(segment.acknowledged, 8)
  header.writeUInt8((header.length / 4) << 4, 12)
  header.writeUInt8(segment.flags, 13)
  header.writeUInt16BE(segment.window, 14)
  if (maximumBytes !== undefined) header.writeUInt32BE(0x02040000 + maximumBytes, 20)
  const pseudo = Buffer.alloc(12)
  pseudo.writeUInt32BE(source, 0)
  pseudo.writeUInt32BE(target, 4)
  pseudo.writeUInt8(protocol.tcp, 9)
  pseudo.writeUInt16BE(header.length + payload.length, 10)
  header.writeUInt16BE(checksum([pseudo, header, payload]), 16)
  return Buffer.concat([header, payload])
}

/** Without a checksum, which IPv4 allows. */
export function formatUdp(sourcePort: number, targetPort: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(8)
  header.writeUInt16BE(sourcePort, 0)
  header.writeUInt16BE(targetPort, 2)
  header.writeUInt16BE(8 + payload.length, 4)
  return Buffer.concat([header, payload])
}
