/** Gives a guest its one address (DHCP, RFC 2131). No router and no name server: there is nothing else to reach. */

export interface Lease {
  readonly address: number
  readonly mask: number
  readonly server: number
}

const headerBytes = 240
const magic = 0x63825363
const leaseSeconds = 86_400
const kinds = { discover: 1, offer: 2, request: 3, acknowledge: 5, refuse: 6, inform: 8 } as const

/** The answer to a message of a client; undefined: it asks for nothing. */
export function answerDhcp(message: Buffer, lease: Lease): Buffer | undefined {
  if (message.length < headerBytes || message.readUInt8(0) !== 1 || message.readUInt32BE(236) !== magic)
    return undefined
  const options = readOptions(message.subarray(headerBytes))
  const kind = options.get(53)?.at(0)
  const wanted = options.get(50)
  const asked = wanted?.length === 4 ? wanted.readUInt32BE(0) : message.readUInt32BE(12)
  switch (kind) {
    case kinds.discover:
      return format(message, lease, kinds.offer)
    case kinds.request:
      return format(message, lease, asked === lease.address ? kinds.acknowledge : kinds.refuse)
    case kinds.inform:
      return format(message, lease, kinds.acknowledge)
    default:
      return undefined
  }
}

function readOptions(bytes: Buffer): ReadonlyMap<number, Buffer> {
  const found = new Map<number, Buffer>()
  for (let at = 0; at + 1 < bytes.length;) {
    const code = bytes.readUInt8(at)
    if (code === 255) break
    if (code === 0) {
      at += 1
      continue
    }
    const length = bytes.readUInt8(at + 1)
    found.set(code, bytes.subarray(at + 2, at + 2 + length))
    at += 2 + length
  }
  return found
}

function format(message: Buffer, { address, mask, server }: Lease, kind: number): Buffer {
  // Hardware, transaction, flags and the client's hardware address are those of the question.
  const answer = Buffer.from(message.subarray(0, headerBytes))
  answer.fill(0, 44, 236)
  answer.writeUInt8(2, 0)
  const isGiven = kind !== kinds.refuse
  if (isGiven) answer.writeUInt32BE(address, 16)
  answer.writeUInt32BE(isGiven ? server : 0, 20)
  const number = (code: number, value: number): Buffer => {
    const option = Buffer.alloc(6)
    option.writeUInt8(code, 0)
    option.writeUInt8(4, 1)
    option.writeUInt32BE(value, 2)
    return option
  }
  const given = isGiven ? [number(51, leaseSeconds), number(1, mask)] : []
  return Buffer.concat([answer, Buffer.from([53, 1, kind]), number(54, server), ...given, Buffer.from([255])])
}
