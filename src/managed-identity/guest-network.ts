import type { Duplex } from 'node:stream'
import type { Clock } from '../base/clock.ts'
import { randomFraction } from '../base/random.ts'
import { answerDhcp } from './guest-dhcp.ts'
import { GuestConnection } from './guest-tcp.ts'
import {
  etherType,
  formatIpv4,
  formatTcp,
  formatUdp,
  parseIpv4,
  parseTcp,
  protocol,
  tcpFlag,
  type Ipv4Packet,
  type TcpSegment,
} from './packets.ts'

const address = (a: number, b: number, c: number, d: number): number => ((a << 24) | (b << 16) | (c << 8) | d) >>> 0
/** All that the guest can reach. */
const ownAddress = address(169, 254, 169, 254)
const ownHardware = Buffer.from('525400a9fe01', 'hex')
const lease = { address: address(169, 254, 0, 16), mask: address(255, 255, 0, 0), server: ownAddress }
const everybody = address(255, 255, 255, 255)
const port = 80
const longestFrame = 65_536
const mostConnections = 64
const tickMs = 500

/**
 * The network of one guest, at the other end of its card's cable: Ethernet frames with their length before them, as QEMU's
 * `-netdev socket` writes them. It has one address, 169.254.169.254, which answers at port 80 and gives the guest its own
 * by DHCP. Each connection of the guest is one of its own: they do not meet. Everything from the guest is hostile here:
 * what is not understood is dropped.
 */
export function serveGuestNetwork(cable: Duplex, clock: Clock, onConnection: (stream: Duplex) => void): void {
  const send: SendFrame = (to, type, payload) => {
    // A guest that does not take what it asked for loses frames, as on any network.
    if (cable.destroyed || cable.writableLength > 16 * longestFrame) return
    const head = Buffer.alloc(18)
    head.writeUInt32BE(14 + payload.length, 0)
    head.set(to, 4)
    head.set(ownHardware, 10)
    head.writeUInt16BE(type, 16)
    cable.write(Buffer.concat([head, payload]))
  }
  const connections = openConnections(
    (to, target, segment) =>
      sendIp(send, to, { target, protocol: protocol.tcp, payload: formatTcp(segment, ownAddress, target) }),
    clock,
    onConnection,
  )
  const receive = (frame: Buffer): void => {
    if (frame.length < 14) return
    const from = Buffer.from(frame.subarray(6, 12))
    const payload = frame.subarray(14)
    const type = frame.readUInt16BE(12)
    if (type === etherType.arp) return answerArp(send, payload)
    const packet = type === etherType.ipv4 ? parseIpv4(payload) : undefined
    if (packet?.protocol === protocol.udp) answerUdp(send, from, packet)
    else if (packet?.protocol === protocol.tcp && packet.target === ownAddress) connections.receive(from, packet)
  }
  const life = new AbortController()
  void keepTime(clock, life.signal, () => connections.tick())
  const cut = framesOf(receive, () => cable.destroy())
  cable.on('data', cut)
  cable.on('error', () => {})
  cable.on('close', () => {
    life.abort()
    connections.close()
  })
}

type SendFrame = (to: Buffer, type: number, payload: Buffer) => void

function sendIp(send: SendFrame, to: Buffer, packet: Omit<Ipv4Packet, 'source'>): void {
  send(to, etherType.ipv4, formatIpv4({ ...packet, source: ownAddress }))
}

function answerUdp(send: SendFrame, from: Buffer, { payload }: Ipv4Packet): void {
  if (payload.length < 8 || payload.readUInt16BE(2) !== 67) return
  const answer = answerDhcp(payload.subarray(8), lease)
  if (answer) sendIp(send, from, { target: everybody, protocol: protocol.udp, payload: formatUdp(67, 68, answer) })
}

function answerArp(send: SendFrame, packet: Buffer): void {
  const isQuestion = packet.length >= 28 && packet.readUInt16BE(6) === 1 && packet.readUInt32BE(24) === ownAddress
  if (!isQuestion) return
  const answer = Buffer.from(packet.subarray(0, 28))
  answer.writeUInt16BE(2, 6)
  answer.set(ownHardware, 8)
  answer.writeUInt32BE(ownAddress, 14)
  answer.set(packet.subarray(8, 18), 18)
  send(packet.subarray(8, 14), etherType.arp, answer)
}

/** The guest's connections, by its end of each. */
function openConnections(
  send: (to: Buffer, target: number, segment: TcpSegment) => void,
  clock: Clock,
  onConnection: (stream: Duplex) => void,
) {
  const open = new Map<string, GuestConnection>()
  const begin = (key: string, from: Buffer, source: number, syn: TcpSegment): void => {
    const ports = { sourcePort: port, targetPort: syn.sourcePort }
    const connection = new GuestConnection(syn, Math.floor(randomFraction() * 2 ** 32), {
      nowMs: () => clock.now(),
      send: (segment) => send(from, source, { ...segment, ...ports }),
      onGone: () => void (open.get(key) === connection && open.delete(key)),
    })
    open.set(key, connection)
    connection.on('error', () => {})
    onConnection(connection)
  }
  return {
    receive(from: Buffer, { source, payload }: Ipv4Packet): void {
      const segment = parseTcp(payload)
      if (!segment) return
      const key = `${source}:${segment.sourcePort}`
      const begins = (segment.flags & (tcpFlag.syn | tcpFlag.ack | tcpFlag.rst)) === tcpFlag.syn
      const known = open.get(key)
      if (begins && known?.isOther(segment)) known.destroy()
      const current = open.get(key)
      if (current) current.receive(segment)
      else if (begins && segment.targetPort === port && open.size < mostConnections) begin(key, from, source, segment)
      else if (!(segment.flags & tcpFlag.rst)) send(from, source, refusalOf(segment))
    },
    tick(): void {
      for (const connection of open.values()) connection.tick()
    },
    close(): void {
      for (const connection of open.values()) connection.destroy()
    },
  }
}

function refusalOf({ sourcePort, targetPort, sequence, acknowledged, flags, payload }: TcpSegment): TcpSegment {
  const length = payload.length + (flags & (tcpFlag.syn | tcpFlag.fin) ? 1 : 0)
  return {
    sourcePort: targetPort,
    targetPort: sourcePort,
    sequence: acknowledged,
    acknowledged: (sequence + length) >>> 0,
    flags: tcpFlag.rst | tcpFlag.ack,
    window: 0,
    maximumBytes: undefined,
    payload: Buffer.alloc(0),
  }
}

/** Cuts a stream into frames; `refuse` is called where it is none of frames. */
function framesOf(take: (frame: Buffer) => void, refuse: () => void): (part: Buffer) => void {
  let waiting: Buffer = Buffer.alloc(0)
  return (part) => {
    waiting = waiting.length === 0 ? part : Buffer.concat([waiting, part])
    let at = 0
    while (waiting.length - at >= 4) {
      const length = waiting.readUInt32BE(at)
      if (length > longestFrame) return refuse()
      if (waiting.length - at < 4 + length) break
      take(waiting.subarray(at + 4, at + 4 + length))
      at += 4 + length
    }
    waiting = Buffer.from(waiting.subarray(at))
  }
}

async function keepTime(clock: Clock, signal: AbortSignal, tick: () => void): Promise<void> {
  try {
    for (;;) {
      await clock.sleep(tickMs, signal)
      tick()
    }
  } catch {
    // The cable was pulled.
  }
}
